#include "fetch/config_file.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS     " \t\r"
#define WORD_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

static int malformed(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, EINVAL, "%s", why);
}

void config_file_init(struct config_file *file, const char *text)
{
	*file = (struct config_file){.rest = text};
	if (str_has_prefix(text, "\xef\xbb\xbf"))
		file->rest += 3;
}

void config_file_release(struct config_file *file)
{
	/* any line may hold a secret */
	if (file->text)
		explicit_bzero(file->text, strlen(file->text));
	free(file->text);
	free(file->section);
	free(file->key);
	*file = (struct config_file){0};
}

char *config_trim(char *s)
{
	size_t len;

	s += strspn(s, BLANKS);
	len = strlen(s);
	while (len > 0 && strchr(BLANKS, s[len - 1]))
		s[--len] = '\0';
	return s;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
			return true;
	return false;
}

/* The next line into file->text, without its end. */
static int read_line(struct config_file *file, struct err *err)
{
	size_t len = strcspn(file->rest, "\n");
	size_t whole = len;

	if (file->text)
		explicit_bzero(file->text, strlen(file->text));
	free(file->text);
	file->text = NULL;
	file->line.number++;
	if (len > 0 && file->rest[len - 1] == '\r')
		len--;
	if (len > CONFIG_LINE_MAX)
		return err_set(err, ERR_USAGE, EINVAL, "the line is longer than %d bytes",
			CONFIG_LINE_MAX);
	file->text = strndup(file->rest, len);
	if (!file->text)
		return err_oom(err);
	if (has_control(file->text))
		return malformed(err, "the line has a control character");
	file->rest += whole + (file->rest[whole] == '\n');
	return 0;
}

/*
 * @text begins with a bracket. The name goes up to its closing quote and may have brackets: a URI
 * with an IPv6 address has.
 */
static int take_section(struct config_file *file, char *text, struct err *err)
{
	size_t len = strcspn(text + 1, "]\"");
	CLEANUP(str_freep) char *section = strndup(text + 1, len);
	char *rest = text + 1 + len;
	char *name = NULL;

	if (!section)
		return err_oom(err);
	if (*rest == '"') {
		name = rest + 1;
		rest = strchr(name, '"');
		if (rest)
			*rest++ = '\0';
	}
	rest = rest ? rest + strspn(rest, BLANKS) : NULL;
	if (!rest || *rest != ']' || !strchr("#;", rest[1 + strspn(rest + 1, BLANKS)]))
		return malformed(err, "neither '[section]' nor 'key = value'");

	free(file->section);
	file->section = strdup(config_trim(section));
	free(file->key);
	file->key = NULL;
	if (!file->section)
		return err_oom(err);
	file->line = (struct config_line){
		.number = file->line.number,
		.is_section = true,
		.section = file->section,
		.section_name = name,
	};
	return 1;
}

/* "key = …": a URI or a header that goes on with a list does not look like it. */
static bool is_setting(const char *text)
{
	size_t len = strspn(text, WORD_CHARS);

	return len > 0 && text[len + strspn(text + len, BLANKS)] == '=';
}

static int take_key(struct config_file *file, char *text, struct err *err)
{
	char *end = strpbrk(text, "=:");
	char *key;

	if (!end || end == text)
		return malformed(err, "neither '[section]' nor 'key = value'");
	*end = '\0';
	key = config_trim(text);
	free(file->key);
	file->key = strdup(key);
	if (!file->key)
		return err_oom(err);
	file->line.is_section = false;
	file->line.section_name = NULL;
	file->line.key = file->key;
	file->line.value = config_trim(end + 1);
	file->line.continued = false;
	return 1;
}

int config_file_next(struct config_file *file, struct err *err)
{
	while (*file->rest) {
		char *text;
		int r = read_line(file, err);

		if (r < 0)
			return r;
		text = config_trim(file->text);
		if (!*text || *text == '#' || *text == ';')
			continue;
		if (strchr(BLANKS, file->text[0]) && file->key && !is_setting(text)) {
			file->line.value = text;
			file->line.continued = true;
			return 1;
		}
		return *text == '[' ? take_section(file, text, err) : take_key(file, text, err);
	}
	return 0;
}
