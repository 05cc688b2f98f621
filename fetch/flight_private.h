/* What the files of flight.h share. */
#ifndef FETCHFS_FETCH_FLIGHT_PRIVATE_H
#define FETCHFS_FETCH_FLIGHT_PRIVATE_H

#include "fetch/flight.h"

/* Nobody joins any more: who asks from now on looks in the index, or has a flight of his own.
 * Caller holds fetchfs->mu. */
void flight_leave_table(struct flight *flight);

#endif
