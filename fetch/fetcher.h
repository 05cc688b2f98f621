/*
 * Flying: every flight is flown by one thread, which leads it if it can get the lock of the key,
 * and follows whoever has it otherwise.
 */
#ifndef FETCHFS_FETCH_FETCHER_H
#define FETCHFS_FETCH_FETCHER_H

#include "fetch/flight.h"

/* Fly @flight, just made by flight_join(), on a thread of its own. A failure to do so is the
 * flight's outcome. */
void fetcher_start(struct flight *flight);

#endif
