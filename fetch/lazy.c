#include "fetch/lazy.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/ahead.h"
#include "fetch/freshness.h"
#include "fetch/lead.h"
#include "fetch/lookup.h"

#include <errno.h>

#define REST_MS     5000 /* without a wish */
#define MAKE_WAY_MS 200  /* the same, while others of its user wait for their turn */
#define LOOK_MS     100

bool lazy_suits(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return flight->fetchfs->config.lazy_ranges && !flight_wants_whole(flight);
}

static int is_wanted(void *arg, struct err *err)
{
	return flight_check(arg, err);
}

static int ask(struct lead *lead, struct remote *ret, struct err *err)
{
	struct flight *flight = lead->flight;
	struct route *route;
	int64_t now = clock_wall();
	int r = routes_current(&lead->routes, &route, err);

	if (r < 0)
		return r;
	ahead_route(flight, route);
	r = route_ask(
		flight->fetchfs, flight->target, route, is_wanted, flight, route_stat, ret, err);
	if (r == 0)
		r = target_check_remote(flight->target, ret, err);
	if (r == 0)
		lookup_learned(flight->fetchfs, flight->target, ret, now,
			freshness_until(&flight->target->decision, ret, now));
	return r;
}

int lazy_learn(struct lead *lead, struct remote *ret, struct err *err)
{
	const struct ranges_version *version =
		lead->started ? partial_version(lead->partial) : NULL;
	int r;

	if (version &&
		lookup_knows(lead->flight->fetchfs, lead->flight->target, version, clock_wall())) {
		*ret = (struct remote){.size = version->size,
			.validators = ahead_validators(version),
			.ranges = true,
			.max_age = TIME_UNKNOWN};
		return 1;
	}
	r = ask(lead, ret, err);
	if (r < 0)
		return r == -EOPNOTSUPP ? 0 : r;
	if (version &&
		(ret->size != version->size || !str_equal(ret->validators.etag, version->etag)))
		return err_set(err, ERR_REMOTE, ESTALE, "the artifact changed at its origin");
	return ret->ranges && ret->size > 0 && ret->validators.etag[0] &&
	       !str_has_prefix(ret->validators.etag, "W/");
}

/* A helper's failure is the leader's, who knows other ways, or waits. */
static int take_failure(struct flight *flight, struct err *err)
{
	WITH_LOCK(&flight->mu);

	if (!flight->helper_err.code)
		return 0;
	*err = flight->helper_err;
	flight->helper_err.code = 0;
	flight->helpers_after_ms = 0;
	flight->no_helpers = false;
	return -err->code;
}

static bool whole_is_wanted(struct lead *lead)
{
	struct flight *flight = lead->flight;
	WITH_LOCK(&flight->mu);

	return flight_wants_whole(flight) || partial_whole_wanted(lead->partial);
}

static bool has_work(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return flight->waits || flight->helpers > 0;
}

void lazy_begin(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	flight->claims[0].used = false;
	flight->helper_err.code = 0;
	flight->helpers_after_ms = 0;
	flight->no_helpers = false;
}

void lazy_give_up(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	flight->lazy = false;
}

static bool is_to_rest(struct flight *flight, int64_t quiet_ms)
{
	WITH_LOCK(&flight->fetchfs->mu);

	return quiet_ms >= (turns_is_awaited(&flight->ticket) ? MAKE_WAY_MS : REST_MS);
}

/* One look. 1: nothing is to be done but wait. */
static int look(struct lead *lead, int64_t *quiet_since, struct err *err)
{
	struct flight *flight = lead->flight;
	int r = flight_check(flight, err);

	if (r == 0)
		r = take_failure(flight, err);
	if (r < 0)
		return r;
	if (partial_next_gap(lead->partial, partial_frontier(lead->partial)) < 0)
		return 0;
	if (!lead->windowed && whole_is_wanted(lead)) {
		lazy_give_up(flight);
		lead->lazy = false;
		return 0;
	}
	ahead_look(flight);
	if (has_work(flight)) {
		*quiet_since = clock_monotonic_ms();
		return 1;
	}
	flight_limit(flight); /* who is asked for nothing cannot be late */
	if (is_to_rest(flight, clock_monotonic_ms() - *quiet_since) && flight_rest(flight))
		return LEAD_RESTS;
	return 1;
}

int lazy_serve(struct lead *lead, struct err *err)
{
	struct flight *flight = lead->flight;
	const struct cachedir *dir = &flight->fetchfs->dir;
	const struct entry_key *key = &flight->lead_key;
	int64_t quiet_since = clock_monotonic_ms();
	struct route *route;
	int r = routes_current(&lead->routes, &route, err);

	if (r < 0)
		return r;
	ahead_route(flight, route);
	for (;;) {
		uint32_t seen = cachedir_word(dir, key);

		partial_beat(lead->partial);
		r = look(lead, &quiet_since, err);
		if (r != 1)
			return r;
		cachedir_wait(dir, key, seen, LOOK_MS);
	}
}
