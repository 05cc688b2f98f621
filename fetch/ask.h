/*
 * Asking an origin, or who stands for it, something that is answered at once: no bytes, no flight.
 */
#ifndef FETCHFS_FETCH_ASK_H
#define FETCHFS_FETCH_ASK_H

#include "fetch/routes.h"

/*
 * By one way to @target after the other, each once: whoever asks again later tries again. Ends when
 * the cache is being closed, and after @timeout_ms, if that is not 0 (-ETIMEDOUT). What fails is
 * counted, and in the log of events.
 */
int ask_around(struct fetchfs *fetchfs, const struct target *target, int timeout_ms,
	route_question *question, void *arg, struct err *err);

#endif
