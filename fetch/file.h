/*
 * An artifact opened for reading: an object that is complete, or a flight that will be.
 */
#ifndef FETCHFS_FETCH_FILE_H
#define FETCHFS_FETCH_FILE_H

#include "fetch/flight.h"

/* Open the complete @entry, whose object is @object; both are taken over on success. */
int file_of_object(struct fetchfs *fetchfs, struct target *target, struct object *object,
	struct entry *entry, struct fetchfs_file **ret, struct err *err);

/* Read along with @flight, whose reference is taken over on success; @prefetch: only wait for it.
 */
int file_of_flight(struct target *target, struct flight *flight, bool prefetch,
	struct fetchfs_file **ret, struct err *err);

/* Whether its bytes may be shown only when their digest has been checked. */
bool file_has_expected(const struct fetchfs_file *file);

/* The cache it is of. */
struct fetchfs *file_cache(const struct fetchfs_file *file);

/* What an ended flight means for this file: 0 in err->code, or the error. */
int file_outcome(const struct fetchfs_file *file, const struct flight *flight, struct err *err);

#endif
