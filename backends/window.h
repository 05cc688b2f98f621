/*
 * The receive window of a request's own connection: how much is on its way whatever happens, and
 * that no more is than will be taken.
 *
 * On the curl thread. With HTTP/2 streams share their connection's window, which is left alone.
 */
#ifndef FETCHFS_BACKENDS_WINDOW_H
#define FETCHFS_BACKENDS_WINDOW_H

#include "backends/transfer_private.h"

/*
 * All that was received of the body has been passed on: how much is left in the socket, and how
 * much may follow?
 */
void window_look(struct transfer *transfer);

/* The request went well: the next one to use its connection finds the window as it was. */
void window_restore(struct transfer *transfer);

#endif
