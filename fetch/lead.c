#include "fetch/lead.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/ahead.h"
#include "fetch/freshness.h"
#include "fetch/gaps.h"
#include "fetch/lookup.h"
#include "fetch/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   30000
#define RETRY_AFTER_MAX  60 /* seconds: who asks for more is told to come back by himself */

struct lead {
	struct flight *flight;
	struct partial *partial;
	bool started;   /* the version of the partial is known, and readers were told */
	bool confirmed; /* the origin has answered for this version */
	bool unchanged; /* it said that the old version still holds */
	bool no_ranges; /* it does not serve them, whatever it says */
	bool retried_digest;
	struct entry old; /* a version that is here, but stale; old.uri NULL: none */
	struct object old_object;
	struct remote remote;
	uint64_t received; /* bytes of a file whose size was not told */
};

static bool has_old(const struct lead *lead)
{
	return lead->old.uri != NULL;
}

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
	cachedir_bump(&lead->flight->fetchfs->dir, &lead->flight->target->key);
	return r;
}

/* A new one, which also follows what the bytes are expected to hash to. */
static int create_partial(struct lead *lead, struct err *err)
{
	struct flight *flight = lead->flight;
	int r = partial_create(&flight->fetchfs->store, &flight->target->key, &lead->partial, err);

	return r < 0 ? r : partial_hash_also(lead->partial, flight->target->expected.kind, err);
}

/* The origin's first answer for this partial. */
static int begin_version(struct lead *lead, const struct remote *remote, struct err *err)
{
	struct ranges_version version = version_of(lead, remote);
	int r = partial_start(lead->partial, &version, err);

	if (r < 0)
		return r;
	lead->started = true;
	return tell_readers(lead, err);
}

struct lead_segment {
	struct segment segment; /* first */
	struct lead *lead;
};

static int on_begin(struct segment *segment, const struct remote *remote, struct err *err)
{
	struct lead *lead = ((struct lead_segment *)segment)->lead;
	const struct ranges_version *version;
	int r = target_check_remote(lead->flight->target, remote, err);

	if (r < 0)
		return r;
	if (remote->unchanged) {
		lead->remote = *remote;
		lead->unchanged = true;
		return 0;
	}
	if (!lead->confirmed)
		lead->remote = *remote;
	if (!lead->started) {
		lead->confirmed = true;
		return begin_version(lead, remote, err);
	}

	version = partial_version(lead->partial);
	if ((remote->size != SIZE_UNKNOWN && remote->size != version->size) ||
		strcmp(remote->validators.etag, version->etag) != 0)
		return err_set_retry(
			err, ERR_REMOTE, ESTALE, 0, "the artifact changed at its origin");
	if (lead->confirmed)
		return 0;
	lead->confirmed = true;
	return tell_readers(lead, err);
}

static int fetch_gap(struct lead *lead, const struct gap *gap, struct err *err)
{
	struct lead_segment part = {.lead = lead};
	struct validators known;
	bool conditional = true;
	int r;

	/* a part must be of this version; the whole file is asked for unconditionally, and checked
	 */
	if (lead->started && (gap->offset > 0 || gap->length > 0))
		known = ahead_validators(partial_version(lead->partial));
	else if (!lead->started && has_old(lead))
		known = old_validators(lead);
	else
		conditional = false;

	segment_init(&part.segment, lead->flight, lead->partial, 0, gap->offset);
	part.segment.on_begin = on_begin;
	r = segment_fetch(&part.segment, gap->length, conditional ? &known : NULL, err);
	lead->received = part.segment.position;
	if (r == 0 && !lead->started && !lead->unchanged)
		return err_set(err, ERR_REMOTE, EIO, "the origin's answer has no beginning");
	/* or the same would be asked for again and again */
	if (r == 0 && lead->started && !part.segment.reached &&
		partial_version(lead->partial)->size > 0 &&
		!partial_has(lead->partial, gap->offset, CHUNK_SIZE))
		return err_set(err, ERR_REMOTE, EIO, "the origin sent less than was asked for");
	return r;
}

/* All that is missing, once. */
static int fetch_missing(struct lead *lead, struct err *err)
{
	for (;;) {
		struct gap gap = {0};
		int r;

		if (lead->started && !gaps_next(lead->flight, lead->partial, &gap))
			return 0;
		r = flight_check(lead->flight, err);
		if (r == 0)
			r = fetch_gap(lead, &gap, err);
		if (r < 0 || lead->unchanged)
			return r;
	}
}

/* ---- trying again ---- */

/* Whether what has arrived can be completed by another request. */
static bool can_continue(const struct lead *lead)
{
	const struct ranges_version *version = partial_version(lead->partial);

	return lead->started && version->strong && version->ranges && version->size >= 0;
}

static int start_afresh(struct lead *lead, const struct err *why, struct err *err)
{
	struct flight *flight = lead->flight;
	int r;

	ahead_stop(flight);
	partial_fail(&lead->partial, NULL, false);
	lead->started = false;
	lead->confirmed = false;

	r = flight_restart(flight, err);
	if (r < 0) {
		/* a broken network is the better explanation, if it was that */
		if (why->code != ESTALE)
			*err = *why;
		return -err->code;
	}
	return create_partial(lead, err);
}

/* Many machines that lost one origin do not come back as one: half of the time is by chance. */
static unsigned int jittered(unsigned int ms)
{
	uint32_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = (uint32_t)clock_monotonic_ms();
	return ms / 2 + chance % (ms / 2 + 1);
}

static unsigned int backoff_ms(unsigned int tries, const struct err *err)
{
	unsigned int ms = BACKOFF_FIRST_MS << (tries < 8 ? tries : 8);

	if (ms > BACKOFF_MAX_MS)
		ms = BACKOFF_MAX_MS;
	return err->retry_after > 0 ? err->retry_after * 1000 : jittered(ms);
}

/* After a failed try: make another one possible. @err is the failure, and the result's if any. */
static int prepare_retry(struct lead *lead, unsigned int tries, struct err *err)
{
	struct err why = *err;
	int r;

	if (why.code == EOPNOTSUPP && lead->started && !lead->no_ranges)
		lead->no_ranges = true;
	else if (!why.retry || why.retry_after > RETRY_AFTER_MAX ||
		 tries >= lead->flight->fetchfs->config.retries)
		return -why.code;
	else if (why.code != ESTALE) {
		r = flight_pause(lead->flight, backoff_ms(tries, &why), err);
		if (r < 0)
			return r;
	}
	if (can_continue(lead) && why.code != ESTALE && !lead->no_ranges)
		return 0;
	return start_afresh(lead, &why, err);
}

static bool is_whole(const struct lead *lead)
{
	return lead->started && partial_version(lead->partial)->size >= 0 &&
	       partial_next_gap(lead->partial, 0) < 0;
}

static int fetch_all(struct lead *lead, struct err *err)
{
	for (unsigned int tries = 0;; tries++) {
		int r = fetch_missing(lead, err);

		/* interrupted with the last byte: only publishing is left, which is brief */
		if (r == -ECANCELED && is_whole(lead))
			return 0;
		if (r == 0 || r == -ECANCELED)
			return r;
		r = prepare_retry(lead, tries, err);
		if (r < 0)
			return r;
	}
}

/* ---- the end ---- */

static int fill_entry(const struct lead *lead, struct entry *ret, struct err *err)
{
	const struct target *target = lead->flight->target;
	const struct ranges_version *version = partial_version(lead->partial);
	int64_t now = clock_wall();
	struct entry entry = {
		.key = target->key,
		.scope = strdup(target->decision.scope),
		.uri = strdup(target->shown),
		.has_query = target->uri.query != NULL,
		.executable = target->executable,
		.etag = version->etag[0] ? strdup(version->etag) : NULL,
		.modified = version->modified,
		.fetched = now,
		.verified = now,
		/* nobody answered for what was complete already: asked at the next use */
		.expires = lead->confirmed ? freshness_until(&lead->flight->fetchfs->config,
						     &lead->remote, now)
					   : now,
	};

	if (!entry.scope || !entry.uri || (version->etag[0] && !entry.etag)) {
		entry_release(&entry);
		return err_oom(err);
	}
	*ret = entry;
	return 0;
}

static int publish(
	struct lead *lead, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	const struct target *target = lead->flight->target;
	uint64_t size = partial_version(lead->partial)->size >= 0
				? (uint64_t)partial_version(lead->partial)->size
				: lead->received;
	struct entry entry = {0};
	int r = fill_entry(lead, &entry, err);

	if (r < 0)
		return r;
	ahead_stop(lead->flight);
	r = partial_commit(&lead->partial, size, target->has_expected ? &target->expected : NULL,
		&entry, ret_object, err);
	if (r < 0) {
		entry_release(&entry);
		return r;
	}
	*ret_entry = entry;
	return 0;
}

/* The old version still holds. */
static int keep_old(
	struct lead *lead, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	struct fetchfs *fetchfs = lead->flight->fetchfs;
	int64_t now = clock_wall();
	int r;

	partial_fail(&lead->partial, NULL, false);
	lead->old.verified = now;
	lead->old.expires = freshness_until(&fetchfs->config, &lead->remote, now);
	r = catalog_confirm(fetchfs->catalog, &lead->old.key, now, lead->old.expires, err);
	if (r < 0)
		return r;
	*ret_object = object_steal(&lead->old_object);
	*ret_entry = lead->old;
	lead->old = (struct entry){0};
	return 0;
}

/* Fetch and publish; once more, afresh, when the bytes were not the expected ones. */
static int fetch_and_publish(
	struct lead *lead, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	for (;;) {
		int r = fetch_all(lead, err);

		if (r < 0)
			return r;
		if (lead->unchanged)
			return keep_old(lead, ret_object, ret_entry, err);
		r = publish(lead, ret_object, ret_entry, err);
		if (r != -EBADMSG || lead->retried_digest)
			return r;

		lead->retried_digest = true;
		lead->started = false;
		lead->confirmed = false;
		r = flight_restart(lead->flight, NULL);
		if (r == 0)
			r = create_partial(lead, err);
		if (r < 0)
			return -err->code;
	}
}

static int open_partial(struct lead *lead, struct err *err)
{
	const struct store *store = &lead->flight->fetchfs->store;
	const struct entry_key *key = &lead->flight->target->key;
	int r = partial_resume(store, key, &lead->partial, err);

	if (r == 0) {
		lead->started = true;
		return partial_hash_also(lead->partial, lead->flight->target->expected.kind, err);
	}
	return create_partial(lead, err);
}

static void give_up(struct lead *lead, const struct err *err)
{
	bool interrupted = err->code == ECANCELED;

	ahead_stop(lead->flight);
	/* who follows an interrupted leader takes over; a failure is everybody's */
	if (lead->partial)
		partial_fail(&lead->partial, interrupted ? NULL : err,
			can_continue(lead) && (interrupted || err->retry));
	if (err->code == ENOENT)
		lookup_remember_absent(lead->flight->fetchfs, lead->flight->target);
}

int lead_flight(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	struct lead lead = {.flight = flight, .remote = {.max_age = TIME_UNKNOWN}};
	int r = lookup_again(flight, ret_object, ret_entry, &lead.old, err);

	if (r <= 0)
		return r;
	lead.old_object = object_steal(ret_object);
	r = open_partial(&lead, err);
	if (r == 0)
		r = fetch_and_publish(&lead, ret_object, ret_entry, err);
	if (r < 0)
		give_up(&lead, err);
	object_release(&lead.old_object);
	entry_release(&lead.old);
	return r;
}
