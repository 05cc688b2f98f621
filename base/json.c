#include "base/json.h"

#include "base/str.h"

#include <inttypes.h>
#include <string.h>

/* How much of @s goes as it is. */
static size_t plain(const char *s)
{
	size_t len = 0;

	while (s[len] >= 0x20 && s[len] < 0x7f && s[len] != '"' && s[len] != '\\')
		len++;
	return len;
}

/* The first character of @s, which is not plain. Returns how long it is. */
static size_t write_other(FILE *out, const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t len = str_char(s);

	if (len == 0) {
		fputs("\\ufffd", out);
		return 1;
	}
	if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c < 0x20 || c == 0x7f)
		fprintf(out, "\\u%04x", c);
	else
		fwrite(s, 1, len, out);
	return len;
}

static void write_string(FILE *out, const char *s)
{
	putc('"', out);
	while (*s) {
		size_t len = plain(s);

		fwrite(s, 1, len, out);
		s += len;
		if (*s)
			s += write_other(out, s);
	}
	putc('"', out);
}

static void begin(struct json *json, const char *key)
{
	if (json->follows)
		fputs(", ", json->out);
	if (key) {
		write_string(json->out, key);
		fputs(": ", json->out);
	}
	json->follows = true;
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	putc(bracket, json->out);
	json->follows = false;
	json->depth++;
}

void json_close(struct json *json, char bracket)
{
	putc(bracket, json->out);
	json->depth--;
	json->follows = json->depth > 0;
	if (json->depth == 0)
		putc('\n', json->out);
}

void json_text(struct json *json, const char *key, const char *value)
{
	if (!value) {
		json_null(json, key);
		return;
	}
	begin(json, key);
	write_string(json->out, value);
}

void json_number(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64, value);
}

void json_thousandths(struct json *json, const char *key, int64_t value)
{
	begin(json, key);
	fprintf(json->out, "%" PRId64 ".%03" PRId64, value / 1000, value % 1000);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_null(struct json *json, const char *key)
{
	begin(json, key);
	fputs("null", json->out);
}

void json_error(struct json *json, const char *key, const struct err *err)
{
	if (!err->code) {
		json_null(json, key);
		return;
	}
	json_open(json, key, '{');
	json_text(json, "errno", strerrorname_np(err->code));
	json_text(json, "kind", err_kind_name(err->kind));
	json_text(json, "message", err->msg);
	json_bool(json, "retry", err->retry);
	json_known(json, "retry_after", err->retry_after > 0 ? (int64_t)err->retry_after : -1);
	json_close(json, '}');
}

void json_known(struct json *json, const char *key, int64_t value)
{
	if (value < 0)
		json_null(json, key);
	else
		json_number(json, key, value);
}
