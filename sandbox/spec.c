#include "sandbox/spec.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct spec {
	json_t *root;
	json_t *items; /* inside root */
};

void spec_freep(struct spec **spec)
{
	if (*spec)
		json_decref((*spec)->root);
	free(*spec);
	*spec = NULL;
}

int spec_parse(const char *text, size_t len, struct spec **ret, struct err *err)
{
	struct spec *spec = calloc(1, sizeof(*spec));
	json_error_t why;
	int r = 0;

	if (!spec)
		return err_oom(err);
	/* a NUL in a string is let in, so that its field can be named */
	spec->root = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	spec->items = json_is_object(spec->root) ? json_object_get(spec->root, "uris") : spec->root;
	if (!spec->root)
		r = err_set(err, ERR_USAGE, EINVAL, "spec: line %d: %s", why.line, why.text);
	else if (!json_is_array(spec->items))
		r = err_set(err, ERR_USAGE, EINVAL,
			"spec: neither a list nor an object with a list \"uris\"");
	if (r < 0)
		spec_freep(&spec);
	else
		*ret = spec;
	return r;
}

size_t spec_count(const struct spec *spec)
{
	return json_array_size(spec->items);
}

/* NULL when @field is absent or null. */
static const json_t *get(const json_t *object, const char *field)
{
	const json_t *value = json_object_get(object, field);

	return value && !json_is_null(value) ? value : NULL;
}

static int get_string(const json_t *object, const char *field, char **ret, struct err *err)
{
	const json_t *value = get(object, field);

	if (!value)
		return 0;
	if (!json_is_string(value))
		return err_set(err, ERR_USAGE, EINVAL, "%s: must be a string", field);
	if (strlen(json_string_value(value)) != json_string_length(value))
		return err_set(err, ERR_USAGE, EINVAL, "%s: holds a NUL character", field);
	*ret = str_copy(json_string_value(value));
	return *ret ? 0 : err_oom(err);
}

static int get_bool(const json_t *object, const char *field, bool *ret, struct err *err)
{
	const json_t *value = get(object, field);

	if (!value)
		return 0;
	if (!json_is_boolean(value))
		return err_set(err, ERR_USAGE, EINVAL, "%s: must be true or false", field);
	*ret = json_is_true(value);
	return 0;
}

/* "0755": octal digits in a string; JSON itself has no octal numbers. */
static int get_mode(const json_t *object, int *ret, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	char *end;
	long mode;
	int r;

	r = get_string(object, "mode", &text, err);
	if (r < 0 || !text)
		return r;
	mode = strtol(text, &end, 8);
	if (*text < '0' || *text > '7' || *end || mode < 0 || mode > 0777)
		return err_set(err, ERR_USAGE, EINVAL,
			"mode: must be octal digits up to \"0777\", not \"%s\"", text);
	*ret = (int)mode;
	return 0;
}

static int get_method(const json_t *object, struct plan_item *item, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	int r;

	r = get_string(object, "method", &name, err);
	if (r < 0 || !name)
		return r;
	r = plan_method_parse(name, &item->method, err);
	if (r < 0)
		return err_context(err, "method");
	item->has_method = true;
	return 0;
}

int spec_string(const struct spec *spec, const char *field, char **ret, struct err *err)
{
	if (!json_is_object(spec->root))
		return 0;
	return get_string(spec->root, field, ret, err);
}

static int read_fields(const json_t *object, struct plan_item *item, struct err *err)
{
	bool cache = true;
	int r;

	r = get_string(object, "value", &item->uri, err);
	if (r == 0 && !item->uri)
		r = err_set(err, ERR_USAGE, EINVAL, "value: is missing");
	if (r == 0)
		r = get_string(object, "output_file", &item->name, err);
	if (r == 0)
		r = get_string(object, "digest", &item->digest, err);
	if (r == 0)
		r = get_bool(object, "executable", &item->executable, err);
	if (r == 0)
		r = get_bool(object, "cache", &cache, err);
	if (r == 0)
		r = get_bool(object, "extract", &item->extract, err);
	if (r == 0)
		r = get_mode(object, &item->mode, err);
	if (r == 0)
		r = get_method(object, item, err);
	return r;
}

int spec_item(const struct spec *spec, size_t i, struct plan_item *ret, struct err *err)
{
	const json_t *object = json_array_get(spec->items, i);
	struct plan_item item = {.mode = -1};
	int r;

	if (!json_is_object(object))
		return err_set(err, ERR_USAGE, EINVAL, "must be an object");
	r = read_fields(object, &item, err);
	if (r < 0) {
		free(item.uri);
		free(item.name);
		free(item.digest);
		return r;
	}
	*ret = item;
	return 0;
}
