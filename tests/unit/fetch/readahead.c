/* How far helpers read ahead: little for who jumps, more and more for who goes on. */
#include "fetch/readahead.h"

#include "cache/ranges.h"

#include <criterion/criterion.h>

#define MIB (UINT64_C(1) << 20)

/* Who waited for @at gets it, and reads a chunk. */
static uint64_t wait_and_read(struct readahead *readahead, uint64_t at)
{
	uint64_t length = readahead_miss(readahead, at);
	uint64_t ignored;

	cr_assert_eq(readahead_hit(readahead, at + CHUNK_SIZE, &ignored), 0);
	return length;
}

Test(readahead, jumps_stay_small)
{
	struct readahead readahead = {.clock = 0};

	for (uint64_t i = 0; i < 100; i++)
		cr_assert_eq(readahead_miss(&readahead, (i * 37 % 100) * 64 * MIB), 2 * CHUNK_SIZE);
}

Test(readahead, going_on_doubles_up_to_a_limit)
{
	struct readahead readahead = {.clock = 0};
	uint64_t at = 512 * MIB;
	uint64_t before = 0;

	for (int i = 0; i < 12; i++) {
		uint64_t length = wait_and_read(&readahead, at);

		cr_assert(length == 2 * before || before == 0 || length == before);
		before = length;
		at += length;
	}
	cr_assert_eq(before, 16 * MIB);
}

Test(readahead, readers_at_different_places_do_not_disturb_each_other)
{
	struct readahead readahead = {.clock = 0};
	uint64_t at[4] = {0, 1000 * MIB, 2000 * MIB, 3000 * MIB};
	uint64_t length = 0;

	for (int round = 0; round < 4; round++) {
		for (int i = 0; i < 4; i++) {
			length = wait_and_read(&readahead, at[i]);
			at[i] += length;
		}
	}
	cr_assert_eq(length, 16 * CHUNK_SIZE);
}

Test(readahead, who_gets_near_the_end_of_what_is_here_does_not_wait_for_more)
{
	struct readahead readahead = {.clock = 0};
	uint64_t at = 0;
	uint64_t end;

	end = readahead_miss(&readahead, 0);
	cr_assert_eq(readahead_hit(&readahead, end, &at), 0, "one read is no sequence");
	end += readahead_miss(&readahead, end);
	cr_assert_eq(readahead_hit(&readahead, end - 3 * CHUNK_SIZE, &at), 0, "still far");
	cr_assert_eq(readahead_hit(&readahead, end - CHUNK_SIZE, &at), 8 * CHUNK_SIZE);
	cr_assert_eq(at, end);
	cr_assert_eq(readahead_hit(&readahead, end, &at), 0, "it is on its way");
}

Test(readahead, what_was_cut_off_is_asked_for_next)
{
	struct readahead readahead = {.clock = 0};
	uint64_t at = 0;
	uint64_t end;

	end = wait_and_read(&readahead, 0);
	readahead_miss(&readahead, end);
	readahead_cut(&readahead, end, CHUNK_SIZE);
	cr_assert_gt(readahead_hit(&readahead, end + CHUNK_SIZE, &at), 0);
	cr_assert_eq(at, end + CHUNK_SIZE);
}

Test(readahead, wishes_that_come_together_are_one_read)
{
	struct readahead readahead = {.clock = 0};
	uint64_t end = 0;

	for (int i = 0; i < 4; i++)
		end += readahead_miss(&readahead, end);
	cr_assert_eq(end, 8 * CHUNK_SIZE);
}
