/*
 * Trees whose files have names elsewhere, as hardlinks: whoever is root in a sandbox, or was given
 * a file by a chown, can change it there. So before the first such link everything in the tree is
 * written down in trees/.seal.<sha256>, and looked at again before the tree is handed out: owners,
 * modes, sizes and times of modification must be the same; and where times of change (ctime, which
 * nobody can set) are not what they were after the last look, all bytes are read.
 *
 * The seal is one line, "1 SHAPE CONTENT CHANGED": sums, over all that is in the tree, of XXH3-64
 * in hexadecimal; the order of names does not matter for them.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define SEAL_PREFIX    ".seal."
#define SEAL_NAME_SIZE (sizeof(SEAL_PREFIX) + DIGEST_HEX_SIZE)
#define SEAL_TEXT_SIZE 64
#define SEAL_DIGITS    16 /* of each number */

#define BUFFER_SIZE (1 << 20)

#define WHY "changed by way of a hardlink"

struct sums {
	uint64_t shape;   /* names, kinds, modes, owners, sizes, times, and where links lead */
	uint64_t content; /* of files; 0: not read */
	uint64_t changed; /* inodes and times of change */
};

struct walk {
	char *buffer; /* NULL: nothing is read */
	struct sums sums;
	size_t len;          /* of path */
	char path[PATH_MAX]; /* of what is looked at, from the top */
};

static void free_walk(struct walk **walk)
{
	if (*walk)
		free((*walk)->buffer);
	free(*walk);
}

/* ---- the sums ---- */

/* The hash of @data, which is a property of the path. */
static uint64_t hash_of(const struct walk *walk, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, XXH3_64bits(walk->path, walk->len));
}

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * UINT64_C(1000000000) + (uint64_t)time->tv_nsec;
}

static void add_facts(struct walk *walk, const struct stat *st)
{
	const uint64_t shape[] = {st->st_mode, st->st_uid, st->st_gid,
		S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size, nanoseconds(&st->st_mtim)};
	const uint64_t changed[] = {st->st_ino, nanoseconds(&st->st_ctim)};

	walk->sums.shape += hash_of(walk, shape, sizeof(shape));
	walk->sums.changed += hash_of(walk, changed, sizeof(changed));
}

static int add_link(struct walk *walk, int fd, const char *name)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(fd, name, target, sizeof(target));

	if (len < 0)
		return -errno;
	walk->sums.shape += hash_of(walk, target, (size_t)len);
	return 0;
}

static int add_bytes(struct walk *walk, int dirfd, const char *name)
{
	CLEANUP(fd_closep)
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint64_t offset = 0;
	uint64_t hash = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = fd_pread_full(fd, walk->buffer, BUFFER_SIZE, offset)) > 0) {
		hash = XXH3_64bits_withSeed(walk->buffer, (size_t)n, hash);
		offset += (uint64_t)n;
	}
	walk->sums.content += hash_of(walk, &hash, sizeof(hash));
	return (int)n;
}

static int add_folder(struct walk *walk, int fd, unsigned int depth);

static int add_inside(struct walk *walk, int dirfd, const char *name, unsigned int depth)
{
	CLEANUP(fd_closep)
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return depth >= TREE_DEPTH_MAX ? -ELOOP : add_folder(walk, fd, depth + 1);
}

static int add_name(struct walk *walk, int fd, const char *name, unsigned int depth)
{
	struct stat st;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	add_facts(walk, &st);
	if (S_ISDIR(st.st_mode))
		return add_inside(walk, fd, name, depth);
	if (S_ISLNK(st.st_mode))
		return add_link(walk, fd, name);
	return walk->buffer && S_ISREG(st.st_mode) ? add_bytes(walk, fd, name) : 0;
}

static int add_next(struct walk *walk, int fd, const char *name, unsigned int depth)
{
	size_t before = walk->len;
	size_t len = strlen(name);
	int r;

	if (before + 1 + len >= sizeof(walk->path))
		return -ENAMETOOLONG;
	walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, name, len);
	walk->len += len;
	r = add_name(walk, fd, name, depth);
	walk->len = before;
	return r;
}

static int add_folder(struct walk *walk, int fd, unsigned int depth)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	int r = 0;

	list = copy < 0 ? NULL : fdopendir(copy);
	if (!list) {
		fd_close(&copy);
		return -ENOMEM;
	}
	while (r == 0 && (errno = 0, item = readdir(list)))
		if (!str_equal(item->d_name, ".") && !str_equal(item->d_name, ".."))
			r = add_next(walk, fd, item->d_name, depth);
	return r == 0 && errno ? -errno : r;
}

static int sum_up(int fd, bool read, struct sums *ret, struct err *err)
{
	CLEANUP(free_walk) struct walk *walk = calloc(1, sizeof(*walk));
	int r;

	if (!walk || (read && !(walk->buffer = malloc(BUFFER_SIZE))))
		return err_oom(err);
	r = add_folder(walk, fd, 1);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "look through a tree: %m");
	*ret = walk->sums;
	return 0;
}

/* ---- the seal ---- */

static void name_seal(const struct digest *digest, char ret[SEAL_NAME_SIZE])
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(digest, hex);
	snprintf(ret, SEAL_NAME_SIZE, SEAL_PREFIX "%s", hex);
}

/* Of one step to all who look: it is short, and written under the lock of its file. */
static int write_seal(
	const struct store *store, const struct digest *digest, const struct sums *sums)
{
	CLEANUP(fd_closep) int fd = -1;
	char name[SEAL_NAME_SIZE];
	char text[SEAL_TEXT_SIZE];
	int len = snprintf(text, sizeof(text), "1 %016llx %016llx %016llx\n",
		(unsigned long long)sums->shape, (unsigned long long)sums->content,
		(unsigned long long)sums->changed);

	name_seal(digest, name);
	fd = openat(store->dir->trees_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || fault_hit("tree.seal"))
		return -errno;
	return fd_pwrite_all(fd, text, (size_t)len, 0);
}

static bool parse_seal(const char *text, struct sums *ret)
{
	uint64_t *const fields[] = {&ret->shape, &ret->content, &ret->changed};
	const char *at = text + 1;

	if (*text != '1')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		char *end;

		if (*at != ' ')
			return false;
		*fields[i] = strtoull(at, &end, 16);
		if (end != at + 1 + SEAL_DIGITS)
			return false;
		at = end;
	}
	return *at == '\n';
}

/* 1: there is one; 0: none, or none that was written before its process died, and so before there
 * was a link; -EBADMSG: it says nothing. */
static int read_seal(const struct store *store, const struct digest *digest, struct sums *ret)
{
	CLEANUP(fd_closep) int fd = -1;
	char name[SEAL_NAME_SIZE];
	char text[SEAL_TEXT_SIZE];
	struct sums sums;
	ssize_t n;

	name_seal(digest, name);
	fd = openat(store->dir->trees_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || flock(fd, LOCK_SH) < 0)
		return -errno;
	n = fd_pread_full(fd, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return (int)n;
	text[n] = '\0';
	if (!parse_seal(text, &sums))
		return -EBADMSG;
	*ret = sums;
	return 1;
}

bool tree_is_lent(const struct store *store, const struct digest *digest)
{
	char name[SEAL_NAME_SIZE];

	name_seal(digest, name);
	return faccessat(store->dir->trees_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void tree_break_seal(const struct store *store, const struct digest *digest)
{
	char name[SEAL_NAME_SIZE];

	name_seal(digest, name);
	unlinkat(store->dir->trees_fd, name, 0);
}

/* ---- around a loan ---- */

static int seal_failed(int r, struct err *err)
{
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "the seal of a tree: %m") : 0;
}

int tree_lend(const struct store *store, const struct digest *digest, int fd, bool *ret_is_right,
	struct err *err)
{
	struct sums seal, now;
	int known = read_seal(store, digest, &seal);
	int r;

	if (known < 0)
		return seal_failed(known, err);
	r = sum_up(fd, known == 0, &now, err);
	if (r < 0)
		return r;
	*ret_is_right = known == 0 || (seal.shape == now.shape && seal.changed == now.changed);
	return known ? 0 : seal_failed(write_seal(store, digest, &now), err);
}

/* The links have moved the times of change of their files; anything else would have moved others,
 * too. */
int tree_lent(const struct store *store, const struct digest *digest, int fd, struct err *err)
{
	struct sums seal, now;
	int r = read_seal(store, digest, &seal);

	if (r <= 0)
		return seal_failed(r, err);
	r = sum_up(fd, false, &now, err);
	if (r < 0 || now.shape != seal.shape)
		return r; /* to be found out before the next hand-out */
	now.content = seal.content;
	return seal_failed(write_seal(store, digest, &now), err);
}

int tree_examine(const struct store *store, const struct digest *digest, int fd, struct err *err)
{
	struct sums seal, now, read;
	int r = read_seal(store, digest, &seal);

	if (r == 0)
		return 0;
	if (r == -EBADMSG)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "the seal of a tree is damaged");
	if (r < 0)
		return seal_failed(r, err);
	r = sum_up(fd, false, &now, err);
	if (r < 0 || (now.shape == seal.shape && now.changed == seal.changed))
		return r;
	if (now.shape == seal.shape) {
		r = sum_up(fd, true, &read, err);
		if (r < 0)
			return r;
		/* as of before it was read: what changes meanwhile is seen the next time */
		now.content = read.content;
	}
	if (now.shape != seal.shape || now.content != seal.content)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "the tree was " WHY);
	return seal_failed(write_seal(store, digest, &now), err);
}
