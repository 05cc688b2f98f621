#include "cache/cachedir_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

int entry_key_make(const char *scope, const char *uri_text, struct entry_key *ret, struct err *err)
{
	size_t scope_size = strlen(scope) + 1;
	size_t uri_len = strlen(uri_text);
	CLEANUP(str_freep) char *text = malloc(scope_size + uri_len);
	struct digest digest;

	if (!text)
		return err_oom(err);
	memcpy(text, scope, scope_size);
	memcpy(text + scope_size, uri_text, uri_len);
	digest_buffer(text, scope_size + uri_len, &digest);
	memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
	return 0;
}

void entry_key_next(const struct entry_key *key, struct entry_key *ret)
{
	struct digest digest;

	digest_buffer(key->bytes, sizeof(key->bytes), &digest);
	memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
}

void entry_key_hex(const struct entry_key *key, char *ret)
{
	str_to_hex(key->bytes, sizeof(key->bytes), ret);
}

/* ---- opening ---- */

/* Like mkdir -p. Parents that we make are ordinary directories, the cache itself is private. */
static int make_path(const char *path, struct err *err)
{
	CLEANUP(str_freep) char *parent = str_copy(path);

	if (!parent)
		return err_oom(err);
	for (char *slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return err_set(err, ERR_SYSTEM, errno, "make directory %s: %m", parent);
		*slash = '/';
	}
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_SYSTEM, errno, "make cache directory %s: %m", path);
	return 0;
}

static int absolute_path(const char *path, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *cwd = NULL;
	size_t len;

	if (path[0] == '/') {
		*ret = str_copy(path);
	} else {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return err_set(err, ERR_SYSTEM, errno, "current directory: %m");
		*ret = str_printf("%s/%s", cwd, path);
	}
	if (!*ret)
		return err_oom(err);
	for (len = strlen(*ret); len > 1 && (*ret)[len - 1] == '/'; len--)
		(*ret)[len - 1] = '\0';
	return 0;
}

static int check_file_system(const struct cachedir *dir, struct err *err)
{
	static const struct {
		unsigned int magic;
		const char *name;
	} refused[] = {
		{NFS_SUPER_MAGIC, "nfs"},
		{V9FS_MAGIC, "9p"},
		{FUSE_SUPER_MAGIC, "fuse or virtiofs"},
		{SMB_SUPER_MAGIC, "smb"},
		{SMB2_SUPER_MAGIC, "smb"},
		{CIFS_SUPER_MAGIC, "cifs"},
	};
	struct statfs fs;

	if (fstatfs(dir->fd, &fs) < 0)
		return err_set(err, ERR_SYSTEM, errno, "file system of %s: %m", dir->path);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		if ((unsigned int)fs.f_type == refused[i].magic)
			return err_set(err, ERR_USAGE, ENOTSUP,
				"%s lies on %s, whose locks a cache cannot rely on ('force = yes' "
				"in [cache] uses it all the same)",
				dir->path, refused[i].name);
	}
	return 0;
}

/* Whether the directory holds nothing but what a fresh file system has. 1, 0 or -errno. */
static int is_empty(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	int empty = 1;
	DIR *list;

	if (copy < 0)
		return -errno;
	list = fdopendir(copy);
	if (!list) {
		close(copy);
		return -ENOMEM;
	}
	while (empty && (item = readdir(list)))
		empty = strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
			strcmp(item->d_name, "lost+found") == 0;
	closedir(list);
	return empty;
}

/* Ours and private; and never somebody's folder of other things, named by mistake. */
static int check_owner(const struct cachedir *dir, struct err *err)
{
	struct stat st;
	int r;

	if (fstat(dir->fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "cache directory %s: %m", dir->path);
	if (st.st_uid != geteuid())
		return err_set(err, ERR_USAGE, EPERM, "cache directory %s belongs to user %u",
			dir->path, (unsigned int)st.st_uid);
	if (faccessat(dir->fd, "locks", F_OK, 0) < 0) {
		r = is_empty(dir->fd);
		if (r < 0)
			return err_set(err, ERR_SYSTEM, -r, "list %s: %m", dir->path);
		/* another process may be making the same cache: "locks" is its first file */
		if (r == 0 && faccessat(dir->fd, "locks", F_OK, 0) < 0)
			return err_set(err, ERR_USAGE, ENOTEMPTY, "%s is neither a cache nor empty",
				dir->path);
	}
	if ((st.st_mode & 077) != 0 && fchmod(dir->fd, 0700) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make %s private: %m", dir->path);
	return 0;
}

static int open_folder(const struct cachedir *dir, const char *name, int *ret, struct err *err)
{
	if (mkdirat(dir->fd, name, 0700) < 0 && errno != EEXIST)
		return err_set(err, ERR_SYSTEM, errno, "make %s/%s: %m", dir->path, name);
	*ret = openat(dir->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (*ret < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s/%s: %m", dir->path, name);
	return 0;
}

/*
 * Make @name with exactly these bytes unless it exists. It appears by rename, so that nobody reads
 * or maps a short one; the caller holds the writer's lock, so one name for all drafts will do.
 */
static int make_whole(
	const struct cachedir *dir, const char *name, const void *buf, size_t len, struct err *err)
{
	CLEANUP(str_freep) char *draft = str_printf("%s.new", name);
	CLEANUP(fd_closep) int fd = -1;
	int r;

	if (faccessat(dir->fd, name, F_OK, 0) == 0)
		return 0;
	if (!draft)
		return err_oom(err);
	fd = openat(dir->fd, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "make %s/%s: %m", dir->path, draft);
	r = fd_pwrite_all(fd, buf, len, 0);
	/* a mapped page without blocks would be a SIGBUS once the disk is full */
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dir->fd, draft, dir->fd, name) < 0)
		r = -errno;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "make %s/%s: %m", dir->path, name);
	return 0;
}

static int make_files(struct cachedir *dir, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	static const uint8_t page[sizeof(struct shared_page)];
	uint8_t secret[DIGEST_SIZE];
	CLEANUP(fd_closep)
	int fd = openat(dir->fd, "locks", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0 && errno == EROFS && faccessat(dir->fd, "locks", F_OK, 0) == 0) {
		dir->read_only = true; /* complete, or the next steps will find out */
		return 0;
	}
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s/locks: %m", dir->path);
	r = cachedir_lock_writer(dir, &lock);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock %s/locks: %m", dir->path);
	if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
		return err_set(err, ERR_SYSTEM, EIO, "no random bytes for %s/secret", dir->path);
	r = make_whole(dir, "secret", secret, sizeof(secret), err);
	return r < 0 ? r : make_whole(dir, "shared", page, sizeof(page), err);
}

static int read_secret(struct cachedir *dir, struct err *err)
{
	CLEANUP(fd_closep) int fd = openat(dir->fd, "secret", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s/secret: %m", dir->path);
	n = fd_pread_full(fd, dir->secret, sizeof(dir->secret), 0);
	if (n != sizeof(dir->secret))
		return err_set(err, ERR_INTEGRITY, EBADMSG, CACHEDIR_DAMAGED("secret"), dir->path);
	return 0;
}

static int map_shared(struct cachedir *dir, struct err *err)
{
	int mode = dir->read_only ? O_RDONLY : O_RDWR;
	CLEANUP(fd_closep) int fd = openat(dir->fd, "shared", mode | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *page;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s/shared: %m", dir->path);
	if (st.st_size != sizeof(struct shared_page))
		return err_set(err, ERR_INTEGRITY, EBADMSG, CACHEDIR_DAMAGED("shared"), dir->path);
	/* where it can only be read nobody is to be woken */
	page = mmap(NULL, sizeof(struct shared_page), PROT_READ | PROT_WRITE,
		dir->read_only ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return err_set(err, ERR_SYSTEM, errno, "map %s/shared: %m", dir->path);
	dir->shared = page;
	return 0;
}

static int read_boot_id(struct cachedir *dir, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	int r = fd_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read the boot id: %m");
	text[strcspn(text, "\n")] = '\0';
	if (!str_fit(dir->boot_id, sizeof(dir->boot_id), text))
		return err_set(err, ERR_SYSTEM, EIO, "the boot id is too long");
	return 0;
}

static int open_parts(struct cachedir *dir, const char *path, bool force, struct err *err)
{
	int r = absolute_path(path, &dir->path, err);

	if (r == 0)
		r = make_path(dir->path, err);
	if (r < 0)
		return r;
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open cache directory %s: %m", dir->path);
	if (!force)
		r = check_file_system(dir, err);
	if (r == 0)
		r = check_owner(dir, err);
	if (r == 0)
		r = make_files(dir, err);
	if (r == 0)
		r = open_folder(dir, "objects", &dir->objects_fd, err);
	if (r == 0)
		r = open_folder(dir, "partial", &dir->partial_fd, err);
	if (r == 0)
		r = open_folder(dir, "trees", &dir->trees_fd, err);
	if (r == 0)
		r = read_secret(dir, err);
	if (r == 0)
		r = map_shared(dir, err);
	return r == 0 ? read_boot_id(dir, err) : r;
}

int cachedir_open(const char *path, bool force, struct cachedir *ret, struct err *err)
{
	struct cachedir dir = CACHEDIR_INIT;
	int r = open_parts(&dir, path, force, err);

	if (r < 0) {
		cachedir_close(&dir);
		return r;
	}
	*ret = dir;
	return 0;
}

void cachedir_close(struct cachedir *dir)
{
	if (!dir)
		return;
	if (dir->shared)
		munmap(dir->shared, sizeof(*dir->shared));
	fd_close(&dir->trees_fd);
	fd_close(&dir->partial_fd);
	fd_close(&dir->objects_fd);
	fd_close(&dir->fd);
	free(dir->path);
	*dir = CACHEDIR_INIT;
}
