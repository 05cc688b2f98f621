/*
 * How long an answer may be used without asking again, by its headers (RFC 9111, RFC 8246).
 */
#ifndef FETCHFS_BACKENDS_LIFETIME_H
#define FETCHFS_BACKENDS_LIFETIME_H

#include "backends/headers.h"

#include <stdint.h>

struct lifetime {
	int64_t seconds; /* from now on; TIME_UNKNOWN: the origin is silent */
	bool must_ask;   /* after that it may not even stand in for an origin that is down */
};

/*
 * Of headers that contradict each other the most cautious one counts. s-maxage is for the caches
 * that a network shares, and an origin can purge. @now is the time of this machine, in seconds
 * since 1970: that of the origin is better, if it says it.
 */
struct lifetime lifetime_read(const struct headers *headers, int64_t now);

#endif
