#include "base/units.h"

#include <criterion/criterion.h>
#include <errno.h>

static void check_size(const char *text, uint64_t expected)
{
	uint64_t bytes = 0;

	cr_assert_eq(units_parse_size(text, &bytes), 0, "%s", text);
	cr_assert_eq(bytes, expected, "%s is %llu", text, (unsigned long long)bytes);
}

static void check_duration(const char *text, int64_t expected)
{
	int64_t ms = 0;

	cr_assert_eq(units_parse_duration(text, &ms), 0, "%s", text);
	cr_assert_eq(ms, expected, "%s is %lld", text, (long long)ms);
}

Test(units, sizes_are_read)
{
	check_size("0", 0);
	check_size("4096", 4096);
	check_size("17B", 17);
	check_size("10G", UINT64_C(10) << 30);
	check_size("512MiB", UINT64_C(512) << 20);
	check_size("1kb", 1024);
	check_size("1.5T", UINT64_C(3) << 39);
	check_size("2 PiB", UINT64_C(2) << 50);
	check_size("9223372036854775807", INT64_MAX);
}

Test(units, nonsense_is_no_size)
{
	static const char *const bad[] = {"", "G", "-1", "+1", " 1", "1X", "1GiBs", "1.G", ".5G",
		"1 ", "1i", "1  G", "0x10", "1e3"};
	uint64_t bytes = 42;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(units_parse_size(bad[i], &bytes), -EINVAL, "%s", bad[i]);
	cr_assert_eq(units_parse_size("9223372036854775808", &bytes), -ERANGE);
	cr_assert_eq(units_parse_size("8192P", &bytes), -ERANGE);
	cr_assert_eq(units_parse_size("99999999999999999999", &bytes), -ERANGE);
	cr_assert_eq(bytes, 42);
}

Test(units, durations_are_read)
{
	check_duration("10", 10000);
	check_duration("500ms", 500);
	check_duration("60s", 60000);
	check_duration("5m", 300000);
	check_duration("1.5h", 5400000);
	check_duration("1d", 86400000);
	check_duration("0", 0);
}

Test(units, nonsense_is_no_duration)
{
	int64_t ms = 42;

	cr_assert_eq(units_parse_duration("", &ms), -EINVAL);
	cr_assert_eq(units_parse_duration("soon", &ms), -EINVAL);
	cr_assert_eq(units_parse_duration("5x", &ms), -EINVAL);
	cr_assert_eq(units_parse_duration("-5s", &ms), -EINVAL);
	cr_assert_eq(units_parse_duration("9223372036854775807s", &ms), -ERANGE);
	cr_assert_eq(ms, 42);
}

Test(units, sizes_are_shown)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {{0, "0 B"}, {812, "812 B"}, {1023, "1023 B"}, {1024, "1.0 KiB"},
		{UINT64_C(3) << 29, "1.5 GiB"}, {(1 << 20) - 1, "1.0 MiB"},
		{UINT64_MAX, "16.0 EiB"}};
	char text[UNITS_SIZE_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		units_format_size(cases[i].bytes, text);
		cr_assert_str_eq(text, cases[i].text);
	}
}

Test(units, durations_are_shown)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{-1, "0 ms"}, {840, "840 ms"}, {3200, "3.2 s"}, {59999, "59.9 s"},
		{125000, "2m05s"}, {3720000, "1h02m"}, {273600000, "3d04h"},
		{INT64_MAX, "99999d00h"}};
	char text[UNITS_SIZE_TEXT];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		units_format_duration(cases[i].ms, text);
		cr_assert_str_eq(text, cases[i].text);
	}
}
