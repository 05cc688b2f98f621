/* What a leader asks for: the whole file, or what is missing of it, until all is here. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/ahead.h"
#include "fetch/alone.h"
#include "fetch/gaps.h"
#include "fetch/lazy.h"
#include "fetch/lead_private.h"

#include <errno.h>
#include <string.h>

/* So often the version that was asked for is believed to have changed, before it is not asked for
 * any more, but taken from the answer that brings the whole. */
#define LAZY_CHANGES 2

/* So many bytes are worth as many tries as the first ones; of an origin that gives a byte for each
 * of them the end would never come. */
#define PROGRESS_MIN 16384

static struct validators old_validators(const struct lead *lead)
{
	struct validators validators = {.modified = lead->old.modified};

	if (lead->old.etag)
		str_fit(validators.etag, sizeof(validators.etag), lead->old.etag);
	return validators;
}

static struct ranges_version version_of(const struct lead *lead, const struct remote *remote)
{
	const char *etag = remote->validators.etag;
	struct ranges_version version = {
		.size = remote->size,
		.modified = remote->validators.modified,
		.ranges = remote->ranges && !lead->no_ranges,
		.strong = etag[0] != '\0' && !str_has_prefix(etag, "W/"),
	};

	str_fit(version.etag, sizeof(version.etag), etag);
	return version;
}

static int tell_readers(struct lead *lead, struct err *err)
{
	int fd = partial_reader_fd(lead->partial);
	int r;

	if (fd < 0)
		return err_set(err, ERR_SYSTEM, -fd, "open what has arrived: %m");
	r = flight_started(lead->flight, partial_version(lead->partial), lead->remote.type, fd,
		lead->partial, NULL, err);
	lead->told = r == 0;
	cachedir_bump(&lead->flight->fetchfs->dir, &lead->flight->lead_key);
	return r;
}

void lead_expect_small(struct lead *lead, bool expect)
{
	const struct store *store = &lead->flight->fetchfs->store;

	if (expect && !lead->expects_small)
		store_expect_small(store);
	if (!expect && lead->expects_small)
		store_expected_small(store);
	lead->expects_small = expect;
}

int lead_create_partial(struct lead *lead, struct err *err)
{
	struct flight *flight = lead->flight;
	struct partial_label label = flight_label(flight);
	int r;

	lead_expect_small(lead, false);
	r = partial_create(&flight->fetchfs->store, &label, &lead->partial, err);

	return r < 0 ? r : partial_hash_also(lead->partial, flight->target->expected.kind, err);
}

/* Whether there will never be room for all of it, and somebody may do with parts. */
static bool suits_window(const struct lead *lead, const struct ranges_version *version)
{
	struct flight *flight = lead->flight;
	const struct fetchfs *fetchfs = flight->fetchfs;

	if (!version->ranges || !version->strong || flight->target->has_expected ||
		store_could_hold(&fetchfs->store, target_share(flight->target, fetchfs),
			version->size, NULL) == 0)
		return false;
	WITH_LOCK(&flight->mu);
	return flight->to_be_read;
}

static void become_lazy(struct lead *lead)
{
	struct flight *flight = lead->flight;

	lead->lazy = true;
	lazy_begin(flight);
	WITH_LOCK(&flight->mu);
	flight->lazy = true;
}

static int start_partial(struct lead *lead, const struct ranges_version *version, struct err *err)
{
	lead->windowed = suits_window(lead, version);
	if (lead->windowed) {
		become_lazy(lead);
		return partial_start_windowed(lead->partial, version, err);
	}
	return lead->lazy ? partial_start_sparse(lead->partial, version, err)
			  : partial_start(lead->partial, version, err);
}

/* The origin's first answer for this partial. */
static int begin_version(struct lead *lead, const struct remote *remote, struct err *err)
{
	struct ranges_version version = version_of(lead, remote);
	int r = start_partial(lead, &version, err);

	if (r < 0)
		return r;
	lead->started = true;
	route_unref(lead->begun_by);
	lead->begun_by = route_ref(lead->flight->route);
	return tell_readers(lead, err);
}

/*
 * Whether parts from the current place may be put to what came from another one although its
 * validators differ: only where the whole is checked before anybody sees it.
 */
static bool is_like_any(const struct lead *lead)
{
	return lead->flight->target->has_expected && lead->begun_by &&
	       !route_same_place(lead->begun_by, lead->flight->route);
}

static struct lead *lead_of(struct segment *segment)
{
	return (struct lead *)((char *)segment - offsetof(struct lead, part));
}

/* Others shall see what is on its way. */
static int on_outgrown(struct segment *segment, struct err *err)
{
	struct lead *lead = lead_of(segment);
	int r = lead_create_partial(lead, err);

	segment->partial = lead->partial;
	return r == 0 && lead->small.begun ? begin_version(lead, &lead->remote, err) : r;
}

/* From now on, not from its last byte on, the answer ages. */
static void set_confirmed(struct lead *lead)
{
	if (!lead->confirmed)
		lead_note_answer(lead);
	lead->confirmed = true;
	lead->answered = clock_wall();
}

/* The first answer: what is small, and quick, needs no partial. */
static int begin(
	struct segment *segment, struct lead *lead, const struct remote *remote, struct err *err)
{
	int r = 0;

	set_confirmed(lead);
	if (segment->small && small_suits(remote->size)) {
		small_answered(&lead->small);
		return 0;
	}
	if (segment->small)
		r = on_outgrown(segment, err);
	segment->small = NULL;
	if (r == 0)
		r = begin_version(lead, remote, err);
	if (r < 0 || !lead->windowed)
		return r;
	segment->reached = true;
	return err_set(err, ERR_CANCELLED, ECANCELED, "what is read of it is asked for in parts");
}

static int on_begin(struct segment *segment, const struct remote *remote, struct err *err)
{
	struct lead *lead = lead_of(segment);
	const struct ranges_version *version;
	int r = target_check_remote(lead->flight->target, remote, err);

	if (r < 0)
		return r;
	if (remote->unchanged) {
		lead->remote = *remote;
		lead->unchanged = true;
		if (lead->left) {
			set_confirmed(lead);
			segment->reached = true; /* all that would follow is here */
		}
		return 0;
	}
	if (!lead->confirmed)
		lead->remote = *remote;
	if (!lead->started)
		return begin(segment, lead, remote, err);

	version = partial_version(lead->partial);
	if ((remote->size != SIZE_UNKNOWN && remote->size != version->size) ||
		(!is_like_any(lead) && strcmp(remote->validators.etag, version->etag) != 0))
		return err_set(err, ERR_REMOTE, ESTALE, "the artifact changed at its origin");
	/* who reads along expects no digest, nor may who comes next */
	if (strcmp(remote->validators.etag, version->etag) != 0)
		r = partial_mix(lead->partial, err);
	if (r < 0 || lead->confirmed)
		return r;
	set_confirmed(lead);
	return tell_readers(lead, err);
}

bool lead_is_small(const struct lead *lead)
{
	return !lead->partial && lead->small.begun;
}

static int check_small(const struct lead *lead, struct err *err)
{
	if (lead->remote.size < 0 || (uint64_t)lead->remote.size == lead->small.len)
		return 0;
	return err_set_retry(err, ERR_NETWORK, EIO, 0, "only %zu of %lld bytes arrived",
		lead->small.len, (long long)lead->remote.size);
}

static void init_part(struct lead *lead, struct route *route, uint64_t offset)
{
	struct segment *part = &lead->part;

	segment_init(part, lead->flight, route, lead->partial, 0, offset);
	part->on_begin = on_begin;
	part->passes_all = lead->from_start;
	if (lead->partial)
		return;
	small_begin(&lead->small);
	part->small = &lead->small;
	part->on_outgrown = on_outgrown;
}

bool lead_ask(struct lead *lead, void (*on_ready)(void *arg, bool whole))
{
	struct route *route;

	if (routes_current(&lead->routes, &route, NULL) < 0 || !route->backend->begin)
		return false;
	ahead_route(lead->flight, route);
	init_part(lead, route, 0);
	lead->asked = true;
	if (segment_begin(&lead->part, on_ready, lead, NULL) == 0)
		return true;
	lead->asked = false;
	return false;
}

/* One request. */
static int ask_for(struct lead *lead, const struct gap *gap, struct err *err)
{
	struct validators known;
	struct route *route;
	bool conditional = true;
	int r = routes_current(&lead->routes, &route, err);

	if (r < 0)
		return r;
	ahead_route(lead->flight, route);

	/* a part must be of this version; the whole file is asked for unconditionally, and checked
	 */
	if (lead->left ||
		(lead->started && (gap->offset > 0 || gap->length > 0) && !is_like_any(lead)))
		known = ahead_validators(partial_version(lead->partial));
	else if (!lead->started && lead_has_old(lead))
		known = old_validators(lead);
	else
		conditional = false;
	lead->asks_for_part = gap->offset > 0 || gap->length > 0;
	init_part(lead, route, gap->offset);
	return segment_fetch(&lead->part, gap->length, conditional ? &known : NULL, err);
}

static int fetch_gap(struct lead *lead, const struct gap *gap, struct err *err)
{
	bool asked = lead->asked;
	int r;

	lead->asked = false;
	r = asked ? segment_finish(&lead->part, err) : ask_for(lead, gap, err);
	lead->received = lead->part.position;
	if (r == 0 && lead_is_small(lead))
		return check_small(lead, err);
	if (r == 0 && !lead->started && !lead->unchanged)
		return err_set(err, ERR_REMOTE, EIO, "the origin's answer has no beginning");
	return r;
}

/* The version, without a byte of it, if that is all that is wanted. */
static int begin_lazily(struct lead *lead, struct err *err)
{
	struct remote remote;
	int r = lazy_learn(lead, &remote, err);

	if (r <= 0)
		return r;
	lead->remote = remote;
	if (!lead->started && lead_has_old(lead) &&
		str_equal(lead->old.etag, remote.validators.etag)) {
		lead->unchanged = true;
		return 0;
	}
	if (!lead->started && small_suits(remote.size))
		return 0;
	lead->lazy = true;
	set_confirmed(lead);
	r = lead->partial ? 0 : lead_create_partial(lead, err);
	if (r < 0)
		return r;
	become_lazy(lead);
	return lead->started ? tell_readers(lead, err) : begin_version(lead, &remote, err);
}

/* What readers wish, as long as nobody needs the whole. 0: now all that is missing. */
static int fetch_wishes(struct lead *lead, struct err *err)
{
	int r = 0;

	/* when it was asked for somebody needed all of it: that is taken, whoever has gone since */
	if (lead->asked)
		return 0;
	/* what seems to change all the time may only be described wrongly */
	if (!lead->no_ranges && lead->changes < LAZY_CHANGES &&
		(lead->windowed || lazy_suits(lead->flight)))
		r = begin_lazily(lead, err);
	if (r == 0 && lead->lazy && !lead->unchanged)
		r = lazy_serve(lead, err);
	if (r == 0 && lead->windowed)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "it does not come in parts any more");
	if (r == 0 && lead->started)
		r = partial_make_room(lead->partial, 0, UINT64_MAX, err);
	return r;
}

static bool must_be_asked_about(const struct lead *lead)
{
	return lead->left && !lead->confirmed;
}

/* All that is missing, once. */
static int fetch_missing(struct lead *lead, struct err *err)
{
	int r = fetch_wishes(lead, err);

	if (r != 0 || lead->unchanged)
		return r;
	for (;;) {
		struct gap gap = {0};

		if (lead->windowed)
			return lazy_serve(lead, err);
		if (lead->started && !must_be_asked_about(lead) &&
			!alone_next(lead->flight, &gap) &&
			!gaps_next(lead->flight, lead->partial, &gap))
			return 0;
		if (lead->from_start)
			gap = (struct gap){0};
		/* what has been asked for must be finished: it looks for itself */
		r = lead->asked ? 0 : flight_check(lead->flight, err);
		if (r == 0)
			r = fetch_gap(lead, &gap, err);
		if (r < 0 || lead->unchanged || lead_is_small(lead))
			return r;
	}
}

bool lead_is_whole(const struct lead *lead)
{
	return lead->started && partial_version(lead->partial)->size >= 0 &&
	       partial_next_gap(lead->partial, 0) < 0;
}

/* Whether something has come since this was last so: then the origin is not without hope. */
static bool has_progressed(struct lead *lead)
{
	WITH_LOCK(&lead->flight->mu);

	if (lead->flight->written - lead->written < PROGRESS_MIN)
		return false;
	lead->written = lead->flight->written;
	return true;
}

int lead_fetch_all(struct lead *lead, struct err *err)
{
	for (;;) {
		int r = fetch_missing(lead, err);

		/* interrupted with the last byte: only publishing is left, which is brief */
		if (r == -ECANCELED && lead_is_whole(lead) && !must_be_asked_about(lead))
			r = 0;
		if (r == 0 && !lead->unchanged)
			r = lead_confirm(lead, err);
		if (r >= 0 || r == -ECANCELED)
			return r;
		if (lead_can_continue(lead) && has_progressed(lead))
			lead->tries = 0;
		if (lead->brief)
			return lead_put_off(lead, err);
		r = lead_prepare_retry(lead, err);
		if (r < 0)
			return r;
	}
}
