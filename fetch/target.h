/*
 * What a request means: the URI understood, the backend found, the policy asked, the key made.
 * Nothing is asked of the network for it. Immutable once made, and shared by counting references.
 */
#ifndef FETCHFS_FETCH_TARGET_H
#define FETCHFS_FETCH_TARGET_H

#include "base/checksum.h"
#include "base/uri.h"
#include "base/user.h"
#include "fetch/context.h"
#include "fetch/policy.h"

struct target {
	atomic_uint refs;
	struct uri uri;
	const struct backend *backend;
	struct decision decision; /* its guard refers to it */
	struct entry_key key;
	char *shown; /* the URI without secrets */
	uid_t uid;
	struct user user; /* when decision.as_user and the file is local: who opens it */
	bool executable;
	bool plain;
	bool refresh; /* ask the origin whatever the index says */
	bool has_expected;
	struct checksum expected; /* when has_expected; else none */
};

/* *ret holds one reference, for target_unref(). Errors are those of fetchfs_key(). */
int target_new(struct fetchfs *fetchfs, const struct fetchfs_request *request, struct target **ret,
	struct err *err);
struct target *target_ref(struct target *target);
void target_unref(struct target *target);
void target_unrefp(struct target **target); /* for CLEANUP() */
struct target *target_steal(struct target **target);

/*
 * Whether what the origin says of its file may be served for it, as the file is now: -EACCES. Where
 * local files are opened with the rights of this process, others get those that anybody may read.
 */
int target_check_remote(const struct target *target, const struct remote *remote, struct err *err);

/* With whose rights its file is opened, for struct backend_request; NULL: this process's. */
const struct user *target_user(const struct target *target);

/* On whose share of the cache its bytes are: 0, nobody's, if they are for the cache's owner. */
uid_t target_share(const struct target *target, const struct fetchfs *fetchfs);

/* Whether the natural tree shows it: not if its query is a secret, or would look like a folder. */
bool target_is_listed(const struct target *target);

#endif
