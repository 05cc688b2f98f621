/*
 * How long an answer of an origin may be used without asking again (RFC 9111, as far as a cache
 * of whole files needs it).
 */
#ifndef FETCHFS_FETCH_FRESHNESS_H
#define FETCHFS_FETCH_FRESHNESS_H

#include "backends/backend.h"
#include "cache/catalog.h"
#include "fetch/config.h"
#include "fetch/policy.h"

/* Until when, in seconds since 1970: the origin's max_age from @now, else the ttl that is
 * configured for the URI decided on. */
int64_t freshness_until(const struct decision *decision, const struct remote *remote, int64_t now);

/* The same of an answer that confirms @old. */
int64_t freshness_confirmed(const struct decision *decision, const struct remote *remote,
	const struct entry *old, int64_t now);

/* Until when "no such thing" is believed; @now when it is not to be remembered at all. */
int64_t freshness_absent_until(const struct decision *decision, const struct uri *uri, int64_t now);

/* fetched <= now < expires: a clock that was set back makes nothing fresh. */
bool freshness_holds(const struct entry *entry, int64_t now);

#endif
