#include "cli/mounthelper.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What mount(8) understands as the status of a helper. */
#define STATUS_USAGE  1
#define STATUS_SYSTEM 2
#define STATUS_FAILED 32

struct call {
	const char *source;
	char *folder;
	char *options; /* for fetchfs mount; NULL: none */
	bool has_cache;
	bool fake;
};

bool mounthelper_is(const char *program)
{
	const char *slash = program ? strrchr(program, '/') : NULL;
	const char *name = slash ? slash + 1 : program;

	return name && (str_equal(name, "mount.fetchfs") || str_equal(name, "mount.fuse.fetchfs"));
}

/*
 * Of fstab, and of mount(8): when, by whom and after what it is mounted, and what is true of a
 * read-only mount without times anyhow.
 */
static bool is_for_others(const char *word)
{
	static const char *const words[] = {"defaults", "auto", "noauto", "user", "nouser", "users",
		"owner", "group", "_netdev", "_rnetdev", "nofail", "symfollow", "nosymfollow", "rw",
		"silent", "loud", "atime", "noatime", "diratime", "nodiratime", "relatime",
		"norelatime", "strictatime", "nostrictatime", "lazytime", "nolazytime", "iversion",
		"noiversion", "mand", "nomand"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (str_equal(word, words[i]))
			return true;
	return str_has_prefix(word, "x-") || str_has_prefix(word, "X-") ||
	       str_has_prefix(word, "comment=") || str_has_prefix(word, "user=");
}

static bool add_option(struct call *call, const char *first, const char *second)
{
	char *more = str_printf("%s%s%s%s", call->options ? call->options : "",
		call->options ? "," : "", first, second);

	if (!more)
		return false;
	free(call->options);
	call->options = more;
	return true;
}

static int no_memory(void)
{
	fputs("mount.fetchfs: out of memory\n", stderr);
	return STATUS_SYSTEM;
}

static bool take_options(struct call *call, char *list)
{
	char *word;

	while ((word = strsep(&list, ","))) {
		call->has_cache |= str_has_prefix(word, "cache=");
		if (*word && !is_for_others(word) && !add_option(call, word, ""))
			return false;
	}
	return true;
}

/* It is shown as the mount's, by which mount(8) knows what of fstab is there already. */
static int take_source(struct call *call)
{
	if (strchr(call->source, ',')) {
		fprintf(stderr, "mount.fetchfs: %s: no comma can be in the first field\n",
			call->source);
		return STATUS_USAGE;
	}
	if (!add_option(call, "fsname=", call->source))
		return no_memory();
	if (call->source[0] == '/' && !call->has_cache && !add_option(call, "cache=", call->source))
		return no_memory();
	return 0;
}

/* Returns 0 or a status. The source and the folder may come before the options, as mount(8) has
 * them, or after. */
static int parse(struct call *call, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "sfnvrwN:t:o:")) != -1) {
		if (option == '?')
			return STATUS_USAGE;
		if (option == 'f')
			call->fake = true;
		if (option == 'o' && !take_options(call, optarg))
			return no_memory();
	}
	if (argc - optind != 2) {
		fprintf(stderr, "usage: %s SOURCE FOLDER [-o OPTIONS]\n", argv[0]);
		return STATUS_USAGE;
	}
	call->source = argv[optind];
	call->folder = argv[optind + 1];
	return take_source(call);
}

static void call_release(struct call *call)
{
	free(call->options);
}

int mounthelper_run(int argc, char **argv, int (*run)(int argc, char **argv))
{
	CLEANUP(call_release) struct call call = {.fake = false};
	char program[] = "fetchfs";
	char command[] = "mount";
	char option[] = "-o";
	char end[] = "--";
	int r = parse(&call, argc, argv);

	if (r > 0 || call.fake)
		return r;
	char *words[] = {program, command, option, call.options, end, call.folder, NULL};
	switch (run((int)(sizeof(words) / sizeof(words[0])) - 1, words)) {
	case EXIT_DONE:
		return 0;
	case EXIT_USAGE:
		return STATUS_USAGE;
	default:
		return STATUS_FAILED;
	}
}
