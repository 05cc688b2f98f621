/* What becomes of a download: a new entry, or the old one again. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/ahead.h"
#include "fetch/freshness.h"
#include "fetch/lead_private.h"
#include "fetch/twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* After an origin could not be asked, it is not asked again for so long. */
#define STAND_IN_SECONDS 10

static int fill_entry(const struct lead *lead, struct entry *ret, struct err *err)
{
	const struct target *target = lead->flight->target;
	const char *etag = lead_is_small(lead) ? lead->remote.validators.etag
					       : partial_version(lead->partial)->etag;
	int64_t now = clock_wall();
	int64_t since = lead->confirmed && lead->answered < now ? lead->answered : now;
	struct entry entry = {
		.key = target->key,
		.scope = strdup(target->decision.scope),
		.uri = strdup(target->shown),
		.has_query = !target_is_listed(target),
		.executable = target->executable,
		.etag = etag[0] ? strdup(etag) : NULL,
		.modified = lead_is_small(lead) ? lead->remote.validators.modified
						: partial_version(lead->partial)->modified,
		.fetched = now,
		.verified = since,
		.must_ask = lead->confirmed && lead->remote.must_ask,
		.uid = target_share(target, lead->flight->fetchfs),
		/* nobody answered for what was complete already: asked at the next use */
		.expires = lead->confirmed ? freshness_until(&lead->flight->target->decision,
						     &lead->remote, since)
					   : now,
	};

	if (!entry.scope || !entry.uri || (etag[0] && !entry.etag)) {
		entry_release(&entry);
		return err_oom(err);
	}
	*ret = entry;
	return 0;
}

static void on_published(void *arg, int result, struct object *object, const struct err *err)
{
	struct lead *lead = arg;

	lead->object = object_steal(object);
	if (result < 0)
		lead->err = *err;
	lead_end(lead, result);
}

static int commit(struct lead *lead, const struct checksum *expected, struct err *err)
{
	int64_t size;

	ahead_stop(lead->flight);
	size = partial_version(lead->partial)->size;
	return partial_commit(&lead->partial, size >= 0 ? (uint64_t)size : lead->received, expected,
		&lead->entry, &lead->object, err);
}

static int publish_small(struct lead *lead, const struct checksum *expected, struct err *err)
{
	struct flight *flight = lead->flight;
	int r = store_publish_small(&flight->fetchfs->store, lead->small.bytes, lead->small.len,
		expected, &lead->entry, flight_is_to_be_read(flight), on_published, lead, err);

	return r < 0 ? r : LEAD_PUBLISHES;
}

/* What the bytes must hash to: as who asks says, else as the origin said of this version. */
static const struct checksum *expected_of(const struct lead *lead)
{
	const struct target *target = lead->flight->target;
	const struct remote *remote = &lead->remote;
	bool same = lead_is_small(lead) ||
		    str_equal(remote->validators.etag, partial_version(lead->partial)->etag);

	if (target->has_expected)
		return &target->expected;
	return same && remote->checksum.kind != CHECKSUM_NONE ? &remote->checksum : NULL;
}

int lead_publish(struct lead *lead, struct err *err)
{
	const struct checksum *expected = expected_of(lead);
	int r = fill_entry(lead, &lead->entry, err);

	if (r < 0)
		return r;
	r = lead_is_small(lead) ? publish_small(lead, expected, err) : commit(lead, expected, err);
	if (r < 0)
		entry_release(&lead->entry);
	return r;
}

/* Who wants no executable gets a twin, unless there is no room: others wait for the version, too.
 */
static void prefer_plain(struct lead *lead)
{
	struct object object = {.fd = -1};
	struct entry entry = {0};

	if (!lead->flight->target->plain || !lead->object.executable ||
		twin_make(lead->flight, &lead->object, &lead->entry, &object, &entry, NULL) < 0)
		return;
	object_release(&lead->object);
	entry_release(&lead->entry);
	lead->object = object;
	lead->entry = entry;
}

/* The old version, as fresh as @verified and @expires say. */
static int hand_out_old(
	struct lead *lead, int64_t verified, int64_t expires, bool must_ask, struct err *err)
{
	int r = catalog_confirm(
		lead->flight->fetchfs->catalog, &lead->old.key, verified, expires, must_ask, err);

	/* let go meanwhile: then it is for those only who have asked */
	if (r < 0 && r != -ENOENT)
		return r;
	lead->old.verified = verified;
	lead->old.expires = expires;
	lead->old.must_ask |= must_ask;
	lead->object = object_steal(&lead->old_object);
	lead->entry = lead->old;
	lead->entry.executable = lead->object.executable;
	lead->old = (struct entry){0};
	prefer_plain(lead);
	return 0;
}

int lead_keep_old(struct lead *lead, struct err *err)
{
	int64_t now = clock_wall();

	partial_fail(&lead->partial, NULL, false);
	return hand_out_old(lead, now,
		freshness_confirmed(
			&lead->flight->target->decision, &lead->remote, &lead->old, now),
		lead->remote.must_ask, err);
}

bool lead_has_old(const struct lead *lead)
{
	return lead->old.uri != NULL;
}

bool lead_may_stand_in(const struct lead *lead, const struct err *err)
{
	const struct fetchfs *fetchfs = lead->flight->fetchfs;
	bool nobody_asked = err->kind == ERR_NETWORK || err->kind == ERR_PROXY ||
			    (err->kind == ERR_REMOTE && err->retry && err->code != ESTALE);
	int64_t age = clock_wall() - lead->old.verified;

	/* what readers have begun with is another version */
	return lead_has_old(lead) && !flight_is_served(lead->flight) && nobody_asked &&
	       !lead->old.must_ask && !lead->flight->target->refresh && age >= 0 &&
	       age < fetchfs->config.stale_if_error_ms / 1000;
}

static void note_why(struct lead *lead, const struct err *why)
{
	WITH_LOCK(&lead->flight->mu);

	lead->flight->stood_in = lead->stood_in = *why;
}

int lead_stand_in(struct lead *lead, struct err *err)
{
	note_why(lead, err);
	ahead_stop(lead->flight);
	partial_fail(&lead->partial, NULL, lead_may_keep(lead));
	return hand_out_old(lead, lead->old.verified, clock_wall() + STAND_IN_SECONDS, false, err);
}
