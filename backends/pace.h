/*
 * How many bytes came within the last while: a window that slides over a connection.
 *
 * Times are milliseconds of one monotonic clock. While it is paused no time passes.
 */
#ifndef FETCHFS_BACKENDS_PACE_H
#define FETCHFS_BACKENDS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_SLOTS 16 /* the window moves on by a sixteenth of it */

struct pace {
	int64_t slot_ms;    /* 0: not started */
	int64_t slot_began; /* the current slot */
	int64_t paused;     /* since when; 0: it is not */
	unsigned int slot;
	unsigned int ended; /* slots, up to all of them */
	uint64_t bytes[PACE_SLOTS];
};

/* Begin to count. The window is at least PACE_SLOTS ms. */
void pace_start(struct pace *pace, int64_t now, unsigned int window_ms);
bool pace_is_started(const struct pace *pace);

void pace_add(struct pace *pace, int64_t now, uint64_t bytes);

void pace_pause(struct pace *pace, int64_t now);
void pace_resume(struct pace *pace, int64_t now);

/* A whole window has passed, and fewer than @least bytes came in it: *ret_bytes of them. */
bool pace_is_below(struct pace *pace, int64_t now, uint64_t least, uint64_t *ret_bytes);

#endif
