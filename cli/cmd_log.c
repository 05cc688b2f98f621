/* fetchfs log: what happened lately, whichever process did it. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES     100
#define LINES_MAX 100000

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"lines", 'n', "N", 0, "the last N events (default 100; with -f, 0 for none)", 0},
	{"follow", 'f', 0, 0, "then show each event as it happens", 0},
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each event", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

struct look {
	const char *mount;
	size_t lines;
	bool json;
	bool follow;
};

static void refuse_lines(const struct argp_state *state, const char *arg)
{
	argp_error(state, "-n takes a number from 1 to %d (with -f, from 0), not \"%s\"", LINES_MAX,
		arg);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct look *look = state->input;
	char *end;
	long n;

	switch (key) {
	case 'n':
		n = strtol(arg, &end, 10);
		if (*end || end == arg || n < 0 || n > LINES_MAX)
			refuse_lines(state, arg);
		look->lines = (size_t)n;
		return 0;
	case 'f':
		look->follow = true;
		return 0;
	case OPTION_JSON:
		look->json = true;
		return 0;
	case OPTION_MOUNT:
		look->mount = arg;
		return 0;
	case ARGP_KEY_END:
		if (look->lines == 0 && !look->follow)
			refuse_lines(state, "0");
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

static void print_line(const struct fetchfs_event *event)
{
	char line[FETCHFS_EVENT_TEXT];

	fetchfs_event_format(event, line);
	puts(line);
}

static void print_json(const struct fetchfs_event *event)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_thousandths(&json, "time", event->time_ms);
	json_text(&json, "event", fetchfs_event_kind_name(event->kind));
	json_text(&json, "uri", event->uri);
	json_number(&json, "bytes", (int64_t)event->bytes);
	if (event->duration_ms >= 0)
		json_thousandths(&json, "seconds", event->duration_ms);
	else
		json_null(&json, "seconds");
	json_text(&json, "error", event->text[0] ? event->text : NULL);
	json_number(&json, "pid", event->pid);
	json_close(&json, '}');
}

static int print(const struct fetchfs_event *event, void *arg)
{
	const struct look *look = arg;

	if (look->json)
		print_json(event);
	else
		print_line(event);
	return 0;
}

/* What has been printed is to be seen at once. Where it cannot be, the end says why. */
static int follow(const struct fetchfs_event *event, void *arg)
{
	if (event)
		return print(event, arg);
	if (cli_reader_is_gone())
		cli_end_by_pipe();
	return fflush(stdout) != 0;
}

int cmd_log(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	struct look look = {.lines = LINES};
	CLEANUP(str_freep) char *cache = NULL;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &look);
	r = mounted_use_cache(cli, mounted_directory(cli, look.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	if (look.follow)
		r = fetchfs_events_follow(fetchfs, getuid(), look.lines, follow, &look, &err);
	else
		r = fetchfs_events(fetchfs, getuid(), look.lines, print, &look, &err);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, NULL, &err) : EXIT_DONE;
}
