/* fetchfs export: artifacts of the cache as one archive, for another cache to import. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/mounted.h"
#include "cli/newfile.h"
#include "cli/pattern.h"
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print a JSON object of what was done", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "of the cache behind this mount", 0},
	{0, 0, 0, OPTION_DOC, "Without URIs: all that is complete, and public.", 0},
	PATTERN_OPTION_DOC,
	{0},
};

struct export
{
	struct cli *cli;
	const char *mount;
	bool json;
	const char *path; /* "-": stdout */
	char **uris;

	/* below: of the run */
	struct interrupt interrupt;
	struct fetchfs *fetchfs;
	char **keys;
	size_t count;
	size_t room;
	uint64_t private; /* left out of what a pattern stands for, or all */
	uint64_t local;   /* likewise, as files of this machine */
	uint64_t failed;
	struct progress progress;
	bool unread; /* nobody reads stdout any more */
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct export *export = state->input;

	switch (key) {
	case OPTION_JSON:
		export->json = true;
		return 0;
	case OPTION_MOUNT:
		export->mount = arg;
		return 0;
	case ARGP_KEY_ARGS:
		export->path = state->argv[state->next];
		export->uris = state->argv + state->next + 1;
		if (strstr(export->path, "://"))
			argp_error(state, "a FILE, or -, comes before the URIs");
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "a FILE is missing, or - for stdout");
		return EINVAL;
	case ARGP_KEY_END:
		if (str_equal(export->path, "-") && export->json)
			argp_error(state, "--json needs a FILE: stdout is the archive's");
		if (str_equal(export->path, "-") && isatty(STDOUT_FILENO))
			argp_error(state, "stdout is a terminal: name a FILE, or a pipe's end");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* ---- which ---- */

static void fail(struct export *export, const char *subject, const struct err *err)
{
	progress_clear(&export->progress);
	export->failed++;
	export->status = cli_worst(export->status, cli_fail(export->cli, subject, err));
}

static int add(struct export *export, const char *key, struct err *err)
{
	if (export->count == export->room) {
		size_t room = export->room ? 2 * export->room : 256;
		char **keys = reallocarray(export->keys, room, sizeof(*keys));

		if (!keys)
			return err_oom(err);
		export->keys = keys;
		export->room = room;
	}
	export->keys[export->count] = str_copy(key);
	if (!export->keys[export->count])
		return err_oom(err);
	export->count++;
	return 0;
}

static int visit(const struct fetchfs_info *info, void *arg)
{
	struct export *export = arg;

	if (info->state != FETCHFS_COMPLETE)
		return 0;
	if (fetchfs_exportable(info, NULL) == 0)
		return add(export, info->key, NULL);
	if (info->is_public)
		export->local++;
	else
		export->private ++;
	return 0;
}

static void choose_uri(struct export *export, const char *uri)
{
	const struct fetchfs_request request = {.uri = uri, .uid = getuid()};
	CLEANUP(str_freep) char *shown = cli_shown(uri);
	struct fetchfs_info info = {.size = -1};
	struct err err = ERR_INIT;
	int r = fetchfs_find(export->fetchfs, &request, &info, &err);

	if (r == 0)
		r = fetchfs_exportable(&info, &err);
	if (r == 0)
		r = add(export, info.key, &err);
	if (r == -ENOENT)
		err_set(&err, ERR_SYSTEM, ENOENT, "not in the cache");
	if (r < 0)
		fail(export, shown, &err);
	fetchfs_info_release(&info);
}

static void choose_pattern(struct export *export, const char *pattern)
{
	size_t before = export->count;
	uint64_t left_out = export->private + export->local;
	struct err err = ERR_INIT;
	int r = pattern_list(export->fetchfs, pattern, visit, export, &err);

	if (r == 0 && export->count == before && export->private + export->local == left_out)
		r = pattern_of_nothing(&err);
	if (r == -ENOMEM)
		err_oom(&err);
	if (r < 0)
		fail(export, pattern, &err);
}

static void choose(struct export *export)
{
	if (!*export->uris)
		choose_pattern(export, "*");
	for (char **uri = export->uris; *uri; uri++)
		if (pattern_is(export->fetchfs, *uri))
			choose_pattern(export, *uri);
		else
			choose_uri(export, *uri);
}

/* ---- the archive ---- */

static void on_failed(const char *uri, const struct err *err, void *arg)
{
	fail(arg, uri, err);
}

static void tick(const struct fetchfs_exported *so_far, void *arg)
{
	struct export *export = arg;
	struct progress_state state = {
		.done = so_far->objects,
		.count = so_far->total_objects,
		.count_known = true,
		.part = (double)so_far->objects,
		.bytes = so_far->bytes,
		.total_bytes = so_far->total_bytes,
		.total_known = true,
	};
	int64_t now = clock_monotonic_ms();

	if (progress_due(&export->progress, now))
		progress_draw(&export->progress, &state, now);
}

static int write_to(struct export *export, int fd, struct fetchfs_exported *ret, struct err *err)
{
	const struct fetchfs_export how = {
		.keys = (const char *const *)export->keys,
		.count = export->count,
		.fd = fd,
		.failed = on_failed,
		.tick = tick,
		.arg = export,
	};
	int r = fetchfs_export(export->fetchfs, &how, ret, err);

	progress_clear(&export->progress);
	return r;
}

static int write_archive(struct export *export, struct fetchfs_exported *ret, struct err *err)
{
	CLEANUP(newfile_release) struct newfile file = {.fd = -1};
	int r;

	if (str_equal(export->path, "-"))
		return write_to(export, STDOUT_FILENO, ret, err);
	r = newfile_open(export->path, 0666, &file, err);
	if (r == 0)
		r = write_to(export, file.fd, ret, err);
	return r < 0 ? r : newfile_commit(&file, err);
}

static void print_json(const struct export *export, const struct fetchfs_exported *sum, int64_t ms)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_number(&json, "entries", (int64_t)sum->entries);
	json_number(&json, "objects", (int64_t)sum->objects);
	json_number(&json, "bytes", (int64_t)sum->bytes);
	json_number(&json, "private", (int64_t) export->private);
	json_number(&json, "local", (int64_t) export->local);
	json_number(&json, "failed", (int64_t) export->failed);
	json_thousandths(&json, "seconds", ms);
	json_close(&json, '}');
}

/* Where stdout is the archive's, only what somebody may miss in it is told. */
static void sum_up(const struct export *export, const struct fetchfs_exported *sum, int64_t ms)
{
	bool piped = str_equal(export->path, "-");
	FILE *out = piped ? stderr : stdout;
	char bytes[UNITS_SIZE_TEXT], duration[UNITS_SIZE_TEXT];

	if (export->json)
		print_json(export, sum, ms);
	if (export->json || export->cli->quiet)
		return;
	units_format_size(sum->bytes, bytes);
	units_format_duration(ms, duration);
	if (!piped)
		fprintf(out, "%" PRIu64 " artifacts, %s, in %s\n", sum->entries, bytes, duration);
	if (export->private > 0)
		fprintf(out, "left out: %" PRIu64 " that are not everybody's\n", export->private);
	if (export->local > 0)
		fprintf(out, "left out: %" PRIu64 " files of this machine\n", export->local);
}

static void stop(void *arg)
{
	fetchfs_cancel_all(arg);
}

static void run(struct export *export)
{
	int64_t begun_ms = clock_monotonic_ms();
	struct fetchfs_exported sum;
	struct err err = ERR_INIT;
	int r = interrupt_watch(&export->interrupt, stop, export->fetchfs, &err);

	if (r == 0)
		choose(export);
	/* what was named, and cannot be, has been told */
	if (r == 0 && export->count == 0 && export->failed > 0)
		return;
	progress_init(&export->progress, !export->cli->quiet && !export->json, begun_ms);
	if (r == 0)
		r = write_archive(export, &sum, &err);
	if (r == 0)
		sum_up(export, &sum, clock_monotonic_ms() - begun_ms);
	else if (r == -EPIPE)
		export->unread = true;
	else if (!interrupt_caught(&export->interrupt))
		export->status = cli_worst(export->status, cli_fail(export->cli, NULL, &err));
}

int cmd_export(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *cache = NULL;
	struct export export = {.cli = cli};
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &export);
	progress_prepare();
	interrupt_block(&export.interrupt);
	r = mounted_use_cache(cli, mounted_directory(cli, export.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &export.fetchfs, &err);
	if (r == 0) {
		run(&export);
		interrupt_unwatch(&export.interrupt);
		fetchfs_close(export.fetchfs);
	} else {
		export.status = cli_fail(cli, NULL, &err);
	}
	for (size_t i = 0; i < export.count; i++)
		free(export.keys[i]);
	free(export.keys);
	interrupt_release(&export.interrupt);
	if (export.unread) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return export.status;
}
