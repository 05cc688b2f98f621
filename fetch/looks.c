#include "fetch/looks.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <utlist.h>

void looks_init(struct looks *looks)
{
	pthread_mutex_init(&looks->mu, NULL);
	clock_cond_init(&looks->returned);
	looks->under_way = NULL;
	looks->patient = 0;
}

void looks_release(struct looks *looks)
{
	pthread_cond_destroy(&looks->returned);
	pthread_mutex_destroy(&looks->mu);
}

/* When all of those that are in the way of one more at @place (NULL: anywhere) will be late; -1:
 * there is room. Under mu. */
static int64_t late_at(const struct looks *looks, const char *place, unsigned int limit)
{
	unsigned int count = 0;
	int64_t youngest_ms = 0;

	for (const struct look *look = looks->under_way; look; look = look->next) {
		if (place && !str_equal(look->place, place))
			continue;
		count++;
		if (look->since_ms > youngest_ms)
			youngest_ms = look->since_ms;
	}
	return count < limit ? -1 : youngest_ms + LOOKS_LATE_MS;
}

/* How long there may be hope of room, 0: none; -1: there is some. Under mu. It knows nothing of who
 * takes the room first: at a place that is slow there is hope for ever. */
static int64_t hope(const struct looks *looks, const char *place, int64_t now_ms)
{
	int64_t there = late_at(looks, place, LOOKS_AT_PLACE);
	int64_t anywhere = late_at(looks, NULL, LOOKS_MAX);
	int64_t until = there < 0 || (anywhere >= 0 && anywhere < there) ? anywhere : there;

	if (until < 0)
		return -1;
	return until > now_ms ? until - now_ms : 0;
}

int looks_begin(struct looks *looks, struct look *look, const char *place, struct err *err)
{
	WITH_LOCK(&looks->mu);
	bool is_patient = looks->patient < LOOKS_PATIENT;
	int64_t end = clock_monotonic_ms() + (is_patient ? LOOKS_LATE_MS : LOOKS_CROWD_MS);
	int64_t now, ms;

	looks->patient += is_patient;
	for (;;) {
		struct timespec until;

		now = clock_monotonic_ms();
		ms = hope(looks, place, now);
		if (ms <= 0 || now >= end)
			break;
		until = clock_monotonic_in(ms < end - now ? ms : end - now);
		(void)pthread_cond_timedwait(&looks->returned, &looks->mu, &until);
	}
	looks->patient -= is_patient;
	if (ms >= 0)
		return err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0,
			"the file system of %s does not answer", place);
	*look = (struct look){.place = place, .since_ms = now};
	DL_APPEND(looks->under_way, look);
	return 0;
}

void looks_end(struct looks *looks, struct look *look)
{
	WITH_LOCK(&looks->mu);

	DL_DELETE(looks->under_way, look);
	/* all: it may be room for some of them only */
	pthread_cond_broadcast(&looks->returned);
}
