/* What a leader does, for whoever asks later: fetchfs_events(), fetchfs_counters(). */
#include "base/clock.h"
#include "cache/events.h"
#include "fetch/lead_private.h"

#include <errno.h>

static void note(
	const struct lead *lead, enum event_kind kind, uint64_t bytes, const struct err *why)
{
	const struct target *target = lead->flight->target;

	events_add(lead->flight->fetchfs->store.events,
		&(struct event){.kind = kind,
			.bytes = bytes,
			.duration_ms = clock_monotonic_ms() - lead->since_ms,
			.scope = target->decision.scope,
			.uri = target->shown,
			.text = why ? why->msg : ""});
}

void lead_note_retry(const struct lead *lead, const struct err *why)
{
	note(lead, EVENT_RETRIED, 0, why);
}

void lead_note_answer(const struct lead *lead)
{
	meter_time(&lead->flight->fetchfs->meter.answer, clock_monotonic_ms() - lead->since_ms);
}

static void note_success(const struct lead *lead)
{
	struct fetchfs *fetchfs = lead->flight->fetchfs;
	int64_t size = lead->entry.size;

	if (lead->stood_in.code) {
		note(lead, EVENT_STOOD_IN, 0, &lead->stood_in);
	} else if (lead->unchanged) {
		note(lead, EVENT_CONFIRMED, 0, NULL);
	} else {
		note(lead, EVENT_FETCHED, size > 0 ? (uint64_t)size : 0, NULL);
		meter_time(&fetchfs->meter.whole, clock_monotonic_ms() - lead->since_ms);
	}
}

void lead_note_end(const struct lead *lead, int r)
{
	if (!lead->prepared) /* another process had brought it, or nothing was asked */
		return;
	if (r == 0) {
		note_success(lead);
	} else if (r < 0 && r != -ECANCELED) {
		note(lead, EVENT_FAILED, 0, &lead->err);
		meter_error(&lead->flight->fetchfs->meter, &lead->err);
	}
}
