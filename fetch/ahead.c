#include "fetch/ahead.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/alone.h"
#include "fetch/connections.h"
#include "fetch/segment.h"

#include <errno.h>
#include <stdlib.h>

/* Reads that follow each other arrive from several threads: so far apart they may be for a moment.
 */
#define AHEAD_GAP (16 * CHUNK_SIZE)

/* After a helper failed, none for so long, twice as long each time, and for as long as the origin
 * asks for. */
#define FAILED_MS      2000
#define FAILED_DOUBLED 5

struct helper {
	struct flight *flight; /* a reference */
	struct route *route;   /* a reference */
	struct partial *partial;
	struct ranges_version version;
	unsigned int slot;
	uint64_t begin;
	uint64_t end;
	bool for_wish;
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

/* Caller holds mu. Whatever it was, the leader comes by in time, and tells. */
static void note_failure(struct flight *flight, const struct err *err)
{
	int64_t now = clock_monotonic_ms();

	if (err->code == ECANCELED)
		return;
	flight->helper_err = *err;
	if (now >= flight->helpers_after_ms) { /* several at once count as one */
		int64_t pause = FAILED_MS << flight->helper_failures;
		int64_t asked = err->retry_after * INT64_C(1000);

		flight->helper_failures += flight->helper_failures < FAILED_DOUBLED;
		flight->helpers_after_ms = now + (pause > asked ? pause : asked);
	}
	streams_failed(&flight->streams, now);
	if (err->code == EOPNOTSUPP || err->code == ESTALE || err->code == EBADMSG)
		flight->no_helpers = true;
}

/* @err->code is 0 if all went well. */
static void helper_end(struct helper *helper, const struct err *err)
{
	struct flight *flight = helper->flight;

	pthread_mutex_lock(&flight->mu);
	flight->claims[helper->slot].used = false;
	flight->helpers--;
	flight->wishes -= helper->for_wish;
	if (err->code)
		note_failure(flight, err);
	else
		flight->helper_failures = 0;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->mu);

	if (!err->code)
		ahead_look(flight);
	flight_land(flight);
	route_unref(helper->route);
	free(helper);
}

static void helper_run(void *arg)
{
	struct helper *helper = arg;
	struct validators known = ahead_validators(&helper->version);
	struct segment segment;
	struct err err = ERR_INIT;

	segment_init(&segment, helper->flight, helper->route, helper->partial, helper->slot,
		helper->begin);
	segment.on_begin = on_begin;
	segment.own_connection = !helper->for_wish;
	if (partial_make_room(helper->partial, helper->begin, helper->end - helper->begin, &err) ==
		0)
		segment_fetch(&segment, helper->end - helper->begin, &known, &err);
	helper_end(helper, &err);
}

/*
 * Caller holds mu. Up to where the leader brings things in time: what is near, and what follows
 * closely something that is waited for and near. Who reads on (the kernel does so, ahead of
 * its readers) gets the bytes in their order anyhow; a request of its own is for who jumped.
 */
static uint64_t leader_reach(const struct flight *flight)
{
	uint64_t near = flight->near > flight->window ? flight->near : flight->window;
	uint64_t reach = flight->claims[0].begin + near;
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
	return !gaps_claimed(flight, offset, 0);
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

/* Caller holds mu. Where the missing bytes that begin at @offset end, at most @max later: no
 * further than to a chunk of which something is here. */
static uint64_t missing_until(const struct flight *flight, uint64_t offset, uint64_t max)
{
	uint64_t size = (uint64_t)flight->version.size;
	uint64_t end = offset + CHUNK_SIZE;

	while (end < offset + max && end < size && is_missing(flight, end) &&
		!partial_has(flight->partial, end, 1))
		end += CHUNK_SIZE;
	return end < size ? end : size;
}

/* Caller holds mu. */
static uint64_t run_max(const struct flight *flight, uint64_t length)
{
	uint64_t max = partial_run_max(flight->partial);

	return length < max ? length : max;
}

/* Caller holds mu. The run that a reader waits for; false: nobody waits for anything. */
static bool run_for_wish(struct flight *flight, struct gap *ret)
{
	unsigned int max = flight->lazy ? FLIGHT_WISHES_LAZY : FLIGHT_WISHES;
	int64_t wish = flight->wishes < max ? find_wish(flight) : -1;
	uint64_t max_length;
	uint64_t end;

	if (wish < 0)
		return false;
	ret->offset = (uint64_t)wish;
	max_length = run_max(flight, readahead_miss(&flight->readahead, ret->offset));
	end = missing_until(flight, ret->offset, max_length);
	readahead_cut(&flight->readahead, ret->offset, end - ret->offset);
	ret->length = end - ret->offset;
	return true;
}

/* Caller holds mu. The run that a reader will come to soon, if he goes on like this. */
static bool run_for_reader(struct flight *flight, struct gap *ret)
{
	struct flight_ahead ahead = flight->ahead;
	uint64_t end = ahead.at + run_max(flight, ahead.length);

	flight->ahead.length = 0;
	if (end > (uint64_t)flight->version.size)
		end = (uint64_t)flight->version.size;
	while (ahead.at < end && !is_missing(flight, ahead.at))
		ahead.at += CHUNK_SIZE;
	if (ahead.length == 0 || ahead.at >= end)
		return false;
	ret->offset = ahead.at;
	ret->length = missing_until(flight, ahead.at, end - ahead.at) - ahead.at;
	return true;
}

/* Caller holds mu. */
static bool run_for_speed(const struct flight *flight, struct gap *ret)
{
	return flight->route->backend->cheap_parts &&
	       flight->helpers + 1 < flight->streams.wanted && connections_for_speed(flight) > 0 &&
	       gaps_for_speed(flight, ret);
}

/* Caller holds mu: whether helpers may be started at @now. */
static bool may_help(const struct flight *flight, int64_t now)
{
	const struct ranges_version *version = &flight->version;

	return flight->partial && flight->route && !flight->no_helpers && !flight->cancelled &&
	       now >= flight->helpers_after_ms && version->strong && version->ranges &&
	       version->size >= 0;
}

/* Caller holds mu. A slot, or FLIGHT_CLAIMS when there can be no helper now. */
static unsigned int free_slot(const struct flight *flight)
{
	unsigned int slot = 1;

	if (!may_help(flight, clock_monotonic_ms()))
		return FLIGHT_CLAIMS;
	while (slot < FLIGHT_CLAIMS && flight->claims[slot].used)
		slot++;
	return slot;
}

/* Caller holds mu. What is here of the first chunk of @run need not come again. */
static void skip_begun(const struct flight *flight, struct gap *run)
{
	uint64_t first = (uint64_t)partial_next_gap(flight->partial, run->offset);

	/* of a window it may go before the rest has come; who writes the chunk keeps what is there
	 */
	if (flight->windowed)
		return;
	if (first <= run->offset || first >= run->offset + run->length)
		return;
	run->length -= first - run->offset;
	run->offset = first;
}

bool ahead_wish(struct flight *flight, struct gap *ret)
{
	if (!run_for_wish(flight, ret) && !run_for_reader(flight, ret))
		return false;
	skip_begun(flight, ret);
	return true;
}

/* Caller holds mu. Claims the run; NULL when there is nothing to do or nobody to do it. */
static struct helper *take_run(struct flight *flight)
{
	unsigned int slot = free_slot(flight);
	struct helper *helper;
	bool for_wish;
	struct gap run;

	if (slot == FLIGHT_CLAIMS)
		return NULL;
	if (alone_leads(flight)) {
		flight->called = flight->called || find_wish(flight) >= 0;
		return NULL;
	}
	for_wish = ahead_wish(flight, &run);
	if (!for_wish && !run_for_speed(flight, &run))
		return NULL;
	helper = calloc(1, sizeof(*helper));
	if (!helper)
		return NULL;
	*helper = (struct helper){.flight = flight,
		.route = route_ref(flight->route),
		.partial = flight->partial,
		.version = flight->version,
		.slot = slot,
		.begin = run.offset,
		.end = run.offset + run.length,
		.for_wish = for_wish};
	flight->claims[slot] = (struct flight_claim){.begin = helper->begin,
		.end = helper->end,
		.used = true,
		.moved_ms = clock_monotonic_ms()};
	flight->helpers++;
	flight->helped = true;
	flight->wishes += for_wish;
	if (for_wish)
		flight->wished_ms = clock_monotonic_ms();
	flight->refs++;
	return helper;
}

bool ahead_note_read(struct flight *flight, uint64_t end)
{
	uint64_t at = 0;
	uint64_t length;

	if (!flight->partial || flight->ahead.length > 0)
		return false;
	length = readahead_hit(&flight->readahead, end, &at);
	flight->ahead = (struct flight_ahead){.at = at, .length = length};
	return length > 0;
}

void ahead_look(struct flight *flight)
{
	struct err err = ERR_INIT;
	struct helper *helper;

	do {
		pthread_mutex_lock(&flight->mu);
		helper = take_run(flight);
		pthread_mutex_unlock(&flight->mu);
		if (helper && queue_push(flight->fetchfs->helpers, helper_run, helper, &err) < 0)
			helper_end(helper, &err);
	} while (helper && !err.code);
}

/* Caller holds mu. */
static bool all_delivering(const struct flight *flight)
{
	for (unsigned int i = 1; i < FLIGHT_CLAIMS; i++)
		if (flight->claims[i].used && !flight->claims[i].begun)
			return false;
	return true;
}

void ahead_measure(struct flight *flight, bool network_bound)
{
	int64_t now = clock_monotonic_ms();
	/* always looked at: what it says is about the time since the last look */
	bool busy = machine_is_busy(&flight->fetchfs->machine, now);
	WITH_LOCK(&flight->mu);

	if (flight->streams.wanted == 0)
		streams_init(&flight->streams, now);
	if (!may_help(flight, now))
		return;
	streams_judge(&flight->streams,
		&(struct streams_view){
			.now = now,
			.network_bound = network_bound,
			.machine_busy = busy,
			.all_delivering = all_delivering(flight),
			.left = gaps_left(flight),
			.max = 1 + flight->helpers + connections_for_speed(flight),
		});
}

void ahead_route(struct flight *flight, struct route *route)
{
	struct route *before;

	pthread_mutex_lock(&flight->mu);
	before = flight->route;
	flight->route = route ? route_ref(route) : NULL;
	pthread_mutex_unlock(&flight->mu);
	route_unref(before);
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
