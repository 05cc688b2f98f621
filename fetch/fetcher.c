#include "fetch/fetcher.h"

#include "fetch/follow.h"
#include "fetch/lead.h"

#include <errno.h>

void fetcher_end(struct flight *flight, int r, struct object *object, struct entry *entry,
	const struct err *err)
{
	if (r < 0)
		flight_failed(flight, err);
	else if (r != LEAD_RESTS)
		flight_done(flight, object, entry);
	flight_land(flight);
}

/* 1: to be led by somebody else. */
static int pass_by(struct flight *flight, struct err *err)
{
	if (flight_pass_by(flight))
		return 1;
	return err_set_retry(err, ERR_SYSTEM, ETIMEDOUT, 0,
		"process after process that was to fetch it does not go on");
}

/* On a thread that may wait. */
static void fetcher_run(void *arg)
{
	struct flight *flight = arg;
	struct object object = {.fd = -1};
	struct entry entry = {0};
	struct watch watch = {.since_ms = 0};
	struct err err = ERR_INIT;
	int r;

	do {
		struct lead *lead;

		r = flight_check(flight, &err);
		if (r == 0)
			r = lead_new(flight, &lead, &err);
		if (r == 0) {
			lead_run(lead);
			return;
		}
		if (r == 1)
			r = follow_flight(flight, &watch, &object, &entry, &err);
		if (r == FOLLOW_FROZEN) {
			watch = (struct watch){.since_ms = 0};
			r = pass_by(flight, &err);
		}
	} while (r == 1);
	fetcher_end(flight, r, &object, &entry, &err);
}

void fetcher_start(struct flight *flight)
{
	struct lead *lead;
	struct err err = ERR_INIT;

	if (flight->unknown && lead_new(flight, &lead, NULL) == 0)
		lead_start(lead);
	else if (queue_push(flight->fetchfs->leaders, fetcher_run, flight, &err) < 0)
		fetcher_end(flight, -err.code, NULL, NULL, &err);
}
