/* The window over which bytes are counted. Times are made up: nothing waits. */
#include "backends/pace.h"

#include <criterion/criterion.h>

#define WINDOW 1500

Test(pace, nothing_is_said_before_a_whole_window)
{
	struct pace pace = {.slot_ms = 0};
	uint64_t bytes;

	cr_assert_not(pace_is_started(&pace));
	pace_start(&pace, 1000, WINDOW);
	cr_assert(pace_is_started(&pace));
	cr_assert_not(pace_is_below(&pace, 1000 + WINDOW - 1, 1, &bytes));
	cr_assert(pace_is_below(&pace, 1000 + WINDOW, 1, &bytes));
	cr_assert_eq(bytes, 0);
}

Test(pace, bytes_count_for_as_long_as_the_window)
{
	struct pace pace;
	uint64_t bytes;

	pace_start(&pace, 0, WINDOW);
	pace_add(&pace, 50, 300);
	pace_add(&pace, 1250, 12);
	cr_assert_not(pace_is_below(&pace, 1550, 312, &bytes));
	cr_assert(pace_is_below(&pace, 1550, 313, &bytes));
	cr_assert_eq(bytes, 312);
	cr_assert(pace_is_below(&pace, 1700, 13, &bytes));
	cr_assert_eq(bytes, 12);
	cr_assert(pace_is_below(&pace, 100000, 1, &bytes));
	cr_assert_eq(bytes, 0);
}

Test(pace, bytes_after_a_long_silence_are_seen)
{
	struct pace pace;
	uint64_t bytes;

	pace_start(&pace, 0, WINDOW);
	pace_add(&pace, 100000, 5);
	cr_assert_not(pace_is_below(&pace, 100000, 5, &bytes));
	cr_assert(pace_is_below(&pace, 100000, 6, &bytes));
	cr_assert_eq(bytes, 5);
}

Test(pace, a_pause_is_no_time)
{
	struct pace pace;
	uint64_t bytes;

	pace_start(&pace, 0, WINDOW);
	pace_add(&pace, 1000, 7);
	pace_pause(&pace, 1000);
	cr_assert_not(pace_is_below(&pace, 50000, 100, &bytes));
	pace_resume(&pace, 50000);
	pace_resume(&pace, 50000);
	cr_assert_not(pace_is_below(&pace, 50499, 100, &bytes));
	cr_assert(pace_is_below(&pace, 50500, 100, &bytes));
	cr_assert_eq(bytes, 7);
}

Test(pace, the_smallest_window_works)
{
	struct pace pace;
	uint64_t bytes;

	pace_start(&pace, 0, 1);
	cr_assert_not(pace_is_below(&pace, 14, 1, &bytes));
	cr_assert(pace_is_below(&pace, 15, 1, &bytes));
}
