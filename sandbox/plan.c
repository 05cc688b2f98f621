#include "sandbox/plan.h"

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "sandbox/spec.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const method_names[] = {
	[PLAN_AUTO] = "auto",
	[PLAN_HARDLINK] = "hardlink",
	[PLAN_REFLINK] = "reflink",
	[PLAN_BIND] = "bind",
	[PLAN_SYMLINK] = "symlink",
	[PLAN_COPY] = "copy",
};

const char *plan_method_name(enum plan_method method)
{
	return method_names[method];
}

int plan_method_parse(const char *name, enum plan_method *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(method_names); i++)
		if (str_equal(name, method_names[i])) {
			*ret = (enum plan_method)i;
			return 0;
		}
	return err_set(err, ERR_USAGE, EINVAL,
		"unknown method \"%s\": auto, bind, reflink, hardlink, symlink or copy", name);
}

bool plan_is_of_object(enum plan_method method)
{
	return method == PLAN_HARDLINK || method == PLAN_BIND || method == PLAN_SYMLINK;
}

/* Only what is made anew has a mode of its own. */
static int check_mode(const struct plan_item *item, struct err *err)
{
	if (item->mode < 0)
		return 0;
	if (item->extract)
		return err_set(
			err, ERR_USAGE, EINVAL, "mode: what is in an archive has modes of its own");
	if (!plan_is_of_object(item->method))
		return 0;
	return err_set(err, ERR_USAGE, EINVAL, "mode: a %s has the mode of the cached file",
		plan_method_name(item->method));
}

static void item_release(struct plan_item *item)
{
	free(item->uri);
	free(item->shown);
	free(item->name);
	free(item->digest);
}

void plan_release(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		item_release(&plan->items[i]);
	free(plan->items);
	free(plan->user);
	free(plan->digests);
	*plan = (struct plan){0};
}

/* Nothing that leads out of the directory, and nothing that a terminal or a script trips over. */
static int check_segment(const char *segment, size_t len, struct err *err)
{
	if (len == 0)
		return err_set(err, ERR_USAGE, EINVAL, "has an empty segment");
	if (len > URI_NAME_MAX)
		return err_set(err, ERR_USAGE, ENAMETOOLONG, "a segment is longer than %d bytes",
			URI_NAME_MAX);
	if ((len == 1 && segment[0] == '.') || (len == 2 && memcmp(segment, "..", 2) == 0))
		return err_set(err, ERR_USAGE, EINVAL, "has a segment \"%.*s\"", (int)len, segment);
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)segment[i]))
			return err_set(err, ERR_USAGE, EINVAL, "has a control character");
	return 0;
}

static int check_name(const char *name, struct err *err)
{
	size_t depth = 0;

	if (!*name)
		return err_set(err, ERR_USAGE, EINVAL, "is empty");
	if (*name == '/')
		return err_set(err, ERR_USAGE, EINVAL, "begins with '/'");
	if (strlen(name) > PLAN_NAME_MAX)
		return err_set(
			err, ERR_USAGE, ENAMETOOLONG, "is longer than %d bytes", PLAN_NAME_MAX);
	for (const char *segment = name;; depth++) {
		size_t len = strcspn(segment, "/");
		int r = check_segment(segment, len, err);

		if (r < 0)
			return r;
		if (depth == PLAN_DEPTH_MAX)
			return err_set(err, ERR_USAGE, EINVAL, "has more than %d segments",
				PLAN_DEPTH_MAX);
		if (!segment[len])
			return 0;
		segment += len + 1;
	}
}

/* Complete @item, whose strings are raw so far. */
static int check_item(struct plan_item *item, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	struct checksum digest;
	int r;

	r = uri_of_text(item->uri, &uri, err);
	if (r < 0)
		return err_context(err, "value");
	item->shown = uri_display(&uri);
	if (!item->shown)
		return err_oom(err);
	item->named = item->name != NULL;
	/* a program that is itself compressed is still meant as it is */
	item->extract = item->extract && !item->executable;
	if (!item->name) {
		r = uri_basename(&uri, &item->name, err);
		if (r < 0)
			return err_context(err, "%s: say output_file", item->shown);
	}
	r = check_name(item->name, err);
	if (r < 0)
		return err_context(err, "output_file");
	if (item->digest && checksum_parse(item->digest, &digest, err) < 0)
		return err_context(err, "digest");
	return item->has_method ? check_mode(item, err) : 0;
}

/* Takes what is in @item over, also when it fails. */
static int append(struct plan *plan, struct plan_item *item, struct err *err)
{
	struct plan_item *items;
	int r;

	r = check_item(item, err);
	if (r == 0 && plan->count == PLAN_ITEMS_MAX)
		r = err_set(err, ERR_USAGE, E2BIG, "more than %d items", PLAN_ITEMS_MAX);
	if (r < 0) {
		item_release(item);
		return r;
	}
	items = reallocarray(plan->items, plan->count + 1, sizeof(*items));
	if (!items) {
		item_release(item);
		return err_oom(err);
	}
	plan->items = items;
	plan->items[plan->count++] = *item;
	return 0;
}

int plan_add_uri(struct plan *plan, const char *uri, bool extract, struct err *err)
{
	struct plan_item item = {.uri = str_copy(uri), .extract = extract, .mode = -1};

	if (!item.uri)
		return err_oom(err);
	return append(plan, &item, err);
}

int plan_add_spec(struct plan *plan, const char *text, size_t len, struct err *err)
{
	CLEANUP(spec_freep) struct spec *spec = NULL;
	int r;

	if (len > PLAN_SPEC_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "spec: larger than %u bytes", PLAN_SPEC_MAX);
	r = spec_parse(text, len, &spec, err);
	if (r < 0)
		return r;
	if (!plan->user && (r = spec_string(spec, "user", &plan->user, err)) < 0)
		return r;
	if (!plan->digests && (r = spec_string(spec, "digests", &plan->digests, err)) < 0)
		return r;
	for (size_t i = 0; i < spec_count(spec); i++) {
		struct plan_item item;

		r = spec_item(spec, i, &item, err);
		if (r == 0)
			r = append(plan, &item, err);
		if (r < 0)
			return err_context(err, "item %zu", i + 1);
	}
	return 0;
}

int plan_move(struct plan *plan, const char *folder, struct err *err)
{
	if (!*folder)
		return 0;
	if (check_name(folder, err) < 0)
		return -err->code;
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_item *item = &plan->items[i];
		char *name = str_printf("%s/%s", folder, item->name);

		if (!name)
			return err_oom(err);
		free(item->name);
		item->name = name;
		if (check_name(name, err) < 0)
			return err_context(err, "%s", name);
	}
	return 0;
}

bool plan_is_open(const struct plan_item *item)
{
	return item->extract && !item->named;
}

int plan_compare_names(const char *a, const char *b)
{
	const unsigned char *x = (const unsigned char *)a;
	const unsigned char *y = (const unsigned char *)b;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	return (*x == '/' ? 1 : *x ? *x + 1 : 0) - (*y == '/' ? 1 : *y ? *y + 1 : 0);
}

static int compare_items(const void *a, const void *b)
{
	return plan_compare_names((*(const struct plan_item *const *)a)->name,
		(*(const struct plan_item *const *)b)->name);
}

enum plan_clash plan_clash(const char *name, const char *next)
{
	if (str_equal(name, next))
		return PLAN_SAME;
	return str_has_prefix(next, name) && next[strlen(name)] == '/' ? PLAN_WITHIN : PLAN_APART;
}

static int settle_methods(struct plan *plan, enum plan_method method, struct err *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_item *item = &plan->items[i];

		if (!item->has_method)
			item->method = method;
		if (check_mode(item, err) < 0)
			return err_context(err, "%s", item->name);
		if (item->method == PLAN_SYMLINK && !plan->mount)
			return err_set(err, ERR_USAGE, EINVAL,
				"%s: a symlink leads into a mount: which? Say --mount DIR",
				item->name);
	}
	if (plan->lazy && !plan->mount)
		return err_set(err, ERR_USAGE, EINVAL,
			"what is lazy is read by way of a mount: which? Say --mount DIR");
	return 0;
}

static int check_names(struct plan_item *const *sorted, size_t count, struct err *err)
{
	for (size_t i = 0; i + 1 < count; i++) {
		const char *name = sorted[i]->name;

		switch (plan_clash(name, sorted[i + 1]->name)) {
		case PLAN_SAME:
			return err_set(err, ERR_USAGE, EINVAL, "two items are named %s", name);
		case PLAN_WITHIN:
			return err_set(err, ERR_USAGE, EINVAL,
				"%s is a file for one item and a folder for another", name);
		default:
			break;
		}
	}
	return 0;
}

int plan_finish(struct plan *plan, enum plan_method method, struct err *err)
{
	struct plan_item **sorted;
	size_t count = 0;
	int r = settle_methods(plan, method, err);

	if (r < 0)
		return r;
	sorted = calloc(plan->count + 1, sizeof(struct plan_item *));
	if (!sorted)
		return err_oom(err);
	for (size_t i = 0; i < plan->count; i++)
		if (!plan_is_open(&plan->items[i]))
			sorted[count++] = &plan->items[i];
	qsort(sorted, count, sizeof(struct plan_item *), compare_items);
	r = check_names(sorted, count, err);
	free(sorted);
	return r;
}
