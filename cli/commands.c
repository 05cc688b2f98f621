/* What the program can do. */
#include "base/str.h"
#include "cli/cli.h"

#include <string.h>

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
	{"report", "[--html FILE|-]", "show what the cache holds, for whom, and what it did lately",
		cmd_report},
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
	{"gc", "", "release what is of directories and mounts that are gone", cmd_gc},
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

const struct command *command_like(const char *name)
{
	const struct command *best = NULL;
	size_t best_distance = STR_SLIPS + 1;

	for (const struct command *command = command_table; command->name; command++) {
		size_t d = str_distance(name, command->name);

		if (d < best_distance && d < strlen(command->name)) {
			best = command;
			best_distance = d;
		}
	}
	return best;
}
