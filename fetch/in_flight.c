#include "fetch/in_flight.h"

#include "base/cleanup.h"
#include "base/str.h"

void in_flight_take(struct fetchfs *fetchfs, struct in_flight *ret)
{
	struct flight *flight;
	struct flight *next;
	WITH_LOCK(&fetchfs->mu);

	ret->count = 0;
	HASH_ITER (hh, fetchfs->flights, flight, next) {
		if (ret->count == IN_FLIGHT_MAX)
			return;
		pthread_mutex_lock(&flight->mu);
		flight->refs++;
		flight->interested++;
		pthread_mutex_unlock(&flight->mu);
		ret->items[ret->count++] = flight;
	}
}

void in_flight_release(struct in_flight *set)
{
	for (size_t i = 0; i < set->count; i++)
		flight_unref(set->items[i], false);
	set->count = 0;
}

static bool may_see(struct fetchfs *fetchfs, const struct target *target, uid_t uid)
{
	return policy_may_see(&fetchfs->config, target->decision.scope, uid, fetchfs->owner);
}

bool in_flight_is_unlisted(
	struct fetchfs *fetchfs, const struct target *target, const char *prefix, uid_t uid)
{
	struct entry entry;

	if (!str_has_prefix(target->shown, prefix) || !may_see(fetchfs, target, uid))
		return false;
	if (catalog_find(fetchfs->catalog, &target->key, &entry, NULL) < 0)
		return true;
	entry_release(&entry);
	return false;
}
