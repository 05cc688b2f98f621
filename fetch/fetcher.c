#include "fetch/fetcher.h"

#include "base/cleanup.h"
#include "base/lock.h"
#include "fetch/follow.h"
#include "fetch/lead.h"

#include <errno.h>

/* 1: somebody else leads. */
static int try_to_lead(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	const struct cachedir *dir = &flight->fetchfs->dir;
	int r = cachedir_lock_key(dir, &flight->lead_key, &lock);

	if (r == -EAGAIN)
		return 1;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the cache: %m");
	r = lead_flight(flight, ret_object, ret_entry, err);
	/* whoever is next finds that what the index said before may have changed */
	cachedir_move(dir, &flight->target->key);
	lock_release(&lock);
	/* who found no map to follow waits for this */
	cachedir_bump(dir, &flight->lead_key);
	return r;
}

static int fly(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	struct watch watch = {.since_ms = 0};

	for (;;) {
		int r = flight_check(flight, err);

		if (r == 0)
			r = try_to_lead(flight, ret_object, ret_entry, err);
		if (r == 1)
			r = follow_flight(flight, &watch, ret_object, ret_entry, err);
		if (r == FOLLOW_FROZEN) {
			flight_pass_by(flight);
			watch = (struct watch){.since_ms = 0};
			continue;
		}
		if (r != 1)
			return r;
	}
}

static void fetcher_run(void *arg)
{
	struct flight *flight = arg;
	struct object object = {.fd = -1};
	struct entry entry = {0};
	struct err err = ERR_INIT;

	switch (fly(flight, &object, &entry, &err)) {
	case 0:
		flight_done(flight, &object, &entry);
		break;
	case LEAD_RESTS:
		break;
	default:
		flight_failed(flight, &err);
	}
	flight_land(flight);
}

void fetcher_start(struct flight *flight)
{
	struct err err = ERR_INIT;

	if (queue_push(flight->fetchfs->leaders, fetcher_run, flight, &err) == 0)
		return;
	flight_failed(flight, &err);
	flight_land(flight);
}
