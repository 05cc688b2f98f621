/* What a leader does after a failure: elsewhere, again, afresh, or no more. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/ahead.h"
#include "fetch/lazy.h"
#include "fetch/lead_private.h"

#include <errno.h>
#include <sys/random.h>

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MAX_MS   30000
#define BEAT_MS          500
#define CHANGES_MAX      3  /* of an artifact under one download */
#define RETRY_AFTER_MAX  60 /* seconds: who asks for more is told to come back by himself */

bool lead_can_continue(const struct lead *lead)
{
	const struct ranges_version *version;

	if (!lead->started)
		return false;
	version = partial_version(lead->partial);
	return version->strong && version->ranges && version->size >= 0 && !lead->no_ranges;
}

bool lead_may_keep(const struct lead *lead)
{
	/* beside a frozen leader nobody may ever look for it */
	return lead_can_continue(lead) && lead->flight->passed_by == 0 && !lead->windowed;
}

/* Whether the same version may come once more, from its beginning: who reads it can go on. */
static bool may_come_again(const struct lead *lead)
{
	const struct ranges_version *version;

	if (!lead->started)
		return false;
	version = partial_version(lead->partial);
	return version->strong && version->size >= 0 && !lead->windowed;
}

static int start_afresh(struct lead *lead, const struct err *why, struct err *err)
{
	struct flight *flight = lead->flight;
	int r;

	ahead_stop(flight);
	partial_fail(&lead->partial, NULL, false);
	lead->started = false;
	lead->left = lead->unchanged = false;
	lead->told = false;
	lead->confirmed = false;
	lead->from_start = false;
	lead->lazy = lead->windowed = false;
	lazy_give_up(flight);
	routes_afresh(&lead->routes, why->code == ESTALE);

	r = flight_restart(flight, err);
	if (r < 0) {
		/* a broken network is the better explanation, if it was that */
		if (why->code != ESTALE)
			*err = *why;
		return -err->code;
	}
	return lead_create_partial(lead, err);
}

/* The whole once more. What is here stays, since it is of the same version or the answer is
 * refused. */
static void come_again(struct lead *lead)
{
	struct flight *flight = lead->flight;

	lead->from_start = true;
	lead->lazy = false;
	lazy_give_up(flight);
	WITH_LOCK(&flight->mu);
	flight->no_helpers = true;
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
	/* nor do all those that were told the same time */
	return err->retry_after > 0 ? err->retry_after * 1000 + jittered(BACKOFF_FIRST_MS)
				    : jittered(ms);
}

/* Pause, and show others all the time that somebody is there. */
static int pause_visibly(struct lead *lead, unsigned int ms, struct err *err)
{
	int r = 0;

	while (r == 0 && ms > 0) {
		unsigned int step = ms < BEAT_MS ? ms : BEAT_MS;

		partial_beat(lead->partial);
		r = flight_pause(lead->flight, step, err);
		ms -= step;
	}
	return r;
}

/* Whether there is any use in another round. */
static bool may_retry(struct lead *lead, const struct err *err)
{
	const struct config *config = &lead->flight->fetchfs->config;
	/* who has something to hand out does not keep readers waiting for long */
	unsigned int limit =
		config->retries > 0 && lead_may_stand_in(lead, err) ? 1 : config->retries;

	/* another version is no failure: it is begun, however often may be retried */
	if (err->code == ESTALE && (lead->started || lead_is_small(lead)))
		return lead->changes++ < CHANGES_MAX && !flight_is_late(lead->flight);
	return err->retry && err->retry_after <= RETRY_AFTER_MAX && lead->tries < limit &&
	       !flight_is_late(lead->flight);
}

/*
 * Others have another version, as copies with other times are: what was begun is first looked for
 * where it may still be, though it failed just now, as often as after other failures.
 */
static bool may_come_back(const struct lead *lead, const struct err *err)
{
	return err->code == ESTALE && lead_can_continue(lead) && routes_are_left(&lead->routes) &&
	       lead->tries < lead->flight->fetchfs->config.retries && !flight_is_late(lead->flight);
}

/* A mirror's no is not the last word. */
static bool is_final(const struct lead *lead, const struct err *err)
{
	return !err->retry && (err->kind != ERR_REMOTE || !lead->flight->route->is_mirror);
}

/* Where it was begun it does not come back in time, or is no more: then what others have, if they
 * have it. */
static bool may_turn_to_another(struct lead *lead, const struct err *err)
{
	return lead->started && !is_final(lead, err) && routes_differ(&lead->routes) &&
	       lead->changes++ < CHANGES_MAX && !flight_is_late(lead->flight);
}

/* Whether the place is without ranges, or answers them with nonsense, whatever it or another one
 * said. */
static bool lacks_ranges(const struct lead *lead, const struct err *err)
{
	bool nonsense = err->code == EBADMSG && err->kind == ERR_REMOTE &&
			(lead->asks_for_part || lead->lazy);

	return (err->code == EOPNOTSUPP || nonsense) && lead->started && !lead->no_ranges;
}

/* Who took over for the place of the beginning may lack what others have. */
static bool is_elsewhere(const struct lead *lead)
{
	return !lead->begun_by || !route_same_place(lead->begun_by, lead->flight->route);
}

enum next { NEXT_ELSEWHERE, NEXT_PAUSE, NEXT_AFRESH, NEXT_ANOTHER, NEXT_END };

static enum next decide(struct lead *lead, const struct err *why)
{
	if (lacks_ranges(lead, why) && is_elsewhere(lead) && routes_failed(&lead->routes, why))
		return NEXT_ELSEWHERE;
	if (lacks_ranges(lead, why)) {
		lead->no_ranges = true;
		return NEXT_AFRESH;
	}
	if (!flight_is_late(lead->flight) && routes_failed(&lead->routes, why))
		return NEXT_ELSEWHERE;
	if (may_come_back(lead, why))
		return NEXT_PAUSE;
	if (!may_retry(lead, why))
		return may_turn_to_another(lead, why) ? NEXT_ANOTHER : NEXT_END;
	return why->code == ESTALE ? NEXT_ANOTHER : NEXT_PAUSE;
}

static int pause_before_retry(struct lead *lead, const struct err *why, struct err *err)
{
	/* others shall see that somebody tries, and hear how it ends */
	int r = lead->partial ? 0 : lead_create_partial(lead, err);

	return r < 0 ? r : pause_visibly(lead, backoff_ms(lead->tries++, why), err);
}

int lead_prepare_retry(struct lead *lead, struct err *err)
{
	struct err why = *err;
	enum next next = decide(lead, &why);

	if (next == NEXT_END)
		return -why.code;
	lead_note_retry(lead, &why);
	if (next == NEXT_PAUSE) {
		int r = pause_before_retry(lead, &why, err);

		if (r < 0)
			return r;
	}
	if (next != NEXT_AFRESH && next != NEXT_ANOTHER && lead_can_continue(lead))
		return 0;
	if (next == NEXT_ANOTHER || why.code == ESTALE || !may_come_again(lead))
		return start_afresh(lead, &why, err);
	come_again(lead);
	return 0;
}

int lead_retry_corrupt(struct lead *lead, struct err *err)
{
	int r;

	if (!routes_corrupt(&lead->routes, err)) {
		if (lead->retried_digest)
			return -err->code;
		lead->retried_digest = true;
	}
	lead_note_retry(lead, err);
	lead->started = false;
	lead->left = lead->unchanged = false;
	lead->told = false;
	lead->confirmed = false;
	lead->from_start = false;
	r = flight_restart(lead->flight, NULL);
	if (r == 0)
		r = lead_create_partial(lead, err);
	return r < 0 ? -err->code : 0;
}
