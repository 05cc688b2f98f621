#include "fetch/freshness.h"

int64_t freshness_until(const struct config *config, const struct remote *remote, int64_t now)
{
	int64_t age = remote->max_age;

	if (age == TIME_UNKNOWN)
		age = config->ttl_ms / 1000;
	if (age < 0)
		age = 0;
	return age > INT64_MAX - now ? INT64_MAX : now + age;
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
