/*
 * The executable twin of an object, or that of an executable which is none: the same bytes in a
 * file of its own with mode 0555 or 0444, since the mode belongs to the inode that all who use the
 * content share.
 */
#ifndef FETCHFS_FETCH_TWIN_H
#define FETCHFS_FETCH_TWIN_H

#include "fetch/flight.h"

/*
 * Make the twin of @object, whose row is @entry, and record it for the target of @flight, whose
 * key the caller has locked. Nothing is asked of the origin. Checked like a download.
 */
int twin_make(struct flight *flight, const struct object *object, const struct entry *entry,
	struct object *ret_object, struct entry *ret_entry, struct err *err);

/* All bytes of @object into @partial, which is started, and empty. */
int twin_copy(const struct object *object, struct partial *partial, struct err *err);

#endif
