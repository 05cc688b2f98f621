/*
 * Those who wait for a flight, as a list guarded by the flight's mu. Being taken off the list is
 * what entitles to call (or, by fetchfs_wait_cancel(), to forget) a wait: exactly one gets it.
 */
#ifndef FETCHFS_FETCH_WAITS_H
#define FETCHFS_FETCH_WAITS_H

#include "fetch/flight.h"

/* Under mu: take those off that have what they wait for; all of them. Lists linked by next. */
struct fetchfs_wait *waits_take_ready(struct flight *flight);
struct fetchfs_wait *waits_take_all(struct flight *flight);

/* Under mu: whether it is true now. */
bool waits_satisfied(const struct flight *flight, const struct fetchfs_wait *wait);

/* Under mu: -ENOSPC when that will never be, of a window: it is for all of it. And take off those
 * for whom that is so; under no lock: call each with @err. */
int waits_check(const struct flight *flight, const struct fetchfs_wait *wait, struct err *err);
struct fetchfs_wait *waits_take_refused(struct flight *flight, struct err *err);
void waits_refuse(struct fetchfs_wait *list, const struct err *err);

/* Under mu: put it on the list; take it off. */
void waits_add(struct flight *flight, struct fetchfs_wait *wait);
void waits_remove(struct flight *flight, struct fetchfs_wait *wait);

/* Under mu, while it is followed: ask the leader for what those who wait need. */
void waits_ask(const struct flight *flight);

/* Under no lock: call each. @flight is NULL, or one that has ended: its outcome is handed on. */
void waits_wake(struct fetchfs_wait *list, const struct flight *flight);

#endif
