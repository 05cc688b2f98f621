/*
 * How many connections one file is worth: found out by measuring while it is being fetched.
 *
 * One stream is enough until the machine has been seen waiting for it. Then their number is
 * doubled as long as that pays: more bytes per second, by a quarter at least, once the new ones
 * deliver. When it does not, the number goes back, and the next attempt is made much later.
 */
#ifndef FETCHFS_FETCH_STREAMS_H
#define FETCHFS_FETCH_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

struct streams {
	unsigned int wanted;    /* connections aimed at, the leader's included; at least 1 */
	unsigned int before;    /* what it was before the raise under judgement; 0: none is */
	uint64_t rate_before;   /* bytes per second */
	uint64_t rate;          /* of the last window, all connections together */
	uint64_t bytes;         /* of this window */
	int64_t window_ms;      /* when it began */
	bool was_slow;          /* the last two windows were too slow for any machine */
	int64_t raised_ms;      /* when the raise under judgement was made */
	int64_t quiet_until_ms; /* no raise before */
};

/* At @now (monotonic milliseconds) the first bytes are about to come. */
void streams_init(struct streams *streams, int64_t now);

void streams_received(struct streams *streams, uint64_t bytes);

/* What a judgement needs to know. */
struct streams_view {
	int64_t now;         /* monotonic milliseconds */
	bool network_bound;  /* most of the time was spent waiting for bytes, not with them */
	bool machine_busy;   /* it has no processor to spare */
	bool all_delivering; /* every connection has had its first byte */
	uint64_t left;       /* bytes of the file that are still to come */
	unsigned int max;    /* connections there may be */
};

/* Think again; cheap, for every few milliseconds. true: the number of streams wanted has grown. */
bool streams_judge(struct streams *streams, const struct streams_view *view);

/* An additional connection was refused, or failed: back to one, for a good while. */
void streams_failed(struct streams *streams, int64_t now);

/* How many bytes to ask for at once, when so many are @left: a multiple of the chunk size. */
uint64_t streams_run(const struct streams *streams, uint64_t left);

#endif
