/* Walks over trees that change nothing: whether one may be published, and whether it may go. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A rename anywhere on the machine makes the kernel ask for another try at "..". */
#define TRIES 1000

#define SHOWN_SIZE 256

/* A file of several names: those of its names that were met are all it should have. */
struct inode {
	ino_t number;
	nlink_t links;
	uint64_t bytes;
};

struct walk {
	int top;
	bool check; /* whether it may be published */
	uid_t owner;
	uint64_t bytes;
	struct inode *inodes;
	size_t count;
	size_t size;
	struct err *err;
	size_t len;          /* of path */
	char path[PATH_MAX]; /* of what is looked at, from the top */
};

static int refuse(struct walk *walk, const char *why)
{
	char shown[SHOWN_SIZE];

	str_cut(shown, sizeof(shown), walk->path);
	return err_set(walk->err, ERR_INTEGRITY, EBADMSG, "entry %s: %s", shown, why);
}

/* ---- links ---- */

static int open_link(const struct walk *walk)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, walk->top, walk->path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Where it really leads, over all other links. One that leads nowhere, or in a circle, is let be:
 * there are such in archives, and nobody comes out of the tree by it. */
static int check_link(struct walk *walk)
{
	CLEANUP(fd_closep) int fd = open_link(walk);

	switch (fd) {
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
	case -ENAMETOOLONG:
		return 0;
	case -EXDEV:
		return refuse(walk, "it leads outside");
	default:
		return fd < 0 ? err_set(walk->err, ERR_SYSTEM, -fd, "follow %s: %m", walk->path)
			      : 0;
	}
}

/* ---- names ---- */

static int note_inode(struct walk *walk, const struct stat *st)
{
	if (walk->count == walk->size) {
		size_t size = walk->size ? walk->size * 2 : 64;
		struct inode *more = reallocarray(walk->inodes, size, sizeof(*more));

		if (!more)
			return err_oom(walk->err);
		walk->inodes = more;
		walk->size = size;
	}
	walk->inodes[walk->count++] =
		(struct inode){st->st_ino, st->st_nlink, (uint64_t)st->st_blocks * 512};
	return 0;
}

static int compare_inodes(const void *a, const void *b)
{
	ino_t left = ((const struct inode *)a)->number;
	ino_t right = ((const struct inode *)b)->number;

	return (left > right) - (left < right);
}

/* Whether a file has names that were not met. */
static bool has_other_names(struct walk *walk)
{
	size_t first = 0;

	if (walk->count > 0)
		qsort(walk->inodes, walk->count, sizeof(*walk->inodes), compare_inodes);
	for (size_t i = 1; i <= walk->count; i++) {
		if (i < walk->count && walk->inodes[i].number == walk->inodes[first].number)
			continue;
		if (i - first != walk->inodes[first].links)
			return true;
		first = i;
	}
	return false;
}

static int check_kind(struct walk *walk, const struct stat *st)
{
	mode_t mode = st->st_mode & 07777;

	if (st->st_uid != walk->owner)
		return refuse(walk, "it belongs to somebody else");
	if (S_ISLNK(st->st_mode))
		return check_link(walk);
	if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))
		return refuse(walk, "it is neither a file nor a folder nor a link");
	if (mode == 0555 || (mode == 0444 && S_ISREG(st->st_mode)))
		return 0;
	return refuse(walk, "it has a mode that nothing in a tree has");
}

static int walk_folder(struct walk *walk, int fd, unsigned int depth);

static int walk_into(struct walk *walk, int fd, const char *name, unsigned int depth)
{
	CLEANUP(fd_closep) int child = -1;

	if (depth >= TREE_DEPTH_MAX)
		return refuse(walk, "it is too deep");
	child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (child < 0)
		return err_set(walk->err, ERR_SYSTEM, errno, "open %s: %m", walk->path);
	return walk_folder(walk, child, depth + 1);
}

static int walk_name(struct walk *walk, int fd, const char *name, unsigned int depth)
{
	struct stat st;
	int r = 0;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(walk->err, ERR_SYSTEM, errno, "look at %s: %m", walk->path);
	walk->bytes += S_ISDIR(st.st_mode)
			       ? (uint64_t)st.st_blocks * 512
			       : ((uint64_t)st.st_blocks * 512 + st.st_nlink - 1) / st.st_nlink;
	if (walk->check)
		r = check_kind(walk, &st);
	if (r == 0 && !S_ISDIR(st.st_mode) && st.st_nlink > 1)
		r = note_inode(walk, &st);
	return r == 0 && S_ISDIR(st.st_mode) ? walk_into(walk, fd, name, depth) : r;
}

/* The name joins the path for as long as it is looked at. */
static int walk_next(struct walk *walk, int fd, const char *name, unsigned int depth)
{
	size_t before = walk->len;
	size_t len = strlen(name);
	int r;

	if (before + 1 + len >= sizeof(walk->path))
		return refuse(walk, "a path below it is too long");
	if (before > 0)
		walk->path[walk->len++] = '/';
	memcpy(walk->path + walk->len, name, len + 1);
	walk->len += len;
	r = walk_name(walk, fd, name, depth);
	walk->len = before;
	walk->path[before] = '\0';
	return r;
}

static int walk_folder(struct walk *walk, int fd, unsigned int depth)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *item;
	int r = 0;

	list = copy < 0 ? NULL : fdopendir(copy);
	if (!list) {
		fd_close(&copy);
		return err_set(walk->err, ERR_SYSTEM, errno, "list %s: %m", walk->path);
	}
	while (r == 0 && (item = readdir(list)))
		if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
			r = walk_next(walk, fd, item->d_name, depth);
	return r;
}

/* 1: files of it have names elsewhere. */
static int walk_all(struct walk *walk)
{
	struct stat st;
	int r = fstat(walk->top, &st) < 0
			? err_set(walk->err, ERR_SYSTEM, errno, "look at a tree: %m")
			: walk_folder(walk, walk->top, 1);

	if (r < 0)
		return r;
	walk->bytes += (uint64_t)st.st_blocks * 512;
	return has_other_names(walk);
}

static void walk_release(struct walk *walk)
{
	free(walk->inodes);
}

int tree_check(int fd, uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(walk_release)
	struct walk walk = {.top = fd, .check = true, .owner = geteuid(), .err = err};
	int r = walk_all(&walk);

	if (r > 0)
		return err_set(
			err, ERR_INTEGRITY, EBADMSG, "a file in it is linked from elsewhere");
	if (r == 0)
		*ret_bytes = walk.bytes;
	return r;
}

/* Files with several names are in it once, wherever the others are: until then, they are in it by a
 * part for each. */
uint64_t tree_measure(int trees, const char *name)
{
	CLEANUP(walk_release) struct walk walk = {0};
	CLEANUP(fd_closep)
	int fd = openat(trees, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	walk.top = fd;
	(void)walk_all(&walk);
	(void)has_other_names(&walk); /* which sorts them */
	for (size_t i = 0; i < walk.count; i++) {
		const struct inode *inode = &walk.inodes[i];

		walk.bytes -= (inode->bytes + inode->links - 1) / inode->links;
		if (i == 0 || inode->number != walk.inodes[i - 1].number)
			walk.bytes += inode->bytes;
	}
	return walk.bytes;
}

int tree_probe(const struct store *store, const struct digest *digest, struct err *err)
{
	CLEANUP(walk_release) struct walk walk = {.err = err};
	CLEANUP(fd_closep) int fd = -1;
	char name[DIGEST_HEX_SIZE];
	int r;

	digest_hex(digest, name);
	fd = tree_folder(store, name);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, -fd, "open tree %s: %m", name);
	walk.top = fd;
	r = walk_all(&walk);
	return r > 0 ? err_set(err, ERR_SYSTEM, EBUSY, "tree %s is linked elsewhere", name) : r;
}
