#include "fetch/streams.h"

#include "cache/ranges.h"

#define WINDOW_MS    250
#define WORTH_MS     2000                 /* what is left must last so long at the present rate */
#define PATIENCE_MS  3000                 /* for the first bytes of new connections */
#define SLOW_RATE    (UINT64_C(16) << 20) /* bytes per second that no machine is too slow for */
#define QUIET_MS     10000                /* after a raise that did not pay */
#define GAIN_PERCENT 125

/* One request brings what its connection brings in so long, within bounds. */
#define RUN_MS  2000
#define RUN_MIN (4 * CHUNK_SIZE)
#define RUN_MAX (128 * CHUNK_SIZE)

void streams_init(struct streams *streams, int64_t now)
{
	*streams = (struct streams){.wanted = 1, .window_ms = now};
}

void streams_received(struct streams *streams, uint64_t bytes)
{
	streams->bytes += bytes;
}

static void back_to(struct streams *streams, unsigned int wanted, int64_t now)
{
	streams->wanted = wanted;
	streams->before = 0;
	streams->quiet_until_ms = now + QUIET_MS;
}

void streams_failed(struct streams *streams, int64_t now)
{
	back_to(streams, 1, now);
}

/* The raise has had its time: it stays, or it is taken back. */
static void judge_raise(struct streams *streams, const struct streams_view *view)
{
	if (streams->rate * 100 >= streams->rate_before * GAIN_PERCENT)
		streams->before = 0;
	else if (view->all_delivering || view->now - streams->raised_ms >= PATIENCE_MS)
		back_to(streams, streams->before, view->now);
}

static bool raise_pays(const struct streams *streams, const struct streams_view *view)
{
	/* a connection that a busy machine is too slow for would only be given more company */
	if (view->machine_busy && !streams->was_slow)
		return false;
	return view->network_bound && streams->wanted < view->max &&
	       view->now >= streams->quiet_until_ms && view->left > streams->rate * WORTH_MS / 1000;
}

bool streams_judge(struct streams *streams, const struct streams_view *view)
{
	int64_t elapsed = view->now - streams->window_ms;
	bool was_judging = streams->before > 0;

	if (elapsed < WINDOW_MS || streams->bytes == 0)
		return false;
	streams->was_slow = streams->rate > 0 && streams->rate / streams->wanted < SLOW_RATE;
	streams->rate = streams->bytes * 1000 / (uint64_t)elapsed;
	streams->was_slow = streams->was_slow && streams->rate / streams->wanted < SLOW_RATE;
	streams->bytes = 0;
	streams->window_ms = view->now;

	/* a window in which the new ones did not deliver all the time says nothing */
	if (was_judging && view->now - streams->raised_ms >= 2 * WINDOW_MS)
		judge_raise(streams, view);
	if (streams->before > 0 || !raise_pays(streams, view))
		return false;
	streams->before = streams->wanted;
	streams->rate_before = streams->rate;
	streams->raised_ms = view->now;
	streams->wanted = streams->wanted * 2 < view->max ? streams->wanted * 2 : view->max;
	return true;
}

uint64_t streams_run(const struct streams *streams, uint64_t left)
{
	uint64_t each = streams->rate / streams->wanted * RUN_MS / 1000;
	uint64_t share = left / (2 * streams->wanted); /* so that all end at about the same time */
	uint64_t run = each < share ? each : share;

	if (run < RUN_MIN)
		run = RUN_MIN;
	if (run > RUN_MAX)
		run = RUN_MAX;
	return (run + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
}
