/* The ways of libcways that are not about bytes alone: names, attributes, locks, watches, holes. */
#include "tests/support/libcways.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Fails with just this errno. */
static void expect(int result, int code, const char *what)
{
	if (result >= 0)
		ways_wrong("%s: success", what);
	if (errno != code)
		ways_die(what);
}

static void by_access(const char *path, const struct reference *right)
{
	if (access(path, F_OK) < 0 || access(path, R_OK) < 0)
		ways_die("access");
	expect(access(path, W_OK), EROFS, "W_OK");
	expect(access(path, X_OK), EACCES, "X_OK");
	ways_compare_fd(ways_open(path, 0), right);
}

/* The call itself: a C library may do without it. */
static int access2(int fd, const char *path, int mode, int flags)
{
	return (int)syscall(SYS_faccessat2, fd, path, mode, flags);
}

static void by_faccessat2(const char *path, const struct reference *right)
{
	int fd;

	if (access2(AT_FDCWD, path, R_OK, AT_EACCESS) < 0 ||
		access2(AT_FDCWD, path, F_OK, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0)
		ways_die("faccessat2");
	expect(access2(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS), EROFS, "W_OK");
	expect(access2(AT_FDCWD, path, R_OK | X_OK, AT_EACCESS), EACCES, "X_OK");
	fd = ways_open(path, 0);
	if (access2(fd, "", R_OK, AT_EACCESS | AT_EMPTY_PATH) < 0)
		ways_die("faccessat2 of a descriptor");
	ways_compare_fd(fd, right);
	close(fd);
}

static void look(int fd, const char *path, const struct reference *right, struct statx *ret)
{
	unsigned int wanted = STATX_BASIC_STATS;

	if (statx(fd, path, *path ? AT_STATX_SYNC_AS_STAT : AT_EMPTY_PATH, wanted, ret) < 0)
		ways_die("statx");
	if ((ret->stx_mask & wanted) != wanted)
		ways_wrong("mask 0x%x", ret->stx_mask);
	if (ret->stx_mode != (S_IFREG | 0444))
		ways_wrong("mode 0%o", (unsigned int)ret->stx_mode);
	if (ret->stx_size != right->size)
		ways_wrong("size %llu", (unsigned long long)ret->stx_size);
	if (ret->stx_mtime.tv_sec != right->modified)
		ways_wrong("modified at %lld", (long long)ret->stx_mtime.tv_sec);
}

/* By name before it is open, by descriptor, and by name when all of it is there. */
static void by_statx(const char *path, const struct reference *right)
{
	struct statx before, during, after;
	int fd;

	look(AT_FDCWD, path, right, &before);
	fd = ways_open(path, 0);
	look(fd, "", right, &during);
	ways_compare_fd(fd, right);
	look(AT_FDCWD, path, right, &after);
	if (before.stx_ino != during.stx_ino || during.stx_ino != after.stx_ino)
		ways_wrong("inodes %llx, %llx, %llx", (unsigned long long)before.stx_ino,
			(unsigned long long)during.stx_ino, (unsigned long long)after.stx_ino);
	close(fd);
}

static int open2(int folder, const char *path, unsigned long long resolve)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC, .resolve = resolve};

	return (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
}

static void by_openat2(const char *path, const struct reference *right)
{
	static const unsigned long long ways[] = {RESOLVE_BENEATH, RESOLVE_NO_XDEV, RESOLVE_IN_ROOT,
		RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS,
		RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	char *copy = strdup(path);
	const char *name = strrchr(path, '/') + 1;
	int folder = open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC);
	char up[512];

	strcpy(up, "../uri/");
	strncat(up, name, sizeof(up) - sizeof("../uri/"));
	if (folder < 0)
		ways_die("open the folder");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int fd = open2(folder, name, ways[i]);

		if (fd < 0)
			ways_die("openat2");
		if (i == 0)
			close(ways_open(path, 0));
		ways_compare_fd(fd, right);
		close(fd);
	}
	expect(open2(folder, up, RESOLVE_BENEATH), EXDEV, "out of the folder, beneath it");
	expect(open2(AT_FDCWD, path, RESOLVE_NO_XDEV), EXDEV, "into the mount, without crossing");
	close(folder);
	free(copy);
}

/* What happened to what is watched; there may be nothing more, but nothing to wait for, either. */
static unsigned int events(int watch)
{
	char buf[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
	ssize_t n = read(watch, buf, sizeof(buf));
	unsigned int seen = 0;

	if (n < 0)
		ways_die("read events");
	for (ssize_t i = 0; i < n;) {
		const struct inotify_event *event = (const void *)(buf + i);

		seen |= event->mask;
		i += (ssize_t)sizeof(*event) + event->len;
	}
	return seen;
}

static void by_inotify(const char *path, const struct reference *right)
{
	unsigned int wanted = IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE;
	char *copy = strdup(path);
	int on_file = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	int on_folder = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	unsigned int seen;
	int fd;

	if (inotify_add_watch(on_file, path, IN_ALL_EVENTS) < 0 ||
		inotify_add_watch(on_folder, dirname(copy), IN_ALL_EVENTS) < 0)
		ways_die("inotify_add_watch");
	fd = ways_open(path, 0);
	ways_compare_fd(fd, right);
	close(fd);
	seen = events(on_folder);
	if ((seen & wanted) != wanted)
		ways_wrong("of the folder, only events 0x%x", seen);
	/* One that was on its way has another node when it is complete. */
	seen = events(on_file);
	if (!(seen & IN_OPEN))
		ways_wrong("of the file, only events 0x%x", seen);
	close(on_file);
	close(on_folder);
	free(copy);
}

static void by_flock(const char *path, const struct reference *right)
{
	int one = ways_open(path, 0);
	int other = ways_open(path, 0);

	if (flock(one, LOCK_SH | LOCK_NB) < 0 || flock(other, LOCK_SH | LOCK_NB) < 0)
		ways_die("LOCK_SH");
	expect(flock(one, LOCK_EX | LOCK_NB), EWOULDBLOCK, "LOCK_EX beside LOCK_SH");
	ways_compare_fd(one, right);
	if (flock(other, LOCK_UN) < 0 || flock(one, LOCK_EX | LOCK_NB) < 0)
		ways_die("LOCK_EX");
	expect(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK, "LOCK_SH beside LOCK_EX");
	ways_compare_fd(other, right);
	close(one);
	if (flock(other, LOCK_EX | LOCK_NB) < 0)
		ways_die("LOCK_EX, when who had it has closed");
	close(other);
}

static void by_fcntl(const char *path, const struct reference *right)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 100};
	int one = ways_open(path, 0);
	int other = ways_open(path, 0);

	if (fcntl(one, F_SETLK, &lock) < 0)
		ways_die("F_SETLK");
	if (fcntl(one, F_OFD_SETLK, &lock) < 0 || fcntl(other, F_OFD_SETLK, &lock) < 0)
		ways_die("F_OFD_SETLK");
	ways_compare_fd(one, right);
	lock.l_type = F_WRLCK;
	if (fcntl(other, F_OFD_GETLK, &lock) < 0)
		ways_die("F_OFD_GETLK");
	if (lock.l_type != F_RDLCK || lock.l_start != 10 || lock.l_len != 100)
		ways_wrong("F_OFD_GETLK: type %d", lock.l_type);
	lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
	expect(fcntl(one, F_SETLK, &lock), EBADF, "F_WRLCK");
	lock.l_type = F_UNLCK;
	if (fcntl(one, F_SETLK, &lock) < 0 || fcntl(other, F_OFD_SETLK, &lock) < 0)
		ways_die("F_UNLCK");
	close(one);
	close(other);
}

/* What has not come yet is no hole: tar and cp would take it for zeros. */
static void by_lseek(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);
	off_t size = (off_t)right->size;
	const off_t places[] = {0, 1, 4096, size / 2, size - 4097, size - 1};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		off_t data = lseek(fd, places[i], SEEK_DATA);
		off_t hole = lseek(fd, places[i], SEEK_HOLE);

		if (data != places[i])
			ways_wrong("data at %lld, from %lld on", (long long)data,
				(long long)places[i]);
		if (hole != size)
			ways_wrong("a hole at %lld, from %lld on", (long long)hole,
				(long long)places[i]);
	}
	expect((int)lseek(fd, size, SEEK_DATA), ENXIO, "data at the end");
	expect((int)lseek(fd, size, SEEK_HOLE), ENXIO, "a hole at the end");
	if (lseek(fd, 0, SEEK_END) != size || lseek(fd, -size, SEEK_CUR) != 0)
		ways_die("lseek");
	expect((int)lseek(fd, -1, SEEK_SET), EINVAL, "before the beginning");
	ways_compare_fd(fd, right);
	close(fd);
}

const struct way ways_of_names[] = {
	{"access", by_access},
	{"faccessat2", by_faccessat2},
	{"statx", by_statx},
	{"openat2", by_openat2},
	{"inotify", by_inotify},
	{"flock", by_flock},
	{"fcntl", by_fcntl},
	{"lseek", by_lseek},
	{NULL, NULL},
};
