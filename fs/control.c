/* .fetchfs/: texts that are made when they are opened, for who opens them. */
#include "base/str.h"
#include "fs/ops.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_LINES 1000

static int write_event(const struct fetchfs_event *event, void *arg)
{
	char line[FETCHFS_EVENT_TEXT];
	FILE *out = arg;

	fetchfs_event_format(event, line);
	fprintf(out, "%s\n", line);
	return 0;
}

/* What cannot be read is missing. */
static void write_log(struct fs *fs, uid_t uid, FILE *out)
{
	(void)fetchfs_events(fs->fetchfs, uid, LOG_LINES, write_event, out, NULL);
}

static const struct {
	const char *name;
	void (*write)(struct fs *fs, uid_t uid, FILE *out);
} texts[] = {
	{"status", status_write},
	{"metrics", metrics_write},
	{"log", write_log},
};

const char *control_name(unsigned int n)
{
	return n < ARRAY_SIZE(texts) ? texts[n].name : NULL;
}

bool control_has(const char *name)
{
	for (unsigned int n = 0; control_name(n); n++)
		if (str_equal(name, control_name(n)))
			return true;
	return false;
}

char *control_text(struct fs *fs, const struct node *node, uid_t uid)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (unsigned int n = 0; n < ARRAY_SIZE(texts); n++)
		if (str_has_suffix(node->path, texts[n].name))
			texts[n].write(fs, uid, out);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
