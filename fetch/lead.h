/*
 * Leading a flight: the one process (and thread) on this machine that asks the origin.
 *
 * Looks in the index first (somebody else may just have finished), asks the origin whether an old
 * version still holds, resumes what a dead leader left, and tries again what may succeed.
 *
 * Most small files need no thread of their own for that: the request is sent, and when the answer
 * is whole, a thread that never waits for the network takes it to the publisher of the store, who
 * ends the flight. What turns out to be otherwise goes on with a thread that may wait.
 */
#ifndef FETCHFS_FETCH_LEAD_H
#define FETCHFS_FETCH_LEAD_H

#include "fetch/flight.h"

/* The flight is not over, but nobody wants anything of it now: the next wish
 * (fetchfs_file_wait()) starts another leader. */
#define LEAD_RESTS 2

struct lead;

/* Lead @flight, if nobody else does: then 1. */
int lead_new(struct flight *flight, struct lead **ret, struct err *err);

/*
 * Bring the artifact into the cache. Ends the flight, and @lead: lead_start() sees to it that it
 * will be done, lead_run() waits for whatever it takes.
 */
void lead_start(struct lead *lead);
void lead_run(struct lead *lead);

#endif
