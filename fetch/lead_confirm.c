/* Whether what has arrived is still what its origin has, where only the origin can tell. */
#include "base/clock.h"
#include "fetch/ahead.h"
#include "fetch/lead_private.h"

#include <errno.h>

/* All is here: that nobody waits for more is no reason to let it go again, for so long. */
#define BRIEF_MS 10000

struct confirm {
	struct lead *lead;
	struct remote told;
	int64_t until_ms; /* monotonic */
};

/* Meanwhile others shall see that somebody is there. */
static int is_wanted(void *arg, struct err *err)
{
	const struct confirm *confirm = arg;
	struct lead *lead = confirm->lead;

	if (lead->partial)
		partial_beat(lead->partial);
	if (atomic_load(&lead->flight->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "interrupted");
	return clock_monotonic_ms() < confirm->until_ms ? 0 : flight_check(lead->flight, err);
}

static int ask(const struct backend *backend, const struct backend_env *env,
	const struct backend_request *request, void *arg, struct err *err)
{
	return backend->confirm(env, request, arg, err);
}

static struct remote told(const struct lead *lead)
{
	const struct ranges_version *version;

	if (lead_is_small(lead))
		return lead->remote;
	version = partial_version(lead->partial);
	return (struct remote){.size = version->size, .validators = ahead_validators(version)};
}

/* With a digest it does not matter what the origin thinks of it. */
static bool must_confirm(const struct lead *lead, const struct route *route)
{
	return route->backend->confirm && !lead->flight->target->has_expected;
}

int lead_confirm(struct lead *lead, struct err *err)
{
	struct flight *flight = lead->flight;
	struct confirm confirm = {.lead = lead, .until_ms = clock_monotonic_ms() + BRIEF_MS};
	struct route *route;
	int r = routes_current(&lead->routes, &route, err);

	if (r < 0)
		return r;
	ahead_route(flight, route);
	if (!must_confirm(lead, route))
		return 0;
	confirm.told = told(lead);
	return route_ask(flight->fetchfs, flight->target, route, is_wanted, &confirm, ask,
		&confirm.told, err);
}
