#include "backends/oci_manifest.h"

#include "backends/oci_name.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TITLE     "org.opencontainers.image.title"
#define KEPT_MS   INT64_MAX /* who keeps it decides for how long */
#define SCHEMA_1  "application/vnd.docker.distribution.manifest.v1+"
#define IS_INDEX  1
#define IS_LAYERS 0

static void json_freep(json_t **json)
{
	json_decref(*json);
}

static void manifest_free(struct oci_fact *fact)
{
	struct oci_manifest *manifest = (struct oci_manifest *)fact;

	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->layers[i].name);
	free(manifest->layers);
	free(manifest);
}

static void manifest_unrefp(struct oci_manifest **manifest)
{
	if (*manifest)
		oci_fact_unref(&(*manifest)->fact);
}

int oci_descriptor_read(const void *json, const char *what, size_t number,
	struct checksum *ret_digest, int64_t *ret_size, struct err *err)
{
	const json_t *size = json_object_get(json, "size");
	const char *digest = json_string_value(json_object_get(json, "digest"));
	struct checksum checksum;

	if (!digest || !oci_digest_parse(digest, &checksum))
		return err_set(err, ERR_REMOTE, EBADMSG,
			"the manifest makes no sense: %s %zu has no sha256 or sha512 digest", what,
			number);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"the manifest makes no sense: %s %zu has no size", what, number);
	*ret_digest = checksum;
	*ret_size = json_integer_value(size);
	return 0;
}

static int read_layer(const json_t *json, size_t number, struct oci_layer *ret, struct err *err)
{
	const json_t *annotations = json_object_get(json, "annotations");
	const char *title = json_string_value(json_object_get(annotations, TITLE));
	int r = oci_descriptor_read(json, "layer", number, &ret->digest, &ret->size, err);

	if (r < 0)
		return r;
	ret->name = str_copy(title);
	return title && !ret->name ? err_oom(err) : 0;
}

/* As much as there is of it in memory, about. */
static size_t weight(const struct oci_manifest *manifest)
{
	size_t bytes = sizeof(*manifest) + manifest->count * sizeof(*manifest->layers);

	for (size_t i = 0; i < manifest->count; i++)
		bytes += strlen(manifest->layers[i].name) + 1;
	return bytes;
}

static int read_layers(const json_t *list, struct oci_manifest **ret, struct err *err)
{
	CLEANUP(manifest_unrefp) struct oci_manifest *manifest = calloc(1, sizeof(*manifest));
	size_t count = json_array_size(list);
	int r = 0;

	if (!manifest)
		return err_oom(err);
	oci_fact_init(&manifest->fact, manifest_free, KEPT_MS, 0);
	manifest->layers = calloc(count + 1, sizeof(*manifest->layers));
	if (!manifest->layers)
		return err_oom(err);
	for (size_t i = 0; r == 0 && i < count; i++, manifest->count++)
		r = read_layer(json_array_get(list, i), i + 1, &manifest->layers[i], err);
	if (r == 0)
		r = oci_names_make(manifest, err);
	if (r < 0)
		return r;
	manifest->fact.bytes = weight(manifest);
	*ret = manifest;
	manifest = NULL;
	return 0;
}

int oci_document_check_type(const char *type, struct err *err)
{
	if (!str_has_prefix(type, SCHEMA_1))
		return 0;
	return err_set(err, ERR_REMOTE, EPROTONOSUPPORT,
		"it is a manifest of Docker's schema 1, which is not supported: its publisher has "
		"to push it anew");
}

/* Whose meaning depends on who reads it, is not read: it may be one thing to who has checked it,
 * and another to who uses it. */
static int check_kind(const json_t *json, struct err *err)
{
	const char *said = json_string_value(json_object_get(json, "mediaType"));
	bool manifests = json_object_get(json, "manifests");
	bool layers = json_object_get(json, "layers") || json_object_get(json, "blobs") ||
		      json_object_get(json, "config");
	bool is_index = (said && strstr(said, "index")) || (said && strstr(said, "manifest.list"));

	if (json_object_get(json, "fsLayers"))
		return oci_document_check_type(SCHEMA_1, err);
	if (said && oci_document_check_type(said, err) < 0)
		return -EPROTONOSUPPORT;
	if (!json_is_object(json) || (!manifests && !layers))
		return err_set(
			err, ERR_REMOTE, EBADMSG, "what answers is no manifest and no index");
	if (manifests && layers)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"it claims to be a manifest and an index at the same time");
	if (said && is_index != manifests)
		return err_set(err, ERR_REMOTE, EBADMSG, "it says that it is a %s, and is %s", said,
			manifests ? "an index" : "a manifest");
	return manifests ? IS_INDEX : IS_LAYERS;
}

int oci_document_read(const char *bytes, size_t len, const char *platform, struct oci_document *ret,
	struct err *err)
{
	CLEANUP(json_freep)
	json_t *json = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *list;
	int kind;

	if (!json)
		return err_set(
			err, ERR_REMOTE, EBADMSG, "what answers is no manifest and no index");
	kind = check_kind(json, err);
	if (kind < 0)
		return kind;
	*ret = (struct oci_document){.manifest = NULL};
	if (kind == IS_INDEX)
		return oci_index_choose(json, platform, ret, err);
	/* an artifact of the specification's first draft calls them blobs */
	list = json_object_get(json, "layers");
	if (!list)
		list = json_object_get(json, "blobs");
	if (list && !json_is_array(list))
		return err_set(err, ERR_REMOTE, EBADMSG, "the manifest has no list of layers");
	return read_layers(list, &ret->manifest, err);
}

/* ---- finding a layer ---- */

/* The first layer whose name is not before @name. */
static size_t lower_bound(const struct oci_manifest *manifest, const char *name)
{
	size_t first = 0;
	size_t last = manifest->count;

	while (first < last) {
		size_t middle = first + (last - first) / 2;

		if (strcmp(manifest->layers[middle].name, name) < 0)
			first = middle + 1;
		else
			last = middle;
	}
	return first;
}

const struct oci_layer *oci_manifest_find(const struct oci_manifest *manifest, const char *name)
{
	size_t at = lower_bound(manifest, name);
	struct checksum digest;

	if (at < manifest->count && str_equal(manifest->layers[at].name, name))
		return &manifest->layers[at];
	if (!oci_digest_parse(name, &digest))
		return NULL;
	for (size_t i = 0; i < manifest->count; i++)
		if (checksum_equal(&manifest->layers[i].digest, &digest))
			return &manifest->layers[i];
	return NULL;
}

size_t oci_manifest_below(const struct oci_manifest *manifest, const char *name)
{
	CLEANUP(str_freep) char *folder = str_printf("%s%s", name, *name ? "/" : "");
	size_t at = folder ? lower_bound(manifest, folder) : manifest->count;

	if (at < manifest->count && str_has_prefix(manifest->layers[at].name, folder))
		return at;
	return manifest->count;
}
