/*
 * How long a transfer may take for what: to connect, to the first byte, with too few of them.
 */
#ifndef FETCHFS_BACKENDS_LIMITS_H
#define FETCHFS_BACKENDS_LIMITS_H

#include "backends/transfer_private.h"

/* -ETIMEDOUT when @transfer is past one of them now. On the curl thread. */
int limits_check(struct transfer *transfer, struct err *err);

/* What has been silent since then, at @now, is silent for too long. */
int64_t limits_silence(const struct transfer *transfer, int64_t now);

/* The error of a connection that took too long. Returns -ETIMEDOUT. */
int limits_no_connection(const struct transfer *transfer, struct err *err);

#endif
