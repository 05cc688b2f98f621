/*
 * What the codes of libcurl mean: the origin, the proxy or the network failed, and how.
 */
#ifndef FETCHFS_BACKENDS_CODES_H
#define FETCHFS_BACKENDS_CODES_H

#include "backends/transfer_private.h"

/* The error that @code (a CURLcode) and what curl said about it stand for. On the curl thread,
 * while transfer->easy is there. */
void codes_translate(const struct transfer *transfer, int code, struct err *ret);

#endif
