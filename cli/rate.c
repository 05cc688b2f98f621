#include "cli/rate.h"

#define WINDOW_MS 2000.0

void rate_update(struct rate *rate, uint64_t bytes, int64_t now_ms)
{
	int64_t elapsed = now_ms - rate->ms;
	double current, weight;

	if (rate->begun && elapsed <= 0)
		return;
	if (rate->begun) {
		current = bytes > rate->bytes ? (double)(bytes - rate->bytes) : 0.0;
		current = current * 1000.0 / (double)elapsed;
		weight = (double)elapsed / (WINDOW_MS + (double)elapsed);
		rate->per_second +=
			rate->per_second > 0.0 ? weight * (current - rate->per_second) : current;
	}
	rate->begun = bytes > 0;
	rate->ms = now_ms;
	rate->bytes = bytes;
}
