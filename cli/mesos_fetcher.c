#include "cli/mesos_fetcher.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mesos_info.h"
#include "cli/mesos_log.h"
#include "cli/mesos_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE    "MESOS_FETCHER_INFO"
#define DESCRIPTORS 1024
#define NS_PER_S    INT64_C(1000000000)

static void usage(FILE *out)
{
	fputs("Usage: " MESOS_FETCHER_NAME " [--help]\n\n"
	      "Fetches into a sandbox what the environment variable " VARIABLE " says, as an\n"
	      "agent of Apache Mesos has it do, by way of the cache of fetchfs.\n\n"
	      "Environment: FETCHFS_CACHE, FETCHFS_CONFIG (see fetchfs(1)); MESOS_LOGGING_LEVEL\n"
	      "(INFO, WARNING, ERROR), MESOS_QUIET (true, false).\n",
		out);
}

static int exit_with(const struct err *err)
{
	mesos_log(MESOS_ERROR, "EXIT with status 1: %s", err->msg);
	return EXIT_FAILED;
}

/* ---- what is asked for ---- */

/* It may hold secrets: neither children nor who looks at this process get it. */
static void take_info(struct mesos_info *ret)
{
	char *text = getenv(VARIABLE);
	struct err err = ERR_INIT;
	int r;

	if (!text)
		mesos_abort("Check failed: 'MESOS_FETCHER_INFO' Missing MESOS_FETCHER_INFO "
			    "environment variable");
	r = mesos_info_parse(text, ret, &err);
	explicit_bzero(text, strlen(text));
	unsetenv(VARIABLE);
	if (r < 0)
		mesos_abort("Check failed: Failed to parse MESOS_FETCHER_INFO: %s", err.msg);
}

static void tell_info(const struct mesos_info *info)
{
	CLEANUP(str_freep) char *shown = mesos_info_shown(info);

	if (shown)
		mesos_log(MESOS_INFO, "Fetcher Info: %s", shown);
}

/* ---- the cache underneath ---- */

/* Whole seconds count, as in Mesos; less than one: an origin may be silent for ever. */
static int64_t stall_ms(const struct mesos_info *info)
{
	if (!info->has_stall)
		return 0;
	if (info->stall_ns < NS_PER_S)
		return INT64_MAX;
	return info->stall_ns / NS_PER_S * 1000;
}

static int open_fetchfs(const struct mesos_info *info, struct fetchfs **ret, struct err *err)
{
	const char *cache = getenv("FETCHFS_CACHE");
	const struct fetchfs_options options = {
		.cache = cache && *cache ? cache : NULL,
		.config_lenient = true, /* tasks fail by it */
		.environment = (const char *const *)environ,
		.stall_ms = stall_ms(info),
		.program = CLI_PROGRAM,
	};
	const char *warning;
	int r = fetchfs_open(&options, ret, err);

	for (size_t i = 0; r == 0 && (warning = fetchfs_warning(*ret, i)); i++)
		mesos_log(MESOS_WARNING, "%s", warning);
	return r < 0 ? err_context(err, "Failed to open the cache of fetchfs") : 0;
}

/* ---- all items ---- */

static int fail_item(const struct mesos_run *run, size_t i, struct err *err)
{
	const struct mesos_job *job = &run->jobs[i];

	err_context(err, "Failed to fetch '%s'", job->shown ? job->shown : "");
	return exit_with(err);
}

static int fetch_all(struct mesos_run *run)
{
	struct err err = ERR_INIT;

	if (mesos_run_open(run, &err) < 0)
		return exit_with(&err);
	for (size_t i = 0; i < run->info->count; i++)
		if (mesos_run_item(run, i, &err) < 0)
			return fail_item(run, i, &err);
	mesos_log(MESOS_INFO, "Successfully fetched all URIs into '%s'", run->info->sandbox);
	return EXIT_DONE;
}

/* Nothing is opened before all is understood. */
static int plan_and_fetch(struct mesos_run *run)
{
	struct err err = ERR_INIT;
	size_t failed;

	if (mesos_run_plan(run, &failed, &err) < 0)
		return fail_item(run, failed, &err);
	if (open_fetchfs(run->info, &run->fetchfs, &err) < 0)
		return exit_with(&err);
	return fetch_all(run);
}

static int fetch_for(const struct mesos_info *info, const struct user *user)
{
	struct mesos_run run = {.info = info, .user = user, .sandbox.fd = -1, .cache.fd = -1};
	int status = plan_and_fetch(&run);

	if (status != EXIT_DONE && run.fetchfs)
		fetchfs_cancel_all(run.fetchfs);
	mesos_run_release(&run);
	fetchfs_close(run.fetchfs);
	return status;
}

static int run_info(const struct mesos_info *info)
{
	CLEANUP(user_release) struct user user = {0};
	struct err err = ERR_INIT;

	if (info->count == 0) {
		mesos_log(MESOS_INFO, "Successfully fetched all URIs into '%s'", info->sandbox);
		return EXIT_DONE;
	}
	if (user_find(info->user, &user, &err) < 0) {
		err_context(&err, "Failed to chown to user '%s'", info->user);
		return exit_with(&err);
	}
	return fetch_for(info, &user);
}

int mesos_fetcher_run(int argc, char **argv)
{
	CLEANUP(mesos_info_release) struct mesos_info info = {0};
	struct err err = ERR_INIT;

	for (int i = 1; i < argc; i++) {
		bool help = str_equal(argv[i], "--help");

		if (!help)
			fprintf(stderr, "Failed to load unknown flag '%s'\n\n", argv[i]);
		usage(help ? stdout : stderr);
		return help && fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	if (mesos_log_setup(&err) < 0)
		return exit_with(&err);
	log_setup(LOG_LEVEL_ERROR, LOG_TO_STDERR);
	fd_expect(DESCRIPTORS);
	take_info(&info);
	tell_info(&info);
	return run_info(&info);
}
