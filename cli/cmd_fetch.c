/* fetchfs fetch: fill the cache, many artifacts at a time, without a thread for each. */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/fetch_report.h"
#include "cli/interrupt.h"
#include "cli/mounted.h"
#include "cli/urilist.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_DEFAULT 160 /* those that are being published keep no connection idle */
#define JOBS_MAX     1024

enum {
	OPTION_DIGEST = 1,
	OPTION_DIGESTS,
	OPTION_REFRESH,
	OPTION_EXECUTABLE,
	OPTION_PIN,
	OPTION_JSON,
	OPTION_MOUNT
};

static const struct argp_option options[] = {
	{"input", 'i', "FILE", 0, "read URIs from FILE ('-': stdin), one a line", 0},
	{"jobs", 'j', "N", 0, "at most N at a time (default 160)", 0},
	{"digest", OPTION_DIGEST, "KIND:HEX", 0,
		"what the bytes must hash to (sha256, sha512, sha1, md5); for one URI", 0},
	{"digests", OPTION_DIGESTS, "URI", 0, "a file as of sha256sum, which lists all of them", 0},
	{"refresh", OPTION_REFRESH, 0, 0, "ask the origin even if the cache is fresh", 0},
	{"executable", OPTION_EXECUTABLE, 0, 0, "hand out as executable", 0},
	{"pin", OPTION_PIN, 0, 0, "keep it from being evicted, until unpin", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "fill the cache behind this mount", 0},
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each event", 0},
	{0},
};

struct fetch {
	struct cli *cli;
	const char *input;
	const char *mount;
	const char *digests; /* the URI of the listing, or NULL */
	unsigned int jobs;
	bool json;
	bool pin;
	struct fetchfs_request request; /* what is the same for all */
	char **uris;                    /* of the command line, NULL at the end */

	/* below: of the run */
	struct urilist *list; /* NULL: none, or at its end */
	struct crew crew;
	struct fetch_report report;
	struct interrupt interrupt;
	int status;
};

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
				    fetch->request.executable || fetch->pin))
		argp_error(state, "--digest, --digests, --refresh, --executable and --pin need a"
				  " cache, no mount");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct fetch *fetch = state->input;

	switch (key) {
	case 'i':
		fetch->input = arg;
		return 0;
	case 'j':
		fetch->jobs = cli_parse_jobs(arg, state, JOBS_MAX);
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
	case OPTION_PIN:
		fetch->pin = true;
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

/* By a signal, or because nobody can be told of anything any more. */
static bool is_stopped(struct fetch *fetch)
{
	return interrupt_caught(&fetch->interrupt) || fetch->report.out_error;
}

/* Before something is printed that belongs to no job. */
static int fail(struct fetch *fetch, const struct err *err)
{
	fetch_report_clear(&fetch->report);
	return cli_worst(fetch->status, cli_fail(fetch->cli, NULL, err));
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
		if (r < 0)
			fetch->status = fail(fetch, &err);
		if (r != -EINVAL)
			fetch->list = NULL;
	}
	return 0;
}

/* Start as many as there is room for. 1: the list may have more later; 0: not now, or never. */
static int start_some(struct fetch *fetch)
{
	while (fetch->report.active < fetch->jobs && !is_stopped(fetch)) {
		struct fetch_job *job;
		char *uri;
		int r = next_uri(fetch, &uri);

		if (r <= 0)
			return r == -EAGAIN;
		job = fetch_job_start(&fetch->crew, uri, &fetch->request);
		if (!job) {
			struct err err = ERR_INIT;

			err_oom(&err);
			fetch->status = fail(fetch, &err);
			continue;
		}
		/* the rest of it may be another thread's by now */
		if (*job->digest) {
			fetch_report_clear(&fetch->report);
			cli_warn_weak(fetch->cli, job->digest, fetch_job_shown(job));
		}
		fetch_report_start(&fetch->report, job);
	}
	return 0;
}

/* All that have ended. What was cancelled by Ctrl-C is no news. */
static void reap(struct fetch *fetch)
{
	struct fetch_job *job;

	while ((job = crew_reap(&fetch->crew)))
		fetch->status = cli_worst(
			fetch->status, fetch_report_end(&fetch->report, job, is_stopped(fetch)));
}

static void stop(void *arg)
{
	if (arg)
		fetchfs_cancel_all(arg);
}

/* Until all have ended, and no more will come. */
static void loop(struct fetch *fetch)
{
	for (;;) {
		bool starved = start_some(fetch) == 1;
		struct pollfd fds[] = {
			{.fd = fetch->crew.event, .events = POLLIN},
			{.fd = starved ? fetch->list->fd : -1, .events = POLLIN},
		};

		if (fetch->report.active == 0 && !starved)
			break;
		poll(fds, 2, PROGRESS_INTERVAL_MS);
		reap(fetch);
		if (fetch_report_tick(
			    &fetch->report, !fetch->list && (!fetch->uris || !*fetch->uris)) < 0)
			stop(fetch->crew.fetchfs);
		/* who reads from a mount cannot be stopped otherwise than by the end of all */
		if (is_stopped(fetch) && (fetch->report.active == 0 || fetch->mount))
			break;
	}
	fetch_report_finish(&fetch->report);
}

/* How many there will be, if that can be known beforehand. */
static uint64_t announced(const struct fetch *fetch)
{
	uint64_t count = fetch->list ? urilist_count(fetch->list) : 0;

	if (fetch->list && count == 0)
		return 0;
	for (char **uri = fetch->uris; uri && *uri; uri++)
		count++;
	return count;
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
	if (r == 0)
		r = interrupt_watch(&fetch->interrupt, stop, fetchfs, &err);
	if (r == 0)
		r = load_digests(fetch, fetchfs, &digests, &err);
	if (r < 0 && interrupt_caught(&fetch->interrupt))
		return EXIT_FAILED;
	if (r < 0)
		return cli_fail(fetch->cli, NULL, &err);
	fetch->crew.curious = fetch->json;
	fetch->crew.pins = fetch->pin;
	fetch->crew.digests = digests;
	fetch_report_init(&fetch->report, fetch->cli, fetch->json, announced(fetch));
	loop(fetch);
	fetch->cli->out_error = fetch->report.out_error;
	fetchfs_digests_free(digests);
	if (fetch->cli->verbose)
		fprintf(stderr, "fetchfs: the cache is %s%s\n", fetchfs ? "" : "that behind ",
			fetchfs ? fetchfs_cache_path(fetchfs) : fetch->mount);
	return fetch->status;
}

/* By way of a mount no cache is opened here. A Ctrl-C leaves only the terminal to clean up. */
static int run_mounted(struct fetch *fetch)
{
	int status;

	interrupt_block(&fetch->interrupt);
	status = run(fetch, NULL);
	interrupt_unwatch(&fetch->interrupt);
	if (!is_stopped(fetch))
		crew_release(&fetch->crew);
	interrupt_release(&fetch->interrupt);
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
		.request = {.uid = getuid(), .prefetch = true},
		.crew = {.event = -1},
	};
	struct urilist list;
	struct err err = ERR_INIT;
	int status;

	cli_parse(cli, &argp, argc, argv, &fetch);
	progress_prepare();
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
