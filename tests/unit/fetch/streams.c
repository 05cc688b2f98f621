/* How many connections a file is worth: windows of a quarter of a second, as they come. */
#include "fetch/streams.h"

#include "cache/ranges.h"

#include <criterion/criterion.h>

#define MIB   (UINT64_C(1) << 20)
#define FIRST 1000 /* ms */

static struct streams_view view_at(int64_t now)
{
	return (struct streams_view){.now = now,
		.network_bound = true,
		.all_delivering = true,
		.left = 1024 * MIB,
		.max = 7};
}

/* One window of @rate bytes per second, and what comes out of it. */
static bool pass_window(struct streams *streams, int64_t *now, uint64_t rate)
{
	struct streams_view view;

	*now += 250;
	streams_received(streams, rate / 4);
	view = view_at(*now);
	return streams_judge(streams, &view);
}

Test(streams, they_double_while_that_pays)
{
	struct streams streams;
	int64_t now = FIRST;

	streams_init(&streams, now);
	for (int i = 0; i < 20; i++)
		pass_window(&streams, &now, streams.wanted * 5 * MIB);
	cr_assert_eq(streams.wanted, 7);
}

Test(streams, one_is_enough_when_more_bring_no_more)
{
	struct streams streams;
	int64_t now = FIRST;
	unsigned int most = 1;
	unsigned int raises = 0;

	streams_init(&streams, now);
	for (int i = 0; i < 40; i++) {
		raises += pass_window(&streams, &now, 5 * MIB);
		most = streams.wanted > most ? streams.wanted : most;
	}
	cr_assert_eq(streams.wanted, 1);
	cr_assert_eq(most, 2);
	cr_assert_eq(raises, 1); /* ten seconds later it would try again */
	for (int i = 0; i < 10; i++)
		raises += pass_window(&streams, &now, 5 * MIB);
	cr_assert_eq(raises, 2);
}

Test(streams, a_machine_that_is_not_waiting_for_the_network_has_enough_with_one)
{
	struct streams streams;
	struct streams_view view = view_at(FIRST + 250);

	streams_init(&streams, FIRST);
	streams_received(&streams, 100 * MIB);
	view.network_bound = false;
	cr_assert(!streams_judge(&streams, &view));
	cr_assert_eq(streams.wanted, 1);
}

Test(streams, the_last_seconds_of_a_file_are_not_worth_a_connection)
{
	struct streams streams;
	struct streams_view view = view_at(FIRST + 250);

	streams_init(&streams, FIRST);
	streams_received(&streams, 10 * MIB);
	view.left = 79 * MIB;
	cr_assert(!streams_judge(&streams, &view));
	streams_received(&streams, 10 * MIB);
	view.now += 250;
	view.left = 81 * MIB;
	cr_assert(streams_judge(&streams, &view));
}

Test(streams, new_connections_get_their_time_to_connect)
{
	struct streams streams;
	struct streams_view view = view_at(FIRST);

	streams_init(&streams, FIRST);
	for (int i = 0; i < 8; i++) {
		view.now += 250;
		streams_received(&streams, 5 * MIB);
		streams_judge(&streams, &view);
		view.all_delivering = false;
	}
	cr_assert_eq(streams.wanted, 2);
	view.all_delivering = true;
	view.now += 250;
	streams_received(&streams, 5 * MIB);
	streams_judge(&streams, &view);
	cr_assert_eq(streams.wanted, 1);
}

Test(streams, a_refused_connection_ends_the_attempt)
{
	struct streams streams;
	int64_t now = FIRST;

	streams_init(&streams, now);
	cr_assert(pass_window(&streams, &now, 5 * MIB));
	streams_failed(&streams, now);
	cr_assert_eq(streams.wanted, 1);
	cr_assert(!pass_window(&streams, &now, 5 * MIB));
}

Test(streams, runs_are_whole_chunks_and_get_smaller_towards_the_end)
{
	struct streams streams = {.wanted = 4, .rate = 20 * MIB};

	cr_assert_eq(streams_run(&streams, 1024 * MIB), 10 * MIB);
	cr_assert_eq(streams_run(&streams, 40 * MIB), 5 * MIB);
	cr_assert_eq(streams_run(&streams, 3 * MIB), 1 * MIB);
	cr_assert_eq(streams_run(&streams, 777777) % CHUNK_SIZE, 0);
	streams.rate = 4000 * MIB;
	cr_assert_eq(streams_run(&streams, 1024 * 1024 * MIB), 32 * MIB);
}

Test(streams, a_busy_machine_takes_more_connections_only_if_they_are_slow)
{
	struct streams streams;
	struct streams_view view = view_at(FIRST + 250);

	view.machine_busy = true;
	streams_init(&streams, FIRST);
	for (int i = 0; i < 4; i++) {
		streams_received(&streams, 10 * MIB);
		cr_assert(!streams_judge(&streams, &view));
		view.now += 250;
	}
	streams_received(&streams, 3 * MIB);
	cr_assert(!streams_judge(&streams, &view), "one slow moment is none");
	view.now += 250;
	streams_received(&streams, 3 * MIB);
	cr_assert(streams_judge(&streams, &view));
}
