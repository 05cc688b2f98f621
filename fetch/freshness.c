#include "fetch/freshness.h"

static int64_t ttl_ms(const struct decision *decision)
{
	if (decision->origin && decision->origin->ttl_ms >= 0)
		return decision->origin->ttl_ms;
	return decision->config->ttl_ms;
}

int64_t freshness_until(const struct decision *decision, const struct remote *remote, int64_t now)
{
	int64_t age = remote->max_age;

	if (age == TIME_UNKNOWN)
		age = ttl_ms(decision) / 1000;
	if (age < 0)
		age = 0;
	return age > INT64_MAX - now ? INT64_MAX : now + age;
}

int64_t freshness_confirmed(const struct decision *decision, const struct remote *remote,
	const struct entry *old, int64_t now)
{
	struct remote same = *remote;

	/* a short 304 changes nothing of what was said, "ask each time" least of all */
	if (same.max_age == TIME_UNKNOWN && old->must_ask && old->expires >= old->verified)
		same.max_age = old->expires - old->verified;
	return freshness_until(decision, &same, now);
}

int64_t freshness_absent_until(const struct config *config, int64_t now)
{
	return now + config->negative_ttl_ms / 1000;
}

bool freshness_holds(const struct entry *entry, int64_t now)
{
	int64_t since = entry->verified;

	return since <= now && now < entry->expires;
}
