/*
 * Helpers: requests of their own, while the leader goes on. Readers who want bytes far ahead of
 * where the leader is get one first; others are there for speed, as many as streams.h finds useful.
 */
#ifndef FETCHFS_FETCH_AHEAD_H
#define FETCHFS_FETCH_AHEAD_H

#include "fetch/gaps.h"

/*
 * Start helpers: for what readers (of this process by their waits, of others by the map) wait for
 * that nobody is fetching, then for speed. Does nothing unless the flight is led here and the
 * origin serves ranges of one strong version. Called under no lock.
 */
void ahead_look(struct flight *flight);

/* Caller holds mu. A run that a reader waits for, or will wait for if he goes on like this. */
bool ahead_wish(struct flight *flight, struct gap *ret);

/* Caller holds mu. Somebody read up to @end without waiting. true: ahead_look() has work by that.
 */
bool ahead_note_read(struct flight *flight, uint64_t end);

/*
 * Find out whether more connections would be faster. @network_bound: the leader spends most of its
 * time waiting for bytes. Called under no lock, now and then, by the leader.
 */
void ahead_measure(struct flight *flight, bool network_bound);

/* The way that helpers take from now on; @route may be NULL: none then. */
void ahead_route(struct flight *flight, struct route *route);

/* No new helpers: detaches the partial from the flight, and waits until the running ones ended. */
void ahead_stop(struct flight *flight);

/* Build validators from what a map remembers. */
struct validators ahead_validators(const struct ranges_version *version);

#endif
