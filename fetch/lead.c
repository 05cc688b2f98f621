#include "fetch/lead.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/ahead.h"
#include "fetch/fetcher.h"
#include "fetch/lazy.h"
#include "fetch/lead_private.h"
#include "fetch/lookup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

int lead_new(struct flight *flight, struct lead **ret, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct lead *lead;
	int r = cachedir_lock_key(&flight->fetchfs->dir, &flight->lead_key, &lock);

	if (r == -EAGAIN)
		return 1;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock the cache: %m");
	lead = calloc(1, sizeof(*lead));
	if (!lead)
		return err_oom(err);
	lead->flight = flight;
	lead->since_ms = clock_monotonic_ms();
	lead->key = lock_steal(&lock);
	lead->remote.max_age = TIME_UNKNOWN;
	lead->object.fd = lead->old_object.fd = -1;
	*ret = lead;
	return 0;
}

/* ---- the end ---- */

/* The flight has its outcome, and nothing is left of @lead. */
static void end(struct lead *lead, int r)
{
	struct flight *flight = lead->flight;
	struct fetchfs *fetchfs = flight->fetchfs;
	bool counted = lead->counted;
	bool told = lead->told && !lead->unchanged && !lead->stood_in.code;

	lead_expect_small(lead, false);
	small_release(&lead->small);
	ahead_route(flight, NULL);
	route_unref(lead->begun_by);
	routes_release(&lead->routes);
	object_release(&lead->old_object);
	entry_release(&lead->old);

	/* whoever is next finds that what the index said before may have changed */
	cachedir_move(&fetchfs->dir, &flight->target->key);
	lock_release(&lead->key);
	/* who found no map to follow waits for this */
	cachedir_bump(&fetchfs->dir, &flight->lead_key);
	if (r == 0 && told)
		flight_vouch(flight, &lead->entry.digest);
	fetcher_end(flight, r, &lead->object, &lead->entry, &lead->err);
	object_release(&lead->object);
	entry_release(&lead->entry);
	free(lead);
	if (counted)
		context_leave(fetchfs);
}

static void give_up(struct lead *lead, const struct err *err)
{
	bool interrupted = err->code == ECANCELED;

	ahead_stop(lead->flight);
	/* who follows an interrupted leader takes over; a failure is everybody's */
	if (lead->partial)
		partial_fail(&lead->partial, interrupted ? NULL : err,
			lead_may_keep(lead) && (interrupted || err->retry));
	/* what this machine misses says nothing of the origin */
	if (err->code == ENOENT && err->kind == ERR_REMOTE)
		lookup_remember_absent(lead->flight->fetchfs, lead->flight->target);
}

void lead_end(struct lead *lead, int r)
{
	if (r < 0 && lead->prepared && lead_may_stand_in(lead, &lead->err))
		r = lead_stand_in(lead, &lead->err);
	lead_note_end(lead, r);
	if (r < 0 && lead->prepared)
		give_up(lead, &lead->err);
	else if (r == LEAD_RESTS)
		partial_fail(&lead->partial, NULL, true);
	end(lead, r);
}

/* ---- from the first look to the last byte ---- */

/*
 * Who died with the last byte may have done so long ago: the origin is asked whether that still
 * holds. Not for those who were here when he was, nor for whom a digest vouches.
 */
static bool is_left_whole(const struct lead *lead)
{
	struct flight *flight = lead->flight;

	return lead_is_whole(lead) && !flight->target->has_expected && !flight_is_started(flight);
}

static int open_partial(struct lead *lead, struct err *err)
{
	const struct store *store = &lead->flight->fetchfs->store;
	struct partial_label label = flight_label(lead->flight);
	int r;

	if (lead->alone)
		r = -ENOENT;
	else if (flight_is_windowed(lead->flight) || lazy_suits(lead->flight))
		r = partial_resume_sparse(store, &label, &lead->partial, NULL);
	else
		r = partial_resume(store, &label, &lead->partial, NULL);
	lead->started = r == 0;
	lead->windowed = r == 0 && partial_is_windowed(lead->partial);
	lead->left = is_left_whole(lead);
	/* what has an entry is at least as good, and known to be; and what has become an object
	 * already has nothing to be read along */
	if (lead->left && (lead_has_old(lead) || !partial_has_data(lead->partial))) {
		partial_fail(&lead->partial, NULL, false);
		lead->left = lead->started = false;
	}
	if (lead->started)
		return partial_hash_also(lead->partial, lead->flight->target->expected.kind, err);
	/* a new one is made once it is worth it */
	lead_expect_small(lead, true);
	return 0;
}

/* 1: it has to be fetched. 0: it is here. */
static int prepare(struct lead *lead)
{
	struct flight *flight = lead->flight;
	int r = lookup_again(flight, &lead->object, &lead->entry, &lead->old, &lead->err);

	if (r == 0 && lead->entry.state == ENTRY_COMPLETE)
		partial_published(&flight->fetchfs->store, &flight->lead_key, &lead->entry.digest);
	if (r <= 0)
		return r;
	lead->prepared = true;
	flight_asks(flight);
	lead->old_object = object_steal(&lead->object);
	routes_init(&lead->routes, flight->fetchfs, flight->target);
	flight_limit(flight);
	r = open_partial(lead, &lead->err);
	return r < 0 ? r : 1;
}

int lead_put_off(struct lead *lead, const struct err *err)
{
	lead->put_off = *err;
	return LEAD_PUT_OFF;
}

/* What was put off, if anything was, is to be put right. */
static int take_up(struct lead *lead, struct err *err)
{
	if (!lead->put_off.code)
		return 0;
	*err = lead->put_off;
	lead->put_off.code = 0;
	return err->kind == ERR_INTEGRITY ? lead_retry_corrupt(lead, err)
					  : lead_prepare_retry(lead, err);
}

/* Fetch and publish; again when the bytes were not the expected ones. */
static int fetch_and_publish(struct lead *lead, struct err *err)
{
	int r = take_up(lead, err);

	while (r == 0) {
		r = lead_fetch_all(lead, err);
		if (r != 0)
			return r;
		if (lead->unchanged && !lead->left)
			return lead_keep_old(lead, err);
		assert(!lead->left || lead->confirmed);
		r = lead_publish(lead, err);
		if (r != -EBADMSG)
			return r;
		r = lead->brief ? lead_put_off(lead, err) : lead_retry_corrupt(lead, err);
	}
	return r;
}

/* ---- on a thread ---- */

static void lead_job(void *arg)
{
	lead_run(arg);
}

/*
 * A thread that may wait for the network goes on. Without one this one has to. It has a connection,
 * perhaps, for which all the leaders' threads are waiting: it is not kept until one of them ends.
 */
static void hand_on(struct lead *lead)
{
	lead->brief = false;
	if (queue_push_first(lead->flight->fetchfs->leaders, lead_job, lead, NULL) < 0)
		lead_run(lead);
}

void lead_run(struct lead *lead)
{
	int r = lead->prepared ? 1 : prepare(lead);

	if (r > 0)
		r = fetch_and_publish(lead, &lead->err);
	if (r == LEAD_PUT_OFF)
		hand_on(lead);
	else if (r != LEAD_PUBLISHES) /* then it may be gone by now */
		lead_end(lead, r);
}

/* ---- without a thread, as long as there is nothing to do ---- */

static void brief_job(void *arg)
{
	struct lead *lead = arg;

	if (lead->brief)
		lead_run(lead);
	else
		hand_on(lead);
}

static void on_ready(void *arg, bool whole)
{
	struct lead *lead = arg;

	lead->brief = whole;
	lead->job = (struct queue_job){.run = brief_job, .arg = lead};
	queue_give(lead->flight->fetchfs->brief, &lead->job);
}

/* Whether all that comes before the request is as brief as the request itself. */
static bool is_simple(struct flight *flight)
{
	const struct fetchfs *fetchfs = flight->fetchfs;

	return lookup_is_unchanged(flight) && !lazy_suits(flight) &&
	       !partial_is_there(&fetchfs->store, &flight->lead_key);
}

/* false: that takes a thread. */
static bool begin(struct lead *lead)
{
	int r;

	if (!is_simple(lead->flight) || queue_keep(lead->flight->fetchfs->brief, NULL) < 0)
		return false;
	lead->alone = true;
	r = prepare(lead);
	if (r <= 0) {
		lead_end(lead, r);
		return true;
	}
	context_enter(lead->flight->fetchfs);
	lead->counted = true;
	return lead_ask(lead, on_ready);
}

void lead_start(struct lead *lead)
{
	if (begin(lead))
		return;
	if (queue_push(lead->flight->fetchfs->leaders, lead_job, lead, &lead->err) < 0)
		lead_end(lead, -lead->err.code);
}
