#include "sandbox/mounts.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/leases.h"
#include "sandbox/node.h"
#include "sandbox/spaces.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

enum mounts_state mounts_state(const struct fetchfs_lease *lease)
{
	if ((lease->mount == 0 && !leases_is_pending(lease)) || !lease->of_this_boot)
		return MOUNTS_NONE;
	if (spaces_is_own(lease->mount_space))
		return MOUNTS_HERE;
	return spaces_user_of(lease->mount_space) ? MOUNTS_ELSEWHERE : MOUNTS_NONE;
}

/* ---- asking the kernel for one ---- */

/* statmount(2) of Linux 6.8, whose numbers of mounts are unique, too (mount.h). */
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#define POINT_WANTED 0x10U /* STATMOUNT_MNT_POINT */
#define POINT_AT     27    /* 32-bit words from the start: where the point is in the text */
#define TEXT_AT      512   /* bytes from the start */

#define OPEN_TRIES 10

struct request {
	uint32_t size;
	uint32_t spare;
	uint64_t mount;
	uint64_t wanted;
};

/* Where @mount is, the caller's. -ENOENT: not in this namespace; -EOVERFLOW: too far down to be
 * told; -ENOSYS: it cannot be asked. */
static int ask_point(uint64_t mount, char **ret)
{
	const struct request request = {
		.size = sizeof(request), .mount = mount, .wanted = POINT_WANTED};
	union {
		uint32_t words[POINT_AT + 1];
		uint64_t mask[2]; /* the second one: what was answered */
		char bytes[TEXT_AT + PATH_MAX];
	} answer = {{0}};

	if (syscall(SYS_statmount, &request, &answer, sizeof(answer) - 1, 0) < 0)
		return errno == ENOENT || errno == EOVERFLOW ? -errno : -ENOSYS;
	if (!(answer.mask[1] & POINT_WANTED) || answer.words[POINT_AT] >= PATH_MAX)
		return -ENOSYS;
	*ret = str_copy(answer.bytes + TEXT_AT + answer.words[POINT_AT]);
	return *ret ? 0 : -ENOMEM;
}

/* ---- the table of this namespace ---- */

/* Undo the octal escapes of /proc/self/mountinfo, in place. */
static void unescape(char *s)
{
	char *to = s;

	for (const char *from = s; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* "ID PARENT DEVICE ROOT POINT options …": the fourth and fifth field. */
static bool parse(char *line, const char **ret_root, const char **ret_point)
{
	char *rest = NULL;
	char *field = strtok_r(line, " ", &rest);

	for (int i = 1; field && i < 4; i++) {
		field = strtok_r(NULL, " ", &rest);
		if (i == 3)
			*ret_root = field;
	}
	*ret_point = field ? strtok_r(NULL, " ", &rest) : NULL;
	if (!*ret_point)
		return false;
	unescape(field);
	unescape((char *)(uintptr_t)*ret_point);
	return true;
}

/* Whether @fd is in the mount of @lease. */
static bool is_it(const struct fetchfs_lease *lease, int fd)
{
	struct node node;

	return node_look(fd, "", &node) == 0 && node.mount == lease->mount;
}

/*
 * Whether it is worth a look, which walks to the mount point and may wait for whoever serves what
 * is there. It also protects from ids that have been used again.
 */
static bool is_plausible(const struct fetchfs_lease *lease, const char *root, const char *point)
{
	if (leases_is_lazy(lease))
		return strstr(root, lease->token);
	if (leases_knows_content(lease))
		return strstr(root, lease->sha256);
	return str_equal(folder_last(point), folder_last(lease->name));
}

static void file_closep(FILE **file)
{
	if (*file)
		fclose(*file);
}

/* The root of the mount, open, and where it is; both the caller's. -1: it is not there. */
static int search_table(
	const struct fetchfs_lease *lease, int *ret, char **ret_point, struct err *err)
{
	CLEANUP(file_closep) FILE *table = fopen("/proc/self/mountinfo", "re");
	CLEANUP(str_freep) char *line = NULL;
	size_t size = 0;

	*ret = -1;
	if (!table)
		return err_set(err, ERR_SYSTEM, errno, "open /proc/self/mountinfo: %m");
	while (getline(&line, &size, table) > 0) {
		CLEANUP(fd_closep) int fd = -1;
		const char *root, *point;

		if (!parse(line, &root, &point) || !is_plausible(lease, root, point))
			continue;
		/* a bind is of a file, in a folder of its own name or one that was moved */
		fd = open(point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || !is_it(lease, fd))
			continue;
		*ret_point = str_copy(point);
		if (!*ret_point)
			return err_oom(err);
		*ret = fd_steal(&fd);
		return 0;
	}
	return 0;
}

static int search(const struct fetchfs_lease *lease, int *ret, char **ret_point, struct err *err)
{
	/* somebody may be renaming the folders above it */
	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		CLEANUP(str_freep) char *point = NULL;
		CLEANUP(fd_closep) int fd = -1;
		int r = ask_point(lease->mount, &point);

		*ret = -1;
		if (r == -ENOSYS)
			return search_table(lease, ret, ret_point, err);
		if (r == -ENOENT)
			return 0;
		if (r == -ENOMEM)
			return err_oom(err);
		if (r == 0 && point)
			fd = open(point, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && is_it(lease, fd)) {
			*ret = fd_steal(&fd);
			*ret_point = str_steal(&point);
			return 0;
		}
	}
	return err_set(err, ERR_SYSTEM, EBUSY,
		"%s/%s is mounted where it cannot be reached: something is mounted over it, or "
		"its path is too long",
		lease->directory, lease->name);
}

int mounts_find(const struct fetchfs_lease *lease, char **ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;

	*ret = NULL;
	return mounts_state(lease) == MOUNTS_HERE ? search(lease, &fd, ret, err) : 0;
}

/* ---- the end of one ---- */

/* The root of the mount at its own name, or -1. */
static int open_at_name(const struct folder *folder, const char *name)
{
	CLEANUP(fd_closep) int parent = -1;

	if (folder_parent(folder, name, &parent, NULL) < 0)
		return -1;
	return openat(parent, folder_last(name), O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int mounts_take_down(
	const struct folder *folder, const struct fetchfs_lease *lease, struct err *err)
{
	CLEANUP(fd_closep) int fd = folder ? open_at_name(folder, lease->name) : -1;
	CLEANUP(str_freep) char *point = NULL;
	char proc[32];
	int r;

	if (fd < 0 || !is_it(lease, fd)) {
		fd_close(&fd);
		r = search(lease, &fd, &point, err);
		if (r < 0 || fd < 0)
			return r;
	}
	/* by the descriptor: whatever has been renamed since, this is the mount that was looked at
	 */
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (umount2(proc, MNT_DETACH) < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "unmount %s/%s: %m", lease->directory, lease->name);
	return 1;
}
