/*
 * Somebody for whom root does something. What touches that user's files and folders is done with
 * that user's rights: root's would follow wherever the user points them.
 */
#ifndef FETCHFS_BASE_USER_H
#define FETCHFS_BASE_USER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct user {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* supplementary, of uid */
	size_t group_count;
	bool other; /* not the caller */
};

/* The user @name, else who has the number that it is, as by user_of(); NULL: the caller. -EPERM
 * unless root asks for another. */
int user_find(const char *name, struct user *ret, struct err *err);

/*
 * The user @uid, with the groups of that user's first name in the user database; of an unknown one
 * it is known only that no group counts. *ret is for user_release(). Asks for no privilege.
 */
int user_of_uid(uid_t uid, struct user *ret, struct err *err);
/* Who has the number @uid; the user database need not know of them: then their group has the same
 * number. */
int user_of(uid_t uid, struct user *ret, struct err *err);
void user_release(struct user *user);

/*
 * The file system rights of this thread are @user's until user_return(): uid, gid, groups, and
 * with them the capabilities that override permissions. Does nothing for the caller itself.
 */
struct user_guard {
	bool active;
	uid_t uid; /* to go back to */
	gid_t gid;
	gid_t *groups;
	size_t group_count;
};

int user_become(const struct user *user, struct user_guard *ret, struct err *err);
void user_return(struct user_guard *guard); /* also for CLEANUP(), on a guard that is {0} */

#endif
