#include "fetch/waits.h"

#include "fetch/file.h"

#include <errno.h>
#include <utlist.h>

#define ASK_MAX 16 /* chunks */

bool waits_satisfied(const struct flight *flight, const struct fetchfs_wait *wait)
{
	if (flight->state == FLIGHT_DONE)
		return true;
	switch (wait->until) {
	case FETCHFS_UNTIL_STARTED:
		return flight->state == FLIGHT_STARTED;
	case FETCHFS_UNTIL_RANGE:
		/* what is to be verified is not shown before it is */
		return !file_has_expected(wait->file) &&
		       flight_has(flight, wait->offset, wait->length);
	case FETCHFS_UNTIL_COMPLETE:
		return false;
	}
	return false;
}

int waits_check(const struct flight *flight, const struct fetchfs_wait *wait, struct err *err)
{
	const struct fetchfs *fetchfs = flight->fetchfs;
	uid_t uid = target_share(flight->target, fetchfs);
	int r;

	if (!flight->windowed ||
		(wait->until != FETCHFS_UNTIL_COMPLETE && !file_has_expected(wait->file)))
		return 0;
	r = store_could_hold(&fetchfs->store, uid, flight->version.size, err);
	if (r == 0) /* it could not when it was begun */
		return err_set(err, ERR_SPACE, ENOSPC, "it is being read in parts");
	return r;
}

void waits_add(struct flight *flight, struct fetchfs_wait *wait)
{
	wait->queued = true;
	DL_APPEND(flight->waits, wait);
}

void waits_remove(struct flight *flight, struct fetchfs_wait *wait)
{
	wait->queued = false;
	DL_DELETE(flight->waits, wait);
}

struct fetchfs_wait *waits_take_ready(struct flight *flight)
{
	struct fetchfs_wait *ready = NULL;
	struct fetchfs_wait *wait;
	struct fetchfs_wait *next;

	DL_FOREACH_SAFE(flight->waits, wait, next)
	{
		if (!waits_satisfied(flight, wait))
			continue;
		waits_remove(flight, wait);
		LL_PREPEND(ready, wait);
	}
	return ready;
}

struct fetchfs_wait *waits_take_refused(struct flight *flight, struct err *err)
{
	struct fetchfs_wait *refused = NULL;
	struct fetchfs_wait *wait;
	struct fetchfs_wait *next;

	DL_FOREACH_SAFE(flight->waits, wait, next)
	{
		if (waits_check(flight, wait, err) == 0)
			continue;
		waits_remove(flight, wait);
		LL_PREPEND(refused, wait);
	}
	return refused;
}

struct fetchfs_wait *waits_take_all(struct flight *flight)
{
	struct fetchfs_wait *all = NULL;
	struct fetchfs_wait *wait;
	struct fetchfs_wait *next;

	DL_FOREACH_SAFE(flight->waits, wait, next)
	{
		waits_remove(flight, wait);
		LL_PREPEND(all, wait);
	}
	return all;
}

/* Chunks that are not here are to come first, whoever leads. */
static void ask_for_range(const struct flight *flight, const struct fetchfs_wait *wait)
{
	uint64_t first = wait->offset / CHUNK_SIZE;
	uint64_t last = (wait->offset + (wait->length ? wait->length - 1 : 0)) / CHUNK_SIZE;

	/* a read is at most a few chunks long; a longer wait is in no hurry for its end */
	for (uint64_t i = first; i <= last && i < first + ASK_MAX; i++)
		ranges_want(flight->followed, i, NULL);
}

void waits_ask(const struct flight *flight)
{
	if (!flight->followed)
		return;
	for (const struct fetchfs_wait *wait = flight->waits; wait; wait = wait->next)
		if (wait->until == FETCHFS_UNTIL_RANGE)
			ask_for_range(flight, wait);
	if (flight_wants_whole(flight))
		ranges_want_whole(flight->followed, NULL);
	/* a leader that has nothing else to do sleeps on it */
	if (flight->waits)
		cachedir_bump(&flight->fetchfs->dir, &flight->lead_key);
}

void waits_refuse(struct fetchfs_wait *list, const struct err *err)
{
	struct fetchfs_wait *next;

	for (struct fetchfs_wait *wait = list; wait; wait = next) {
		next = wait->next;
		wait->wake(wait, err);
	}
}

void waits_wake(struct fetchfs_wait *list, const struct flight *flight)
{
	struct fetchfs_wait *next;

	for (struct fetchfs_wait *wait = list; wait; wait = next) {
		struct err err = ERR_INIT;

		next = wait->next; /* the wait is its owner's again once it is woken */
		if (flight)
			file_outcome(wait->file, flight, &err);
		wait->wake(wait, &err);
	}
}
