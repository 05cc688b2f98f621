#include "cli/mesos_cache.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/put.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is fetched with credentials is not for the others, who have their folders in these. */
#define SHARED_MODE 0711
#define OWN_MODE    0700
#define FILE_MODE   0600

/* Whoever owns the folder above can put something else in the place of what was just made. */
static int equip(const char *path, mode_t mode, const struct user *owner)
{
	CLEANUP(fd_closep)
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (fchmod(fd, mode) < 0)
		return -errno;
	return owner && owner->other && fchown(fd, owner->uid, owner->gid) < 0 ? -errno : 0;
}

/*
 * It appears under its name once it is the owner's and has its mode, whatever the umask, so that
 * others who come now can work in it. @owner: NULL, the caller.
 */
static int make_folder(const char *path, mode_t mode, const struct user *owner, struct err *err)
{
	CLEANUP(str_freep) char *temp = NULL;
	uint64_t random;
	int r = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return err_set(err, ERR_SYSTEM, EIO, "no random number");
	temp = str_printf("%s.%016llx", path, (unsigned long long)random);
	if (!temp)
		return err_oom(err);
	if (mkdir(temp, OWN_MODE) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make %s: %m", path);
	r = equip(temp, mode, owner);
	if (r == 0 && renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) < 0 &&
		errno != EEXIST)
		r = -errno;
	rmdir(temp);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "make %s: %m", path) : 0;
}

/* The folders above @path, as mkdir -p has it. */
static int make_parents(const char *path, struct err *err)
{
	CLEANUP(str_freep) char *prefix = str_copy(path);
	struct stat st;
	int r = 0;

	if (!prefix)
		return err_oom(err);
	for (char *slash = strchr(prefix + 1, '/'); slash && r == 0;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (stat(prefix, &st) < 0)
			r = make_folder(prefix, SHARED_MODE, NULL, err);
		*slash = '/';
	}
	return r;
}

/* What root made for this user is given to the user; by no path that somebody could bend. */
static int give_away(const char *path, const struct user *user, struct err *err)
{
	struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	CLEANUP(fd_closep) int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat st;

	if (!user->other || fd < 0 || fstat(fd, &st) < 0 || st.st_uid != geteuid())
		return 0; /* it has to do as it is */
	if (fchown(fd, user->uid, user->gid) < 0)
		return err_set(err, ERR_SYSTEM, errno, "chown %s: %m", path);
	return 0;
}

int mesos_cache_open(const char *path, const struct user *user, bool is_shared, struct folder *ret,
	struct err *err)
{
	CLEANUP(str_freep) char *trimmed = str_copy(path);
	struct stat st;
	int r = 0;

	if (!trimmed)
		return err_oom(err);
	for (size_t len = strlen(trimmed); len > 1 && trimmed[len - 1] == '/'; len--)
		trimmed[len - 1] = '\0';
	if (lstat(trimmed, &st) == 0)
		r = give_away(trimmed, user, err);
	else if ((r = make_parents(trimmed, err)) == 0)
		r = make_folder(trimmed, is_shared ? SHARED_MODE : OWN_MODE, user, err);
	if (r == 0)
		r = folder_open(trimmed, user, ret, err);
	return r < 0 ? err_context(err, "Could not create the fetcher cache directory") : 0;
}

bool mesos_cache_has(const struct folder *cache, const char *name)
{
	struct stat st;

	return fstatat(cache->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int mesos_cache_keep(struct fetchfs *fetchfs, const struct folder *cache, struct fetchfs_file *file,
	const char *name, const char *shown, bool replace, bool hardlink, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	struct put put = {
		.user = cache->user,
		.parent = cache->fd,
		.name = name,
		.source = fetchfs_file_fd(file),
		.mode = FILE_MODE,
		.exclusive = !replace,
	};
	struct fetchfs_loan loan = {.fd = -1};
	int r = fetchfs_file_info(file, &info, err);

	put.hardlink = hardlink && r == 0 && info.is_public;
	if (put.hardlink)
		r = fetchfs_loan_of_file(file, &loan, err);
	if (r < 0)
		return r;
	r = put_file(&put, NULL);
	(void)fetchfs_loan_end(fetchfs, &loan, NULL);
	if (r < 0 && r != -EEXIST)
		return err_set(
			err, ERR_SYSTEM, -r, "Failed to write '%s/%s': %m", cache->path, shown);
	return 0;
}
