#include "fetch/config_keys.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "base/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIST_MAX    4096 /* items of one list */
#define NAME_LENGTH 32   /* of the names that a misspelt one is compared with */
#define DAY_MS      (INT64_C(24) * 60 * 60 * 1000)

struct key {
	const char *section;
	const char *name;
	/* Understand @value and put it into @field, a member of @config. */
	int (*set)(const struct key *key, const char *value, struct config *config, void *field,
		struct err *err);
	size_t offset; /* of the field */
	int64_t min;   /* numbers only; both ends included */
	int64_t max;
};

static int bad_value(
	const struct key *key, const char *value, const char *expected, struct err *err)
{
	return err_set(
		err, ERR_USAGE, EINVAL, "%s: '%.200s' is not %s", key->name, value, expected);
}

static int set_size(const struct key *key, const char *value, struct config *config, void *field,
	struct err *err)
{
	(void)config;
	if (units_parse_size(value, field) < 0)
		return bad_value(key, value, "a size such as 10G", err);
	return 0;
}

static int parse_count(
	const char *text, const char *suffix, int64_t min, int64_t max, unsigned int *ret)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || !str_equal(end, suffix) || value < min || value > max)
		return -EINVAL;
	*ret = (unsigned int)value;
	return 0;
}

static int set_count(const struct key *key, const char *value, struct config *config, void *field,
	struct err *err)
{
	(void)config;
	if (parse_count(value, "", key->min, key->max, field) < 0) {
		CLEANUP(str_freep)
		char *range = str_printf(
			"a number from %lld to %lld", (long long)key->min, (long long)key->max);

		return bad_value(key, value, range ? range : "a number", err);
	}
	return 0;
}

static int set_min_free(const struct key *key, const char *value, struct config *config,
	void *field, struct err *err)
{
	uint64_t *bytes = field;

	if (parse_count(value, "%", key->min, key->max, &config->min_free_percent) == 0) {
		*bytes = 0;
		return 0;
	}
	if (units_parse_size(value, bytes) < 0)
		return bad_value(key, value, "a size such as 10G, or a part such as 5%", err);
	config->min_free_percent = 0;
	return 0;
}

static int set_duration(const struct key *key, const char *value, struct config *config,
	void *field, struct err *err)
{
	int64_t ms;

	(void)config;
	if (units_parse_duration(value, &ms) < 0)
		return bad_value(key, value, "a duration such as 30s", err);
	if (ms < key->min || ms > key->max)
		return bad_value(key, value, "a sensible duration", err);
	*(int64_t *)field = ms;
	return 0;
}

/* One of two words; the second one stands for true. */
static int set_choice(const struct key *key, const char *value, const char *no, const char *yes,
	bool *ret, struct err *err)
{
	CLEANUP(str_freep) char *expected = NULL;

	if (str_equal(value, no) || str_equal(value, yes)) {
		*ret = str_equal(value, yes);
		return 0;
	}
	expected = str_printf("'%s' or '%s'", no, yes);
	return bad_value(key, value, expected ? expected : "a choice", err);
}

static int set_yes_no(const struct key *key, const char *value, struct config *config, void *field,
	struct err *err)
{
	(void)config;
	return set_choice(key, value, "no", "yes", field, err);
}

static int set_deny_allow(const struct key *key, const char *value, struct config *config,
	void *field, struct err *err)
{
	(void)config;
	return set_choice(key, value, "deny", "allow", field, err);
}

static int set_path(const struct key *key, const char *value, struct config *config, void *field,
	struct err *err)
{
	char **path = field;
	char *copy;

	(void)config;
	if (value[0] != '/')
		return bad_value(key, value, "an absolute path", err);
	copy = strdup(value);
	if (!copy)
		return err_oom(err);
	free(*path);
	*path = copy;
	return 0;
}

int config_list_add(struct config_list *list, char *item, struct err *err)
{
	char **bigger;

	if (!item)
		return err_oom(err);
	bigger = list->count < LIST_MAX
			 ? reallocarray(list->items, list->count + 1, sizeof(*bigger))
			 : NULL;
	if (!bigger) {
		free(item);
		return err_oom(err);
	}
	list->items = bigger;
	list->items[list->count++] = item;
	return 0;
}

/*
 * A URI prefix in canonical form, so that prefixes are compared as bytes. What is refused is not
 * repeated: it may hold a password.
 */
static int canonical_prefix(const struct key *key, const char *item, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r;

	if (strpbrk(item, "# \t"))
		return err_set(err, ERR_USAGE, EINVAL, "%s: a URI prefix has no blank or fragment",
			key->name);
	if ((r = uri_parse(item, &uri, err)) < 0) {
		err_context(err, "%s", key->name);
		return r;
	}
	if (uri.user || uri.password)
		return err_set(err, ERR_USAGE, EINVAL, "%s: a URI prefix has no user", key->name);
	*ret = str_steal(&uri.text);
	return 0;
}

/* An absolute path without "." and "..", empty segments and a slash at the end. */
static int canonical_root(const struct key *key, const char *item, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *root = strdup(item);
	CLEANUP(str_freep) char *framed = str_printf("%s/", item);
	size_t len;

	if (!root || !framed)
		return err_oom(err);
	if (item[0] != '/' || strstr(framed, "/../") || strstr(framed, "/./") || strstr(item, "//"))
		return bad_value(key, item, "an absolute path without '.' and '..'", err);
	len = strlen(root);
	if (len > 1 && root[len - 1] == '/')
		root[len - 1] = '\0';
	*ret = str_steal(&root);
	return 0;
}

/* Each item of @value, between commas, goes through @canonical into @list. */
static int add_items(const struct key *key, const char *value, struct config_list *list,
	int (*canonical)(const struct key *key, const char *item, char **ret, struct err *err),
	struct err *err)
{
	CLEANUP(str_freep) char *copy = strdup(value);
	char *rest = copy;
	char *item;
	int r;

	if (!copy)
		return err_oom(err);
	while ((item = strsep(&rest, ","))) {
		char *good;

		item += strspn(item, " \t");
		for (size_t len = strlen(item); len > 0 && strchr(" \t", item[len - 1]);)
			item[--len] = '\0';
		if (!*item)
			continue;
		if ((r = canonical(key, item, &good, err)) < 0 ||
			(r = config_list_add(list, good, err)) < 0)
			return r;
	}
	return 0;
}

static int add_prefixes(const struct key *key, const char *value, struct config *config,
	void *field, struct err *err)
{
	(void)config;
	return add_items(key, value, field, canonical_prefix, err);
}

static int add_roots(const struct key *key, const char *value, struct config *config, void *field,
	struct err *err)
{
	(void)config;
	return add_items(key, value, field, canonical_root, err);
}

#define FIELD(name) offsetof(struct config, name)

static const struct key keys[] = {
	{"cache", "dir", set_path, FIELD(dir), 0, 0},
	{"cache", "size", set_size, FIELD(size), 0, 0},
	{"cache", "min_free", set_min_free, FIELD(min_free), 0, 99},
	{"cache", "hardlink", set_yes_no, FIELD(hardlink), 0, 0},
	{"fetch", "connections", set_count, FIELD(connections), 1, 1000},
	{"fetch", "per_host", set_count, FIELD(per_host), 1, 1000},
	{"fetch", "stall", set_duration, FIELD(stall_ms), 1, DAY_MS},
	{"fetch", "connect", set_duration, FIELD(connect_ms), 1, DAY_MS},
	{"fetch", "total", set_duration, FIELD(total_ms), 0, 30 * DAY_MS},
	{"fetch", "retries", set_count, FIELD(retries), 0, 100},
	{"fetch", "ttl", set_duration, FIELD(ttl_ms), 0, 36500 * DAY_MS},
	{"fetch", "negative_ttl", set_duration, FIELD(negative_ttl_ms), 0, 36500 * DAY_MS},
	{"fetch", "ca_file", set_path, FIELD(ca_file), 0, 0},
	{"policy", "allow", add_prefixes, FIELD(allow), 0, 0},
	{"policy", "deny", add_prefixes, FIELD(deny), 0, 0},
	{"policy", "private", set_deny_allow, FIELD(private_allowed), 0, 0},
	{"policy", "file", add_roots, FIELD(file_roots), 0, 0},
};

bool config_has_section(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(keys[i].section, section))
			return true;
	return false;
}

/* How many letters must be added, dropped or changed to make @b of @a (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_LENGTH + 1];
	size_t len = strlen(b);

	if (len > NAME_LENGTH)
		return len;
	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
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

static int unknown(const char *section, const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(keys[i].section, section) && distance(name, keys[i].name) <= 2)
			return err_set(err, ERR_USAGE, ENOENT,
				"unknown key '%s' in [%s] (did you mean '%s'?)", name, section,
				keys[i].name);
	return err_set(err, ERR_USAGE, ENOENT, "unknown key '%s' in [%s]", name, section);
}

int config_set(struct config *config, const char *section, const char *name, const char *value,
	struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct key *key = &keys[i];

		if (str_equal(key->section, section) && str_equal(key->name, name))
			return key->set(key, value, config, (char *)config + key->offset, err);
	}
	return unknown(section, name, err);
}
