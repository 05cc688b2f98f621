#include "fetch/freshness.h"

#include "base/str.h"

/* The index knows whole seconds only: less than one is one, since 0 has a meaning of its own. */
static int64_t whole_seconds(int64_t ms)
{
	return ms / 1000 + (ms % 1000 > 0);
}

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
		age = whole_seconds(ttl_ms(decision));
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

int64_t freshness_absent_until(const struct decision *decision, const struct uri *uri, int64_t now)
{
	/* to ask for a local file costs nothing */
	if (str_equal(uri->scheme, "file"))
		return now;
	return now + whole_seconds(decision->config->negative_ttl_ms);
}

bool freshness_holds(const struct entry *entry, int64_t now)
{
	int64_t since = entry->verified;

	return since <= now && now < entry->expires;
}
