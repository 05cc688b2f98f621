/*
 * Whom "users = …" names: by name, number, group, or everybody.
 *
 * The system's lists of users and groups may be far away (LDAP), and are asked for each name that
 * a mount looks up: answers are kept for MEMBERS_KEEP_MS. All functions are thread-safe.
 */
#ifndef FETCHFS_FETCH_MEMBERS_H
#define FETCHFS_FETCH_MEMBERS_H

#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

#define MEMBERS_KEEP_MS 10000

struct config_list;

/* Answers, for as long as they are kept. */
struct members;

int members_new(struct members **ret, struct err *err);
void members_free(struct members *members);

/*
 * Whether @users names @uid: "alice", "1000", "@group" (of which she is a member, or which is her
 * own) or "*". A user whom the system does not know is named by number and "*" only. @users must
 * stay where it is for as long as @members lives; without @members (NULL) nothing is kept.
 */
bool members_has(struct members *members, const struct config_list *users, uid_t uid);

#endif
