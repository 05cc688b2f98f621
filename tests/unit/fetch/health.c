/* Who failed is left out for a while, who works is not. */
#include "fetch/health.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>

#define M "http://m"

static void freep(struct health **health)
{
	health_free(*health);
}

Test(health, who_failed_is_out_for_five_seconds_and_longer_each_time)
{
	CLEANUP(freep) struct health *health = health_new();
	int64_t now = 1000;

	cr_assert_not(health_is_out(health, M, now));
	for (int64_t out = 5000; out <= 40000; out *= 2) {
		health_failed(health, M, now, 0);
		health_failed(health, M, now + 1, 0); /* the same trouble */
		cr_assert(health_is_out(health, M, now + out - 1));
		cr_assert_not(health_is_out(health, "http://n", now));
		now += out;
		cr_assert_not(health_is_out(health, M, now));
	}
	for (int i = 0; i < 10; i++, now += 300000)
		health_failed(health, M, now, 0);
	cr_assert_not(health_is_out(health, M, now));
}

Test(health, who_works_begins_anew)
{
	CLEANUP(freep) struct health *health = health_new();

	health_failed(health, M, 0, 0);
	health_failed(health, M, 5000, 0);
	health_worked(health, M, 0, 0);
	cr_assert_not(health_is_out(health, M, 5001));
	health_failed(health, M, 6000, 0);
	cr_assert(health_is_out(health, M, 10999));
	cr_assert_not(health_is_out(health, M, 11000));
}

Test(health, who_asks_for_it_is_left_alone_for_longer_but_not_for_ever)
{
	CLEANUP(freep) struct health *health = health_new();

	health_failed(health, M, 0, 30);
	cr_assert(health_is_out(health, M, 29999));
	cr_assert_not(health_is_out(health, M, 30000));
	health_failed(health, M, 30000, 1);
	cr_assert(health_is_out(health, M, 39999));
	cr_assert_not(health_is_out(health, M, 40000));
	health_failed(health, "http://n", 0, 4000000000);
	cr_assert_not(health_is_out(health, "http://n", 3600000));
}
