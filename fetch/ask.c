#include "fetch/ask.h"

#include "base/cleanup.h"
#include "cache/events.h"

#include <errno.h>

/* A question ends when the cache is being closed. */
static int is_closing(void *arg, struct err *err)
{
	struct fetchfs *fetchfs = arg;

	if (!atomic_load(&fetchfs->closing))
		return 0;
	return err_set(err, ERR_CANCELLED, ECANCELED, "the cache is being closed");
}

/* That there is no such thing, or a folder, is an answer. */
static void note_failure(
	struct fetchfs *fetchfs, const struct target *target, const struct err *why)
{
	if (why->code == EOPNOTSUPP || why->code == ECANCELED || why->code == EISDIR ||
		(why->code == ENOENT && why->kind == ERR_REMOTE))
		return;
	meter_error(&fetchfs->meter, why);
	events_add(fetchfs->store.events, &(struct event){.kind = EVENT_FAILED,
						  .duration_ms = -1,
						  .scope = target->decision.scope,
						  .uri = target->shown,
						  .text = why->msg});
}

int ask_around(struct fetchfs *fetchfs, const struct target *target, route_question *question,
	void *arg, struct err *err)
{
	CLEANUP(routes_release) struct routes routes;
	struct err why = ERR_INIT;
	struct route *route;
	int r;

	routes_init(&routes, fetchfs, target);
	do {
		r = routes_current(&routes, &route, &why);
		if (r == 0)
			r = route_ask(
				fetchfs, target, route, is_closing, fetchfs, question, arg, &why);
	} while (r < 0 && r != -EOPNOTSUPP && routes_failed(&routes, &why));
	if (r < 0)
		note_failure(fetchfs, target, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}
