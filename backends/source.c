#include "backends/source.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* O_NONBLOCK: a fifo that nobody writes to must not hold us */
#define READ_FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
#define PROC_SIZE  32

void source_closep(struct source *source)
{
	fd_close(&source->fd);
}

int source_failed(struct err *err)
{
	if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
		return err_set(err, ERR_REMOTE, ENOENT, "no such file");
	if (errno == EACCES || errno == EPERM)
		return err_set(err, ERR_REMOTE, EACCES, "permission denied");
	return err_set(err, ERR_SYSTEM, errno, "open the file: %m");
}

int source_path(const struct backend_request *request, char **ret, struct err *err)
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

static void proc_path(int fd, char ret[PROC_SIZE])
{
	snprintf(ret, PROC_SIZE, "/proc/self/fd/%d", fd);
}

static int check_kind(const struct stat *st, struct err *err)
{
	if (S_ISDIR(st->st_mode))
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	if (!S_ISREG(st->st_mode))
		return err_set(err, ERR_REMOTE, EINVAL, "it is not a regular file");
	return 0;
}

/*
 * For another user the name is looked at before anything is opened: opening alone makes some
 * devices do something. And it does not lead through a magic link: to this process, /proc/self/fd
 * opens what the user could not get at by any name.
 */
static int find(const char *path, int *ret, struct err *err)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return source_failed(err);
	r = check_kind(&st, err);
	if (r < 0)
		return r;
	*ret = fd_steal(&fd);
	return 0;
}

/* With the rights of @user, which this thread has no longer than that. */
static int open_as(const struct user *user, const char *path, int *ret, struct err *err)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	CLEANUP(fd_closep) int found = -1;
	char proc[PROC_SIZE];
	int r = user_become(user, &guard, err);

	if (r == 0)
		r = find(path, &found, err);
	if (r < 0)
		return r;
	proc_path(found, proc);
	*ret = open(proc, READ_FLAGS);
	return *ret < 0 ? source_failed(err) : 0;
}

static int open_path(const struct user *user, const char *path, struct source *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	int r = 0;

	if (user)
		r = open_as(user, path, &fd, err);
	else
		fd = open(path, READ_FLAGS);
	if (r < 0)
		return r;
	if (fd < 0 || fstat(fd, &st) < 0)
		return source_failed(err);
	r = check_kind(&st, err);
	if (r < 0)
		return r;
	*ret = (struct source){.fd = fd_steal(&fd), .st = st};
	return 0;
}

int source_check_real(const struct backend_request *request, int fd, struct err *err)
{
	CLEANUP(uri_release) struct uri real = {.text = NULL};
	const struct guard *guard = request->guard;
	char path[PATH_MAX];
	int r;

	if (!guard)
		return 0;
	if (!source_real_path(fd, path))
		return err_set(err, ERR_SYSTEM, EIO, "find out where the file is");
	r = uri_of_file(path, &real, err);
	return r < 0 ? r : guard->uri(guard, &real, err);
}

int source_open(const struct backend_request *request, struct source *ret, struct err *err)
{
	CLEANUP(source_closep) struct source source = {.fd = -1};
	CLEANUP(str_freep) char *path = NULL;
	int r = source_path(request, &path, err);

	if (r == 0)
		r = open_path(request->user, path, &source, err);
	if (r == 0)
		r = source_check_real(request, source.fd, err);
	if (r < 0)
		return r;
	*ret = (struct source){.fd = fd_steal(&source.fd), .st = source.st};
	return 0;
}

/* An access list may take away what the mode gives; who has one is not for everybody. */
static bool others_may(const char *path, mode_t bits)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & bits) == bits &&
	       getxattr(path, "system.posix_acl_access", NULL, 0) <= 0;
}

bool source_real_path(int fd, char ret[PATH_MAX])
{
	char proc[PROC_SIZE];
	ssize_t len;

	proc_path(fd, proc);
	len = readlink(proc, ret, PATH_MAX - 1);
	if (len <= 0 || ret[0] != '/')
		return false;
	ret[len] = '\0';
	return true;
}

bool source_is_open_to_all(int fd, mode_t bits)
{
	char path[PATH_MAX];

	if (!source_real_path(fd, path) || !others_may(path, bits))
		return false;
	for (char *slash; (slash = strrchr(path, '/')) != path;) {
		*slash = '\0';
		if (!others_may(path, S_IXOTH))
			return false;
	}
	return others_may("/", S_IXOTH);
}
