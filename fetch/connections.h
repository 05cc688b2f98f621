/* How many connections the configuration still allows to a flight ([fetch] connections, per_host).
 */
#ifndef FETCHFS_FETCH_CONNECTIONS_H
#define FETCHFS_FETCH_CONNECTIONS_H

#include "fetch/flight.h"

/* Connections for one file; more win little, and look like an attack. */
#define CONNECTIONS_OF_FILE 8

/* Caller holds mu, and the flight has a way. Another request would wait for one to end. */
bool connections_are_used_up(const struct flight *flight);

/*
 * Caller holds mu, and the flight has a way. How many more the file may have for speed: one at its
 * host, and of all, stays free for what is small.
 */
unsigned int connections_for_speed(const struct flight *flight);

#endif
