#include "fetch/readahead.h"

#include "cache/ranges.h"

#include <stddef.h>

#define LENGTH_MIN (2 * CHUNK_SIZE)
#define LENGTH_MAX (64 * CHUNK_SIZE)

/* Reads that follow each other arrive from several threads: so far apart they may be. */
#define GAP (16 * CHUNK_SIZE)

/* Whether a read at @at goes on with @run: a little beyond its end, or in what it brought. */
static bool continues(const struct readahead_run *run, uint64_t at)
{
	return run->length > 0 && at <= run->end + GAP && at + run->length + GAP >= run->end;
}

static struct readahead_run *find(struct readahead *readahead, uint64_t at)
{
	for (size_t i = 0; i < READAHEAD_READERS; i++)
		if (continues(&readahead->runs[i], at))
			return &readahead->runs[i];
	return NULL;
}

static struct readahead_run *oldest(struct readahead *readahead)
{
	struct readahead_run *run = &readahead->runs[0];

	for (size_t i = 1; i < READAHEAD_READERS; i++)
		if (readahead->runs[i].used < run->used)
			run = &readahead->runs[i];
	return run;
}

/* Wishes that come together are one read, however many the kernel makes of it. */
static void grow(struct readahead *readahead, struct readahead_run *run)
{
	run->used = ++readahead->clock;
	if (!run->answered)
		return;
	run->answered = false;
	run->length = run->length * 2 < LENGTH_MAX ? run->length * 2 : LENGTH_MAX;
}

uint64_t readahead_miss(struct readahead *readahead, uint64_t at)
{
	struct readahead_run *run = find(readahead, at);

	if (run) {
		grow(readahead, run);
	} else {
		run = oldest(readahead);
		*run = (struct readahead_run){.length = LENGTH_MIN, .used = ++readahead->clock};
	}
	if (at + run->length > run->end)
		run->end = at + run->length;
	return run->length;
}

uint64_t readahead_hit(struct readahead *readahead, uint64_t end, uint64_t *ret_at)
{
	struct readahead_run *run = find(readahead, end);

	if (run)
		run->answered = true;
	/* one request at a place is no sequence; and half of the last one is ahead of the reader */
	if (!run || run->length <= LENGTH_MIN || end + run->length / 2 < run->end)
		return 0;
	*ret_at = run->end;
	grow(readahead, run);
	run->end += run->length;
	return run->length;
}

void readahead_cut(struct readahead *readahead, uint64_t at, uint64_t length)
{
	struct readahead_run *run = find(readahead, at);

	if (run && run->end > at + length)
		run->end = at + length;
}
