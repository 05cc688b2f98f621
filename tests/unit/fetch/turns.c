/* The lines of users whose downloads wait for each other. */
#include "fetch/turns.h"

#include <criterion/criterion.h>

#define OWNER 0
#define ALICE 1
#define BOB   2
#define LIMIT 2

static struct turns turns;
static struct ticket ticket[8];

static void setup(void)
{
	turns = (struct turns){.limit = LIMIT, .owner = OWNER};
	memset(ticket, 0, sizeof(ticket));
}

/* Whatever was done: nothing is left once all has ended. */
static void teardown(void)
{
	for (size_t i = 0; i < 8; i++)
		turns_leave(&turns, &ticket[i]);
	for (size_t i = 0; i < 8; i++)
		while (ticket[i].state == TICKET_GOES)
			turns_end(&turns, &ticket[i]);
	cr_assert_eq(turns.waiting, 0);
	cr_assert_null(turns.users);
}

TestSuite(turns, .init = setup, .fini = teardown);

static bool ask(size_t n, uid_t uid)
{
	return turns_ask(&turns, &ticket[n], uid);
}

/* The number of who goes next, or -1. */
static int end(size_t n)
{
	struct ticket *next = turns_end(&turns, &ticket[n]);

	cr_assert(!next || next->state == TICKET_GOES);
	return next ? (int)(next - ticket) : -1;
}

/* All that @uid may have under way is. */
static void fill(uid_t uid, size_t first)
{
	for (size_t i = first; i < first + LIMIT; i++)
		cr_assert(ask(i, uid));
}

Test(turns, who_came_first_goes_first)
{
	fill(ALICE, 0);
	for (size_t i = 2; i < 6; i++)
		cr_assert_not(ask(i, ALICE));
	cr_assert_eq(turns.waiting, 4);
	cr_assert(turns_is_awaited(&ticket[1]));
	cr_assert_not(turns_is_awaited(&ticket[2]));
	cr_assert_eq(end(1), 2);
	cr_assert_eq(end(0), 3);
	cr_assert_eq(end(3), 4);
	cr_assert_not(ask(6, ALICE));
	cr_assert_eq(end(2), 5);
	cr_assert_eq(end(4), 6);
	cr_assert_not(turns_is_awaited(&ticket[5]));
	cr_assert_eq(end(5), -1);
	cr_assert_eq(turns.waiting, 0);
	cr_assert(ask(7, ALICE));
}

Test(turns, each_user_has_a_line_of_his_own)
{
	fill(ALICE, 0);
	cr_assert_not(ask(2, ALICE));
	fill(BOB, 3);
	cr_assert_not(ask(5, BOB));
	cr_assert_eq(end(3), 5);
	cr_assert_eq(end(0), 2);
}

Test(turns, the_owner_is_not_limited_nor_anybody_without_a_limit)
{
	for (size_t i = 0; i < 4; i++)
		cr_assert(ask(i, OWNER));
	turns.limit = 0;
	for (size_t i = 4; i < 8; i++)
		cr_assert(ask(i, ALICE));
	cr_assert_null(turns.users);
	cr_assert_eq(end(4), -1);
}

Test(turns, what_is_asked_for_twice_goes_once)
{
	fill(ALICE, 0);
	cr_assert_not(ask(0, ALICE));
	cr_assert_not(ask(0, BOB));
	cr_assert_not(ask(2, ALICE));
	cr_assert_not(ask(2, ALICE));
	cr_assert_eq(turns.waiting, 1);
	cr_assert_eq(end(0), 2);
	cr_assert_eq(end(1), -1);
	cr_assert_not(ask(0, ALICE), "it is over");
}

Test(turns, what_waits_goes_at_once_with_who_has_room_and_counts_for_him)
{
	fill(ALICE, 0);
	cr_assert_not(ask(2, ALICE));
	cr_assert_not(ask(3, ALICE));
	cr_assert(ask(3, BOB));
	cr_assert(ask(4, BOB));
	cr_assert_not(ask(5, BOB));
	cr_assert_eq(turns.waiting, 2);
	cr_assert_eq(end(3), 5, "it was bob's");
	cr_assert(ask(2, OWNER));
	cr_assert_eq(turns.waiting, 0);
	cr_assert_eq(end(2), -1);
	cr_assert_eq(end(0), -1);
}

Test(turns, what_needs_no_turn_goes_and_counts_for_nobody)
{
	fill(ALICE, 0);
	cr_assert_not(ask(2, ALICE));
	cr_assert_not(ask(3, ALICE));
	cr_assert(turns_pass(&turns, &ticket[4]));
	cr_assert(turns_pass(&turns, &ticket[2]), "it was waiting");
	cr_assert_not(turns_pass(&turns, &ticket[2]), "it goes");
	cr_assert_eq(end(4), -1);
	cr_assert_eq(end(2), -1);
	cr_assert_not(turns_pass(&turns, &ticket[2]), "it is over");
	cr_assert_eq(end(0), 3);
}

Test(turns, what_two_wait_for_goes_with_the_first_whose_turn_comes)
{
	fill(ALICE, 0);
	fill(BOB, 2);
	cr_assert_not(ask(4, ALICE));
	cr_assert_not(ask(5, ALICE));
	cr_assert_not(ask(6, BOB));
	cr_assert_not(ask(5, BOB));
	cr_assert_eq(turns.waiting, 3);
	cr_assert_eq(end(2), 6);
	cr_assert_eq(end(3), 5, "behind 4 in alice's line, but first in bob's");
	cr_assert_eq(end(5), -1);
	cr_assert_eq(end(0), 4);
	cr_assert_eq(end(1), -1);
}

Test(turns, who_leaves_the_line_is_passed_over)
{
	fill(ALICE, 0);
	for (size_t i = 2; i < 5; i++)
		cr_assert_not(ask(i, ALICE));
	cr_assert(turns_leave(&turns, &ticket[3]));
	cr_assert_not(turns_leave(&turns, &ticket[3]));
	cr_assert_not(turns_leave(&turns, &ticket[0]), "it goes");
	cr_assert_eq(turns.waiting, 2);
	cr_assert_not(ask(3, ALICE), "it is over");
	cr_assert_eq(end(0), 2);
	cr_assert_eq(end(1), 4);
}

Test(turns, what_rested_needs_another_turn)
{
	fill(ALICE, 0);
	cr_assert_not(ask(2, ALICE));
	cr_assert_eq(end(0), 2);
	cr_assert_not(turns_ask_again(&turns, &ticket[0], ALICE));
	cr_assert_eq(end(2), 0);
}

Test(turns, what_goes_on_before_its_rest_began_keeps_its_turn)
{
	fill(ALICE, 0);
	cr_assert_not(ask(2, ALICE));
	cr_assert(turns_ask_again(&turns, &ticket[0], ALICE));
	cr_assert_eq(end(0), -1);
	cr_assert_eq(ticket[0].state, TICKET_GOES);
	cr_assert_eq(end(0), 2);
}
