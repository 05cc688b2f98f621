#include "cli/mesos_info.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/mesos_uri.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const actions[] = {
	[MESOS_BYPASS_CACHE] = "BYPASS_CACHE",
	[MESOS_DOWNLOAD_AND_CACHE] = "DOWNLOAD_AND_CACHE",
	[MESOS_RETRIEVE_FROM_CACHE] = "RETRIEVE_FROM_CACHE",
};

static void decref(json_t **json)
{
	json_decref(*json);
}

/* ---- fields ---- */

/* NULL when @field is absent or null. */
static const json_t *get(const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	return value && !json_is_null(value) ? value : NULL;
}

static int wrong(const char *field, const char *what, struct err *err)
{
	return err_set(err, ERR_USAGE, EINVAL, "%s: %s", field, what);
}

static int get_string(const json_t *object, const char *field, char **ret, struct err *err)
{
	const json_t *value = get(object, field);

	if (!value)
		return 0;
	if (!json_is_string(value))
		return wrong(field, "must be a string", err);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return wrong(field, "holds a NUL character", err);
	*ret = str_copy(json_string_value(value));
	return *ret ? 0 : err_oom(err);
}

static int get_bool(const json_t *object, const char *field, bool *ret, struct err *err)
{
	const json_t *value = get(object, field);
	const char *text = value ? json_string_value(value) : NULL;

	if (!value)
		return 0;
	if (!json_is_boolean(value) && !str_equal(text, "true") && !str_equal(text, "false"))
		return wrong(field, "must be true or false", err);
	*ret = text ? str_equal(text, "true") : json_is_true(value);
	return 0;
}

/* 1, or 0 when it is not there. */
static int get_integer(const json_t *object, const char *field, int64_t *ret, struct err *err)
{
	const json_t *value = get(object, field);
	const char *text = value ? json_string_value(value) : NULL;
	char *end = NULL;

	if (!value)
		return 0;
	if (json_is_integer(value)) {
		*ret = json_integer_value(value);
		return 1;
	}
	if (json_is_real(value) && json_real_value(value) > -1e18 &&
		json_real_value(value) < 1e18) {
		*ret = (int64_t)json_real_value(value);
		return 1;
	}
	errno = 0;
	if (text && *text)
		*ret = strtoll(text, &end, 10);
	if (!end || *end || errno)
		return wrong(field, "must be a number", err);
	return 1;
}

/* An object, or NULL when it is not there. */
static int get_object(const json_t *object, const char *field, const json_t **ret, struct err *err)
{
	*ret = get(object, field);
	if (*ret && !json_is_object(*ret))
		return wrong(field, "must be an object", err);
	return 0;
}

/* ---- items ---- */

static int get_action(const json_t *object, enum mesos_action *ret, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	int r = get_string(object, "action", &name, err);

	if (r < 0)
		return r;
	if (!name)
		return wrong("action", "is missing", err);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!str_equal(name, actions[i]))
			continue;
		*ret = (enum mesos_action)i;
		return 0;
	}
	return wrong("action", "is none of the three", err);
}

static int get_uri(const json_t *uri, struct mesos_item *item, struct err *err)
{
	int r = get_string(uri, "value", &item->uri, err);

	if (r == 0 && !item->uri)
		r = wrong("value", "is missing", err);
	if (r == 0)
		r = get_string(uri, "output_file", &item->output_file, err);
	if (r == 0)
		r = get_bool(uri, "executable", &item->executable, err);
	if (r == 0)
		r = get_bool(uri, "extract", &item->extract, err);
	if (r == 0)
		r = get_bool(uri, "cache", &item->cache, err);
	if (r == 0) {
		size_t blanks = strspn(item->uri, " \t\n\r");

		memmove(item->uri, item->uri + blanks, strlen(item->uri + blanks) + 1);
	}
	return r;
}

static int get_item(const json_t *object, struct mesos_item *item, struct err *err)
{
	const json_t *uri;
	int r;

	item->extract = true;
	if (!json_is_object(object))
		return err_set(err, ERR_USAGE, EINVAL, "must be an object");
	r = get_action(object, &item->action, err);
	if (r == 0)
		r = get_string(object, "cache_filename", &item->cache_filename, err);
	if (r == 0)
		r = get_object(object, "uri", &uri, err);
	if (r < 0)
		return r;
	return uri ? get_uri(uri, item, err) : wrong("uri", "is missing", err);
}

static int get_items(const json_t *root, struct mesos_info *info, struct err *err)
{
	const json_t *items = get(root, "items");
	size_t count = json_array_size(items);

	if (items && !json_is_array(items))
		return wrong("items", "must be a list", err);
	if (count > MESOS_ITEMS_MAX)
		return wrong("items", "are too many", err);
	info->items = calloc(count + 1, sizeof(*info->items));
	if (!info->items)
		return err_oom(err);
	for (size_t i = 0; i < count; i++) {
		int r;

		info->count = i + 1; /* what is half made is released, too */
		r = get_item(json_array_get(items, i), &info->items[i], err);
		if (r < 0)
			return err_context(err, "item %zu", i + 1);
	}
	return 0;
}

/* ---- all ---- */

static int get_stall(const json_t *root, struct mesos_info *info, struct err *err)
{
	const json_t *stall;
	int r = get_object(root, "stall_timeout", &stall, err);

	if (r < 0 || !stall)
		return r;
	r = get_integer(stall, "nanoseconds", &info->stall_ns, err);
	if (r == 0)
		return wrong("stall_timeout.nanoseconds", "is missing", err);
	info->has_stall = true;
	return r < 0 ? r : 0;
}

static int get_all(const json_t *root, struct mesos_info *info, struct err *err)
{
	int r = get_string(root, "sandbox_directory", &info->sandbox, err);

	if (r == 0 && (!info->sandbox || !*info->sandbox))
		r = wrong("sandbox_directory", "is missing", err);
	if (r == 0)
		r = get_string(root, "cache_directory", &info->cache, err);
	if (r == 0)
		r = get_string(root, "frameworks_home", &info->frameworks_home, err);
	if (r == 0)
		r = get_string(root, "user", &info->user, err);
	if (r == 0)
		r = get_stall(root, info, err);
	return r < 0 ? r : get_items(root, info, err);
}

int mesos_info_parse(const char *text, struct mesos_info *ret, struct err *err)
{
	CLEANUP(mesos_info_release) struct mesos_info info = {0};
	CLEANUP(decref) json_t *root = NULL;
	json_error_t why;
	int r;

	root = json_loads(text, JSON_ALLOW_NUL, &why);
	if (!root) /* the text it was at may be a secret */
		return err_set(err, ERR_USAGE, EINVAL, "no JSON, at line %d, column %d", why.line,
			why.column);
	if (!json_is_object(root))
		return err_set(err, ERR_USAGE, EINVAL, "it must be a JSON object");
	r = get_all(root, &info, err);
	if (r < 0)
		return r;
	*ret = info;
	info = (struct mesos_info){0};
	return 0;
}

void mesos_info_release(struct mesos_info *info)
{
	for (size_t i = 0; i < info->count; i++) {
		free(info->items[i].uri);
		free(info->items[i].output_file);
		free(info->items[i].cache_filename);
	}
	free(info->items);
	free(info->sandbox);
	free(info->cache);
	free(info->frameworks_home);
	free(info->user);
	*info = (struct mesos_info){0};
}

/* ---- to be shown ---- */

/* What is NULL is left out; what cannot be shown as JSON, too. */
static void set(json_t *object, const char *field, const char *value)
{
	if (value)
		json_object_set_new(object, field, json_string(value));
}

static json_t *shown_item(const struct mesos_item *item)
{
	CLEANUP(str_freep) char *uri = mesos_uri_shown(item->uri);
	CLEANUP(str_freep)
	char *cached =
		item->cache_filename ? mesos_uri_shown_file(item->uri, item->cache_filename) : NULL;
	json_t *object = json_object();
	json_t *value = json_object();

	set(object, "action", actions[item->action]);
	set(object, "cache_filename", cached);
	json_object_set_new(value, "cache", json_boolean(item->cache));
	json_object_set_new(value, "executable", json_boolean(item->executable));
	json_object_set_new(value, "extract", json_boolean(item->extract));
	set(value, "output_file", item->output_file);
	set(value, "value", uri);
	json_object_set_new(object, "uri", value);
	return object;
}

char *mesos_info_shown(const struct mesos_info *info)
{
	CLEANUP(decref) json_t *root = json_object();
	json_t *items = json_array();

	set(root, "cache_directory", info->cache);
	set(root, "frameworks_home", info->frameworks_home);
	for (size_t i = 0; i < info->count; i++)
		json_array_append_new(items, shown_item(&info->items[i]));
	json_object_set_new(root, "items", items);
	set(root, "sandbox_directory", info->sandbox);
	if (info->has_stall)
		json_object_set_new(root, "stall_timeout",
			json_pack("{s:I}", "nanoseconds", (json_int_t)info->stall_ns));
	set(root, "user", info->user);
	return json_dumps(root, JSON_COMPACT);
}
