/*
 * Whether content that is here is the one that a request expects. By SHA-256 its name tells; what
 * else it hashes to is remembered in the index, and found out once when it is not.
 */
#ifndef FETCHFS_FETCH_EXPECTED_H
#define FETCHFS_FETCH_EXPECTED_H

#include "fetch/target.h"

enum expected_effort {
	EXPECTED_BY_INDEX,   /* what is not in the index does not hold, for now */
	EXPECTED_BY_HASHING, /* read the object if need be, which takes a while */
};

/* Whether the complete @entry is what @target expects; anything is when it expects nothing. */
bool expected_holds(struct fetchfs *fetchfs, const struct target *target, const struct entry *entry,
	enum expected_effort effort);

/* Whether the index knows that the complete @entry is something else. */
bool expected_fails(
	struct fetchfs *fetchfs, const struct target *target, const struct entry *entry);

/*
 * An entry that the user of @target may see and that has the expected content. -ENOENT: none, or
 * the digest is too weak to tell: whoever can make two files of one MD5 would otherwise place one
 * in the cache under a name of his own, to be handed out under the name of the other.
 */
int expected_find(
	struct fetchfs *fetchfs, const struct target *target, struct entry *ret, struct err *err);

#endif
