/*
 * Connections that served another request before.
 *
 * A server that sends more than the length it promised leaves bytes on the connection which would
 * be taken for the beginning of the next answer. libcurl (7.88) looks only whether such a
 * connection still stands, so that one bad answer would spoil, or forge, that of another URI. With
 * HTTP/2 what comes says which request it belongs to.
 *
 * On the curl thread.
 */
#ifndef FETCHFS_BACKENDS_REUSE_H
#define FETCHFS_BACKENDS_REUSE_H

#include "backends/transfer_private.h"

/* The request is about to go out over an old connection: is there anything to be read already? */
bool reuse_has_leftovers(const struct transfer *transfer);

/* It has ended by @code, a CURLcode: because of an old connection, so that a new one may do? */
bool reuse_is_to_blame(const struct transfer *transfer, int code);

#endif
