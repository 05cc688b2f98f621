#include "fetch/aws_profile.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define BLANKS " \t\r"

/* A run of bytes of the file. */
struct span {
	const char *start;
	size_t len;
};

static struct span trim(struct span span)
{
	while (span.len > 0 && strchr(BLANKS, span.start[0])) {
		span.start++;
		span.len--;
	}
	while (span.len > 0 && strchr(BLANKS, span.start[span.len - 1]))
		span.len--;
	return span;
}

static bool is(struct span span, const char *text)
{
	return span.len == strlen(text) && strncmp(span.start, text, span.len) == 0;
}

/* The line at *@text, which is moved behind it. */
static struct span next_line(const char **text)
{
	struct span line = {*text, strcspn(*text, "\n")};

	*text += line.len + ((*text)[line.len] == '\n');
	return line;
}

/* "[name]" or "[profile name]". */
static bool begins(struct span line, const char *name, bool is_config)
{
	static const char word[] = "profile";
	struct span inner = trim(line);
	const char *end = memchr(inner.start, ']', inner.len);

	if (inner.len == 0 || inner.start[0] != '[' || !end)
		return false;
	inner = trim((struct span){inner.start + 1, (size_t)(end - inner.start) - 1});
	if (is_config && !is(inner, "default")) {
		size_t len = strlen(word);

		if (inner.len <= len || strncmp(inner.start, word, len) != 0 ||
			!strchr(BLANKS, inner.start[len]))
			return false;
		inner = trim((struct span){inner.start + len, inner.len - len});
	}
	return is(inner, name);
}

static bool is_header(struct span line)
{
	line = trim(line);
	return line.len > 0 && line.start[0] == '[';
}

bool aws_profile_exists(const char *text, const char *name, bool is_config)
{
	while (*text)
		if (begins(next_line(&text), name, is_config))
			return true;
	return false;
}

/* "key = value" */
static bool is_setting(struct span line, const char *key, struct span *ret)
{
	const char *equals = memchr(line.start, '=', line.len);
	size_t len = equals ? (size_t)(equals - line.start) : 0;

	if (!equals || strchr(BLANKS, line.start[0]) ||
		!is(trim((struct span){line.start, len}), key))
		return false;
	*ret = trim((struct span){equals + 1, line.len - len - 1});
	return true;
}

char *aws_profile_get(const char *text, const char *name, bool is_config, const char *key)
{
	struct span value = {"", 0};
	bool found = false;
	bool within = false;

	/* of two the last one counts, as of two profiles of one name */
	while (*text) {
		struct span line = next_line(&text);

		if (is_header(line))
			within = begins(line, name, is_config);
		else if (within && line.len > 0)
			found |= is_setting(line, key, &value);
	}
	return found && value.len > 0 ? strndup(value.start, value.len) : NULL;
}
