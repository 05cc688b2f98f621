#include "fetch/ahead.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/segment.h"

#include <errno.h>
#include <stdlib.h>

/* The first request of a helper, and what it grows to while reads are sequential. */
#define AHEAD_MIN (2 * CHUNK_SIZE)
#define AHEAD_MAX (64 * CHUNK_SIZE)

/* Reads that follow each other arrive from several threads: so far apart they may be for a moment.
 */
#define AHEAD_GAP (16 * CHUNK_SIZE)

struct helper {
	struct flight *flight; /* a reference */
	struct partial *partial;
	struct ranges_version version;
	unsigned int slot;
	uint64_t begin;
	uint64_t end;
};

struct validators ahead_validators(const struct ranges_version *version)
{
	struct validators validators = {.modified = version->modified};

	str_fit(validators.etag, sizeof(validators.etag), version->etag);
	return validators;
}

static int on_begin(struct segment *segment, const struct remote *remote, struct err *err)
{
	const struct ranges_version *version = partial_version(segment->partial);
	int r = target_check_remote(segment->flight->target, remote, err);

	if (r < 0)
		return r;
	if (remote->size != SIZE_UNKNOWN && remote->size != version->size)
		return err_set(err, ERR_REMOTE, ESTALE, "the artifact changed at its origin");
	return 0;
}

static void helper_end(struct helper *helper, int result)
{
	struct flight *flight = helper->flight;

	pthread_mutex_lock(&flight->mu);
	flight->claims[helper->slot].used = false;
	flight->helpers--;
	/* whatever it was, the leader comes by in time, and tells */
	if (result < 0)
		flight->no_helpers = true;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->mu);

	if (result == 0)
		ahead_look(flight);
	flight_land(flight);
	free(helper);
}

static void helper_run(void *arg)
{
	struct helper *helper = arg;
	struct validators known = ahead_validators(&helper->version);
	struct segment segment;
	struct err err = ERR_INIT;

	segment_init(&segment, helper->flight, helper->partial, helper->slot, helper->begin);
	segment.on_begin = on_begin;
	helper_end(helper, segment_fetch(&segment, helper->end - helper->begin, &known, &err));
}

/*
 * Caller holds mu. Up to where the leader brings things in time: what is near, and what follows
 * closely something that is waited for and near. Who reads on (the kernel does so, ahead of
 * its readers) gets the bytes in their order anyhow; a request of its own is for who jumped.
 */
static uint64_t leader_reach(const struct flight *flight)
{
	uint64_t reach = flight->claims[0].begin + flight->near;
	bool grew = true;

	while (grew) {
		grew = false;
		for (const struct fetchfs_wait *wait = flight->waits; wait; wait = wait->next) {
			uint64_t end = wait->offset + wait->length;

			if (wait->until != FETCHFS_UNTIL_RANGE ||
				wait->offset > reach + AHEAD_GAP || end <= reach)
				continue;
			reach = end;
			grew = true;
		}
	}
	return reach;
}

/* Caller holds mu: whether the chunk at @offset is neither here nor on its way. */
static bool is_missing(const struct flight *flight, uint64_t offset)
{
	const struct flight_claim *leader = &flight->claims[0];

	if (partial_has(flight->partial, offset, CHUNK_SIZE))
		return false;
	if (leader->used && leader->begin <= offset && offset < leader_reach(flight))
		return false;
	for (unsigned int i = 1; i < FLIGHT_CLAIMS; i++) {
		const struct flight_claim *claim = &flight->claims[i];

		if (claim->used && claim->begin <= offset && offset < claim->end)
			return false;
	}
	return true;
}

/* Caller holds mu: the start of the first missing chunk that a reader waits for, or -1. */
static int64_t find_wish(const struct flight *flight)
{
	uint64_t size = (uint64_t)flight->version.size;
	int64_t wish;

	for (const struct fetchfs_wait *wait = flight->waits; wait; wait = wait->next) {
		uint64_t end = wait->offset + wait->length;

		if (wait->until != FETCHFS_UNTIL_RANGE || end < wait->offset)
			continue;
		if (end > size)
			end = size;
		for (uint64_t at = wait->offset / CHUNK_SIZE * CHUNK_SIZE; at < end;
			at += CHUNK_SIZE) {
			if (is_missing(flight, at))
				return (int64_t)at;
		}
	}
	wish = partial_next_wanted(flight->partial);
	return wish >= 0 && is_missing(flight, (uint64_t)wish) ? wish : -1;
}

/* Caller holds mu. Claims the run; NULL when there is nothing to do or nobody to do it. */
static struct helper *take_wish(struct flight *flight)
{
	struct helper *helper;
	unsigned int slot = 1;
	uint64_t begin;
	uint64_t end;
	int64_t wish;

	if (!flight->partial || flight->no_helpers || flight->cancelled)
		return NULL;
	if (!flight->version.strong || !flight->version.ranges || flight->version.size < 0)
		return NULL;
	while (slot < FLIGHT_CLAIMS && flight->claims[slot].used)
		slot++;
	if (slot == FLIGHT_CLAIMS)
		return NULL;
	wish = find_wish(flight);
	if (wish < 0)
		return NULL;

	begin = (uint64_t)wish;
	flight->ahead_length = begin == flight->ahead_end ? flight->ahead_length * 2 : AHEAD_MIN;
	if (flight->ahead_length > AHEAD_MAX)
		flight->ahead_length = AHEAD_MAX;
	end = begin + CHUNK_SIZE;
	while (end < begin + flight->ahead_length && is_missing(flight, end))
		end += CHUNK_SIZE;
	if (end > (uint64_t)flight->version.size)
		end = (uint64_t)flight->version.size;

	helper = calloc(1, sizeof(*helper));
	if (!helper)
		return NULL;
	*helper = (struct helper){.flight = flight,
		.partial = flight->partial,
		.version = flight->version,
		.slot = slot,
		.begin = begin,
		.end = end};
	flight->ahead_end = end;
	flight->claims[slot] = (struct flight_claim){.begin = begin, .end = end, .used = true};
	flight->helpers++;
	flight->refs++;
	return helper;
}

void ahead_look(struct flight *flight)
{
	struct helper *helper;

	do {
		pthread_mutex_lock(&flight->mu);
		helper = take_wish(flight);
		pthread_mutex_unlock(&flight->mu);
		if (helper && queue_push(flight->fetchfs->helpers, helper_run, helper, NULL) < 0)
			helper_end(helper, -EAGAIN);
	} while (helper);
}

void ahead_stop(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	flight->partial = NULL;
	while (flight->helpers > 0)
		pthread_cond_wait(&flight->changed, &flight->mu);
	for (unsigned int i = 0; i < FLIGHT_CLAIMS; i++)
		flight->claims[i].used = false;
}
