#include "base/units.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define FRACTION_DIGITS 9 /* more are read and do not count */

/* "12.5": digits before the point, and the part after it in [0, 1). */
struct number {
	uint64_t whole;
	double fraction;
};

/* Read a number without a sign; *ret_rest is what follows it and one optional blank. */
static int parse_number(const char *text, struct number *ret, const char **ret_rest)
{
	struct number number = {0};
	const char *p = text;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(number.whole, 10, &number.whole) ||
			__builtin_add_overflow(number.whole, (uint64_t)(*p - '0'), &number.whole))
			return -ERANGE;

	if (*p == '.') {
		double scale = 1;

		if (!isdigit((unsigned char)*++p))
			return -EINVAL;
		for (int i = 0; isdigit((unsigned char)*p); p++, i++)
			if (i < FRACTION_DIGITS)
				number.fraction += (*p - '0') * (scale /= 10);
	}
	if (p[0] == ' ' && p[1])
		p++;
	*ret = number;
	*ret_rest = p;
	return 0;
}

/* number * unit, at most INT64_MAX: what file offsets and times can hold. */
static int scale_number(struct number number, uint64_t unit, uint64_t *ret)
{
	uint64_t value;

	if (__builtin_mul_overflow(number.whole, unit, &value) ||
		__builtin_add_overflow(value, (uint64_t)(number.fraction * (double)unit), &value) ||
		value > INT64_MAX)
		return -ERANGE;
	*ret = value;
	return 0;
}

int units_parse_size(const char *text, uint64_t *ret)
{
	static const char prefixes[] = "KMGTP";
	struct number number;
	const char *suffix;
	uint64_t unit = 1;
	const char *prefix;
	int r = parse_number(text, &number, &suffix);

	if (r < 0)
		return r;
	prefix = *suffix ? strchr(prefixes, toupper((unsigned char)*suffix)) : NULL;
	if (prefix) {
		unit = UINT64_C(1) << 10 * (prefix - prefixes + 1);
		suffix++;
		if (strcasecmp(suffix, "iB") == 0)
			suffix++;
	}
	if (*suffix && strcasecmp(suffix, "B") != 0)
		return -EINVAL;
	return scale_number(number, unit, ret);
}

int units_parse_duration(const char *text, int64_t *ret_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{"", 1000},
		{"ms", 1},
		{"s", 1000},
		{"m", 60 * 1000},
		{"h", 60 * 60 * 1000},
		{"d", 24 * 60 * 60 * 1000},
	};
	struct number number;
	const char *suffix;
	uint64_t ms;
	int r = parse_number(text, &number, &suffix);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcasecmp(suffix, units[i].name) != 0)
			continue;
		r = scale_number(number, units[i].ms, &ms);
		if (r == 0)
			*ret_ms = (int64_t)ms;
		return r;
	}
	return -EINVAL;
}

void units_format_size(uint64_t bytes, char *ret)
{
	static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(ret, UNITS_SIZE_TEXT, "%u B", (unsigned int)bytes);
		return;
	}
	/* 1023.95 and more would be shown as 1024.0 */
	for (; value >= 1023.95; i++)
		value /= 1024;
	snprintf(ret, UNITS_SIZE_TEXT, "%.1f %s", value, names[i]);
}

void units_format_duration(int64_t ms, char *ret)
{
	const int64_t second = 1000;
	const int64_t minute = 60 * second;
	const int64_t hour = 60 * minute;
	const int64_t day = 24 * hour;
	const int64_t limit = 99999 * day; /* so that the text always fits */
	int64_t t = ms < 0 ? 0 : ms > limit ? limit : ms;

	if (t < second)
		snprintf(ret, UNITS_SIZE_TEXT, "%d ms", (int)t);
	else if (t < minute)
		snprintf(ret, UNITS_SIZE_TEXT, "%d.%d s", (int)(t / second),
			(int)(t % second / 100));
	else if (t < hour)
		snprintf(ret, UNITS_SIZE_TEXT, "%dm%02ds", (int)(t / minute),
			(int)(t % minute / second));
	else if (t < day)
		snprintf(ret, UNITS_SIZE_TEXT, "%dh%02dm", (int)(t / hour),
			(int)(t % hour / minute));
	else
		snprintf(ret, UNITS_SIZE_TEXT, "%dd%02dh", (int)(t / day), (int)(t % day / hour));
}
