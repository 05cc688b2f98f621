#include "base/user.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PASSWD_MAX 65536 /* bytes of one line of the user database */
#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */
#define NO_GROUP   65534 /* what the kernel shows for a group that it cannot name */

/* Whether @name is the number of a user: digits, and not what stands for none. */
static bool is_number(const char *name, uid_t *ret)
{
	char *end;
	unsigned long number;

	if (*name < '0' || *name > '9')
		return false;
	number = strtoul(name, &end, 10);
	if (*end || number >= UINT32_MAX)
		return false;
	*ret = (uid_t)number;
	return true;
}

/* 1: @ret is who is called @name; 0: nobody is. */
static int find_passwd(
	const char *name, struct passwd *ret, char *buffer, size_t size, struct err *err)
{
	struct passwd *found = NULL;
	int r = getpwnam_r(name, ret, buffer, size, &found);

	if (r != 0)
		return err_set(err, ERR_SYSTEM, r, "look up user %s: %m", name);
	return found != NULL;
}

static int find_groups(const char *name, struct user *user, struct err *err)
{
	int room = 64;

	for (;;) {
		int count = room;
		gid_t *groups = reallocarray(user->groups, (size_t)room, sizeof(*groups));

		if (!groups)
			return err_oom(err);
		user->groups = groups;
		if (getgrouplist(name, user->gid, groups, &count) >= 0) {
			user->group_count = (size_t)count;
			return 0;
		}
		if (room >= GROUPS_MAX)
			return err_set(
				err, ERR_SYSTEM, E2BIG, "user %s is in too many groups", name);
		room *= 2;
	}
}

/* What the user database says of @uid, to whom @user is then filled in; @groups: also which groups.
 */
static int look_up(uid_t uid, bool groups, struct user *user, struct err *err)
{
	CLEANUP(str_freep) char *buffer = malloc(PASSWD_MAX);
	struct passwd *found = NULL;
	struct passwd entry;
	int r;

	if (!buffer)
		return err_oom(err);
	r = getpwuid_r(uid, &entry, buffer, PASSWD_MAX, &found);
	if (r != 0)
		return err_set(err, ERR_SYSTEM, r, "look up uid %u: %m", uid);
	if (!found)
		return 0;
	user->gid = entry.pw_gid;
	return groups ? find_groups(entry.pw_name, user, err) : 0;
}

int user_of_uid(uid_t uid, struct user *ret, struct err *err)
{
	CLEANUP(user_release)
	struct user user = {.uid = uid, .gid = NO_GROUP, .other = uid != geteuid()};
	int r = look_up(uid, true, &user, err);

	if (r < 0)
		return r;
	*ret = user;
	user.groups = NULL;
	return 0;
}

int user_of(uid_t uid, struct user *ret, struct err *err)
{
	CLEANUP(user_release)
	struct user user = {.uid = uid, .gid = (gid_t)uid, .other = uid != geteuid()};
	int r = look_up(uid, user.other, &user, err);

	if (r < 0)
		return r;
	*ret = user;
	user.groups = NULL;
	return 0;
}

/* Root, for @user, or the user itself. */
static int check_right(const struct user *user, struct err *err)
{
	if (user->other && geteuid() != 0)
		return err_set(err, ERR_SYSTEM, EPERM, "only root may act for another user");
	return 0;
}

static int find_named(const char *name, struct user *user, struct err *err)
{
	CLEANUP(str_freep) char *buffer = malloc(PASSWD_MAX);
	struct passwd entry;
	uid_t uid;
	int r;

	if (!buffer)
		return err_oom(err);
	r = find_passwd(name, &entry, buffer, PASSWD_MAX, err);
	if (r < 0)
		return r;
	if (r == 0 && is_number(name, &uid)) {
		/* who is not in the database is the caller all the same */
		if (uid == geteuid())
			return 0;
		r = user_of(uid, user, err);
		return r < 0 ? r : check_right(user, err);
	}
	if (r == 0)
		return err_set(err, ERR_USAGE, ENOENT, "no user %s", name);
	user->uid = entry.pw_uid;
	user->gid = entry.pw_gid;
	user->other = user->uid != geteuid();
	r = check_right(user, err);
	return r == 0 && user->other ? find_groups(entry.pw_name, user, err) : r;
}

int user_find(const char *name, struct user *ret, struct err *err)
{
	CLEANUP(user_release) struct user user = {.uid = geteuid(), .gid = getegid()};
	int r = name ? find_named(name, &user, err) : 0;

	if (r < 0)
		return r;
	*ret = user;
	user.groups = NULL;
	return 0;
}

void user_release(struct user *user)
{
	free(user->groups);
	user->groups = NULL;
}

/* glibc's setgroups() would change all threads; these are the calling thread's alone. */
static int set_groups(size_t count, const gid_t *groups)
{
	return syscall(SYS_setgroups, count, groups) < 0 ? -errno : 0;
}

static int save_groups(struct user_guard *guard, struct err *err)
{
	int count = getgroups(0, NULL);

	if (count < 0)
		return err_set(err, ERR_SYSTEM, errno, "read the groups: %m");
	guard->groups = calloc((size_t)count + 1, sizeof(gid_t));
	if (!guard->groups)
		return err_oom(err);
	count = getgroups(count, guard->groups);
	if (count < 0) {
		int code = errno;

		free(guard->groups);
		return err_set(err, ERR_SYSTEM, code, "read the groups: %m");
	}
	guard->group_count = (size_t)count;
	return 0;
}

int user_become(const struct user *user, struct user_guard *ret, struct err *err)
{
	struct user_guard guard = {.active = true};
	int r;

	if (!user->other)
		return 0;
	r = save_groups(&guard, err);
	if (r < 0)
		return r;
	r = set_groups(user->group_count, user->groups);
	if (r < 0) {
		free(guard.groups);
		return err_set(err, ERR_SYSTEM, -r, "take on the groups of uid %u: %m", user->uid);
	}
	guard.gid = (gid_t)setfsgid(user->gid);
	guard.uid = (uid_t)setfsuid(user->uid);
	*ret = guard;
	/* setfsuid() cannot say that it failed: ask what is in force */
	if ((uid_t)setfsuid((uid_t)-1) == user->uid && (gid_t)setfsgid((gid_t)-1) == user->gid)
		return 0;
	user_return(ret);
	return err_set(err, ERR_SYSTEM, EPERM, "take on the rights of uid %u: %m", user->uid);
}

void user_return(struct user_guard *guard)
{
	if (!guard->active)
		return;
	setfsuid(guard->uid);
	setfsgid(guard->gid);
	/* staying someone else half-way would be worse than the end */
	if (set_groups(guard->group_count, guard->groups) < 0)
		abort();
	free(guard->groups);
	*guard = (struct user_guard){0};
}
