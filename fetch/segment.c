#include "fetch/segment.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/ahead.h"
#include "fetch/alone.h"
#include "fetch/segment_enter.h"

#include <errno.h>

#define LOOK_INTERVAL_MS 50
#define RATE_WINDOW_MS   50
#define BUSY_WINDOW_MS   1000
#define NEAR_MS          250
#define NEAR_MIN         (8 * CHUNK_SIZE)
#define NEAR_UNMEASURED  (64 * CHUNK_SIZE)

/*
 * The next byte is the first one for its chunk. -ECANCELED with reached set when what follows is
 * not ours, and too much to pass over.
 */
static int enter_chunk(struct segment *segment, struct err *err)
{
	enum segment_entered entered = segment->slot == 0 ? segment_enter(segment) : SEGMENT_OURS;
	int r;

	segment->entered = true;
	if (entered == SEGMENT_END) {
		segment->reached = true;
		return err_set(err, ERR_CANCELLED, ECANCELED, "the rest is here");
	}
	if (entered == SEGMENT_OTHERS) {
		partial_writer_free(segment->writer);
		segment->writer = NULL;
		return 0;
	}
	if (segment->writer)
		return 0;
	r = partial_writer_new(segment->partial, segment->position, &segment->writer, err);
	if (r == 0 && segment->cloned)
		partial_writer_in_place(segment->writer);
	return r;
}

/* What the leader fetches in a quarter of a second is not worth a request of its own. */
static void measure_rate(struct segment *segment, size_t len)
{
	int64_t now = clock_monotonic_ms();
	int64_t elapsed = now - segment->window_ms;
	uint64_t near;

	segment->window_bytes += len;
	if (segment->slot != 0 || elapsed < RATE_WINDOW_MS)
		return;
	near = segment->window_bytes * NEAR_MS / (uint64_t)elapsed;
	segment->window_ms = now;
	segment->window_bytes = 0;

	WITH_LOCK(&segment->flight->mu);
	segment->flight->near = near > NEAR_MIN ? near : NEAR_MIN;
}

/* @len bytes came in, and took until now from @since (monotonic ms) to be put away. */
static void account(struct segment *segment, size_t len, int64_t since)
{
	struct flight *flight = segment->flight;
	struct flight_claim *claim = &flight->claims[segment->slot];
	int64_t now = clock_monotonic_ms();
	WITH_LOCK(&flight->mu);

	segment->busy_ms += now - since;
	claim->moved_ms = now;
	claim->begun = true;
	flight->written += segment->put;
	if (segment->slot == 0)
		flight->window = segment->sink.window;
	segment->put = 0;
	streams_received(&flight->streams, len);
}

/* The leader's, now and then: are there wishes, would another connection pay? */
static void look_around(struct segment *segment)
{
	int64_t now = clock_monotonic_ms();
	int64_t elapsed = now - segment->busy_since_ms;
	int64_t behind;

	if (segment->slot != 0 || now - segment->looked_ms < LOOK_INTERVAL_MS)
		return;
	segment->looked_ms = now;
	behind = segment->sink.behind_ms - segment->behind_ms;
	ahead_measure(segment->flight, segment->busy_ms * 2 < elapsed && behind * 4 < elapsed);
	if (elapsed >= BUSY_WINDOW_MS) {
		segment->busy_since_ms = now;
		segment->busy_ms = 0;
		segment->behind_ms = segment->sink.behind_ms;
	}
	ahead_look(segment->flight);
}

/* A helper's work is in vain once the leader has given the partial up; the leader's may be less
 * urgent than another. */
static int check(struct segment *segment, struct err *err)
{
	struct flight *flight = segment->flight;

	if (segment->slot != 0) {
		WITH_LOCK(&flight->mu);
		if (flight->partial != segment->partial || flight->claims[segment->slot].dropped)
			return err_set(err, ERR_CANCELLED, ECANCELED, "not wanted any more");
	} else if (alone_is_called(flight)) {
		segment->reached = true;
		return err_set(err, ERR_CANCELLED, ECANCELED, "called away");
	}
	return flight_check(flight, err);
}

static int on_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct segment *segment = (struct segment *)sink;

	return segment->on_begin(segment, remote, err);
}

/* For whole files only: what is here already is not written over. */
static int on_clone(struct sink *sink, int fd, int *ret_fd)
{
	struct segment *segment = (struct segment *)sink;
	int r;

	if (segment->slot != 0 || segment->small || !segment->partial || segment->position > 0)
		return -EOPNOTSUPP;
	r = partial_clone(segment->partial, fd, ret_fd);
	segment->cloned = r == 0;
	return r;
}

static int write_piece(struct segment *segment, const char *buf, size_t len, struct err *err)
{
	int r;

	if (segment->position % CHUNK_SIZE == 0 || !segment->entered) {
		r = enter_chunk(segment, err);
		if (r < 0)
			return r;
	}
	if (segment->writer) {
		r = partial_write(segment->writer, buf, len, err);
		if (r < 0)
			return r;
		segment->put += len;
	}
	segment->position += len;
	return 0;
}

static int write_pieces(struct segment *segment, const char *buf, size_t len, struct err *err)
{
	while (len > 0) {
		size_t room = (size_t)(CHUNK_SIZE - segment->position % CHUNK_SIZE);
		size_t n = len < room ? len : room;
		int r = write_piece(segment, buf, n, err);

		if (r < 0)
			return r;
		buf += n;
		len -= n;
	}
	return 0;
}

/* From memory into a partial. */
static int outgrow(struct segment *segment, struct err *err)
{
	const struct small *small = segment->small;
	int r = segment->on_outgrown(segment, err);

	if (r < 0)
		return r;
	segment->small = NULL;
	segment->position = 0;
	r = write_pieces(segment, small->bytes, small->len, err);
	flight_progress(segment->flight);
	return r;
}

static int add_to_small(struct segment *segment, const char *buf, size_t len, struct err *err)
{
	int r = small_add(segment->small, buf, len, err);

	if (r == 0) {
		segment->position += len;
		return small_is_slow(segment->small) ? outgrow(segment, err) : 0;
	}
	if (r == 1)
		r = outgrow(segment, err);
	return r < 0 ? r : write_pieces(segment, buf, len, err);
}

static int on_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct segment *segment = (struct segment *)sink;
	struct fetchfs *fetchfs = segment->flight->fetchfs;
	int64_t since = clock_monotonic_ms();
	int r;

	atomic_fetch_add(&fetchfs->meter.fetched_bytes, len);
	if (segment->small)
		r = add_to_small(segment, buf, len, err);
	else
		r = write_pieces(segment, buf, len, err);
	if (r < 0)
		return r;
	if (segment->small)
		return check(segment, err);
	measure_rate(segment, len);
	flight_progress(segment->flight);
	cachedir_bump(&fetchfs->dir, &segment->flight->lead_key);
	account(segment, len, since);
	look_around(segment);
	return check(segment, err);
}

static int on_poll(struct sink *sink, struct err *err)
{
	struct segment *segment = (struct segment *)sink;
	int r = 0;

	if (segment->small && sink->queued)
		small_begin(segment->small);
	if (segment->small && small_is_slow(segment->small))
		r = outgrow(segment, err);
	if (r < 0)
		return r;
	if (!segment->small) {
		if (segment->slot == 0)
			partial_beat(segment->partial);
		measure_rate(segment, 0);
		look_around(segment);
	}
	return check(segment, err);
}

void segment_init(struct segment *segment, struct flight *flight, struct route *route,
	struct partial *partial, unsigned int slot, uint64_t offset)
{
	*segment = (struct segment){
		.sink = {.begin = on_begin, .write = on_write, .poll = on_poll, .clone = on_clone},
		.flight = flight,
		.route = route_ref(route),
		.partial = partial,
		.slot = slot,
		.position = offset,
		.window_ms = clock_monotonic_ms(),
		.busy_since_ms = clock_monotonic_ms(),
	};
}

/* What the leader is about to fetch is nobody's wish any more, before its first byte is here. */
static void claim_start(const struct segment *segment)
{
	struct flight *flight = segment->flight;
	struct flight_claim *claim = &flight->claims[0];

	if (segment->slot != 0)
		return;
	WITH_LOCK(&flight->mu);
	if (!claim->used)
		*claim = (struct flight_claim){
			.begin = segment->position - segment->position % CHUNK_SIZE,
			.end = chunk_after(segment->position),
			.used = true};
	if (flight->near == 0)
		flight->near = NEAR_UNMEASURED;
}

/* What was seen of the way; failures are for whoever chooses the next one. */
static void note_speed(const struct segment *segment)
{
	struct health *health = segment->flight->fetchfs->health;

	if (segment->position == segment->first)
		return;
	health_worked(health, segment->route->host, segment->position - segment->first,
		clock_monotonic_ms() - segment->asked_ms);
	if (segment->route->proxy)
		health_worked(health, segment->route->proxy, 0, 0);
}

/*
 * A part may be shorter than what was asked for; the next request is for the rest. But it takes
 * that part further by a chunk, or there would be no end to the requests.
 */
static int check_part(const struct segment *segment, struct err *err)
{
	int64_t size = segment->partial ? partial_version(segment->partial)->size : SIZE_UNKNOWN;
	uint64_t length = segment->request.length;
	uint64_t end = segment->first + length;

	if (segment->reached || size < 0)
		return 0;
	if (length == 0 || end > (uint64_t)size)
		end = (uint64_t)size;
	if (segment->position >= end || segment->position - segment->first >= CHUNK_SIZE)
		return 0;
	return err_set_retry(err, ERR_REMOTE, EIO, 0, "the origin sent less than was asked for");
}

/* Fill in the request. conclude() follows, whatever comes. */
static int prepare(
	struct segment *segment, uint64_t length, const struct validators *known, struct err *err)
{
	const struct target *target = segment->flight->target;
	struct fetchfs *fetchfs = segment->flight->fetchfs;
	const struct route *route = segment->route;
	int r;

	segment->request = (struct backend_request){
		.offset = segment->position,
		.length = length,
		.known = known,
		.guard = &target->decision.guard,
		.user = target_user(target),
		.own_connection = segment->own_connection,
	};
	route_fill(fetchfs, route, &segment->request);
	segment->first = segment->position;
	segment->asked_ms = clock_monotonic_ms();
	health_enter(fetchfs->health, route->host);
	r = credentials_load(
		&fetchfs->config, &target->decision, &route->uri, &segment->credentials, err);
	segment->request.access = credentials_access(&segment->credentials);
	claim_start(segment);
	return r;
}

/* The end of the request: @r is what became of it. */
static int conclude(struct segment *segment, int r, struct err *err)
{
	health_leave(segment->flight->fetchfs->health, segment->route->host);
	note_speed(segment);
	credentials_release(&segment->credentials);
	partial_writer_free(segment->writer);
	segment->writer = NULL;
	route_unref(segment->route);
	segment->route = NULL;
	if (r == 0)
		r = check_part(segment, err);
	/* what has arrived so far may be of two versions */
	if (!segment->reached || r == -ESTALE)
		return r;
	if (err)
		err->code = 0;
	return 0;
}

int segment_fetch(
	struct segment *segment, uint64_t length, const struct validators *known, struct err *err)
{
	struct fetchfs *fetchfs = segment->flight->fetchfs;
	int r = prepare(segment, length, known, err);

	if (r == 0)
		r = segment->route->backend->fetch(
			fetchfs->env, &segment->request, &segment->sink, err);
	return conclude(segment, r, err);
}

/* As long as nobody waits who would look himself. */
static int is_wanted(void *arg, struct err *err)
{
	return flight_check(arg, err);
}

int segment_begin(struct segment *segment, void (*on_ready)(void *arg, bool whole), void *arg,
	struct err *err)
{
	struct fetchfs *fetchfs = segment->flight->fetchfs;
	int r = prepare(segment, 0, NULL, err);

	segment->request.on_ready = on_ready;
	segment->request.ready_arg = arg;
	segment->request.poll = is_wanted;
	segment->request.poll_arg = segment->flight;
	if (r == 0)
		r = segment->route->backend->begin(
			fetchfs->env, &segment->request, &segment->call, err);
	return r < 0 ? conclude(segment, r, err) : 0;
}

int segment_finish(struct segment *segment, struct err *err)
{
	const struct backend *backend = segment->route->backend;

	return conclude(segment, backend->finish(segment->call, &segment->sink, err), err);
}
