/* An index (or manifest list): one manifest for each platform. */
#include "backends/oci_manifest.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define MANIFESTS_MAX 10000
#define SHOWN_MAX     200 /* bytes of the list in a text */

/* How well a manifest suits; the best one counts, of equals the first. */
enum fit { FIT_NOT, FIT_ANY, FIT_GOOD, FIT_EXACT };

static const char *member(const json_t *json, const char *name)
{
	const char *value = json_string_value(json_object_get(json, name));

	return value ? value : "";
}

/* Take a part of "a/b/c" off *@rest. */
static bool next_is(const char **rest, const char *part)
{
	size_t len = strcspn(*rest, "/");
	bool same = strlen(part) == len && strncmp(*rest, part, len) == 0;

	*rest += len + ((*rest)[len] == '/');
	return same;
}

/* What names no platform is for each, unless there is something for this one. */
static enum fit fits(const json_t *manifest, const char *platform)
{
	const json_t *its = json_object_get(manifest, "platform");
	const char *variant = member(its, "variant");

	if (!its)
		return FIT_ANY;
	if (!next_is(&platform, member(its, "os")) ||
		!next_is(&platform, member(its, "architecture")))
		return FIT_NOT;
	if (str_equal(platform, variant))
		return FIT_EXACT;
	/* a variant that was not asked for may be too much for this machine, and may be all */
	return *platform ? FIT_NOT : FIT_GOOD;
}

/* Positive: it was added. */
static int show(char ret[SHOWN_MAX], const json_t *manifest)
{
	const json_t *its = json_object_get(manifest, "platform");
	const char *variant = member(its, "variant");
	size_t len = strlen(ret);
	int n;

	if (!its)
		return 0;
	n = snprintf(ret + len, SHOWN_MAX - len, "%s%s/%s%s%s", len ? ", " : "", member(its, "os"),
		member(its, "architecture"), *variant ? "/" : "", variant);
	if (n >= 0 && (size_t)n < SHOWN_MAX - len && !strstr(ret + len, "unknown"))
		return 1;
	ret[len] = '\0';
	return 0;
}

static int there_is_none(const json_t *list, const char *platform, struct err *err)
{
	char shown[SHOWN_MAX] = "";
	size_t count = 0;

	for (size_t i = 0; i < json_array_size(list); i++)
		count += show(shown, json_array_get(list, i)) > 0;
	if (count == 0)
		return err_set(
			err, ERR_REMOTE, ENOENT, "the index has no manifest for any platform");
	return err_set(err, ERR_REMOTE, ENOENT,
		"there is nothing for %s, but for %s%s: set 'platform' in [oci]", platform, shown,
		count < json_array_size(list) ? " …" : "");
}

int oci_index_choose(
	const void *index, const char *platform, struct oci_document *ret, struct err *err)
{
	const json_t *list = json_object_get(index, "manifests");
	enum fit best = FIT_NOT;
	size_t chosen = 0;

	if (!json_is_array(list) || json_array_size(list) > MANIFESTS_MAX)
		return err_set(err, ERR_REMOTE, EBADMSG, "the index has no list of manifests");
	for (size_t i = 0; i < json_array_size(list); i++) {
		enum fit fit = fits(json_array_get(list, i), platform);

		if (fit > best) {
			best = fit;
			chosen = i;
		}
	}
	if (best == FIT_NOT)
		return there_is_none(list, platform, err);
	return oci_descriptor_read(json_array_get(list, chosen), "manifest", chosen + 1,
		&ret->chosen, &ret->size, err);
}
