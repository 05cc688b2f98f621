#include "backends/relay.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RELAY_BUFFER_MIN ((size_t)16 * 1024) /* when nobody knows how much will come */

void relay_init(struct relay *relay)
{
	*relay = (struct relay){.buffers = 0};
	pthread_mutex_init(&relay->mu, NULL);
	waker_init(&relay->consumer);
}

static void free_list(struct relay_buffer *buffer)
{
	while (buffer) {
		struct relay_buffer *next = buffer->next;

		free(buffer);
		buffer = next;
	}
}

void relay_release(struct relay *relay)
{
	free_list(relay->first);
	free_list(relay->spare);
	waker_release(&relay->consumer);
	pthread_mutex_destroy(&relay->mu);
}

/*
 * An empty buffer, from the spare ones or new. A new one is as large as what is expected; when
 * that is unknown, larger with each one before it.
 */
static int take_empty(
	struct relay *relay, size_t needed, int64_t expected, struct relay_buffer **ret)
{
	struct relay_buffer *buffer = relay->spare;
	size_t size = RELAY_BUFFER_MIN << (2 * relay->buffers);

	if (buffer && buffer->size >= needed) {
		relay->spare = buffer->next;
		relay->spares--;
		*ret = buffer;
		return 0;
	}
	if (buffer) { /* a small one of the beginning: its place is worth more */
		relay->spare = buffer->next;
		relay->spares--;
		free(buffer);
		relay->buffers--;
		size = RELAY_BUFFER_SIZE;
	}
	if (relay->buffers == RELAY_BUFFERS)
		return -EAGAIN;

	if (expected >= 0)
		size = (uint64_t)expected < RELAY_BUFFER_SIZE ? (size_t)expected
							      : RELAY_BUFFER_SIZE;
	if (size > RELAY_BUFFER_SIZE)
		size = RELAY_BUFFER_SIZE;
	if (size < needed)
		size = needed;
	buffer = malloc(sizeof(*buffer) + size);
	if (!buffer)
		return -ENOMEM;
	buffer->size = size;
	relay->buffers++;
	*ret = buffer;
	return 0;
}

/* With relay->mu held. *ret_full: a buffer became full, which need not wait for the flush. */
static int put(struct relay *relay, const void *buf, size_t len, int64_t expected, bool *ret_full)
{
	struct relay_buffer *last = relay->last;
	size_t room = last ? last->size - last->len : 0;
	size_t here = len < room ? len : room;
	struct relay_buffer *more = NULL;

	if (here < len) { /* all or nothing: the second buffer before the first byte */
		int r = take_empty(relay, len - here, expected - (int64_t)here, &more);

		if (r == -EAGAIN)
			relay->refused = true;
		if (r < 0)
			return r;
	}
	if (here > 0) {
		memcpy(last->bytes + last->len, buf, here);
		last->len += here;
	}
	if (more) {
		memcpy(more->bytes, (const char *)buf + here, len - here);
		more->len = len - here;
		more->next = NULL;
		if (last)
			last->next = more;
		else
			relay->first = more;
		relay->last = more;
		*ret_full = last;
	}
	return 0;
}

/* Gives up relay->mu, and wakes the consumer if it sleeps and @wanted. */
static void unlock_and_wake(struct relay *relay, bool wanted)
{
	bool sleeps = wanted && waker_take(&relay->consumer);

	pthread_mutex_unlock(&relay->mu);
	if (sleeps)
		waker_wake(&relay->consumer);
}

int relay_put(struct relay *relay, const void *buf, size_t len, int64_t expected)
{
	bool full = false;
	int r;

	pthread_mutex_lock(&relay->mu);
	r = put(relay, buf, len, expected, &full);
	unlock_and_wake(relay, full);
	return r;
}

static bool has_event(const struct relay *relay)
{
	return relay->first || relay->ended || (relay->answered && !relay->answer_taken);
}

void relay_flush(struct relay *relay)
{
	pthread_mutex_lock(&relay->mu);
	unlock_and_wake(relay, has_event(relay));
}

void relay_answer(struct relay *relay)
{
	WITH_LOCK(&relay->mu);

	/* what follows is often here at the same moment: one waking for both */
	relay->answered = true;
}

void relay_end(struct relay *relay, const struct err *end)
{
	pthread_mutex_lock(&relay->mu);
	relay->ended = true;
	relay->end = *end;
	unlock_and_wake(relay, true);
}

static struct timespec deadline_in(int timeout_ms)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_sec += timeout_ms / 1000;
	at.tv_nsec += (timeout_ms % 1000) * 1000000L;
	if (at.tv_nsec >= 1000000000L) {
		at.tv_sec++;
		at.tv_nsec -= 1000000000L;
	}
	return at;
}

enum relay_event relay_next(
	struct relay *relay, int timeout_ms, struct relay_buffer **ret_buffer, struct err *ret_end)
{
	WITH_LOCK(&relay->mu);

	if (!has_event(relay)) {
		struct timespec deadline = deadline_in(timeout_ms);
		int r = 0;

		while (!has_event(relay) && r == 0)
			r = waker_wait(&relay->consumer, &relay->mu, &deadline);
		if (!has_event(relay))
			return RELAY_TIMEOUT;
	}
	if (relay->answered && !relay->answer_taken) {
		relay->answer_taken = true;
		return RELAY_ANSWER;
	}
	if (relay->first) {
		*ret_buffer = relay->first;
		relay->first = relay->first->next;
		if (!relay->first)
			relay->last = NULL;
		return RELAY_BYTES;
	}
	*ret_end = relay->end;
	return RELAY_END;
}

bool relay_hand_back(struct relay *relay, struct relay_buffer *buffer)
{
	WITH_LOCK(&relay->mu);
	bool go_on;

	buffer->len = 0;
	buffer->next = relay->spare;
	relay->spare = buffer;
	relay->spares++;
	go_on = relay->refused && (relay->spares >= RELAY_ROOM || !relay->first);
	if (go_on)
		relay->refused = false;
	return go_on;
}
