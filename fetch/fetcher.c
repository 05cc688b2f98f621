#include "fetch/fetcher.h"

#include "base/cleanup.h"
#include "fetch/follow.h"
#include "fetch/lead.h"

#include <errno.h>

static void run_turn(void *arg);

/* The flight whose turn it is once @flight has ended, counted as by context_enter(); or NULL. */
static struct flight *pass_on(struct flight *flight)
{
	struct fetchfs *fetchfs = flight->fetchfs;
	WITH_LOCK(&fetchfs->mu);
	struct ticket *next = turns_end(&fetchfs->turns, &flight->ticket);

	if (!next)
		return NULL;
	fetchfs->under_way++;
	return (struct flight *)((char *)next - offsetof(struct flight, ticket));
}

/* Returns the next one, see pass_on(). */
static struct flight *end(struct flight *flight, int r, struct object *object, struct entry *entry,
	const struct err *err)
{
	struct flight *next = pass_on(flight);

	if (r < 0)
		flight_failed(flight, err);
	else if (r != LEAD_RESTS)
		flight_done(flight, object, entry);
	flight_land(flight);
	return next;
}

/* The next one begins on another thread: there may be many that end as soon as they begin. */
void fetcher_end(struct flight *flight, int r, struct object *object, struct entry *entry,
	const struct err *err)
{
	struct flight *next = end(flight, r, object, entry, err);

	while (next) {
		struct fetchfs *fetchfs = next->fetchfs;
		struct err why = ERR_INIT;

		if (queue_keep(fetchfs->brief, &why) == 0) {
			next->job = (struct queue_job){.run = run_turn, .arg = next};
			queue_give(fetchfs->brief, &next->job);
			return;
		}
		next = end(next, -why.code, NULL, NULL, &why);
		context_leave(fetchfs);
	}
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

/* @brief: on a thread that must not do what may take long, as to read what has a digest may. */
static void start(struct flight *flight, bool brief)
{
	bool at_once = flight->seen.unknown && !(brief && flight->target->has_expected);
	struct lead *lead;
	struct err err = ERR_INIT;

	if (at_once && lead_new(flight, &lead, NULL) == 0)
		lead_start(lead);
	else if (queue_push(flight->fetchfs->leaders, fetcher_run, flight, &err) < 0)
		fetcher_end(flight, -err.code, NULL, NULL, &err);
}

/* Its turn has come, on a thread that waits for nobody. */
static void run_turn(void *arg)
{
	struct flight *flight = arg;
	struct fetchfs *fetchfs = flight->fetchfs;
	struct err err = ERR_INIT;
	int r = flight_check(flight, &err);

	if (r < 0)
		fetcher_end(flight, r, NULL, NULL, &err);
	else
		start(flight, true);
	context_leave(fetchfs);
}

void fetcher_start(struct flight *flight)
{
	start(flight, false);
}

void fetcher_call(struct flight *flight, uid_t uid)
{
	if (flight_call(flight, uid))
		start(flight, false);
}
