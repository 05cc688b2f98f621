/*
 * Prepare a sandbox: fetch all that the plan says, in parallel and on behalf of the user, then
 * place it. All or nothing, unless the plan says to keep going: when anything fails, what this call
 * has placed is taken back.
 *
 * A dry run looks, and says what would be done: nothing is fetched or placed, and no origin asked.
 * What would be in the way fails as it would.
 *
 * Doing it again changes nothing: a file that is there, placed by an earlier call and of the same
 * content, is left as it is. A mount that was lost, by a reboot or otherwise, is made again.
 */
#ifndef FETCHFS_SANDBOX_PREPARE_H
#define FETCHFS_SANDBOX_PREPARE_H

#include "base/err.h"
#include "base/user.h"
#include "fetch/fetchfs.h"
#include "sandbox/plan.h"

#include <stdbool.h>
#include <stdint.h>

/* How one item went. */
struct prepared {
	struct err err; /* err.code is 0: well */
	enum plan_method method;
	bool was_there;
	enum fetchfs_state state; /* of a dry run only: what the cache has of it … */
	bool is_size_known;       /* … and whether @size says anything */
	bool lazy;      /* it is fetched when it is read: nothing is known of its content */
	bool extracted; /* what was in it is in place, not itself … */
	bool single;    /* … and that is one file, which was compressed by itself */
	uint64_t size;
	char sha256[FETCHFS_SHA256_SIZE];
	char digest[FETCHFS_DIGEST_SIZE]; /* what the bytes had to hash to by plan or listing, or ""
					   */
};

/*
 * @plan is finished; @ret has one element for each of its items. On failure those that failed say
 * why; @err is only filled (err->code is not 0) by what is the fault of no single item; then
 * nothing is in place, however the plan wants to go on.
 */
int prepare_run(struct fetchfs *fetchfs, const char *directory, const struct plan *plan,
	const struct user *user, struct prepared *ret, struct err *err);

/* Where it is, relative to the directory: "" when it is all over that. The caller's to free(),
 * NULL: no memory. */
char *prepare_name(const struct plan_item *item, const struct prepared *result);

#endif
