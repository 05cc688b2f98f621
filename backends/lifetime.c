#include "backends/lifetime.h"

#include "backends/backend.h"
#include "backends/transfer.h"
#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define YEAR          (INT64_C(365) * 24 * 3600)
#define SECONDS_MAX   (10 * YEAR)
#define DIRECTIVE_MAX 64

/* What Cache-Control says, all of its lines together. */
struct control {
	int64_t max_age; /* TIME_UNKNOWN: nothing */
	bool never;      /* no-cache, no-store: not even now */
	bool must_ask;
	bool immutable;
};

/* A number of seconds, the largest when there are too many (RFC 9111, 1.2.2). -1: it is none. */
static int64_t delta_seconds(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	int64_t value = 0;

	if (digits == 0 || text[digits])
		return -1;
	for (; *text; text++) {
		value = 10 * value + (*text - '0');
		if (value > SECONDS_MAX)
			return SECONDS_MAX;
	}
	return value;
}

/*
 * One directive of Cache-Control into @ret, without blanks and quotes and in lower case; a longer
 * one, which is none that we know, is cut. Returns what follows it, NULL at the end.
 */
static const char *next_directive(const char *text, char ret[DIRECTIVE_MAX])
{
	size_t len = 0;
	bool quoted = false;

	for (; *text && (quoted || *text != ','); text++) {
		quoted ^= *text == '"';
		if (quoted && *text == '\\' && text[1])
			text++;
		else if (!isspace((unsigned char)*text) && *text != '"' && len + 1 < DIRECTIVE_MAX)
			ret[len++] = (char)tolower((unsigned char)*text);
	}
	ret[len] = '\0';
	return *text ? text + 1 : NULL;
}

static void take_directive(struct control *control, const char *directive)
{
	size_t name = strcspn(directive, "=");
	int64_t seconds;

	if (str_equal(directive, "no-store") || str_has_prefix(directive, "no-cache"))
		control->never = control->must_ask = true;
	if (str_equal(directive, "must-revalidate") || str_equal(directive, "proxy-revalidate"))
		control->must_ask = true;
	if (str_equal(directive, "immutable"))
		control->immutable = true;
	if (strncmp(directive, "max-age", name) != 0 || name != strlen("max-age"))
		return;
	seconds = directive[name] ? delta_seconds(directive + name + 1) : -1;
	if (seconds < 0) /* RFC 9111, 4.2.1: what makes no sense is stale */
		seconds = 0;
	if (control->max_age == TIME_UNKNOWN || seconds < control->max_age)
		control->max_age = seconds;
}

static struct control read_control(const struct headers *headers)
{
	struct control control = {.max_age = TIME_UNKNOWN};
	char directive[DIRECTIVE_MAX];
	const char *text;
	size_t at = 0;

	while ((text = headers_next(headers, "Cache-Control", &at))) {
		while (text) {
			text = next_directive(text, directive);
			take_directive(&control, directive);
		}
	}
	return control;
}

/* Seconds until the earliest Expires, or TIME_UNKNOWN. */
static int64_t read_expires(const struct headers *headers, int64_t now)
{
	int64_t seconds = TIME_UNKNOWN;
	const char *text;
	size_t at = 0;

	while ((text = headers_next(headers, "Expires", &at))) {
		const char *date = headers_find(headers, "Date");
		int64_t theirs = date ? transfer_date(date) : TIME_UNKNOWN;
		int64_t when = transfer_date(text);
		int64_t left = when - (theirs == TIME_UNKNOWN ? now : theirs);

		if (when == TIME_UNKNOWN || left < 0) /* RFC 9111, 5.3: "0" and its like are over */
			left = 0;
		if (seconds == TIME_UNKNOWN || left < seconds)
			seconds = left;
	}
	return seconds;
}

/* How many of its seconds other caches have already used. */
static int64_t read_age(const struct headers *headers)
{
	int64_t age = 0;
	const char *text;
	size_t at = 0;

	while ((text = headers_next(headers, "Age", &at))) {
		int64_t seconds = delta_seconds(text);

		if (seconds > age)
			age = seconds;
	}
	return age;
}

struct lifetime lifetime_read(const struct headers *headers, int64_t now)
{
	struct control control = read_control(headers);
	struct lifetime lifetime = {.seconds = control.max_age, .must_ask = control.must_ask};
	int64_t age = read_age(headers);

	if (lifetime.seconds == TIME_UNKNOWN)
		lifetime.seconds = read_expires(headers, now);
	/* RFC 8246 adds no time, and says that there is no use in asking within it */
	if (lifetime.seconds == TIME_UNKNOWN && control.immutable)
		lifetime.seconds = YEAR;
	if (control.never)
		lifetime.seconds = 0;
	if (lifetime.seconds == TIME_UNKNOWN)
		return lifetime;
	if (lifetime.seconds > SECONDS_MAX)
		lifetime.seconds = SECONDS_MAX;
	lifetime.seconds = age < lifetime.seconds ? lifetime.seconds - age : 0;
	return lifetime;
}
