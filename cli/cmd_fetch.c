/* fetchfs fetch: fill the cache, many artifacts at a time, without a thread for each. */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/fetch_job.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/mounted.h"
#include "cli/progress.h"
#include "cli/urilist.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_DEFAULT 32
#define JOBS_MAX     1024

enum {
	OPTION_DIGEST = 1,
	OPTION_DIGESTS,
	OPTION_REFRESH,
	OPTION_EXECUTABLE,
	OPTION_JSON,
	OPTION_MOUNT
};

static const struct argp_option options[] = {
	{"input", 'i', "FILE", 0, "read URIs from FILE ('-': stdin), one a line", 0},
	{"jobs", 'j', "N", 0, "at most N at a time (default 32)", 0},
	{"digest", OPTION_DIGEST, "KIND:HEX", 0,
		"what the bytes must hash to (sha256, sha512, sha1, md5); for one URI", 0},
	{"digests", OPTION_DIGESTS, "URI", 0, "a file as of sha256sum, which lists all of them", 0},
	{"refresh", OPTION_REFRESH, 0, 0, "ask the origin even if the cache is fresh", 0},
	{"executable", OPTION_EXECUTABLE, 0, 0, "hand out as executable", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "fill the cache behind this mount", 0},
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each URI as it ends", 0},
	{0},
};

struct fetch {
	struct cli *cli;
	const char *input;
	const char *mount;
	const char *digests; /* the URI of the listing, or NULL */
	unsigned int jobs;
	bool json;
	struct fetchfs_request request; /* what is the same for all */
	char **uris;                    /* of the command line, NULL at the end */

	/* below: of the run */
	struct urilist *list; /* NULL: none, or at its end */
	struct crew crew;
	struct fetch_job *newest; /* of those under way */
	unsigned int active;
	uint64_t begun;
	uint64_t ended;
	uint64_t ended_bytes;
	struct progress progress;
	struct interrupt interrupt;
	int status;
};

static unsigned int parse_jobs(const char *arg, struct argp_state *state)
{
	char *end;
	unsigned long n = strtoul(arg, &end, 10);

	if (*arg < '0' || *arg > '9' || *end || n < 1 || n > JOBS_MAX)
		argp_error(state, "-j takes a number from 1 to %d", JOBS_MAX);
	return (unsigned int)n;
}

static void check_combination(struct fetch *fetch, struct argp_state *state)
{
	struct checksum digest;
	struct err err = ERR_INIT;
	size_t count = 0;

	while (fetch->uris && fetch->uris[count])
		count++;
	if (count == 0 && !fetch->input)
		argp_error(state, "a URI is missing");
	if (fetch->request.digest && (count != 1 || fetch->input))
		argp_error(state, "--digest is for one URI");
	if (fetch->request.digest && checksum_parse(fetch->request.digest, &digest, &err) < 0)
		argp_error(state, "--digest: %s", err.msg);
	if (fetch->request.digest && fetch->digests)
		argp_error(state, "--digest and --digests at once");
	fetch->mount = mounted_directory(fetch->cli, fetch->mount);
	if (fetch->mount && (fetch->request.digest || fetch->digests || fetch->request.refresh ||
				    fetch->request.executable))
		argp_error(state, "--digest, --digests, --refresh and --executable need a cache,"
				  " no mount");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fetch *fetch = state->input;

	switch (key) {
	case 'i':
		fetch->input = arg;
		return 0;
	case 'j':
		fetch->jobs = parse_jobs(arg, state);
		return 0;
	case OPTION_DIGEST:
		fetch->request.digest = arg;
		return 0;
	case OPTION_DIGESTS:
		fetch->digests = arg;
		return 0;
	case OPTION_REFRESH:
		fetch->request.refresh = true;
		return 0;
	case OPTION_EXECUTABLE:
		fetch->request.executable = true;
		return 0;
	case OPTION_MOUNT:
		fetch->mount = arg;
		return 0;
	case OPTION_JSON:
		fetch->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		fetch->uris = state->argv + state->next;
		return 0;
	case ARGP_KEY_END:
		check_combination(fetch, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_json(const struct fetch_job *job)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "uri", job->shown);
	json_text(&json, "state", fetchfs_state_name(job->err.code ? FETCHFS_FAILED : job->state));
	json_known(&json, "size", job->size);
	json_text(&json, "sha256", *job->sha256 ? job->sha256 : NULL);
	json_bool(&json, "cached", job->cached && !job->err.code);
	json_error(&json, "error", &job->err);
	json_close(&json, '}');
	fflush(stdout);
}

static void forget(struct fetch *fetch, struct fetch_job *job)
{
	if (job->newer)
		job->newer->older = job->older;
	else
		fetch->newest = job->older;
	if (job->older)
		job->older->newer = job->newer;
	fetch->active--;
	fetch_job_free(job);
}

/* Tell how one ended. After a Ctrl-C, what it cancelled is no news. */
static void report(struct fetch *fetch, struct fetch_job *job)
{
	fetch_job_look(job);
	fetch->ended++;
	if (!job->err.code)
		fetch->ended_bytes += (uint64_t)job->bytes;
	if (job->err.code && !interrupt_caught(&fetch->interrupt)) {
		progress_clear(&fetch->progress);
		fetch->status =
			cli_worst(fetch->status, cli_fail(fetch->cli, job->shown, &job->err));
	}
	if (fetch->json)
		print_json(job);
	forget(fetch, job);
}

/* The next URI of the command line, then of the list: 1, 0 (no more) or -EAGAIN. */
static int next_uri(struct fetch *fetch, char **ret)
{
	struct err err = ERR_INIT;
	int r;

	if (fetch->uris && *fetch->uris) {
		*ret = *fetch->uris++;
		return 1;
	}
	while (fetch->list) {
		r = urilist_next(fetch->list, ret, &err);
		if (r == 1 || r == -EAGAIN)
			return r;
		if (r < 0) {
			progress_clear(&fetch->progress);
			fetch->status = cli_worst(fetch->status, cli_fail(fetch->cli, NULL, &err));
		}
		if (r != -EINVAL)
			fetch->list = NULL;
	}
	return 0;
}

/* Start as many as there is room for. 1: the list may have more later; 0: not now, or never. */
static int start_some(struct fetch *fetch)
{
	while (fetch->active < fetch->jobs && !interrupt_caught(&fetch->interrupt)) {
		struct fetch_job *job;
		char *uri;
		int r = next_uri(fetch, &uri);

		if (r <= 0)
			return r == -EAGAIN;
		job = fetch_job_start(&fetch->crew, uri, &fetch->request);
		if (!job) {
			struct err err = ERR_INIT;

			err_oom(&err);
			fetch->status = cli_worst(fetch->status, cli_fail(fetch->cli, NULL, &err));
			continue;
		}
		if (*job->digest && !job->err.code) {
			progress_clear(&fetch->progress);
			cli_warn_weak(fetch->cli, job->digest, job->shown);
		}
		job->older = fetch->newest;
		if (job->older)
			job->older->newer = job;
		fetch->newest = job;
		fetch->active++;
		fetch->begun++;
	}
	return 0;
}

static void draw(struct fetch *fetch)
{
	int64_t now = clock_monotonic_ms();
	struct progress_state state = {
		.done = fetch->ended,
		.begun = fetch->begun,
		.all_begun = !fetch->list && (!fetch->uris || !*fetch->uris),
		.bytes = fetch->ended_bytes,
		.total_bytes = fetch->ended_bytes,
		.total_known = true,
	};

	if (!progress_due(&fetch->progress, now))
		return;
	for (struct fetch_job *job = fetch->newest; job; job = job->older) {
		fetch_job_look(job);
		state.bytes += (uint64_t)job->bytes;
		if (job->size < 0)
			state.total_known = false;
		else
			state.total_bytes += (uint64_t)job->size;
	}
	progress_draw(&fetch->progress, &state, now);
}

/* Until all have ended, and no more will come. */
static void loop(struct fetch *fetch)
{
	for (;;) {
		struct fetch_job *job;
		bool starved = start_some(fetch) == 1;
		struct pollfd fds[] = {
			{.fd = fetch->crew.event, .events = POLLIN},
			{.fd = starved ? fetch->list->fd : -1, .events = POLLIN},
		};

		if (fetch->active == 0 && !starved)
			break;
		poll(fds, 2, PROGRESS_INTERVAL_MS);
		while ((job = crew_reap(&fetch->crew)))
			report(fetch, job);
		draw(fetch);
		if (interrupt_caught(&fetch->interrupt) && fetch->active == 0)
			break;
	}
	progress_clear(&fetch->progress);
}

static void stop(void *arg)
{
	fetchfs_cancel_all(arg);
}

/* Before all others, which are held against it. */
static int load_digests(
	struct fetch *fetch, struct fetchfs *fetchfs, struct fetchfs_digests **ret, struct err *err)
{
	const struct fetchfs_request request = {
		.uri = fetch->digests,
		.uid = fetch->request.uid,
		.refresh = fetch->request.refresh,
	};

	return fetch->digests ? fetchfs_digests_load(fetchfs, &request, ret, err) : 0;
}

static int run(struct fetch *fetch, struct fetchfs *fetchfs)
{
	struct fetchfs_digests *digests = NULL;
	struct err err = ERR_INIT;
	int r;

	r = crew_init(&fetch->crew, fetchfs, fetch->mount, fetch->jobs, &err);
	if (r == 0 && fetchfs)
		r = interrupt_watch(&fetch->interrupt, stop, fetchfs, &err);
	if (r == 0)
		r = load_digests(fetch, fetchfs, &digests, &err);
	if (r < 0 && interrupt_caught(&fetch->interrupt))
		return EXIT_FAILED;
	if (r < 0)
		return cli_fail(fetch->cli, NULL, &err);
	fetch->crew.curious = fetch->json;
	fetch->crew.digests = digests;
	progress_init(&fetch->progress, !fetch->cli->quiet, clock_monotonic_ms());
	loop(fetch);
	fetchfs_digests_free(digests);
	if (fetch->cli->verbose)
		fprintf(stderr, "fetchfs: the cache is %s%s\n", fetchfs ? "" : "that behind ",
			fetchfs ? fetchfs_cache_path(fetchfs) : fetch->mount);
	return fetch->status;
}

/* By way of a mount no cache is opened here, and a Ctrl-C leaves nothing to clean up. */
static int run_mounted(struct fetch *fetch)
{
	int status = run(fetch, NULL);

	crew_release(&fetch->crew);
	return status;
}

static int run_here(struct fetch *fetch)
{
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int status;

	interrupt_block(&fetch->interrupt);
	if (cli_open(fetch->cli, &fetchfs, &err) == 0) {
		status = run(fetch, fetchfs);
		interrupt_unwatch(&fetch->interrupt);
		fetchfs_close(fetchfs);
		/* the library's threads used the lock in it */
		crew_release(&fetch->crew);
	} else {
		status = cli_fail(fetch->cli, NULL, &err);
	}
	interrupt_release(&fetch->interrupt);
	return status;
}

int cmd_fetch(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	struct fetch fetch = {
		.cli = cli,
		.jobs = JOBS_DEFAULT,
		.request = {.uid = getuid()},
		.crew = {.event = -1},
	};
	struct urilist list;
	struct err err = ERR_INIT;
	int status;

	cli_parse(cli, &argp, argc, argv, &fetch);
	if (fetch.input) {
		if (urilist_open(fetch.input, &list, &err) < 0)
			return cli_fail(cli, NULL, &err);
		fetch.list = &list;
	}
	status = fetch.mount ? run_mounted(&fetch) : run_here(&fetch);
	if (fetch.input)
		urilist_release(&list);
	return status;
}
