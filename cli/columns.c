#include "cli/columns.h"

#include "base/str.h"

#include <string.h>

/* The first character that may be two columns wide (U+1100), in UTF-8. */
static const unsigned char first_wide[] = {0xe1, 0x84, 0x80};

/* One character, as it is to be shown. */
struct shown {
	const char *text;
	size_t len;  /* bytes */
	size_t from; /* bytes that it stands for */
	size_t columns;
};

static struct shown look(const char *s)
{
	size_t len = str_char_shown(s);
	const unsigned char *c = (const unsigned char *)s;
	bool is_punctuation = len == 3 && c[0] == 0xe2 && c[1] == 0x80; /* as "…" */
	bool is_wide = len > 3 || (len == 3 && !is_punctuation &&
					  memcmp(c, first_wide, sizeof(first_wide)) >= 0);

	if (len == 0)
		return (struct shown){.text = "?", .len = 1, .from = 1, .columns = 1};
	return (struct shown){.text = s, .len = len, .from = len, .columns = is_wide ? 2 : 1};
}

static size_t columns_of(const char *s)
{
	size_t columns = 0;

	while (*s) {
		struct shown shown = look(s);

		columns += shown.columns;
		s += shown.from;
	}
	return columns;
}

void columns_fit(const char *s, size_t columns, char *ret)
{
	static const char ellipsis[] = "…";
	size_t left = columns_of(s);

	if (left > columns && columns > 1) {
		memcpy(ret, ellipsis, sizeof(ellipsis) - 1);
		ret += sizeof(ellipsis) - 1;
		columns -= 1;
	}
	while (left > columns) {
		struct shown shown = look(s);

		left -= shown.columns;
		s += shown.from;
	}
	while (*s) {
		struct shown shown = look(s);

		memcpy(ret, shown.text, shown.len);
		ret += shown.len;
		s += shown.from;
	}
	memset(ret, ' ', columns - left);
	ret[columns - left] = '\0';
}
