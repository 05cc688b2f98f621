#include "fetch/alone.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/ahead.h"
#include "fetch/connections.h"

/* So long after a wish there may be another one: it waits for the end of a run, no longer. */
#define ALERT_MS 10000

/* So long after a helper was sent where a reader had jumped to, others may jump. */
#define JUMPED_MS 2000

/* One run is what comes in a quarter of a second, within bounds. */
#define RUN_PART 4
#define RUN_MIN  (2 * CHUNK_SIZE)
#define RUN_MAX  (64 * CHUNK_SIZE)

/* Caller holds mu. */
static bool is_alert(const struct flight *flight)
{
	return clock_monotonic_ms() < flight->alert_until_ms;
}

bool alone_leads(const struct flight *flight)
{
	/* a helper that is at a wish ends soon, and then there is a connection */
	return flight->claims[0].used && !flight->lazy && flight->wishes == 0 &&
	       connections_are_used_up(flight);
}

bool alone_is_called(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	/* whoever is alert looks after each run; and a connection may have become free */
	return flight->called && !is_alert(flight) && alone_leads(flight);
}

bool alone_next(struct flight *flight, struct gap *ret)
{
	WITH_LOCK(&flight->mu);

	if (!flight->called && !is_alert(flight))
		return false;
	flight->called = false;
	flight->claims[0].used = false;
	if (!ahead_wish(flight, ret))
		return false;
	if (ret->length > RUN_MAX)
		ret->length = RUN_MAX;
	flight->alert_until_ms = clock_monotonic_ms() + ALERT_MS;
	flight->claims[0] = (struct flight_claim){
		.begin = ret->offset - ret->offset % CHUNK_SIZE,
		.end = ret->offset + ret->length,
		.used = true,
		.moved_ms = clock_monotonic_ms(),
	};
	return true;
}

/* Caller holds mu. A leader that was broken off once rather ends before readers' next jump. */
static bool may_be_jumped(const struct flight *flight)
{
	return flight->bounded && clock_monotonic_ms() < flight->wished_ms + JUMPED_MS;
}

uint64_t alone_run(const struct flight *flight)
{
	uint64_t run = flight->streams.rate / RUN_PART / CHUNK_SIZE * CHUNK_SIZE;

	if (!is_alert(flight) && !may_be_jumped(flight))
		return UINT64_MAX;
	if (run < RUN_MIN)
		run = RUN_MIN;
	return run < RUN_MAX ? run : RUN_MAX;
}
