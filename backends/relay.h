/*
 * The way of one transfer from the thread that receives to the thread that asked: an answer, then
 * bytes, then the end.
 *
 * One producer, one consumer. Bytes wait in a few buffers that are allocated as they are needed
 * and used again; when they are full the producer is told so, and has to stop until the consumer
 * hands one back. The consumer takes whole buffers, and is woken once for all that came in one go.
 */
#ifndef FETCHFS_BACKENDS_RELAY_H
#define FETCHFS_BACKENDS_RELAY_H

#include "base/err.h"
#include "base/waker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_BUFFERS     4
#define RELAY_BUFFER_SIZE ((size_t)256 * 1024)
#define RELAY_ROOM        2 /* empty buffers, before a producer who was refused is called back */

struct relay_buffer {
	struct relay_buffer *next;
	size_t len;
	size_t size;
	unsigned char bytes[];
};

enum relay_event {
	RELAY_TIMEOUT, /* nothing happened in the time given */
	RELAY_ANSWER,  /* once, before the first bytes; perhaps not at all when it ends badly */
	RELAY_BYTES,   /* a buffer, to be handed back */
	RELAY_END,     /* nothing follows */
};

struct relay {
	pthread_mutex_t mu; /* guards what follows */
	struct waker consumer;
	struct relay_buffer *first; /* with bytes, oldest first; the last one may still grow */
	struct relay_buffer *last;
	struct relay_buffer *spare; /* empty */
	unsigned int spares;
	unsigned int buffers; /* in all, the consumer's included; <= RELAY_BUFFERS */
	bool refused;         /* the producer waits for room */
	bool answered;
	bool answer_taken;
	bool ended;
	struct err end;
};

void relay_init(struct relay *relay);

/* Neither side may use it any more. */
void relay_release(struct relay *relay);

/* ---- the producer ---- */

/*
 * Take all of @buf. @expected is how many bytes are still to come, these included, or a negative
 * number: it keeps small files cheap. -EAGAIN: no room, relay_hand_back() will say when there is.
 * -ENOMEM.
 */
int relay_put(struct relay *relay, const void *buf, size_t len, int64_t expected);

/* Wake the consumer if there are bytes for it. */
void relay_flush(struct relay *relay);

void relay_answer(struct relay *relay);

/* The last touch: afterwards the relay is the consumer's alone. @end->code is 0 if all went well.
 */
void relay_end(struct relay *relay, const struct err *end);

/* ---- the consumer ---- */

/* Wait for the next event. *ret_buffer is set for RELAY_BYTES, *ret_end for RELAY_END. */
enum relay_event relay_next(
	struct relay *relay, int timeout_ms, struct relay_buffer **ret_buffer, struct err *ret_end);

/* true: the producer had been refused, and now there is enough room for it to go on. Waking it for
 * each buffer would cost more than a buffer does. */
bool relay_hand_back(struct relay *relay, struct relay_buffer *buffer);

#endif
