#include "fetch/refusals.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cache/events.h"
#include "fetch/target.h"

#include <string.h>

bool refusals_tell(
	struct refusals *refusals, const struct entry_key *key, uid_t uid, int64_t now_ms)
{
	struct refusal *room = NULL;
	unsigned int of_user = 0;
	WITH_LOCK(&refusals->mu);

	for (size_t i = 0; i < ARRAY_SIZE(refusals->told); i++) {
		struct refusal *told = &refusals->told[i];

		if (told->until_ms <= now_ms)
			room = told;
		else if (memcmp(&told->key, key, sizeof(*key)) == 0)
			return false;
		else
			of_user += told->uid == uid;
	}
	if (!room || of_user >= REFUSALS_MAX_OF_USER)
		return false;
	*room = (struct refusal){.key = *key, .uid = uid, .until_ms = now_ms + REFUSALS_MS};
	return true;
}

/* What it would have been, and whose, has not been decided: its query is shown to nobody. */
void refusals_note(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, const struct err *why)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *shown = NULL;
	struct entry_key key;
	char scope[SCOPE_MAX];

	meter_error(&fetchfs->meter, why);
	policy_user_scope(request->uid, scope);
	if (uri_of_text(request->uri, &uri, NULL) < 0 ||
		entry_key_make(scope, uri.text, &key, NULL) < 0 ||
		!refusals_tell(&fetchfs->refusals, &key, request->uid, clock_monotonic_ms()))
		return;
	shown = uri_display(&uri);
	events_add(fetchfs->store.events, &(struct event){.kind = EVENT_FAILED,
						  .duration_ms = -1,
						  .scope = scope,
						  .uri = shown ? shown : "",
						  .text = why->msg});
}

int refusals_target(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct target **ret, struct err *err)
{
	struct err why = ERR_INIT;
	int r = target_new(fetchfs, request, ret, &why);

	if (r == 0)
		return 0;
	if (why.kind == ERR_POLICY)
		refusals_note(fetchfs, request, &why);
	if (err)
		*err = why;
	return r;
}
