#include "cli/report_log.h"

#include "base/str.h"

#include <stdlib.h>
#include <time.h>

/* More events than that no log holds. */
#define EVENTS_MAX 32768

/* Places for their names, so many more that a free one is near. */
#define PLACES (2 * EVENTS_MAX)

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Spans that people know, of which at most REPORT_SPANS reach from @since to @now. */
static int64_t choose_width(int64_t since, int64_t now)
{
	static const int64_t widths[] = {MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE,
		HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 28 * DAY, 364 * DAY};
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(widths) && (now - since) / widths[i] + 2 > REPORT_SPANS)
		i++;
	return widths[i];
}

/* How long before @time its span has begun: where people live, days begin at their midnight. */
static int64_t into_span(int64_t time, int64_t width)
{
	time_t seconds = (time_t)time;
	struct tm tm;
	int64_t offset = localtime_r(&seconds, &tm) ? tm.tm_gmtoff : 0;

	return ((time + offset) % width + width) % width;
}

static void begin(struct report_log *log, int64_t since, int64_t now)
{
	int64_t width = choose_width(since, now);
	int64_t count;

	log->since = since;
	log->width = width;
	log->from = since - into_span(since, width);
	count = (now - log->from) / width + 1;
	log->count = count < REPORT_SPANS ? (size_t)count : REPORT_SPANS;
}

/* Clocks may have been set meanwhile: what lies outside counts in the nearest span. */
static struct report_span *span_of(struct report_log *log, int64_t time)
{
	int64_t n = time < log->from ? 0 : (time - log->from) / log->width;

	return &log->spans[n < (int64_t)log->count ? (size_t)n : log->count - 1];
}

static void count(struct report_span *span, const struct fetchfs_event *event)
{
	span->counts[event->kind]++;
	span->bytes[event->kind] += event->bytes;
}

/* ---- what comes back ---- */

struct place {
	uint64_t hash;   /* of a URI; 0: free */
	bool is_evicted; /* and has not come back since */
};

/* FNV-1a (RFC 9923), never 0. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return hash | 1;
}

/* The place of @uri, or a free one for it: there are more places than events. */
static struct place *place_of(struct place *places, const char *uri)
{
	uint64_t hash = hash_of(uri);
	size_t i = (hash >> 16) % PLACES;

	while (places[i].hash != 0 && places[i].hash != hash)
		i = (i + 1) % PLACES;
	places[i].hash = hash;
	return &places[i];
}

/* Several artifacts may be shown by one URI without its end: a query, or what was too long. */
static bool is_whole(const char *uri)
{
	return !str_has_suffix(uri, "…");
}

/* What was let go for its damage, which its text tells, had to be fetched again. */
static bool is_followed(const struct fetchfs_event *event)
{
	if (event->kind == FETCHFS_EVENT_EVICTED && event->text[0])
		return false;
	return (event->kind == FETCHFS_EVENT_EVICTED || event->kind == FETCHFS_EVENT_FETCHED) &&
	       is_whole(event->uri);
}

static void follow(struct report_log *log, struct place *places, const struct fetchfs_event *event)
{
	struct place *place;

	if (!is_followed(event))
		return;
	place = place_of(places, event->uri);
	if (event->kind == FETCHFS_EVENT_FETCHED && place->is_evicted) {
		log->again++;
		log->again_bytes += event->bytes;
	}
	place->is_evicted = event->kind == FETCHFS_EVENT_EVICTED;
}

/* ---- one after the other ---- */

struct reading {
	struct report_log *log;
	struct place *places;
	int64_t now;
};

static int see(const struct fetchfs_event *event, void *arg)
{
	struct reading *reading = arg;
	struct report_log *log = reading->log;
	int64_t time = event->time_ms / 1000;

	if (event->kind >= FETCHFS_EVENT_KINDS || time < 0)
		return 0;
	if (log->events++ == 0)
		begin(log, time < reading->now ? time : reading->now, reading->now);
	count(&log->all, event);
	count(span_of(log, time), event);
	follow(log, reading->places, event);
	if (event->kind == FETCHFS_EVENT_EVICTED)
		log->evicted[log->evictions++ % RANKING_ROWS] = *event;
	return 0;
}

int report_log_read(
	struct fetchfs *fetchfs, uid_t uid, int64_t now, struct report_log *ret, struct err *err)
{
	struct reading reading = {.log = ret, .now = now};
	int r;

	reading.places = calloc(PLACES, sizeof(*reading.places));
	if (!reading.places)
		return err_oom(err);
	r = fetchfs_events(fetchfs, uid, EVENTS_MAX, see, &reading, err);
	free(reading.places);
	return r;
}

const struct fetchfs_event *report_log_evicted(const struct report_log *log, size_t n)
{
	if (n >= log->evictions || n >= RANKING_ROWS)
		return NULL;
	return &log->evicted[(log->evictions - 1 - n) % RANKING_ROWS];
}

uint64_t report_log_spared(const struct report_span *span)
{
	return span->counts[FETCHFS_EVENT_CONFIRMED] + span->counts[FETCHFS_EVENT_STALE];
}

uint64_t report_log_answered(const struct report_span *span)
{
	return report_log_spared(span) + span->counts[FETCHFS_EVENT_FETCHED];
}
