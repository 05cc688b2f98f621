/*
 * Helpers: readers who want bytes far ahead of where the leader is get them by a request of their
 * own, while the leader goes on.
 */
#ifndef FETCHFS_FETCH_AHEAD_H
#define FETCHFS_FETCH_AHEAD_H

#include "fetch/flight.h"

/*
 * See what readers (of this process by their waits, of others by the map) wait for that nobody is
 * fetching, and start helpers for it. Does nothing unless the flight is led here and the origin
 * serves ranges of one strong version. Called under no lock.
 */
void ahead_look(struct flight *flight);

/* No new helpers: detaches the partial from the flight, and waits until the running ones ended. */
void ahead_stop(struct flight *flight);

/* Build validators from what a map remembers. */
struct validators ahead_validators(const struct ranges_version *version);

#endif
