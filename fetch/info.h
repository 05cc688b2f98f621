/*
 * What is shown of an artifact, made of what the index or a flight knows.
 */
#ifndef FETCHFS_FETCH_INFO_H
#define FETCHFS_FETCH_INFO_H

#include "fetch/flight.h"

int info_of_entry(const struct entry *entry, struct fetchfs_info *ret, struct err *err);
int info_of_flight(struct flight *flight, struct fetchfs_info *ret, struct err *err);

/* Of an answer of the origin to @target that has no entry. */
int info_of_remote(const struct target *target, const struct remote *remote, int64_t now,
	int64_t expires, struct fetchfs_info *ret, struct err *err);

/* Of what nothing is known of but its name. */
int info_of_nothing(const struct target *target, struct fetchfs_info *ret, struct err *err);

#endif
