/* What happened lately, and what this process has counted: fetchfs_events(), fetchfs_counters(). */
#include "cache/events.h"

#include "base/str.h"
#include "base/units.h"
#include "fetch/context.h"
#include "fetch/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

_Static_assert((int)FETCHFS_EVENT_EVICTED == (int)EVENT_EVICTED, "the kinds are the cache's");

const char *fetchfs_event_kind_name(enum fetchfs_event_kind kind)
{
	static const char *const names[] = {
		[FETCHFS_EVENT_FETCHED] = "fetched",
		[FETCHFS_EVENT_CONFIRMED] = "confirmed",
		[FETCHFS_EVENT_STALE] = "stale",
		[FETCHFS_EVENT_RETRIED] = "retried",
		[FETCHFS_EVENT_FAILED] = "failed",
		[FETCHFS_EVENT_EVICTED] = "evicted",
	};

	return (unsigned int)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

/* ---- the last ones ---- */

/* A ring of those that may be seen; without room none is kept. */
struct gather {
	const struct fetchfs *fetchfs;
	uid_t uid;
	struct fetchfs_event *ring;
	size_t room;
	size_t count; /* in all; the oldest are overwritten */
};

/* false: it is not for who asks. */
static bool show(const struct fetchfs *fetchfs, uid_t uid, const struct event *event,
	struct fetchfs_event *ret)
{
	if (!policy_may_see(&fetchfs->config, event->scope, uid, fetchfs->owner))
		return false;
	*ret = (struct fetchfs_event){
		.kind = (enum fetchfs_event_kind)event->kind,
		.time_ms = event->time_ms,
		.bytes = event->bytes,
		.duration_ms = event->duration_ms,
		.pid = event->pid,
	};
	str_cut(ret->uri, sizeof(ret->uri), event->uri);
	str_cut(ret->text, sizeof(ret->text), event->text);
	return true;
}

static int gather_one(const struct event *event, void *arg)
{
	struct gather *gather = arg;

	if (gather->room == 0)
		return 0;
	if (show(gather->fetchfs, gather->uid, event, &gather->ring[gather->count % gather->room]))
		gather->count++;
	return 0;
}

/* The last @max of what @tail has come to. */
static int visit_last(struct fetchfs *fetchfs, uid_t uid, size_t max, struct events_tail *tail,
	fetchfs_visit_event *visit, void *arg, struct err *err)
{
	struct gather gather = {.fetchfs = fetchfs, .uid = uid, .room = max};
	size_t first;
	int r;

	gather.ring = calloc(max, sizeof(*gather.ring));
	if (!gather.ring && max > 0)
		return err_oom(err);
	r = events_tail_read(tail, gather_one, &gather, err);
	first = gather.count > max ? gather.count - max : 0;
	for (size_t i = first; r == 0 && i < gather.count; i++)
		r = visit(&gather.ring[i % max], arg);
	free(gather.ring);
	return r;
}

int fetchfs_events(struct fetchfs *fetchfs, uid_t uid, size_t max, fetchfs_visit_event *visit,
	void *arg, struct err *err)
{
	struct events_tail *tail;
	int r = events_tail_open(fetchfs->store.events, &tail, err);

	if (r < 0)
		return r;
	r = visit_last(fetchfs, uid, max, tail, visit, arg, err);
	events_tail_free(tail);
	return r;
}

struct follow {
	const struct fetchfs *fetchfs;
	uid_t uid;
	fetchfs_visit_event *visit;
	void *arg;
};

static int pass_on(const struct event *event, void *arg)
{
	const struct follow *follow = arg;
	struct fetchfs_event shown;

	return show(follow->fetchfs, follow->uid, event, &shown)
		       ? follow->visit(&shown, follow->arg)
		       : 0;
}

int fetchfs_events_follow(struct fetchfs *fetchfs, uid_t uid, size_t max,
	fetchfs_visit_event *visit, void *arg, struct err *err)
{
	struct follow follow = {fetchfs, uid, visit, arg};
	struct events_tail *tail;
	int r = events_tail_open(fetchfs->store.events, &tail, err);

	if (r < 0)
		return r;
	r = visit_last(fetchfs, uid, max, tail, visit, arg, err);
	while (r == 0) {
		r = visit(NULL, arg);
		if (r == 0)
			events_tail_wait(tail);
		if (r == 0)
			r = events_tail_read(tail, pass_on, &follow, err);
	}
	events_tail_free(tail);
	return r;
}

/* "2026-11-27T08:12:03.123Z", of @size bytes at most. */
static void format_time(int64_t time_ms, char *buf, size_t size)
{
	time_t seconds = (time_t)(time_ms / 1000);
	struct tm tm = {0};
	size_t len;

	gmtime_r(&seconds, &tm);
	len = strftime(buf, size, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, size - len, ".%03dZ", (int)(time_ms % 1000));
}

void fetchfs_event_format(const struct fetchfs_event *event, char ret[FETCHFS_EVENT_TEXT])
{
	char when[32];
	char size[UNITS_SIZE_TEXT];
	char took[UNITS_SIZE_TEXT + 32] = "";

	format_time(event->time_ms, when, sizeof(when));
	units_format_size(event->bytes, size);
	if (event->kind == FETCHFS_EVENT_FETCHED)
		snprintf(took, sizeof(took), " (%s in %.3f s)", size,
			(double)event->duration_ms / 1000.0);
	else if (event->kind == FETCHFS_EVENT_EVICTED && event->bytes > 0)
		snprintf(took, sizeof(took), " (%s)", size);
	snprintf(ret, FETCHFS_EVENT_TEXT, "%s %-9s %s%s%s%s", when,
		fetchfs_event_kind_name(event->kind), event->uri, event->text[0] ? ": " : "",
		event->text, took);
}

/* ---- counted ---- */

int fetchfs_counters(struct fetchfs *fetchfs, struct fetchfs_counters *ret, struct err *err)
{
	struct events *events = fetchfs->store.events;
	int r;

	*ret = (struct fetchfs_counters){.hits = 0};
	meter_read(&fetchfs->meter, ret);
	for (int kind = 0; kind < FETCHFS_EVENT_KINDS; kind++)
		events_count(events, (enum event_kind)kind, &ret->events[kind].count,
			&ret->events[kind].bytes);
	r = fetchfs_usage(fetchfs, &ret->usage, err);
	return r;
}
