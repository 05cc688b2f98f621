#include "sandbox/unfold.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/put.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_MODE 0755

/* What was made, so that it can be taken back. */
struct thing {
	struct thing *before;
	uint64_t inode;
	bool is_folder;
	char name[];
};

struct walk {
	const struct unfold *unfold;
	const struct user *user;
	struct thing *last;
};

/* One thing of the tree, and where it goes. */
struct step {
	int from;
	int to;
	const char *segment;
	const char *name; /* the segment, as seen from the folder */
	struct stat st;
	unsigned int depth;
};

static void close_listp(DIR **list)
{
	if (*list)
		closedir(*list);
}

static int in_the_way(const struct walk *walk, const char *name, int code, struct err *err)
{
	const char *path = walk->unfold->folder->path;

	if (code == EEXIST)
		return err_set(err, ERR_USAGE, code, "%s/%s is in the way", path, name);
	if (code == EISDIR)
		return err_set(err, ERR_SYSTEM, code, "%s/%s is a folder already", path, name);
	if (code == ELOOP || code == ENOTDIR)
		return err_set(err, ERR_SYSTEM, code, "%s/%s is no folder, or a symbolic link",
			path, name);
	return err_set(err, ERR_SYSTEM, code, "unpack %s/%s: %m", path, name);
}

/* ---- what was made ---- */

static int note(
	struct walk *walk, const char *name, uint64_t inode, bool is_folder, struct err *err)
{
	const struct unfold *unfold = walk->unfold;

	if (unfold->exclusive) {
		size_t size = strlen(name) + 1;
		struct thing *thing = malloc(sizeof(*thing) + size);

		if (!thing) {
			/* not noted, so it has to go now */
			folder_remove(unfold->folder, name, &(struct node_id){.inode = inode},
				is_folder, NULL);
			return err_oom(err);
		}
		*thing = (struct thing){
			.before = walk->last, .inode = inode, .is_folder = is_folder};
		memcpy(thing->name, name, size);
		walk->last = thing;
	}
	return unfold->made ? unfold->made(name, inode, is_folder, unfold->arg, err) : 0;
}

/* Back to the beginning, the last one first; taken back, or forgotten. */
static void unwind(struct walk *walk, bool take_back)
{
	while (walk->last) {
		struct thing *thing = walk->last;

		if (take_back)
			folder_remove(walk->unfold->folder, thing->name,
				&(struct node_id){.inode = thing->inode}, thing->is_folder, NULL);
		walk->last = thing->before;
		free(thing);
	}
}

/* ---- one thing ---- */

static int unfold_file(struct walk *walk, const struct step *step, struct err *err)
{
	CLEANUP(fd_closep)
	int source =
		openat(step->from, step->segment, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const struct put put = {
		.user = walk->user,
		.parent = step->to,
		.name = step->segment,
		.source = source,
		.mode = step->st.st_mode & S_IXUSR ? 0755 : 0644,
		.hardlink = walk->unfold->hardlink,
		.only = walk->unfold->only,
		.exclusive = walk->unfold->exclusive,
		.modified = &step->st.st_mtim,
	};
	uint64_t inode = 0;
	int r;

	if (source < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s of an archive: %m", step->name);
	r = put_file(&put, &inode);
	return r < 0 ? in_the_way(walk, step->name, -r, err)
		     : note(walk, step->name, inode, false, err);
}

static int unfold_link(struct walk *walk, const struct step *step, struct err *err)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(step->from, step->segment, target, sizeof(target) - 1);
	uint64_t inode = 0;
	int r;

	if (len < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "read link %s of an archive: %m", step->name);
	target[len] = '\0';
	r = put_link(walk->user, step->to, step->segment, target, walk->unfold->exclusive,
		&step->st.st_mtim, &inode);
	return r < 0 ? in_the_way(walk, step->name, -r, err)
		     : note(walk, step->name, inode, false, err);
}

/* Make or enter the folder. 1: made; 0: it was there; or -errno. */
static int enter(const struct walk *walk, const struct step *step, int *ret, uint64_t *ret_inode)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	bool made;
	int r = user_become(walk->user, &guard, NULL);

	if (r < 0)
		return r;
	made = mkdirat(step->to, step->segment, FOLDER_MODE) == 0;
	if (!made && errno != EEXIST)
		return -errno;
	fd = openat(step->to, step->segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* the umask is the caller's business, not the sandbox's */
	if ((made && fchmod(fd, FOLDER_MODE) < 0) || fstat(fd, &st) < 0)
		return -errno;
	*ret_inode = st.st_ino;
	*ret = fd_steal(&fd);
	return made;
}

static void set_time(const struct walk *walk, int fd, const struct timespec *modified)
{
	CLEANUP(user_return) struct user_guard guard = {0};
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, *modified};

	if (user_become(walk->user, &guard, NULL) == 0)
		(void)futimens(fd, times); /* no reason to fail */
}

static int unfold_content(struct walk *walk, int from, int to, const char *prefix,
	unsigned int depth, struct err *err);

static int unfold_folder(struct walk *walk, const struct step *step, struct err *err)
{
	CLEANUP(fd_closep) int from = -1;
	CLEANUP(fd_closep) int to = -1;
	uint64_t inode = 0;
	int made;
	int r;

	from = openat(step->from, step->segment, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "open folder %s of an archive: %m", step->name);
	made = enter(walk, step, &to, &inode);
	if (made < 0)
		return in_the_way(walk, step->name, -made, err);
	r = made ? note(walk, step->name, inode, true, err) : 0;
	if (r == 0)
		r = unfold_content(walk, fd_steal(&from), to, step->name, step->depth + 1, err);
	if (r == 0 && made)
		set_time(walk, to, &step->st.st_mtim);
	return r;
}

/* ---- all ---- */

static int unfold_one(struct walk *walk, struct step *step, struct err *err)
{
	if (fstatat(step->from, step->segment, &step->st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s of an archive: %m", step->name);
	if (S_ISDIR(step->st.st_mode))
		return unfold_folder(walk, step, err);
	if (S_ISLNK(step->st.st_mode))
		return unfold_link(walk, step, err);
	if (S_ISREG(step->st.st_mode))
		return unfold_file(walk, step, err);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "%s of an archive is no file", step->name);
}

/* Takes @from over. */
static int unfold_content(struct walk *walk, int from, int to, const char *prefix,
	unsigned int depth, struct err *err)
{
	CLEANUP(close_listp) DIR *list = fdopendir(from);
	const struct dirent *item;
	int r = 0;

	if (!list) {
		fd_close(&from);
		return err_oom(err);
	}
	if (depth > UNFOLD_DEPTH_MAX)
		return err_set(err, ERR_INTEGRITY, ELOOP, "more than %d folders in folders",
			UNFOLD_DEPTH_MAX);
	while (r == 0 && (errno = 0, item = readdir(list))) {
		CLEANUP(str_freep) char *name = NULL;
		struct step step = {
			.from = from, .to = to, .segment = item->d_name, .depth = depth};

		if (str_equal(item->d_name, ".") || str_equal(item->d_name, ".."))
			continue;
		name = str_printf("%s%s%s", prefix, *prefix ? "/" : "", item->d_name);
		if (!name)
			return err_oom(err);
		step.name = name;
		r = unfold_one(walk, &step, err);
	}
	if (r == 0 && errno)
		return err_set(err, ERR_SYSTEM, errno, "list an archive's folder: %m");
	return r;
}

int unfold_tree(const struct unfold *unfold, struct err *err)
{
	struct walk walk = {.unfold = unfold, .user = unfold->folder->user};
	/* of its own: where the list of another reader stands is not ours */
	int from = openat(unfold->tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (from < 0)
		return err_set(err, ERR_SYSTEM, errno, "open an archive's tree: %m");
	r = unfold_content(&walk, from, unfold->folder->fd, "", 0, err);
	unwind(&walk, r < 0);
	return r;
}
