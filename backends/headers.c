#include "backends/headers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROOM_FIRST 512 /* enough for most answers */

void headers_release(struct headers *headers)
{
	free(headers->text);
	*headers = (struct headers){.text = NULL};
}

int headers_add(struct headers *headers, const char *line, size_t len, struct err *err)
{
	if (len >= HEADERS_MAX - headers->len)
		return err_set(
			err, ERR_REMOTE, EBADMSG, "headers are longer than %zu bytes", HEADERS_MAX);
	if (len >= headers->room - headers->len) {
		size_t room = 2 * (headers->len + len + 1) + ROOM_FIRST;
		char *bigger = realloc(headers->text, room);

		if (!bigger)
			return err_oom(err);
		headers->text = bigger;
		headers->room = room;
	}
	memcpy(headers->text + headers->len, line, len);
	headers->text[headers->len + len] = '\0';
	headers->len += len + 1;
	return 0;
}

void headers_clear(struct headers *headers)
{
	headers->len = 0;
}

const char *headers_next(const struct headers *headers, const char *name, size_t *at)
{
	size_t len = strlen(name);

	while (*at < headers->len) {
		const char *line = headers->text + *at;

		*at += strlen(line) + 1;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return line + len + 1 + strspn(line + len + 1, " \t");
	}
	return NULL;
}

bool headers_disagree(const struct headers *headers, const char *name)
{
	size_t at = 0;
	const char *first = headers_next(headers, name, &at);

	for (const char *value; (value = headers_next(headers, name, &at));)
		if (strcmp(value, first) != 0)
			return true;
	return false;
}

const char *headers_find(const struct headers *headers, const char *name)
{
	const char *last = NULL;
	size_t at = 0;

	for (const char *value; (value = headers_next(headers, name, &at));)
		last = value;
	return last;
}
