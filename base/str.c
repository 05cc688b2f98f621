#include "base/str.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void str_freep(char **s)
{
	free(*s);
	*s = NULL;
}

char *str_steal(char **s)
{
	char *given = *s;

	*s = NULL;
	return given;
}

char *str_printf(const char *fmt, ...)
{
	char *ret = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&ret, fmt, args);
	va_end(args);
	return n < 0 ? NULL : ret;
}

char *str_copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

bool str_fit(char *buf, size_t size, const char *s)
{
	size_t len = strlen(s);

	if (len >= size) {
		buf[0] = '\0';
		return false;
	}
	memcpy(buf, s, len + 1);
	return true;
}

void str_cut(char *buf, size_t size, const char *s)
{
	static const char ellipsis[] = "…";
	size_t room = size - sizeof(ellipsis);

	if (str_fit(buf, size, s))
		return;
	while (room > 0 && ((unsigned char)s[room] & 0xc0) == 0x80)
		room--;
	memcpy(buf, s, room);
	memcpy(buf + room, ellipsis, sizeof(ellipsis));
}

size_t str_char(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

size_t str_char_shown(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t len = str_char(text);

	/* U+0080 to U+009F are commands, too */
	if (s[0] < 0x20 || s[0] == 0x7f || (len == 2 && s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return len;
}

void str_make_plain(char *text)
{
	while (*text) {
		size_t len = str_char_shown(text);

		if (len == 0)
			*text = '?';
		text += len > 0 ? len : 1;
	}
}

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *s, const char *suffix)
{
	size_t len = strlen(s);
	size_t tail = strlen(suffix);

	return len >= tail && strcmp(s + len - tail, suffix) == 0;
}

void str_to_hex(const void *bytes, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * len] = '\0';
}

size_t str_distance(const char *a, const char *b)
{
	size_t row[STR_DISTANCE_MAX + 1];
	size_t len = strnlen(b, STR_DISTANCE_MAX);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; i < STR_DISTANCE_MAX && a[i]; i++) {
		size_t diagonal = row[0]++;

		for (size_t j = 0; j < len; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			size_t other = 1 + (row[j] < row[j + 1] ? row[j] : row[j + 1]);

			diagonal = row[j + 1];
			row[j + 1] = change < other ? change : other;
		}
	}
	return row[len];
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool str_from_hex(const char *hex, size_t len, void *ret)
{
	uint8_t *out = ret;

	if (strlen(hex) != 2 * len)
		return false;
	for (size_t i = 0; i < len; i++) {
		int high = hex_value(hex[2 * i]);
		int low = hex_value(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void str_free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void str_free_secretp(char **text)
{
	str_free_secret(*text);
	*text = NULL;
}
