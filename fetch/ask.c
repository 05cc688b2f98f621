#include "fetch/ask.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "cache/events.h"

#include <errno.h>

struct patience ask_patience(struct fetchfs *fetchfs, const struct fetchfs_request *request)
{
	return (struct patience){
		.fetchfs = fetchfs,
		.request = request,
		.until_ms =
			request->timeout_ms > 0 ? clock_monotonic_ms() + request->timeout_ms : 0,
	};
}

int ask_check(void *arg, struct err *err)
{
	const struct patience *patience = arg;
	const struct fetchfs_request *request = patience->request;

	if (atomic_load(&patience->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "the cache is being closed");
	if (request->is_wanted && !request->is_wanted(request->wanted_arg))
		return err_set(err, ERR_CANCELLED, ECANCELED, "nobody waits for it any more");
	if (patience->until_ms > 0 && clock_monotonic_ms() >= patience->until_ms)
		return err_set_retry(err, ERR_CANCELLED, ETIMEDOUT, 0, "no answer in time");
	return 0;
}

int ask_slice(const struct patience *patience, int max)
{
	int64_t left = patience->until_ms - clock_monotonic_ms();

	if (patience->until_ms == 0 || left > max)
		return max;
	return left > 0 ? (int)left : 0;
}

/* That there is no such thing, or a folder, is an answer. */
static void note_failure(
	struct fetchfs *fetchfs, const struct target *target, const struct err *why)
{
	if (why->code == EOPNOTSUPP || why->kind == ERR_CANCELLED || why->code == EISDIR ||
		(why->code == ENOENT && why->kind == ERR_REMOTE))
		return;
	meter_error(&fetchfs->meter, why);
	events_add(fetchfs->store.events, &(struct event){.kind = EVENT_FAILED,
						  .duration_ms = -1,
						  .scope = target->decision.scope,
						  .uri = target->shown,
						  .text = why->msg});
}

int ask_around(struct fetchfs *fetchfs, const struct target *target,
	const struct fetchfs_request *request, route_question *question, void *arg, struct err *err)
{
	struct patience patience = ask_patience(fetchfs, request);
	CLEANUP(routes_release) struct routes routes;
	struct err why = ERR_INIT;
	struct route *route;
	int r;

	routes_init(&routes, fetchfs, target);
	do {
		r = routes_current(&routes, &route, &why);
		if (r == 0)
			r = route_ask(
				fetchfs, target, route, ask_check, &patience, question, arg, &why);
	} while (r < 0 && r != -EOPNOTSUPP && routes_failed(&routes, &why));
	if (r < 0)
		note_failure(fetchfs, target, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}
