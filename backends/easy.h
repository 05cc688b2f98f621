/*
 * One easy handle of libcurl: how a request is put to it, and what it calls back on the curl
 * thread. With transfer.c, which runs the handles, and codes.c all that knows the library.
 */
#ifndef FETCHFS_BACKENDS_EASY_H
#define FETCHFS_BACKENDS_EASY_H

#include "backends/transfer_private.h"

/* Set transfer->easy up for its request. -ENOMEM. What it calls back needs transfer->now. */
int easy_prepare(struct transfer *transfer);

/* Set it up for the same request over a new connection. It belongs to no multi handle meanwhile. */
void easy_again(struct transfer *transfer);

/* Whether answers are those of HTTP: of an origin, or of an HTTP proxy that speaks ftp for us. */
bool easy_speaks_http(const struct transfer *transfer);

/* For easy_prepare(): from now on it says what comes. */
void easy_listen(struct transfer *transfer);

/* Curl says that all went well: was it so? -EIO if the body may not be all of it. */
int easy_finish(struct transfer *transfer, struct err *err);

#endif
