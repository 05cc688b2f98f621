#include "backends/pace.h"

#include <string.h>

void pace_start(struct pace *pace, int64_t now, unsigned int window_ms)
{
	/* as many slots must have ended as make a window, and one more is being filled */
	int64_t slot_ms = (int64_t)window_ms / (PACE_SLOTS - 1);

	*pace = (struct pace){.slot_ms = slot_ms > 0 ? slot_ms : 1, .slot_began = now};
}

bool pace_is_started(const struct pace *pace)
{
	return pace->slot_ms > 0;
}

/* Begin the slot that @now belongs to. */
static void move_on(struct pace *pace, int64_t now)
{
	int64_t steps = (now - pace->slot_began) / pace->slot_ms;

	if (pace->paused || steps <= 0)
		return;
	pace->slot_began += steps * pace->slot_ms;
	for (int64_t i = 0; i < steps && i < PACE_SLOTS; i++) {
		pace->slot = (pace->slot + 1) % PACE_SLOTS;
		pace->bytes[pace->slot] = 0;
	}
	pace->ended =
		steps < PACE_SLOTS - pace->ended ? pace->ended + (unsigned int)steps : PACE_SLOTS;
}

void pace_add(struct pace *pace, int64_t now, uint64_t bytes)
{
	move_on(pace, now);
	pace->bytes[pace->slot] += bytes;
}

void pace_pause(struct pace *pace, int64_t now)
{
	move_on(pace, now);
	if (!pace->paused)
		pace->paused = now;
}

void pace_resume(struct pace *pace, int64_t now)
{
	if (!pace->paused)
		return;
	pace->slot_began += now - pace->paused;
	pace->paused = 0;
}

bool pace_is_below(struct pace *pace, int64_t now, uint64_t least, uint64_t *ret_bytes)
{
	uint64_t sum = 0;

	move_on(pace, now);
	if (pace->paused || pace->ended < PACE_SLOTS - 1)
		return false;
	for (unsigned int i = 0; i < PACE_SLOTS; i++)
		sum += pace->bytes[i];
	*ret_bytes = sum;
	return sum < least;
}
