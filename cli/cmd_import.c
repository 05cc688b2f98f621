/* fetchfs import: what fetchfs export wrote, into this cache. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/mounted.h"
#include "cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_PIN = 1, OPTION_JSON, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"pin", OPTION_PIN, 0, 0, "pin all of it, not only what was pinned where it comes from", 0},
	{"json", OPTION_JSON, 0, 0, "print a JSON object for each artifact, and for the whole", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "into the cache behind this mount", 0},
	{0},
};

struct import {
	struct cli *cli;
	const char *mount;
	const char *path; /* "-": stdin */
	bool pin;
	bool json;

	/* below: of the run */
	struct interrupt interrupt;
	struct progress progress;
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct import *import = state->input;

	switch (key) {
	case OPTION_PIN:
		import->pin = true;
		return 0;
	case OPTION_JSON:
		import->json = true;
		return 0;
	case OPTION_MOUNT:
		import->mount = arg;
		return 0;
	case ARGP_KEY_END:
		if (str_equal(import->path, "-") && isatty(STDIN_FILENO))
			argp_error(state, "stdin is a terminal: name a FILE, or pipe one in");
		return 0;
	default:
		return cli_parse_only(key, arg, state, "FILE", &import->path);
	}
}

static void print_item(const struct fetchfs_import_item *item, const char *shown)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "uri", shown);
	json_text(&json, "sha256", item->sha256);
	json_number(&json, "size", item->size);
	json_text(&json, "outcome", fetchfs_import_outcome_name(item->outcome));
	json_error(&json, "error", &item->err);
	json_close(&json, '}');
}

static void told(const struct fetchfs_import_item *item, void *arg)
{
	/* what is no URI may have a password all the same */
	CLEANUP(str_freep) char *shown = cli_shown(item->uri);
	struct import *import = arg;

	if (import->json)
		print_item(item, shown);
	if (item->outcome == FETCHFS_IMPORT_FAILED) {
		progress_clear(&import->progress);
		import->status =
			cli_worst(import->status, cli_fail(import->cli, shown, &item->err));
	} else if (import->cli->verbose) {
		progress_clear(&import->progress);
		fprintf(stderr, "fetchfs: %s: %s\n", shown ? shown : item->sha256,
			fetchfs_import_outcome_name(item->outcome));
	}
}

static uint64_t ended(const struct fetchfs_imported *sum)
{
	uint64_t count = 0;

	for (size_t i = 0; i < FETCHFS_IMPORT_OUTCOMES; i++)
		count += sum->counts[i];
	return count;
}

static void tick(const struct fetchfs_imported *so_far, void *arg)
{
	struct import *import = arg;
	struct progress_state state = {
		.done = ended(so_far),
		.count = so_far->entries,
		.count_known = true,
		.part = (double)ended(so_far),
		.bytes = so_far->seen,
		.total_bytes = so_far->total_bytes,
		.total_known = so_far->seen <= so_far->total_bytes,
	};
	int64_t now = clock_monotonic_ms();

	if (progress_due(&import->progress, now))
		progress_draw(&import->progress, &state, now);
}

static void sum_up_json(const struct fetchfs_imported *sum, int64_t ms)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	for (int i = 0; i < FETCHFS_IMPORT_OUTCOMES; i++)
		json_number(&json, fetchfs_import_outcome_name((enum fetchfs_import_outcome)i),
			(int64_t)sum->counts[i]);
	json_number(&json, "did_not_come", (int64_t)(sum->entries - ended(sum)));
	json_number(&json, "bytes", (int64_t)sum->bytes);
	json_thousandths(&json, "seconds", ms);
	json_close(&json, '}');
}

static void sum_up(const struct import *import, const struct fetchfs_imported *sum, int64_t ms)
{
	char bytes[UNITS_SIZE_TEXT], duration[UNITS_SIZE_TEXT];

	if (import->json)
		sum_up_json(sum, ms);
	if (import->json || import->cli->quiet)
		return;
	units_format_size(sum->bytes, bytes);
	units_format_duration(ms, duration);
	printf("%" PRIu64 " imported, %s, in %s", sum->counts[FETCHFS_IMPORT_DONE], bytes,
		duration);
	if (sum->counts[FETCHFS_IMPORT_PRESENT] > 0)
		printf("; %" PRIu64 " were here", sum->counts[FETCHFS_IMPORT_PRESENT]);
	if (sum->counts[FETCHFS_IMPORT_NEWER] > 0)
		printf("; %" PRIu64 " are newer here", sum->counts[FETCHFS_IMPORT_NEWER]);
	if (sum->counts[FETCHFS_IMPORT_FAILED] > 0)
		printf("; %" PRIu64 " failed", sum->counts[FETCHFS_IMPORT_FAILED]);
	if (sum->entries > ended(sum))
		printf("; %" PRIu64 " did not come", sum->entries - ended(sum));
	putchar('\n');
}

static int open_archive(const char *path, int *ret, struct err *err)
{
	*ret = str_equal(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
				    : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret < 0 ? err_set(err, ERR_SYSTEM, errno, "open it: %m") : 0;
}

static void stop(void *arg)
{
	fetchfs_cancel_all(arg);
}

static void run(struct import *import, struct fetchfs *fetchfs, int fd)
{
	const struct fetchfs_import how = {
		.fd = fd,
		.pin = import->pin,
		.told = told,
		.tick = tick,
		.arg = import,
	};
	int64_t begun_ms = clock_monotonic_ms();
	struct fetchfs_imported sum = {.entries = 0};
	struct err err = ERR_INIT;
	int r = interrupt_watch(&import->interrupt, stop, fetchfs, &err);

	progress_init(&import->progress, !import->cli->quiet && !import->json, begun_ms);
	if (r == 0)
		r = fetchfs_import(fetchfs, &how, &sum, &err);
	progress_clear(&import->progress);
	if (r < 0 && !interrupt_caught(&import->interrupt))
		import->status =
			cli_worst(import->status, cli_fail(import->cli, import->path, &err));
	if (r == 0 || ended(&sum) > 0)
		sum_up(import, &sum, clock_monotonic_ms() - begun_ms);
}

int cmd_import(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	CLEANUP(fd_closep) int fd = -1;
	struct import import = {.cli = cli};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &import);
	if (open_archive(import.path, &fd, &err) < 0)
		return cli_fail(cli, import.path, &err);
	progress_prepare();
	interrupt_block(&import.interrupt);
	r = mounted_use_cache(cli, mounted_directory(cli, import.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r == 0) {
		run(&import, fetchfs, fd);
		interrupt_unwatch(&import.interrupt);
		fetchfs_close(fetchfs);
	} else {
		import.status = cli_fail(cli, NULL, &err);
	}
	interrupt_release(&import.interrupt);
	return import.status;
}
