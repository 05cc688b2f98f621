/* Whether a flight is to go on, and how long it waits before it does. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "fetch/flight.h"

#include <errno.h>
#include <time.h>

void flight_limit(struct flight *flight)
{
	int64_t total_ms = flight->fetchfs->config.total_ms;
	WITH_LOCK(&flight->mu);

	if (total_ms > 0)
		flight->late_ms = clock_monotonic_ms() + total_ms;
}

/* Caller holds mu. */
static bool is_late(const struct flight *flight)
{
	return flight->late_ms > 0 && clock_monotonic_ms() >= flight->late_ms;
}

bool flight_is_late(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return is_late(flight);
}

static int check_locked(const struct flight *flight, struct err *err)
{
	if (flight->cancelled || atomic_load(&flight->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "interrupted");
	if (is_late(flight))
		return err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0, "not finished within %lld s",
			(long long)(flight->fetchfs->config.total_ms + 999) / 1000);
	return 0;
}

int flight_check(struct flight *flight, struct err *err)
{
	WITH_LOCK(&flight->mu);

	return check_locked(flight, err);
}

int flight_pause(struct flight *flight, unsigned int ms, struct err *err)
{
	struct timespec until;
	WITH_LOCK(&flight->mu);

	if (flight->late_ms > 0) {
		int64_t left = flight->late_ms - clock_monotonic_ms();

		ms = left < (int64_t)ms ? (unsigned int)(left > 0 ? left : 0) : ms;
	}
	until = clock_monotonic_in(ms);
	while (check_locked(flight, err) == 0) {
		if (pthread_cond_timedwait(&flight->changed, &flight->mu, &until) == ETIMEDOUT)
			break;
	}
	return check_locked(flight, err);
}
