/* All that would write to a mount, and what it is told. */
#include "tests/support/libcways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

static const char *file, *fresh, *folder; /* what there is, what there is not, and a folder */
static unsigned int wrong;

static void expect(long result, int code, const char *what)
{
	int got = result < 0 ? errno : 0;

	if (got == code)
		return;
	fprintf(stderr, "libcways: writes: %s: %s instead of %s\n", what,
		got ? strerrorname_np(got) : "success", strerrorname_np(code));
	wrong++;
}

#define READ_ONLY(call)   expect((call), EROFS, #call)
#define FAILS(code, call) expect((call), code, #call)

static void open_to_write(void)
{
	READ_ONLY(open(file, O_WRONLY | O_CLOEXEC));
	READ_ONLY(open(file, O_RDWR | O_CLOEXEC));
	READ_ONLY(open(file, O_WRONLY | O_APPEND | O_CLOEXEC));
	READ_ONLY(open(file, O_WRONLY | O_TRUNC | O_CLOEXEC));
	READ_ONLY(open(file, O_RDONLY | O_TRUNC | O_CLOEXEC));
	READ_ONLY(open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	READ_ONLY(open(fresh, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	READ_ONLY(open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	READ_ONLY(open(fresh, O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
	READ_ONLY(creat(fresh, 0600));
	READ_ONLY(creat(file, 0600));
	FAILS(EEXIST, open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	READ_ONLY(open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	READ_ONLY(access(file, W_OK));
	READ_ONLY(access(folder, W_OK));
	READ_ONLY(truncate(file, 1));
}

static void change_attributes(void)
{
	READ_ONLY(chmod(file, 0600));
	READ_ONLY(chmod(folder, 0700));
	READ_ONLY(chown(file, 1, 1));
	READ_ONLY(lchown(file, 1, 1));
	READ_ONLY(chown(folder, 1, 1));
	READ_ONLY(utimensat(AT_FDCWD, file, NULL, 0));
	READ_ONLY(utimensat(AT_FDCWD, folder, NULL, AT_SYMLINK_NOFOLLOW));
	READ_ONLY(utime(file, NULL));
	READ_ONLY(setxattr(file, "user.mine", "1", 1, 0));
	READ_ONLY(setxattr(file, "user.fetchfs.pinned", "1", 1, 0));
	READ_ONLY(lsetxattr(folder, "user.mine", "1", 1, XATTR_CREATE));
	READ_ONLY(removexattr(file, "user.fetchfs.state"));
	READ_ONLY(removexattr(folder, "user.mine"));
}

static void change_names(void)
{
	READ_ONLY(unlink(file));
	READ_ONLY(rmdir(folder));
	READ_ONLY(rename(file, fresh));
	READ_ONLY(rename(folder, fresh));
	READ_ONLY(renameat2(AT_FDCWD, file, AT_FDCWD, folder, RENAME_EXCHANGE));
	READ_ONLY(renameat2(AT_FDCWD, file, AT_FDCWD, fresh, RENAME_NOREPLACE));
	READ_ONLY(link(file, fresh));
	READ_ONLY(symlink("target", fresh));
	READ_ONLY(mkdir(fresh, 0700));
	READ_ONLY(mknod(fresh, S_IFREG | 0600, 0));
	READ_ONLY(mknod(fresh, S_IFIFO | 0600, 0));
	READ_ONLY(mknod(fresh, S_IFCHR | 0600, makedev(1, 3)));
	FAILS(EEXIST, mkdir(folder, 0700));
	FAILS(EEXIST, symlink("target", file));
}

/* What a descriptor is good for that was opened to read. */
static void change_open_file(void)
{
	int fd = ways_open(file, 0);
	char *bytes = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

	if (bytes == MAP_FAILED)
		ways_die("mmap");
	READ_ONLY(fchmod(fd, 0600));
	READ_ONLY(fchown(fd, 1, 1));
	READ_ONLY(futimens(fd, NULL));
	READ_ONLY(fsetxattr(fd, "user.mine", "1", 1, 0));
	READ_ONLY(fremovexattr(fd, "user.fetchfs.state"));
	FAILS(EBADF, write(fd, "x", 1));
	FAILS(EBADF, pwrite(fd, "x", 1, 0));
	FAILS(EBADF, fallocate(fd, 0, 0, 100));
	FAILS(EBADF, fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 100));
	FAILS(EINVAL, ftruncate(fd, 1));
	FAILS(EACCES, mprotect(bytes, 1, PROT_READ | PROT_WRITE));
	FAILS(EACCES, mmap(NULL, 1, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
	FAILS(0, fsync(fd));
	FAILS(0, fdatasync(fd));
	munmap(bytes, 1);
	close(fd);
}

void writes_fail(const char *the_file, const char *the_new, const char *the_folder)
{
	file = the_file;
	fresh = the_new;
	folder = the_folder;
	open_to_write();
	change_attributes();
	change_names();
	change_open_file();
	if (wrong > 0)
		ways_wrong("%u calls", wrong);
}
