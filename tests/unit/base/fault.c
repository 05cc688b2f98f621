#include "base/fault.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <time.h>

#ifdef FETCHFS_FAULTS

Test(fault, nothing_fails_without_a_plan)
{
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert_not(fault_hit("a"));
	cr_assert_not(fault_hit("b"));
	cr_assert_eq(fault_count(), 2);
}

Test(fault, the_nth_time_fails_and_no_other)
{
	cr_assert_eq(fault_setup("a:2:ENOSPC,b"), 0);
	cr_assert_not(fault_hit("a"));
	cr_assert(fault_hit("b"));
	cr_assert_eq(errno, EIO);
	cr_assert(fault_hit("a"));
	cr_assert_eq(errno, ENOSPC);
	cr_assert_not(fault_hit("a"));
	cr_assert_not(fault_hit("b"));
}

Test(fault, a_star_is_any_point)
{
	cr_assert_eq(fault_setup("*:3:EINTR"), 0);
	cr_assert_not(fault_hit("a"));
	cr_assert_not(fault_hit("b"));
	cr_assert(fault_hit("c"));
}

Test(fault, a_malformed_plan_is_refused_whole)
{
	static const char *const bad[] = {"", "a,", ":1", "a:0", "a:x", "a:1:", "a:1:EWHAT",
		"a:1:5", "a:1:0ms", "a:1:70000ms", "a,a,a,a,a,a,a,a,a"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(fault_setup(bad[i]), -EINVAL, "%s", bad[i]);
	cr_assert_eq(fault_setup("a,b:x"), -EINVAL);
	cr_assert_not(fault_hit("a"));
}

Test(fault, a_wait_is_no_failure)
{
	struct timespec before, after;

	cr_assert_eq(fault_setup("a:1:300ms,a:2:EINTR"), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	cr_assert_not(fault_hit("a"));
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_geq(
		(after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000,
		299);
	cr_assert(fault_hit("a"));
}

Test(fault, exit_ends_the_process, .exit_code = 70)
{
	cr_assert_eq(fault_setup("a:1:exit"), 0);
	fault_hit("a");
}

Test(fault, kill_ends_the_process, .signal = SIGKILL)
{
	cr_assert_eq(fault_setup("a:1:kill"), 0);
	fault_hit("a");
}

#else

Test(fault, points_cost_nothing_when_compiled_out)
{
	cr_assert_eq(fault_setup("a"), 0);
	cr_assert_not(fault_hit("a"));
}

#endif
