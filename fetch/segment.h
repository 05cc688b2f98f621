/*
 * A run of bytes on its way from a backend into a partial: the sink of one backend->fetch().
 *
 * It writes what nobody else has or is fetching, passes over what somebody does, and stops when
 * that is too much to be passed over. It tells the flight of every byte that can be read.
 */
#ifndef FETCHFS_FETCH_SEGMENT_H
#define FETCHFS_FETCH_SEGMENT_H

#include "fetch/credentials.h"
#include "fetch/flight.h"
#include "fetch/routes.h"
#include "fetch/small.h"

struct segment {
	struct sink sink; /* first */
	struct flight *flight;
	struct route *route;           /* a reference */
	struct partial *partial;       /* NULL as long as there is `small` */
	struct small *small;           /* NULL, or where the bytes go as long as they are few */
	struct partial_writer *writer; /* NULL while passing over others' chunks */
	bool own_connection;           /* see struct backend_request */
	bool passes_all;               /* whatever others have is passed over, however much */
	bool entered;                  /* it has come to its first chunk */
	bool cloned;                   /* the bytes are in place */
	unsigned int slot;             /* of flight->claims; 0 is the leader's */
	uint64_t position;             /* of the next byte, from the start of the file */
	size_t put;                    /* bytes written that flight->written does not know */
	bool reached;          /* it stopped: others have what follows, or it is called away */
	int64_t looked_ms;     /* when wishes and rates were looked at */
	int64_t busy_since_ms; /* since when busy_ms counts */
	int64_t behind_ms;     /* sink.behind_ms, then */
	int64_t busy_ms;       /* spent with putting bytes away, not waiting for them */
	int64_t window_ms;     /* measuring the rate */
	uint64_t window_bytes;

	/* of the one request */
	struct backend_request request;
	struct credentials credentials;
	struct backend_call *call; /* by segment_begin() */
	uint64_t first;            /* byte */
	int64_t asked_ms;

	/* On the origin's answer; starts the partial on the first one. Set by the owner. */
	int (*on_begin)(struct segment *segment, const struct remote *remote, struct err *err);

	/* The bytes of `small` become too many or come too slowly: gives the segment a partial
	 * (started, if the origin has answered). Set by the owner if there is `small`. */
	int (*on_outgrown)(struct segment *segment, struct err *err);
};

/* Prepare a run by @route that begins at @offset. The claim of @slot is the caller's business. */
void segment_init(struct segment *segment, struct flight *flight, struct route *route,
	struct partial *partial, unsigned int slot, uint64_t offset);

/*
 * Fetch @length bytes (0: to the end), once for each segment_init(). @known as in backend_request.
 * 0 also when it stopped early because of segment->reached.
 */
int segment_fetch(
	struct segment *segment, uint64_t length, const struct validators *known, struct err *err);

/*
 * The two parts of segment_fetch(), of a whole file, where the backend has begin(). @on_ready as
 * in backend_request: it may have been called, and @segment be gone, before segment_begin()
 * returns 0.
 */
int segment_begin(struct segment *segment, void (*on_ready)(void *arg, bool whole), void *arg,
	struct err *err);
int segment_finish(struct segment *segment, struct err *err);

#endif
