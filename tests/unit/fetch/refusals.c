/* Of what is refused, so much is told. */
#include "fetch/refusals.h"

#include <criterion/criterion.h>

static struct refusals refusals;

static void setup(void)
{
	refusals = (struct refusals){.mu = PTHREAD_MUTEX_INITIALIZER};
}

TestSuite(refusals, .init = setup);

static bool tell(unsigned char n, uid_t uid, int64_t now_ms)
{
	return refusals_tell(&refusals, &(struct entry_key){{n, (uint8_t)uid}}, uid, now_ms);
}

Test(refusals, the_same_is_told_once_in_a_while)
{
	cr_assert(tell(1, 7, 1000));
	for (int64_t ms = 0; ms < REFUSALS_MS; ms += REFUSALS_MS / 1000)
		cr_assert_not(tell(1, 7, 1000 + ms));
	cr_assert(tell(1, 8, 1000));
	cr_assert(tell(1, 7, 1000 + REFUSALS_MS));
}

Test(refusals, one_user_leaves_room_for_others_and_all_of_them_for_what_else_happens)
{
	unsigned int of_user = 0;
	unsigned int of_all = 0;

	for (unsigned char n = 0; n < 200; n++)
		of_user += tell(n, 7, 1000);
	cr_assert_eq(of_user, REFUSALS_MAX_OF_USER);
	for (uid_t uid = 0; uid < 200; uid++)
		of_all += tell(1, 100 + uid % 100, 1000);
	cr_assert_eq(of_user + of_all, REFUSALS_MAX);
	cr_assert(tell(201, 7, 1000 + REFUSALS_MS));
}
