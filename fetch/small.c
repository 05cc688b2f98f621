#include "fetch/small.h"

#include "base/clock.h"
#include "cache/ranges.h"

#include <stdlib.h>
#include <string.h>

void small_begin(struct small *small)
{
	small->len = 0;
	small->begun = false;
	small->since_ms = clock_monotonic_ms();
}

void small_answered(struct small *small)
{
	small->begun = true;
	small->since_ms = clock_monotonic_ms();
}

void small_release(struct small *small)
{
	free(small->bytes);
	*small = SMALL_INIT;
}

bool small_suits(int64_t size)
{
	return size <= (int64_t)CHUNK_SIZE;
}

bool small_is_slow(const struct small *small)
{
	int64_t patience = small->begun ? SMALL_BODY_MS : SMALL_ANSWER_MS;

	return clock_monotonic_ms() - small->since_ms >= patience;
}

int small_add(struct small *small, const void *bytes, size_t len, struct err *err)
{
	if (len > CHUNK_SIZE - small->len)
		return 1;
	if (len == 0)
		return 0;
	if (len > small->room - small->len) {
		size_t room = (small->len + len) * 2;
		char *larger = realloc(small->bytes, room);

		if (!larger)
			return err_oom(err);
		small->bytes = larger;
		small->room = room;
	}
	memcpy(small->bytes + small->len, bytes, len);
	small->len += len;
	return 0;
}
