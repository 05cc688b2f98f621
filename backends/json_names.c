#include "backends/json_names.h"

#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define ITEM_MAX ((size_t)16 * 1024) /* bytes; a name has 255, each of which six at most */
#define LATIN    0x80                /* bytes from here on are no ASCII */

/* Where in the array we are. */
enum place { BEFORE, FIRST, ITEM, AFTER };

struct json_names {
	json_name *visit;
	void *arg;
	enum place place;
	unsigned int depth; /* of brackets in the item */
	bool quoted;
	bool escaped;
	size_t len;
	char item[ITEM_MAX];
	char wide[2 * ITEM_MAX];
};

int json_names_new(json_name *visit, void *arg, struct json_names **ret, struct err *err)
{
	struct json_names *names = calloc(1, sizeof(*names));

	if (!names)
		return err_oom(err);
	names->visit = visit;
	names->arg = arg;
	*ret = names;
	return 0;
}

void json_names_free(struct json_names *names)
{
	free(names);
}

static int no_json(struct err *err)
{
	return err_set(err, ERR_REMOTE, EBADMSG, "the listing is broken JSON");
}

/* ---- an item ---- */

/* As if the bytes were Latin-1, in which all of them are something. */
static size_t widen(const char *text, size_t len, char *ret)
{
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= LATIN)
			ret[out++] = (char)(0xc0 | c >> 6);
		ret[out++] = (char)(c < LATIN ? c : LATIN | (c & 0x3f));
	}
	return out;
}

/* The bytes again. What is no Latin-1 was an escape, and stays. */
static void narrow(char *text)
{
	char *out = text;

	while (*text) {
		unsigned char c = (unsigned char)*text++;

		if (c == 0xc2 || c == 0xc3)
			c = (unsigned char)(c << 6 | ((unsigned char)*text++ & 0x3f));
		*out++ = (char)c;
	}
	*out = '\0';
}

/* nginx writes names as the bytes they are, which JSON wants to be UTF-8. */
static json_t *load(struct json_names *names, bool *ret_widened)
{
	json_t *item = json_loadb(names->item, names->len, 0, NULL);

	*ret_widened = !item;
	return item ? item
		    : json_loadb(names->wide, widen(names->item, names->len, names->wide), 0, NULL);
}

static int visit_item(
	const struct json_names *names, const json_t *item, bool widened, struct err *err)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	const char *type = json_string_value(json_object_get(item, "type"));
	char *copy;
	int r;

	if (!name || !type)
		return err_set(err, ERR_REMOTE, ENOTDIR,
			"the origin shows no listing there, but other JSON");
	copy = str_copy(name);
	if (!copy)
		return err_oom(err);
	if (widened)
		narrow(copy);
	r = names->visit(copy, str_equal(type, "directory"), names->arg, err);
	free(copy);
	return r;
}

static int end_item(struct json_names *names, struct err *err)
{
	bool widened;
	json_t *item = load(names, &widened);
	int r;

	if (!item)
		return no_json(err);
	r = visit_item(names, item, widened, err);
	json_decref(item);
	names->len = 0;
	return r;
}

/* ---- the array ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What @c is in the item: where strings and brackets begin and end. Whether it belongs together is
 * seen when the item is parsed. */
static void follow(struct json_names *names, char c)
{
	if (names->escaped) {
		names->escaped = false;
	} else if (names->quoted) {
		names->escaped = c == '\\';
		names->quoted = c != '"';
	} else {
		names->quoted = c == '"';
		names->depth += c == '{' || c == '[';
		names->depth -= (c == '}' || c == ']') && names->depth > 0;
	}
}

static int take_item(struct json_names *names, char c, struct err *err)
{
	if (names->depth == 0 && !names->quoted && (c == ',' || c == ']')) {
		names->place = c == ',' ? ITEM : AFTER;
		return end_item(names, err);
	}
	if (names->len == ITEM_MAX)
		return err_set(err, ERR_REMOTE, EFBIG,
			"an item of more than %zu KiB in the listing", ITEM_MAX / 1024);
	follow(names, c);
	names->item[names->len++] = c;
	return 0;
}

static int take(struct json_names *names, char c, struct err *err)
{
	if (names->place == ITEM)
		return take_item(names, c, err);
	if (is_blank(c))
		return 0;
	if (names->place == AFTER)
		return no_json(err);
	if (names->place == BEFORE) {
		if (c != '[')
			return err_set(err, ERR_REMOTE, ENOTDIR,
				"the origin shows no listing there, but other JSON");
		names->place = FIRST;
		return 0;
	}
	names->place = c == ']' ? AFTER : ITEM;
	return c == ']' ? 0 : take_item(names, c, err);
}

int json_names_feed(struct json_names *names, const void *buf, size_t len, struct err *err)
{
	const char *text = buf;
	int r = 0;

	if (len == 0)
		return names->place == AFTER ? 0 : no_json(err);
	for (size_t i = 0; r == 0 && i < len; i++)
		r = take(names, text[i], err);
	return r;
}
