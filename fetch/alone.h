/*
 * When all connections that the configuration allows are in use, there can be no helper
 * (ahead.h): who leads, and has one of them, is called away from where he is to what a reader waits
 * for far from there, and goes on in short runs as long as that may happen again. So it does where
 * there are helpers, once one of them has cost it a request: a run ends where the next jump's bytes
 * begin.
 */
#ifndef FETCHFS_FETCH_ALONE_H
#define FETCHFS_FETCH_ALONE_H

#include "fetch/gaps.h"

/* Caller holds mu. Whether wishes are the leader's own business now. */
bool alone_leads(const struct flight *flight);

/* Whether the leader is called away from its request. */
bool alone_is_called(struct flight *flight);

/* The leader's next gap, claimed, if that is a wish. */
bool alone_next(struct flight *flight, struct gap *ret);

/* Caller holds mu. How many bytes the leader may ask for at once. */
uint64_t alone_run(const struct flight *flight);

#endif
