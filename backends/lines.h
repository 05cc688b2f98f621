/*
 * Connections to FTP servers.
 *
 * libcurl (7.88) waits for some of their answers inside of its calls: for the one after a file, and
 * for the one to QUIT. So it is not the thread of all other transfers that runs these, which any
 * silent server would hold, but each is run by the thread that asked, and nobody else waits with
 * it.
 *
 * A connection that has nothing to do serves the next request that logs in with the same words, for
 * a while: to log in anew costs some ten round trips.
 */
#ifndef FETCHFS_BACKENDS_LINES_H
#define FETCHFS_BACKENDS_LINES_H

#include "backends/transfer.h"

#define LINES_PER_HOST 8 /* at most: servers refuse more of one address, which mirrors say */

struct lines;

/* @connections and @per_host bound those that are open at the same time. */
int lines_new(unsigned int connections, unsigned int per_host, struct lines **ret, struct err *err);

/* None may be in use. NULL is ignored. */
void lines_free(struct lines *lines);

/* As transfer_run(), for ftp and ftps. All is called back on this thread, the guard as well. */
int lines_run(struct lines *lines, const struct transfer_request *request, struct err *err);

/* Close those that had nothing to do for long, at @now (monotonic ms). From any thread. */
void lines_sweep(struct lines *lines, int64_t now);

#endif
