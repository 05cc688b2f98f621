/*
 * file: regular files of this machine.
 */
#include "backends/builtin.h"

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
#include <sys/xattr.h>
#include <unistd.h>

#define READ_SIZE ((size_t)1024 * 1024)
#define POLL_MS   50

/* A file that is open, and how it looked then. */
struct source {
	int fd;
	struct stat st;
};

static void source_closep(struct source *source)
{
	fd_close(&source->fd);
}

static int open_failed(struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return err_set(err, ERR_REMOTE, ENOENT, "no such file");
	if (errno == EACCES || errno == EPERM)
		return err_set(err, ERR_REMOTE, EACCES, "permission denied");
	return err_set(err, ERR_SYSTEM, errno, "open the file: %m");
}

static int open_path(const char *path, struct source *ret, struct err *err)
{
	/* O_NONBLOCK: a fifo that nobody writes to must not hold us */
	CLEANUP(fd_closep)
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return open_failed(err);
	if (S_ISDIR(st.st_mode))
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_REMOTE, EINVAL, "it is not a regular file");
	*ret = (struct source){.fd = fd_steal(&fd), .st = st};
	return 0;
}

/* The path that is asked for, if it may be. */
static int path_of(const struct backend_request *request, char **ret, struct err *err)
{
	const struct uri *uri = request->uri;
	const struct guard *guard = request->guard;
	int r = guard ? guard->uri(guard, uri, err) : 0;

	if (r < 0)
		return r;
	if (uri->host && uri->host[0] && !str_equal(uri->host, "localhost"))
		return err_set(err, ERR_USAGE, EINVAL, "file of another machine: %s", uri->host);
	return uri_file_path(uri, ret, err);
}

static int open_source(const struct backend_request *request, struct source *ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	int r = path_of(request, &path, err);

	return r < 0 ? r : open_path(path, ret, err);
}

/* An access list may take away what the mode gives; who has one is not for everybody. */
static bool others_may(const char *path, mode_t bits)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & bits) == bits &&
	       getxattr(path, "system.posix_acl_access", NULL, 0) <= 0;
}

/* The name that the kernel knows the file @fd by. */
static bool real_path(int fd, char ret[PATH_MAX])
{
	char descriptor[32];
	ssize_t len;

	snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", fd);
	len = readlink(descriptor, ret, PATH_MAX - 1);
	if (len <= 0 || ret[0] != '/')
		return false;
	ret[len] = '\0';
	return true;
}

/* Whether any user could have done so, who needs @bits: by its real name, through each folder above
 * it. */
static bool is_open_to_all(int fd, mode_t bits)
{
	char path[PATH_MAX];

	if (!real_path(fd, path) || !others_may(path, bits))
		return false;
	for (char *slash; (slash = strrchr(path, '/')) != path;) {
		*slash = '\0';
		if (!others_may(path, S_IXOTH))
			return false;
	}
	return others_may("/", S_IXOTH);
}

static void describe(const struct source *source, struct remote *ret)
{
	const struct stat *st = &source->st;

	*ret = (struct remote){
		.size = st->st_size,
		.validators.modified = st->st_mtim.tv_sec,
		.ranges = true,
		.world_readable = is_open_to_all(source->fd, S_IROTH),
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
	int r = open_source(request, &source, err);

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

static int copy(const struct source *source, uint64_t offset, uint64_t end, struct sink *sink,
	struct err *err)
{
	size_t size = end - offset < READ_SIZE ? (size_t)(end - offset) : READ_SIZE;
	CLEANUP(str_freep) char *buf = malloc(size ? size : 1);
	int64_t polled = clock_monotonic_ms();

	if (!buf)
		return err_oom(err);
	while (offset < end) {
		size_t want = end - offset < size ? (size_t)(end - offset) : size;
		ssize_t n = fd_pread_full(source->fd, buf, want, offset);
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

static int file_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(source_closep) struct source source = {.fd = -1};
	bool range = request->offset > 0 || request->length > 0;
	struct remote remote;
	uint64_t end;
	bool same;
	int r = open_source(request, &source, err);

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
	r = copy(&source, request->offset, end, sink, err);
	if (r == 0)
		r = check_unchanged(&source, err);
	if (r == 0)
		r = check_end(&source, err);
	return r;
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

	if (target < 0 || !real_path(fd, folder) || !real_path(target, real) ||
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
	int r = path_of(request, &path, err);

	(void)env;
	if (r < 0)
		return r;
	list = opendir(path);
	if (!list)
		return open_failed(err);
	*ret = (struct remote){
		.size = SIZE_UNKNOWN,
		.validators.modified = TIME_UNKNOWN,
		.world_readable = is_open_to_all(dirfd(list), S_IROTH | S_IXOTH),
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
