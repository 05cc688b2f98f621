/* The table of flights: who shares one, who has left, and whose turn it is. */
#include "fetch/flight.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "fetch/flight_private.h"
#include "fetch/routes.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define PASSED_BY_MAX 8

static void flight_free(struct flight *flight)
{
	for (unsigned int i = 0; i < flight->old_count; i++)
		close(flight->old_fds[i]);
	target_unref(flight->target);
	route_unref(flight->route);
	fd_close(&flight->read_fd);
	object_release(&flight->object);
	entry_release(&flight->entry);
	pthread_cond_destroy(&flight->changed);
	pthread_mutex_destroy(&flight->mu);
	free(flight);
}

static struct flight_key key_of(const struct target *target)
{
	struct flight_key key = {.entry = target->key};

	if (target->executable)
		key.mode = 0555;
	else if (target->plain)
		key.mode = 0444;
	/* content that is known by its digest is never out of date */
	if (target->has_expected)
		key.expected = target->expected;
	else
		key.afresh = target->refresh;
	return key;
}

static struct flight *flight_new(
	struct fetchfs *fetchfs, struct target *target, const struct flight_seen *seen)
{
	struct flight *flight = calloc(1, sizeof(*flight));

	if (!flight)
		return NULL;
	pthread_mutex_init(&flight->mu, NULL);
	clock_cond_init(&flight->changed);

	flight->fetchfs = fetchfs;
	flight->key = key_of(target);
	flight->seen = *seen;
	flight->lead_key = target->key;
	flight->target = target_ref(target);
	flight->read_fd = -1;
	flight->object.fd = -1;
	flight->version.size = SIZE_UNKNOWN;
	flight->version.modified = TIME_UNKNOWN;
	return flight;
}

void flight_leave_table(struct flight *flight)
{
	if (flight->in_table)
		HASH_DEL(flight->fetchfs->flights, flight);
	flight->in_table = false;
}

/* Caller holds fetchfs->mu. */
static struct flight *find_and_ref(
	struct fetchfs *fetchfs, const struct flight_key *key, bool to_be_read)
{
	struct flight *flight;

	HASH_FIND(hh, fetchfs->flights, key, sizeof(*key), flight);
	if (!flight)
		return NULL;
	WITH_LOCK(&flight->mu);
	/* what it shows may be old by now: those who have it open keep it for themselves */
	if (flight->resting) {
		flight_leave_table(flight);
		return NULL;
	}
	flight->refs++;
	flight->interested++;
	flight->to_be_read |= to_be_read;
	return flight;
}

int flight_join(struct fetchfs *fetchfs, struct target *target, bool prefetch,
	const struct flight_seen *seen, struct flight **ret, bool *ret_start, struct err *err)
{
	struct flight_key key = key_of(target);
	struct flight *flight;
	WITH_LOCK(&fetchfs->mu);

	if (atomic_load(&fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "the cache is being closed");

	flight = find_and_ref(fetchfs, &key, !prefetch);
	if (!flight) {
		flight = flight_new(fetchfs, target, seen);
		if (!flight)
			return err_oom(err);
		flight->refs = 2; /* the caller's and the flyer's */
		flight->interested = 1;
		flight->to_be_read = !prefetch;
		flight->in_table = true;
		HASH_ADD(hh, fetchfs->flights, key, sizeof(flight->key), flight);
	}
	if (key.afresh)
		flight->asked_ms = clock_wall_ms();
	*ret_start = seen->complete ? turns_pass(&fetchfs->turns, &flight->ticket)
				    : turns_ask(&fetchfs->turns, &flight->ticket, target->uid);
	*ret = flight;
	return 0;
}

struct flight *flight_find(struct fetchfs *fetchfs, const struct entry_key *key)
{
	struct flight_key any = {.entry = *key};
	WITH_LOCK(&fetchfs->mu);

	return find_and_ref(fetchfs, &any, false);
}

struct flight *flight_ref(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	flight->refs++;
	flight->interested++;
	return flight;
}

/* All bytes are here, be they not published yet. Under mu. */
static bool is_whole(const struct flight *flight)
{
	return flight->partial && partial_next_gap(flight->partial, 0) < 0;
}

/*
 * Whether it ends with the last who wants it. What is fetched by parts does, for nobody wants more
 * of it; but what is whole by now is published: who read it to its end has paid for that.
 */
static bool ends_with_last(const struct flight *flight, bool abandon)
{
	if (abandon || flight->resting)
		return true;
	return flight->lazy && !is_whole(flight);
}

void flight_unref(struct flight *flight, bool abandon)
{
	struct fetchfs *fetchfs = flight->fetchfs;
	bool last;

	pthread_mutex_lock(&fetchfs->mu);
	pthread_mutex_lock(&flight->mu);
	if (--flight->interested == 0 && ends_with_last(flight, abandon)) {
		/* whoever asks for it from now on starts a flight of its own */
		flight_leave_table(flight);
		flight->cancelled = true;
		pthread_cond_broadcast(&flight->changed);
		/* then nobody will fly it */
		if (turns_leave(&fetchfs->turns, &flight->ticket)) {
			flight->refs--;
			context_look(fetchfs);
		}
	}
	last = --flight->refs == 0;
	pthread_mutex_unlock(&flight->mu);
	pthread_mutex_unlock(&fetchfs->mu);

	if (last)
		flight_free(flight);
}

void flight_land(struct flight *flight)
{
	bool last;

	pthread_mutex_lock(&flight->mu);
	last = --flight->refs == 0;
	pthread_mutex_unlock(&flight->mu);
	if (last)
		flight_free(flight);
}

bool flight_pass_by(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	if (flight->passed_by == PASSED_BY_MAX)
		return false;
	entry_key_next(&flight->lead_key, &flight->lead_key);
	flight->passed_by++;
	return true;
}

struct partial_label flight_label(const struct flight *flight)
{
	const struct target *target = flight->target;

	return (struct partial_label){.key = &flight->lead_key,
		.uri = target->shown,
		.scope = target->decision.scope,
		.uid = target_share(target, flight->fetchfs),
		.since = flight->asks_ms};
}

bool flight_wants_whole(const struct flight *flight)
{
	if (flight->target->has_expected)
		return true;
	for (const struct fetchfs_wait *wait = flight->waits; wait; wait = wait->next)
		if (wait->until == FETCHFS_UNTIL_COMPLETE)
			return true;
	return false;
}

bool flight_is_to_be_read(struct flight *flight)
{
	WITH_LOCK(&flight->fetchfs->mu);
	bool to_be_read;

	pthread_mutex_lock(&flight->mu);
	to_be_read = flight->to_be_read;
	pthread_mutex_unlock(&flight->mu);
	if (!to_be_read)
		flight_leave_table(flight);
	return to_be_read;
}

bool flight_rest(struct flight *flight)
{
	WITH_LOCK(&flight->fetchfs->mu);
	bool rests;

	pthread_mutex_lock(&flight->mu);
	rests = !flight->waits && flight->helpers == 0;
	if (rests) {
		flight->partial = NULL;
		flight->resting = true;
	}
	/* those who left before it was lazy left it here, and nobody would take it away */
	if (rests && flight->interested == 0)
		flight_leave_table(flight);
	pthread_mutex_unlock(&flight->mu);
	return rests;
}

/* Caller holds fetchfs->mu. Whether it rested until now, and somebody waits. */
static bool end_rest(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	if (!flight->resting || !flight->waits)
		return false;
	flight->resting = false;
	flight->refs++;
	return true;
}

bool flight_call(struct flight *flight, uid_t uid)
{
	struct turns *turns = &flight->fetchfs->turns;
	WITH_LOCK(&flight->fetchfs->mu);

	if (flight->ticket.state == TICKET_WAITS)
		return turns_ask(turns, &flight->ticket, uid);
	return end_rest(flight) && turns_ask_again(turns, &flight->ticket, uid);
}

void flight_cancel_all(struct fetchfs *fetchfs)
{
	struct flight *flight;
	struct flight *next;

	WITH_LOCK(&fetchfs->mu);

	atomic_store(&fetchfs->closing, true);
	HASH_ITER (hh, fetchfs->flights, flight, next) {
		pthread_mutex_lock(&flight->mu);
		flight->cancelled = true;
		pthread_cond_broadcast(&flight->changed);
		pthread_mutex_unlock(&flight->mu);
	}
	/* those that nobody flies find out by this */
	registry_hurry(fetchfs->env);
}
