#include "cli/fetch_job.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/mounted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define READ_SIZE (1 << 20)

/* ---- by way of the library ---- */

static void woken(struct fetchfs_wait *wait, const struct err *err)
{
	struct fetch_job *job =
		(struct fetch_job *)((char *)wait - offsetof(struct fetch_job, wait));

	job->err = *err;
	crew_hand_in(job->crew, job);
}

void fetch_job_look(struct fetch_job *job)
{
	struct fetchfs_info info = {0};
	struct err ignored = ERR_INIT;

	if (!job->file || fetchfs_file_info(job->file, &info, &ignored) < 0)
		return;
	job->state = info.state;
	job->cached = info.state == FETCHFS_COMPLETE && info.fetched == job->fetched_before;
	atomic_store(&job->size, info.size);
	atomic_store(&job->bytes, (long long)info.cached_bytes);
	memcpy(job->sha256, info.sha256, sizeof(job->sha256));
	memcpy(job->key, info.key, sizeof(job->key));
	free(job->stands_in);
	job->stands_in = str_steal(&info.stands_in);
	fetchfs_info_release(&info);
}

/* When the bytes came that are here now; -1: they are not. */
static int64_t when_fetched(const struct crew *crew, const struct fetchfs_request *request)
{
	struct fetchfs_info info = {0};
	struct err ignored = ERR_INIT;
	int64_t when = -1;

	if (fetchfs_find(crew->fetchfs, request, &info, &ignored) < 0)
		return -1;
	if (info.state == FETCHFS_COMPLETE)
		when = info.fetched;
	fetchfs_info_release(&info);
	return when;
}

/* What the request says, else the listing, else the URI itself. */
static int find_digest(
	struct fetch_job *job, const struct fetchfs_request *request, struct err *err)
{
	if (!request->digest && job->crew->digests)
		return fetchfs_digests_find(job->crew->digests, job->uri, job->digest, err);
	if (!request->digest)
		cli_fragment(job->uri, job->digest);
	else if (!str_fit(job->digest, sizeof(job->digest), request->digest))
		return err_set(err, ERR_USAGE, EINVAL, "the digest is too long");
	return 0;
}

static void start_here(struct fetch_job *job, struct fetchfs_request *request)
{
	struct err err = ERR_INIT;
	int r;

	job->fetched_before = job->crew->curious ? when_fetched(job->crew, request) : -1;
	r = find_digest(job, request, &err);
	if (*job->digest)
		request->digest = job->digest;
	if (r == 0)
		r = fetchfs_get(job->crew->fetchfs, request, &job->file, &err);
	if (r < 0) {
		job->err = err;
		crew_hand_in(job->crew, job);
		return;
	}
	job->wait = (struct fetchfs_wait){.until = FETCHFS_UNTIL_COMPLETE, .wake = woken};
	r = fetchfs_file_wait(job->file, &job->wait, &err);
	if (r < 0)
		job->err = err;
	if (r != 0) /* here already, or never */
		crew_hand_in(job->crew, job);
}

/* ---- by way of the mount ---- */

static int read_all(struct fetch_job *job, int fd, struct err *err)
{
	CLEANUP(str_freep) char *buffer = malloc(READ_SIZE);
	ssize_t n;

	if (!buffer)
		return err_oom(err);
	while ((n = read(fd, buffer, READ_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return mounted_error(job->crew->mount, fd, errno, "read", err);
		atomic_fetch_add(&job->bytes, n);
	}
	return 0;
}

/* The daemon may still be verifying when the last byte has been read: say what it says. */
static bool is_complete(int fd)
{
	char state[32] = "";

	mounted_attribute(fd, "state", state, sizeof(state));
	return str_equal(state, fetchfs_state_name(FETCHFS_COMPLETE));
}

/* The mount shows what is larger than the cache, too, but keeps nothing of it. */
static int too_large(uint64_t size, uint64_t limit, struct err *err)
{
	char needed[UNITS_SIZE_TEXT];
	char limit_text[UNITS_SIZE_TEXT];

	units_format_size(size, needed);
	units_format_size(limit, limit_text);
	return err_set(err, ERR_SPACE, ENOSPC, "larger than the cache: %s needed, limit %s", needed,
		limit_text);
}

static int check_kept(int fd, uint64_t size, uint64_t limit, struct err *err)
{
	char here[32] = "";

	if (is_complete(fd) || mounted_attribute(fd, "cached_bytes", here, sizeof(here)) < 0 ||
		strtoull(here, NULL, 10) >= size || is_complete(fd))
		return 0;
	return too_large(size, limit, err);
}

static int read_file(struct fetch_job *job, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	struct statvfs fs = {0};
	struct stat st;
	uint64_t limit;
	int r;

	r = mounted_open(job->crew->mount, job->uri, &fd, err);
	if (r < 0)
		return r;
	job->cached = is_complete(fd);
	if (fstatvfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at what %s has: %m", job->crew->mount);
	atomic_store(&job->size, st.st_size);
	limit = (uint64_t)fs.f_blocks * fs.f_frsize;
	if (!job->cached && (uint64_t)st.st_size > limit)
		return too_large((uint64_t)st.st_size, limit, err);
	r = read_all(job, fd, err);
	if (r == 0)
		r = check_kept(fd, (uint64_t)atomic_load(&job->bytes), limit, err);
	if (r < 0)
		return r;
	job->state = is_complete(fd) ? FETCHFS_COMPLETE : FETCHFS_IN_FLIGHT;
	atomic_store(&job->size, atomic_load(&job->bytes));
	mounted_attribute(fd, "sha256", job->sha256, sizeof(job->sha256));
	return 0;
}

static void read_mounted(void *arg)
{
	struct fetch_job *job = arg;
	struct err err = ERR_INIT;

	if (read_file(job, &err) < 0)
		job->err = err;
	crew_hand_in(job->crew, job);
}

/* ---- both ---- */

struct fetch_job *fetch_job_start(
	struct crew *crew, const char *uri, const struct fetchfs_request *request)
{
	struct fetchfs_request own = *request;
	struct fetch_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->crew = crew;
	job->uri = str_copy(uri);
	atomic_init(&job->size, -1);
	atomic_init(&job->bytes, 0);
	if (!job->uri) {
		fetch_job_free(job);
		return NULL;
	}
	own.uri = job->uri;
	if (crew->fetchfs)
		start_here(job, &own);
	else if (queue_push(crew->queue, read_mounted, job, &job->err) < 0)
		crew_hand_in(job->crew, job);
	return job;
}

const char *fetch_job_shown(struct fetch_job *job)
{
	/* most are never shown */
	if (!job->shown)
		job->shown = cli_shown(job->uri);
	return job->shown ? job->shown : "(out of memory)";
}

void fetch_job_pin(struct fetch_job *job)
{
	struct err err = ERR_INIT;

	if (!job->crew->pins || fetchfs_pin(job->crew->fetchfs, job->key, true, &err) == 0)
		return;
	job->err = err;
	if (err.code == ENOENT)
		err_set(&job->err, ERR_SPACE, ENOSPC,
			"it was evicted before it could be pinned: the cache is too small");
}

void fetch_job_free(struct fetch_job *job)
{
	if (!job)
		return;
	fetchfs_file_free(job->file);
	free(job->uri);
	free(job->shown);
	free(job->stands_in);
	free(job);
}
