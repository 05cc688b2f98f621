/* Whether what has arrived is still what its origin has, where only the origin can tell. */
#include "fetch/ahead.h"
#include "fetch/lead_private.h"

/* Meanwhile others shall see that somebody is there. */
static int is_wanted(void *arg, struct err *err)
{
	struct lead *lead = arg;

	if (lead->partial)
		partial_beat(lead->partial);
	return flight_check(lead->flight, err);
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
	struct route *route;
	struct remote remote;
	int r = routes_current(&lead->routes, &route, err);

	if (r < 0)
		return r;
	ahead_route(flight, route);
	if (!must_confirm(lead, route))
		return 0;
	remote = told(lead);
	return route_ask(
		flight->fetchfs, flight->target, route, is_wanted, lead, ask, &remote, err);
}
