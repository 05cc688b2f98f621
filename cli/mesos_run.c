#include "cli/mesos_run.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/uri.h"
#include "cli/mesos_cache.h"
#include "cli/mesos_log.h"
#include "cli/mesos_place.h"
#include "cli/mesos_uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AHEAD 8 /* downloads under way at a time, the one that is waited for among them */

#define MODE_EXECUTABLE 0755
#define MODE_DEFAULT    0644

/* ---- what is to be done ---- */

static int plan_name(struct mesos_job *job, struct err *err)
{
	const struct mesos_item *item = job->item;
	CLEANUP(str_freep) char *name = NULL;
	int r = mesos_uri_name(item->uri, &name, err);

	if (r == 0 && item->output_file)
		r = mesos_uri_output(item->output_file, &job->name, err);
	if (r < 0)
		return r;
	if (!job->name)
		job->name = str_steal(&name);
	job->shown_name = item->output_file ? str_copy(job->name)
					    : mesos_uri_shown_name(item->uri, job->name);
	return job->shown_name ? 0 : err_oom(err);
}

static int plan_cache(const struct mesos_run *run, const struct mesos_item *item, struct err *err)
{
	const char *name = item->cache_filename;

	if (item->action == MESOS_BYPASS_CACHE)
		return 0;
	if (!run->info->cache || !*run->info->cache)
		return err_set(err, ERR_USAGE, EINVAL, "Cache directory not specified");
	if (!name || !*name)
		return err_set(err, ERR_USAGE, EINVAL, "No cache file name");
	if (strchr(name, '/') || str_equal(name, ".") || str_equal(name, ".."))
		return err_set(err, ERR_USAGE, EINVAL, "The cache file name is no name of a file");
	return 0;
}

static int plan_job(struct mesos_run *run, struct mesos_job *job, struct err *err)
{
	bool prepended;
	int r;

	job->shown = mesos_uri_shown(job->item->uri);
	if (!job->shown)
		return err_oom(err);
	r = plan_name(job, err);
	if (r == 0)
		r = mesos_uri_path(
			job->item->uri, run->info->frameworks_home, &job->path, &prepended, err);
	if (r == 0)
		r = plan_cache(run, job->item, err);
	if (r == 0 && prepended)
		mesos_log(MESOS_INFO,
			"Prepended Mesos frameworks home to relative path, making it: '%s'",
			job->path);
	return r;
}

int mesos_run_plan(struct mesos_run *run, size_t *ret_failed, struct err *err)
{
	int r = 0;

	run->jobs = calloc(run->info->count + 1, sizeof(*run->jobs));
	*ret_failed = 0;
	if (!run->jobs)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < run->info->count; i++) {
		*ret_failed = i;
		run->jobs[i].item = &run->info->items[i];
		r = plan_job(run, &run->jobs[i], err);
	}
	return r;
}

/* A task that owns the cached inode, or is root, could change the bytes through a hardlink. */
static int decide_hardlink(struct mesos_run *run, struct err *err)
{
	const char *cache = fetchfs_cache_path(run->fetchfs);
	struct stat st;

	if (stat(cache, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s: %m", cache);
	run->hardlink = fetchfs_hardlink_allowed(run->fetchfs) && run->user->other &&
			run->user->uid != 0 && run->user->uid != st.st_uid;
	return 0;
}

int mesos_run_open(struct mesos_run *run, struct err *err)
{
	int r = folder_open(run->info->sandbox, run->user, &run->sandbox, err);

	if (r == 0)
		r = folder_check_owner(&run->sandbox, err);
	if (r == 0)
		r = decide_hardlink(run, err);
	for (size_t i = 0; r == 0 && i < run->info->count; i++)
		if (run->info->items[i].action != MESOS_BYPASS_CACHE && run->cache.fd < 0)
			/* an agent has the folders of users in that of tasks without one */
			r = mesos_cache_open(
				run->info->cache, run->user, !run->info->user, &run->cache, err);
	return r;
}

/* ---- downloads ---- */

static struct fetchfs_request request_for(
	const struct mesos_run *run, const struct mesos_job *job, const char *uri)
{
	return (struct fetchfs_request){
		.uri = uri,
		.uid = run->user->uid,
		.refresh = !job->item->cache, /* never older than the origin's */
		/* a second name of the cache's file has the mode of that */
		.plain = run->hardlink && !job->item->executable,
	};
}

static int get_uri(struct mesos_run *run, const struct mesos_job *job, const char *uri,
	struct fetchfs_file **ret, struct err *err)
{
	const struct fetchfs_request request = request_for(run, job, uri);

	return fetchfs_get(run->fetchfs, &request, ret, err);
}

static int get_path(struct mesos_run *run, const struct mesos_job *job, const char *path,
	struct fetchfs_file **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r = uri_of_file(path, &uri, err);

	return r < 0 ? r : get_uri(run, job, uri.text, ret, err);
}

/* Not of files of this machine, which items before may have made. */
static void begin(struct mesos_run *run, struct mesos_job *job)
{
	if (job->path || job->item->action == MESOS_RETRIEVE_FROM_CACHE)
		return;
	if (job->item->action == MESOS_DOWNLOAD_AND_CACHE &&
		mesos_cache_has(&run->cache, job->item->cache_filename))
		return;
	/* its turn tells why, if it fails again */
	(void)get_uri(run, job, job->item->uri, &job->file, NULL);
}

static void begin_ahead(struct mesos_run *run, size_t i)
{
	for (; run->begun < run->info->count && run->begun < i + AHEAD; run->begun++)
		begin(run, &run->jobs[run->begun]);
}

/* The whole of it: *ret is the caller's. */
static int download(
	struct mesos_run *run, struct mesos_job *job, struct fetchfs_file **ret, struct err *err)
{
	struct fetchfs_file *file = job->file;
	int r = 0;

	job->file = NULL;
	if (!file)
		r = job->path ? get_path(run, job, job->path, &file, err)
			      : get_uri(run, job, job->item->uri, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
	if (r < 0)
		fetchfs_file_free(file);
	else
		*ret = file;
	return r;
}

static void tell_download(const struct mesos_job *job, const char *folder, const char *name)
{
	const char *what = job->path                          ? "Copying resource from"
			   : mesos_uri_is_net(job->item->uri) ? "Downloading resource from"
							      : "Downloading resource with Hadoop "
								"client from";

	mesos_log(MESOS_INFO, "%s '%s' to '%s/%s'", what, job->shown, folder, name);
}

/* ---- one item ---- */

/* cp keeps the permissions of a file; what is downloaded has the usual ones. */
static mode_t mode_of(const struct mesos_run *run, const struct mesos_job *job)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	mode_t mask = umask(0);
	mode_t mode = MODE_DEFAULT;
	struct stat st;

	umask(mask);
	if (job->path && user_become(run->user, &guard, NULL) == 0 && stat(job->path, &st) == 0)
		mode = st.st_mode & 0777;
	return mode & ~mask;
}

static int place(struct mesos_run *run, struct mesos_job *job, struct fetchfs_file *file,
	bool keep_archive, struct err *err)
{
	const struct mesos_item *item = job->item;
	enum mesos_suffix suffix =
		item->extract && !item->executable ? mesos_place_suffix(job->name) : MESOS_PLAIN;
	int r = 0;

	if (item->executable)
		return mesos_place_copy(run, job, file, MODE_EXECUTABLE, err);
	if (suffix == MESOS_PLAIN || keep_archive)
		r = mesos_place_copy(run, job, file, mode_of(run, job), err);
	if (r < 0)
		return r;
	if (suffix != MESOS_PLAIN)
		return mesos_place_content(run, job, file, suffix, err);
	if (item->extract)
		mesos_log(MESOS_WARNING,
			"Copying instead of extracting resource from URI with 'extract' flag, "
			"because it does not seem to be an archive: %s",
			job->shown);
	return 0;
}

static int bypass(
	struct mesos_run *run, struct mesos_job *job, struct fetchfs_file **ret, struct err *err)
{
	mesos_log(MESOS_INFO, "Fetching '%s' directly into the sandbox directory", job->shown);
	tell_download(job, run->sandbox.path, job->shown_name);
	return download(run, job, ret, err);
}

/* What the agent's cache has under this name; @shown is for the error. */
static int from_cache(struct mesos_run *run, const struct mesos_job *job, const char *path,
	const char *shown, struct fetchfs_file **ret, struct err *err)
{
	struct fetchfs_file *file = NULL;
	int r;

	mesos_log(MESOS_INFO, "Fetching URI '%s' from cache", job->shown);
	r = get_path(run, job, path, &file, err);
	if (r == 0)
		r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
	if (r < 0) {
		fetchfs_file_free(file);
		return err_context(err, "Cache file '%s/%s'", run->cache.path, shown);
	}
	*ret = file;
	return 0;
}

/* Whether the cache underneath has the same bytes under the item's URI. Nobody is asked. */
static bool is_known(struct mesos_run *run, const struct mesos_job *job, struct fetchfs_file *file)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info is = {0}, known = {0};
	CLEANUP(uri_release) struct uri uri = {0};
	struct fetchfs_request request = request_for(run, job, job->item->uri);

	if (job->path && uri_of_file(job->path, &uri, NULL) < 0)
		return false;
	if (job->path)
		request.uri = uri.text;
	return fetchfs_file_info(file, &is, NULL) == 0 &&
	       fetchfs_find(run->fetchfs, &request, &known, NULL) == 0 &&
	       known.state == FETCHFS_COMPLETE && str_equal(is.sha256, known.sha256);
}

/*
 * *ret: what is, or is to be, in the agent's cache. Whatever is there before its download was
 * published by this cache, or somebody else put it there.
 */
static int through_cache(
	struct mesos_run *run, struct mesos_job *job, struct fetchfs_file **ret, struct err *err)
{
	const char *name = job->item->cache_filename;
	CLEANUP(str_freep) char *shown = mesos_uri_shown_file(job->item->uri, name);
	CLEANUP(str_freep) char *path = str_printf("%s/%s", run->cache.path, name);
	bool is_there;
	int r;

	if (!shown || !path)
		return err_oom(err);
	if (job->item->action == MESOS_RETRIEVE_FROM_CACHE)
		return from_cache(run, job, path, shown, ret, err);
	is_there = mesos_cache_has(&run->cache, name);
	if (is_there) {
		r = from_cache(run, job, path, shown, ret, err);
		if (r < 0 || is_known(run, job, *ret))
			return r;
		mesos_log(MESOS_WARNING, "Cache file '%s/%s' is not what came from '%s'",
			run->cache.path, shown, job->shown);
		fetchfs_file_free(*ret);
		*ret = NULL;
	}
	tell_download(job, run->cache.path, shown);
	r = download(run, job, ret, err);
	if (r == 0)
		r = mesos_cache_keep(
			run->fetchfs, &run->cache, *ret, name, shown, is_there, run->hardlink, err);
	if (r == 0)
		mesos_log(MESOS_INFO, "Fetching URI '%s' from cache", job->shown);
	return r;
}

int mesos_run_item(struct mesos_run *run, size_t i, struct err *err)
{
	struct mesos_job *job = &run->jobs[i];
	bool bypasses = job->item->action == MESOS_BYPASS_CACHE;
	struct fetchfs_file *file = NULL;
	int r;

	begin_ahead(run, i);
	mesos_log(MESOS_INFO, "Fetching URI '%s'", job->shown);
	r = bypasses ? bypass(run, job, &file, err) : through_cache(run, job, &file, err);
	if (r == 0)
		r = place(run, job, file, bypasses, err);
	fetchfs_file_free(file);
	if (r < 0)
		return r;
	if (!bypasses && job->item->extract && !job->item->executable &&
		mesos_place_suffix(job->name) != MESOS_PLAIN)
		mesos_log(MESOS_INFO, "Fetched '%s' to '%s'", job->shown, run->sandbox.path);
	else
		mesos_log(MESOS_INFO, "Fetched '%s' to '%s/%s'", job->shown, run->sandbox.path,
			job->shown_name);
	return 0;
}

void mesos_run_release(struct mesos_run *run)
{
	for (size_t i = 0; run->jobs && i < run->info->count; i++) {
		struct mesos_job *job = &run->jobs[i];

		fetchfs_file_abandon(job->file);
		free(job->shown);
		free(job->name);
		free(job->shown_name);
		free(job->path);
	}
	free(run->jobs);
	folder_release(&run->sandbox);
	folder_release(&run->cache);
}
