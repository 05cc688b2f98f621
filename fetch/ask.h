/*
 * Asking an origin, or who stands for it, something that is answered at once: no bytes, no flight.
 */
#ifndef FETCHFS_FETCH_ASK_H
#define FETCHFS_FETCH_ASK_H

#include "fetch/routes.h"

struct fetchfs_request;

/* How long whoever asks by a request waits for the answer. */
struct patience {
	struct fetchfs *fetchfs;
	const struct fetchfs_request *request;
	int64_t until_ms; /* of the monotonic clock, 0: for ever */
};

/* From now on; both must live longer. */
struct patience ask_patience(struct fetchfs *fetchfs, const struct fetchfs_request *request);

/*
 * 0: go on. -ECANCELED: the cache is being closed, or request->is_wanted() says that nobody waits.
 * -ETIMEDOUT: after request->timeout_ms, if that is not 0. @arg is a struct patience.
 */
int ask_check(void *arg, struct err *err);

/* How many milliseconds may go by until the next ask_check(), at most @max. */
int ask_slice(const struct patience *patience, int max);

/*
 * By one way to @target after the other, each once: whoever asks again later tries again. Ends with
 * the patience of @request. What fails is counted, and in the log of events.
 */
int ask_around(struct fetchfs *fetchfs, const struct target *target,
	const struct fetchfs_request *request, route_question *question, void *arg,
	struct err *err);

#endif
