/* How long an answer holds, by headers as servers and caches write them, and as they should not. */
#include "backends/lifetime.h"

#include "backends/backend.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <string.h>

#define DAY  INT64_C(86400)
#define YEAR (365 * DAY)

/* 2026-01-01 00:00:00 UTC; the tests' headers know it. */
#define NOW INT64_C(1767225600)

/* Of @lines, with '\n' between them. */
static struct lifetime read_lines(const char *lines)
{
	CLEANUP(headers_release) struct headers headers = {.text = NULL};
	struct err err = ERR_INIT;

	while (*lines) {
		size_t len = strcspn(lines, "\n");

		cr_assert_eq(headers_add(&headers, lines, len, &err), 0, "%s", err.msg);
		lines += len + (lines[len] == '\n');
	}
	return lifetime_read(&headers, NOW);
}

struct sample {
	const char *lines;
	int64_t seconds;
};

static void expect(const struct sample *samples, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct lifetime is = read_lines(samples[i].lines);

		cr_expect_eq(is.seconds, samples[i].seconds, "%s: %lld", samples[i].lines,
			(long long)is.seconds);
	}
}

Test(lifetime, is_what_cache_control_says)
{
	static const struct sample samples[] = {
		{"", TIME_UNKNOWN},
		{"Cache-Control: public", TIME_UNKNOWN},
		{"Cache-Control: s-maxage=5", TIME_UNKNOWN},
		{"cache-control: max-age=60", 60},
		{"Cache-Control: MAX-AGE=\"60\", s-maxage=5", 60},
		{"Cache-Control: ,, max-age=60 ,,", 60},
		{"Cache-Control: private=\"x, no-store\", max-age=60", 60},
		{"Cache-Control: x=\"a\\\", max-age=5\", max-age=60", 60},
		{"Cache-Control: xmax-age=5, max-agex=5, max-age=60", 60},
		{"Cache-Control: no-store, max-age=60", 0},
		{"Cache-Control: max-age=60, no-cache=\"Set-Cookie\"", 0},
		{"Cache-Control: max-age=60\nExpires: Thu, 01 Jan 1970 00:00:00 GMT", 60},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, is_the_shortest_of_several)
{
	static const struct sample samples[] = {
		{"Cache-Control: no-store\nCache-Control: max-age=60", 0},
		{"Cache-Control: max-age=60\nCache-Control: no-cache", 0},
		{"Cache-Control: max-age=5\nCache-Control: max-age=60", 5},
		{"Cache-Control: max-age=60, max-age=5", 5},
		{"Cache-Control: max-age=60\nAge: 50\nAge: 1", 10},
		{"Expires: Thu, 01 Jan 2026 02:00:00 GMT\nExpires: Thu, 01 Jan 2026 01:00:00 GMT",
			3600},
		{"Expires: Thu, 01 Jan 2026 02:00:00 GMT\nExpires: 0", 0},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, is_over_when_what_is_said_makes_no_sense)
{
	static const struct sample samples[] = {
		{"Cache-Control: max-age", 0},
		{"Cache-Control: max-age=", 0},
		{"Cache-Control: max-age=x", 0},
		{"Cache-Control: max-age=-1", 0},
		{"Cache-Control: max-age=+60", 0},
		{"Cache-Control: max-age=60.5", 0},
		{"Expires: tomorrow", 0},
		{"Expires: ", 0},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, of_numbers_without_end_is_long_and_over_by_an_age_without_end)
{
	static const struct sample samples[] = {
		{"Cache-Control: max-age=99999999999999999999999", 10 * YEAR},
		{"Expires: Fri, 01 Jan 2100 00:00:00 GMT", 10 * YEAR},
		{"Cache-Control: max-age=60\nAge: 99999999999999999999999", 0},
		{"Cache-Control: max-age=60\nAge: 60", 0},
		{"Cache-Control: max-age=60\nAge: -5", 60},
		{"Cache-Control: max-age=60\nAge: old", 60},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, is_until_expires_by_the_clock_of_the_origin)
{
	static const struct sample samples[] = {
		{"Expires: Thu, 01 Jan 2026 01:00:00 GMT", 3600},
		{"Date: Thu, 01 Jan 2026 00:30:00 GMT\nExpires: Thu, 01 Jan 2026 01:00:00 GMT",
			1800},
		{"Date: nonsense\nExpires: Thu, 01 Jan 2026 01:00:00 GMT", 3600},
		{"Date: Thu, 01 Jan 2026 02:00:00 GMT\nExpires: Thu, 01 Jan 2026 01:00:00 GMT", 0},
		{"Expires: Thu, 01 Jan 2026 01:00:00 GMT\nAge: 600", 3000},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, of_the_immutable_is_a_year_where_nothing_else_is_said)
{
	static const struct sample samples[] = {
		{"Cache-Control: immutable", YEAR},
		{"Cache-Control: immutable, max-age=60", 60},
		{"Cache-Control: max-age=0, immutable", 0},
		{"Cache-Control: immutable\nExpires: Thu, 01 Jan 2026 01:00:00 GMT", 3600},
		{"Cache-Control: immutable, no-cache", 0},
	};

	expect(samples, ARRAY_SIZE(samples));
}

Test(lifetime, ends_for_good_where_the_origin_must_be_asked)
{
	static const char *const must[] = {"Cache-Control: max-age=60, must-revalidate",
		"Cache-Control: proxy-revalidate", "Cache-Control: no-cache",
		"Cache-Control: max-age=5\nCache-Control: No-Store"};
	static const char *const may[] = {"", "Cache-Control: max-age=0",
		"Cache-Control: x=\"must-revalidate\"", "Expires: 0"};

	for (size_t i = 0; i < ARRAY_SIZE(must); i++)
		cr_expect(read_lines(must[i]).must_ask, "%s", must[i]);
	for (size_t i = 0; i < ARRAY_SIZE(may); i++)
		cr_expect_not(read_lines(may[i]).must_ask, "%s", may[i]);
}
