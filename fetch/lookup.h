/*
 * Looking in the index: what may be handed out without asking an origin.
 */
#ifndef FETCHFS_FETCH_LOOKUP_H
#define FETCHFS_FETCH_LOOKUP_H

#include "fetch/expected.h"
#include "fetch/flight.h"

/*
 * What the cache can hand out for @target right now. 1: it is in *ret_object and *ret_entry, the
 * caller's. 0: the origin must be asked, or the file read first; *ret_seen tells what the index
 * has, its word is not touched. -ENOENT: it was asked a moment ago, and had no such thing.
 */
int lookup_cached(struct fetchfs *fetchfs, const struct target *target, struct object *ret_object,
	struct entry *ret_entry, struct flight_seen *ret_seen, struct err *err);

/*
 * The object of the complete @entry, for object_release(). -ENOENT: it is gone; or it is found to
 * have been changed, and gone now; or it may have been, and @effort is not worth a look.
 */
int lookup_object(struct fetchfs *fetchfs, const struct entry *entry, enum expected_effort effort,
	struct object *ret, struct err *err);

/* Whether the index still has no such entry, as it had none when the flight was made. Under the
 * key's lock. */
bool lookup_is_unchanged(const struct flight *flight);

/*
 * The second look, under the key's lock. 0: it is here (somebody else just brought it, or the same
 * content is here under another name), in *ret_object and *ret_entry. 1: ask the origin; *ret_old
 * is then a version whose validators may be offered to it, and *ret_object its object, open so
 * that nobody evicts it meanwhile; or both are empty. -ENOENT: somebody else just asked in vain.
 */
int lookup_again(struct flight *flight, struct object *ret_object, struct entry *ret_entry,
	struct entry *ret_old, struct err *err);

/* -ENOENT while the origin's "no such thing", which @entry may be, is believed. */
int lookup_check_absent(
	const struct target *target, const struct entry *entry, int64_t now, struct err *err);

/* The complete version that the index has now, however old. -ENOENT. */
int lookup_complete(struct fetchfs *fetchfs, const struct target *target, struct object *ret_object,
	struct entry *ret_entry, struct err *err);

/*
 * Remember for a while what an origin said without sending the file. Best effort. The caller of
 * lookup_remember_absent() and lookup_learned() holds the key's lock. lookup_remember_known() also
 * keeps the media type, by which a page is told from a file: who asked did not want the bytes.
 */
void lookup_remember_absent(struct fetchfs *fetchfs, const struct target *target);
void lookup_learned(struct fetchfs *fetchfs, const struct target *target,
	const struct remote *remote, int64_t now, int64_t expires);
void lookup_remember_known(struct fetchfs *fetchfs, const struct target *target,
	const struct remote *remote, int64_t now, int64_t expires);
void lookup_remember_folder(struct fetchfs *fetchfs, const struct target *target);

/* Whether an answer that is still fresh says that @version is the artifact's. */
bool lookup_knows(struct fetchfs *fetchfs, const struct target *target,
	const struct ranges_version *version, int64_t now);

#endif
