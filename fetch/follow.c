#include "fetch/follow.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "fetch/lookup.h"
#include "fetch/waits.h"

#include <errno.h>

/* A killed leader wakes nobody: look by ourselves so often. */
#define LOOK_MS 100

/* So often the leader is looked for, however much is going on. */
#define GONE_MS 1000

/* The same while it has no map: it may end at any moment. */
#define MAPLESS_LOOK_MS 20

/* After so long without a sign of life, what its last one says is believed: a late-comer need not
 * wait for as long again. A leader gives two a second. */
#define PROVEN_MS 3000

/* However short the limits are: a leader on a busy machine is no frozen one. */
#define PATIENCE_MIN_MS 5000

/* Whether the leader is gone: its lock is free. */
static bool leader_is_gone(struct flight *flight)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;

	return cachedir_lock_key(&flight->fetchfs->dir, &flight->lead_key, &lock) == 0;
}

/* How long a leader may give no sign of life. Without a map it cannot: it may be connecting. */
static int64_t patience_ms(const struct flight *flight, const struct watch *watch)
{
	const struct config *config = &flight->fetchfs->config;
	int64_t ms = 2 * config->stall_ms;

	if (ms < PATIENCE_MIN_MS)
		ms = PATIENCE_MIN_MS;
	return watch->map ? ms : ms + config->connect_ms + config->first_byte_ms;
}

/* Whether the leader, of whose map @header is if it has one, is frozen: stopped, or stuck. */
static bool is_frozen(const struct flight *flight, struct watch *watch, const struct ranges *ranges,
	const struct ranges_header *header)
{
	int64_t now = clock_monotonic_ms();
	int64_t patience = patience_ms(flight, watch);
	struct watch seen = {.map = ranges ? header->data_inode : 0, .since_ms = now};

	if (ranges && ranges_last_beat(ranges, &seen.beat, NULL) < 0)
		return false;
	if (watch->since_ms == 0 || seen.map != watch->map || seen.beat != watch->beat) {
		*watch = seen;
		return false;
	}
	if (now - watch->since_ms >= patience)
		return true;
	/* (the clock of another boot, or of another namespace, is another one) */
	return seen.beat > 0 && now - watch->since_ms >= PROVEN_MS && now - seen.beat >= patience;
}

static int published(struct flight *flight, struct object *ret_object, struct entry *ret_entry)
{
	/* evicted or replaced already, or of another kind than asked for: have a look ourselves */
	if (lookup_complete(flight->fetchfs, flight->target, ret_object, ret_entry, NULL) < 0)
		return 1;
	return 0;
}

/* The leader's failure is ours, unless it is about a digest that only the leader expected. */
static int failed(const struct ranges_header *header, struct err *err)
{
	if (header->err.kind == ERR_INTEGRITY)
		return 1;
	*err = header->err;
	return -err->code;
}

/* What one follower knows. */
struct following {
	struct flight *flight;
	struct watch *watch;
	struct ranges_header header; /* as it was last seen */
	struct follower follower;
	bool started; /* the flight knows the version */
	int64_t asked_ms;
	bool joined; /* the leader was seen at work: its outcome is ours */
};

/* Who came before the map was known could not ask; and a new leader knows nothing of old wishes. */
static void ask(struct following *f)
{
	int64_t now = clock_monotonic_ms();
	WITH_LOCK(&f->flight->mu);

	if (now - f->asked_ms < LOOK_MS)
		return;
	f->asked_ms = now;
	waits_ask(f->flight);
}

/* One look at the map. 2: nothing has ended. */
static int look(
	struct following *f, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	const struct ranges_header *header = &f->header;
	int r = 0;

	if (ranges_load(f->follower.ranges, &f->header, NULL) < 0)
		return 1;
	/* a leader that asked before somebody here wanted a new answer is waited for, no more */
	if (!f->joined && !flight_is_answered(f->flight, header->label.since))
		return header->state == RANGES_STARTING || header->state == RANGES_ACTIVE ? 2 : 1;
	switch (header->state) {
	case RANGES_DONE:
		if (f->started)
			flight_vouch(f->flight, &header->digest);
		return published(f->flight, ret_object, ret_entry);
	case RANGES_FAILED:
		/* of an earlier transfer, if it is the first thing we see */
		return f->joined ? failed(header, err) : 1;
	case RANGES_ABANDONED:
		return 1;
	case RANGES_ACTIVE:
		/* its leader knows a digest, and shows nobody what that has not vouched for */
		if (header->mixed)
			break;
		if (!f->started)
			r = flight_started(f->flight, &header->version, "",
				fd_steal(&f->follower.fd), NULL, f->follower.ranges, err);
		if (r < 0)
			return r;
		f->started = true;
		flight_progress(f->flight);
		ask(f);
		break;
	case RANGES_STARTING:
		break;
	}
	f->joined = true;
	return 2;
}

static int follow(
	struct following *f, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	const struct cachedir *dir = &f->flight->fetchfs->dir;
	const struct entry_key *key = &f->flight->lead_key;
	int64_t checked_ms = clock_monotonic_ms();

	for (;;) {
		uint32_t seen = cachedir_word(dir, key);
		int64_t now;
		int r = look(f, ret_object, ret_entry, err);

		if (r != 2)
			return r;
		r = flight_check(f->flight, err);
		if (r < 0)
			return r;
		cachedir_wait(dir, key, seen, LOOK_MS);
		/* others move the word, too: who waits like us, and whose keys share it */
		now = clock_monotonic_ms();
		if (cachedir_word(dir, key) != seen && now - checked_ms < GONE_MS)
			continue;
		checked_ms = now;
		if (leader_is_gone(f->flight)) {
			/* its last word may have come since the last look, and the map is gone */
			r = look(f, ret_object, ret_entry, err);
			return r == 2 ? 1 : r;
		}
		if (is_frozen(f->flight, f->watch, f->follower.ranges, &f->header))
			return FOLLOW_FROZEN;
	}
}

int follow_flight(struct flight *flight, struct watch *watch, struct object *ret_object,
	struct entry *ret_entry, struct err *err)
{
	const struct cachedir *dir = &flight->fetchfs->dir;
	const struct entry_key *key = &flight->lead_key;
	struct following f = {.flight = flight, .watch = watch};
	bool frozen;
	uint32_t seen = cachedir_word(dir, key);
	int r = follower_attach(&flight->fetchfs->store, key, &f.follower, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0) {
		r = follow(&f, ret_object, ret_entry, err);
		if (f.started)
			flight_detach(flight);
		follower_release(&f.follower);
	} else {
		r = 1;
	}
	if (r != 1 || f.joined || leader_is_gone(flight))
		return r;
	/* a leader has no map before it knows that it needs one; the word moves when it has, and
	 * after its unlock */
	frozen = is_frozen(flight, watch, NULL, NULL);
	if (!frozen)
		cachedir_wait(dir, key, seen, MAPLESS_LOOK_MS);
	return frozen ? FOLLOW_FROZEN : 1;
}
