/*
 * file: regular files of this machine.
 */
#include "backends/builtin.h"
#include "backends/source.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_SIZE ((size_t)1024 * 1024)
#define POLL_MS   50
#define CLONE_MIN (1024 * 1024) /* below it costs more than it spares */

static void describe(const struct source *source, struct remote *ret)
{
	const struct stat *st = &source->st;

	*ret = (struct remote){
		.size = st->st_size,
		.validators.modified = st->st_mtim.tv_sec,
		.ranges = true,
		.world_readable = source_is_open_to_all(source->fd, S_IROTH),
		.max_age = 0, /* to ask costs nothing */
	};
	snprintf(ret->validators.etag, sizeof(ret->validators.etag),
		"\"%" PRIx64 ".%09ld-%" PRIx64 "-%" PRIx64 "\"", (uint64_t)st->st_mtim.tv_sec,
		st->st_mtim.tv_nsec, (uint64_t)st->st_size, (uint64_t)st->st_ino);
}

static int file_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(source_closep) struct source source = {.fd = -1};
	int r = source_open(request, &source, err);

	(void)env;
	if (r < 0)
		return r;
	describe(&source, ret);
	ret->unchanged = request->known && str_equal(request->known->etag, ret->validators.etag);
	return 0;
}

/* Not EIO, after which what has arrived would be continued. */
static int changed(struct err *err)
{
	return err_set_retry(err, ERR_REMOTE, ESTALE, 0, "the file changed while it was read");
}

/* The bytes read are of one version only if nobody wrote meanwhile. */
static int check_unchanged(const struct source *source, struct err *err)
{
	struct stat now;

	if (fstat(source->fd, &now) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at the file: %m");
	if (now.st_size != source->st.st_size || now.st_mtim.tv_sec != source->st.st_mtim.tv_sec ||
		now.st_mtim.tv_nsec != source->st.st_mtim.tv_nsec)
		return changed(err);
	return 0;
}

/* Files of /proc and /sys say that they are empty, and are not. */
static int check_end(const struct source *source, struct err *err)
{
	char byte;

	if (pread(source->fd, &byte, 1, source->st.st_size) > 0)
		return changed(err);
	return 0;
}

/* @r is what became of it. If the sink has ended it, what it has got may stay: so it is looked,
 * too. */
static int check_copied(const struct source *source, int r, struct err *err)
{
	struct err why = ERR_INIT;
	int now = check_unchanged(source, &why);

	if (now < 0) {
		if (err)
			*err = why;
		return now;
	}
	return r < 0 ? r : check_end(source, err);
}

static int copy(int fd, uint64_t offset, uint64_t end, struct sink *sink, struct err *err)
{
	size_t size = end - offset < READ_SIZE ? (size_t)(end - offset) : READ_SIZE;
	CLEANUP(str_freep) char *buf = malloc(size ? size : 1);
	int64_t polled = clock_monotonic_ms();

	if (!buf)
		return err_oom(err);
	while (offset < end) {
		size_t want = end - offset < size ? (size_t)(end - offset) : size;
		ssize_t n = fd_pread_full(fd, buf, want, offset);
		int r;

		if (n < 0)
			return err_set(err, ERR_SYSTEM, (int)-n, "read the file: %m");
		if ((size_t)n < want)
			return changed(err);
		r = sink->write(sink, buf, want, err);
		if (r < 0)
			return r;
		offset += want;
		if (clock_monotonic_ms() - polled < POLL_MS)
			continue;
		r = sink->poll(sink, err);
		if (r < 0)
			return r;
		polled = clock_monotonic_ms();
	}
	return 0;
}

/*
 * All of it, without copying, where the sink can do that. It takes its picture at one moment: what
 * is of the version that was told then stays so, whoever writes to the file later. 1: done.
 */
static int copy_picture(const struct source *source, struct sink *sink, struct err *err)
{
	int fd;
	int r;

	if (!sink->clone || source->st.st_size < CLONE_MIN ||
		sink->clone(sink, source->fd, &fd) < 0)
		return 0;
	r = check_unchanged(source, err);
	if (r == 0)
		r = copy(fd, 0, (uint64_t)source->st.st_size, sink, err);
	return r < 0 ? r : 1;
}

static int file_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(source_closep) struct source source = {.fd = -1};
	bool range = request->offset > 0 || request->length > 0;
	struct remote remote;
	uint64_t end;
	bool same;
	int r = source_open(request, &source, err);

	(void)env;
	if (r < 0)
		return r;
	describe(&source, &remote);
	same = request->known && str_equal(request->known->etag, remote.validators.etag);
	remote.unchanged = same && !range;
	if (range && request->known && !same)
		return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
	end = (uint64_t)remote.size;
	if (request->offset > end)
		return err_set(err, ERR_REMOTE, EINVAL,
			"offset %" PRIu64 " is behind the end at %" PRIu64, request->offset, end);
	if (request->length > 0 && request->length < end - request->offset)
		end = request->offset + request->length;

	r = sink->begin(sink, &remote, err);
	if (r < 0 || remote.unchanged)
		return r;
	r = range ? 0 : copy_picture(&source, sink, err);
	if (r != 0)
		return r < 0 ? r : 0;
	return check_copied(&source, copy(source.fd, request->offset, end, sink, err), err);
}

static void close_listp(DIR **list)
{
	if (*list)
		closedir(*list);
}

/* Whether @target is the folder at @path, or one on the way to it. */
static bool is_on_the_way(int target, const char *path)
{
	CLEANUP(str_freep) char *prefix = str_copy(path);
	struct stat there;
	struct stat st;

	if (!prefix || fstat(target, &there) < 0)
		return true;
	for (size_t len = strlen(prefix); len > 0; len--) {
		if (prefix[len - 1] != '/')
			continue;
		prefix[len] = '\0'; /* with its slash, as the path is */
		if (stat(prefix, &st) == 0 && st.st_dev == there.st_dev &&
			st.st_ino == there.st_ino)
			return true;
	}
	return false;
}

/*
 * Where a link to a folder leads, what walks folders would follow it, since it looks like a folder
 * here: not back, where it would walk forever, and not where nobody may be led. What is below the
 * folder anyhow may be reached so, too.
 */
static bool may_follow(
	const struct backend_request *request, const char *path, int fd, const char *name)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	CLEANUP(fd_closep) int target = openat(fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct guard *guard = request->guard;
	char folder[PATH_MAX];
	char real[PATH_MAX];
	size_t len;

	if (target < 0 || !source_real_path(fd, folder) || !source_real_path(target, real) ||
		is_on_the_way(target, path))
		return false;
	len = strlen(folder);
	if (strncmp(real, folder, len) == 0 && real[len] == '/')
		return true;
	return uri_of_file(real, &uri, NULL) == 0 && (!guard || guard->uri(guard, &uri, NULL) == 0);
}

/* 1: a folder, 0: something else, -1: not to be listed. @path: of the list. */
static int kind_of(const struct backend_request *request, const char *path, DIR *list,
	const struct dirent *item)
{
	struct stat st;

	if (item->d_type != DT_LNK && item->d_type != DT_UNKNOWN)
		return item->d_type == DT_DIR;
	if (fstatat(dirfd(list), item->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (!S_ISLNK(st.st_mode))
		return S_ISDIR(st.st_mode);
	if (fstatat(dirfd(list), item->d_name, &st, 0) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return may_follow(request, path, dirfd(list), item->d_name) ? 1 : -1;
}

/* The name in its URI; of what no URI can name there is no file either. */
static int visit_name(const struct uri *folder, const char *name, bool folder_too,
	backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	int r = uri_child(folder, name, &uri, NULL);

	if (r < 0)
		return r == -ENOMEM ? err_oom(err) : 0;
	return visit(strrchr(uri.path, '/') + 1, folder_too, arg, err);
}

static int file_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(close_listp) DIR *list = NULL;
	const struct dirent *item;
	int r = source_path(request, &path, err);

	(void)env;
	if (r < 0)
		return r;
	list = opendir(path);
	if (!list)
		return source_failed(err);
	r = source_check_real(request, dirfd(list), err);
	if (r < 0)
		return r;
	*ret = (struct remote){
		.size = SIZE_UNKNOWN,
		.validators.modified = TIME_UNKNOWN,
		.world_readable = source_is_open_to_all(dirfd(list), S_IROTH | S_IXOTH),
		.max_age = 0,
	};
	while (r == 0 && (errno = 0, item = readdir(list))) {
		int kind = kind_of(request, path, list, item);

		if (kind >= 0 && !str_equal(item->d_name, ".") && !str_equal(item->d_name, ".."))
			r = visit_name(request->uri, item->d_name, kind > 0, visit, arg, err);
	}
	if (r == 0 && errno)
		return err_set(err, ERR_SYSTEM, errno, "read the folder: %m");
	return r;
}

static const char *const schemes[] = {"file", NULL};

const struct backend file_backend = {
	.name = "file",
	.schemes = schemes,
	.stat = file_stat,
	.fetch = file_fetch,
	.list = file_list,
};
