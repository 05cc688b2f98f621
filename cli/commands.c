/* What the program can do. */
#include "base/str.h"
#include "cli/cli.h"

#include <string.h>

#define NAME_LIMIT 32 /* characters of a mistyped name that are looked at */

const struct command command_table[] = {
	{"mount", "DIR", "serve a cache under a folder", cmd_mount},
	{"unmount", "DIR", "take a mount down", cmd_unmount},
	{"fetch", "[-i FILE|-] [-j N] [URI…]", "download into the cache", cmd_fetch},
	{"cat", "URI", "write an artifact to stdout while it arrives", cmd_cat},
	{"get", "URI [FILE]", "copy an artifact into a file of your own", cmd_get},
	{"path", "URI", "print the path of a URI under the mount", cmd_path},
	{"ls", "[-l] [PREFIX]", "list what the cache knows", cmd_ls},
	{"stat", "URI", "show all that is known of one URI", cmd_stat},
	{"status", "", "show the cache as a whole, and what is on its way into it", cmd_status},
	{"log", "[-f] [-n N]", "show what happened lately", cmd_log},
	{"config", "[--user USER] [URI]", "show what is in force, and why", cmd_config},
	{"check", "", "see whether this machine is ready, and what to do about what is not",
		cmd_check},
	{"evict", "URI…|--all|--to SIZE", "let artifacts go from the cache", cmd_evict},
	{"pin", "URI…|PATTERN…", "keep artifacts from being evicted", cmd_pin},
	{"unpin", "URI…|PATTERN…", "let them be evicted again", cmd_unpin},
	{"export", "FILE|- [URI…|PATTERN…]", "write artifacts to an archive for another cache",
		cmd_export},
	{"import", "[--pin] FILE|-", "take in what export wrote", cmd_import},
	{"prepare", "[--spec FILE|-] DIR [URI…]", "place artifacts in a directory", cmd_prepare},
	{"release", "DIR", "take back what prepare placed in a directory", cmd_release},
	{"sandboxes", "", "show what is placed where, for whom, and since when", cmd_sandboxes},
	{"oci-hook", "[STAGE]", "place artifacts in a container, for an OCI runtime", cmd_oci_hook},
	{"gc", "", "release what is of directories that are gone", cmd_gc},
	{"verify", "[--full] [--repair]", "read all of the cache, and find what is damaged",
		cmd_verify},
	{0},
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = command_table; command->name; command++)
		if (str_equal(command->name, name))
			return command;
	return NULL;
}

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t min = a < b ? a : b;

	return min < c ? min : c;
}

/* The least number of insertions, deletions and exchanges that turn @a into @b (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_LIMIT + 1];
	size_t len = strnlen(b, NAME_LIMIT);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; i < NAME_LIMIT && a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[len];
}

const struct command *command_like(const char *name)
{
	const struct command *best = NULL;
	size_t best_distance = 3; /* more than two slips are another word */

	for (const struct command *command = command_table; command->name; command++) {
		size_t d = distance(name, command->name);

		if (d < best_distance && d < strlen(command->name)) {
			best = command;
			best_distance = d;
		}
	}
	return best;
}
