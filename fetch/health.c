#include "fetch/health.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define OUT_FIRST_MS 5000
#define OUT_MAX_MS   300000
#define ASKED_MAX    3600 /* seconds */

/* Names come from URIs that strangers choose: when there are too many, all that rest are forgotten.
 */
#define NAMES_MAX 1024

/* Less says more about the way there than about the speed. */
#define RATE_BYTES_MIN 65536

struct member {
	UT_hash_handle hh;
	unsigned int running;
	unsigned int failures; /* since it last worked */
	int64_t out_until_ms;  /* 0: it is not */
	uint64_t rate;         /* bytes per second; 0: not known */
	char name[];
};

struct health {
	pthread_mutex_t mu;
	struct member *members; /* guarded by mu */
	unsigned int running;   /* of all members; guarded by mu */
};

struct health *health_new(void)
{
	struct health *health = calloc(1, sizeof(*health));

	if (health)
		pthread_mutex_init(&health->mu, NULL);
	return health;
}

/* Caller holds mu, or is alone. */
static void forget(struct health *health, bool also_running)
{
	struct member *member;
	struct member *next;

	HASH_ITER (hh, health->members, member, next) {
		if (member->running > 0 && !also_running)
			continue;
		HASH_DEL(health->members, member);
		free(member);
	}
}

void health_free(struct health *health)
{
	if (!health)
		return;
	forget(health, true);
	pthread_mutex_destroy(&health->mu);
	free(health);
}

/* Caller holds mu. NULL: never heard of it. */
static struct member *find(struct health *health, const char *name)
{
	struct member *member;

	HASH_FIND_STR(health->members, name, member);
	return member;
}

/* Caller holds mu. NULL: out of memory; then nothing is remembered, which harms nobody. */
static struct member *find_or_add(struct health *health, const char *name)
{
	struct member *member = find(health, name);
	size_t len = strlen(name);

	if (member)
		return member;
	if (HASH_COUNT(health->members) >= NAMES_MAX)
		forget(health, false);
	member = calloc(1, sizeof(*member) + len + 1);
	if (!member)
		return NULL;
	memcpy(member->name, name, len + 1);
	HASH_ADD_KEYPTR(hh, health->members, member->name, len, member);
	return member;
}

void health_failed(struct health *health, const char *name, int64_t now, unsigned int retry_after)
{
	WITH_LOCK(&health->mu);
	struct member *member = find_or_add(health, name);
	int64_t asked = retry_after < ASKED_MAX ? retry_after * INT64_C(1000) : ASKED_MAX * 1000;
	int64_t out = OUT_FIRST_MS;

	if (!member || now < member->out_until_ms) /* several at once count as one */
		return;
	for (unsigned int i = 0; i < member->failures && out < OUT_MAX_MS; i++)
		out *= 2;
	if (out > OUT_MAX_MS)
		out = OUT_MAX_MS;
	member->failures++;
	member->out_until_ms = now + (out < asked ? asked : out);
}

void health_worked(struct health *health, const char *name, uint64_t bytes, int64_t ms)
{
	WITH_LOCK(&health->mu);
	struct member *member = find_or_add(health, name);
	uint64_t rate;

	if (!member)
		return;
	member->failures = 0;
	member->out_until_ms = 0;
	if (bytes < RATE_BYTES_MIN)
		return;
	rate = bytes * 1000 / (uint64_t)(ms > 0 ? ms : 1);
	member->rate = member->rate ? (3 * member->rate + rate) / 4 : rate;
}

bool health_is_out(struct health *health, const char *name, int64_t now)
{
	WITH_LOCK(&health->mu);
	const struct member *member = find(health, name);

	return member && now < member->out_until_ms;
}

uint64_t health_rate(struct health *health, const char *name)
{
	WITH_LOCK(&health->mu);
	const struct member *member = find(health, name);

	return member ? member->rate : 0;
}

void health_enter(struct health *health, const char *name)
{
	WITH_LOCK(&health->mu);
	struct member *member = find_or_add(health, name);

	if (!member)
		return;
	member->running++;
	health->running++;
}

void health_leave(struct health *health, const char *name)
{
	WITH_LOCK(&health->mu);
	struct member *member = find(health, name);

	if (!member || member->running == 0)
		return;
	member->running--;
	health->running--;
}

unsigned int health_running(struct health *health, const char *name)
{
	WITH_LOCK(&health->mu);
	const struct member *member = name ? find(health, name) : NULL;

	if (!name)
		return health->running;
	return member ? member->running : 0;
}
