/* The names that the layers of a manifest have as files. */
#include "backends/oci_manifest.h"
#include "backends/oci_name.h"
#include "base/str.h"
#include "base/uri.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_MAX 1024 /* bytes; escaped it still is a path */

/* A name of a file, which ends at '/' or at the end. */
static bool is_segment(const char *text, size_t len)
{
	if (len == 0 || len > URI_NAME_MAX || (len == 1 && text[0] == '.') ||
		(len == 2 && text[0] == '.' && text[1] == '.'))
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

static bool is_usable(const char *title)
{
	struct checksum digest;

	if (!title || strlen(title) > TITLE_MAX || oci_digest_parse(title, &digest))
		return false;
	for (;;) {
		size_t len = strcspn(title, "/");

		if (!is_segment(title, len))
			return false;
		if (!title[len])
			return true;
		title += len + 1;
	}
}

static int name_by_digest(struct oci_layer *layer, struct err *err)
{
	char text[CHECKSUM_TEXT_SIZE];

	checksum_format(&layer->digest, text);
	free(layer->name);
	layer->name = str_copy(text);
	return layer->name ? 0 : err_oom(err);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct oci_layer *)a)->name, ((const struct oci_layer *)b)->name);
}

static void sort(struct oci_manifest *manifest)
{
	if (manifest->count > 1)
		qsort(manifest->layers, manifest->count, sizeof(*manifest->layers), compare);
}

/* Of two that are called the same nobody knows which one is meant, unless they are the same. */
static void mark_ambiguous(const struct oci_manifest *manifest, bool *wrong)
{
	const struct oci_layer *layers = manifest->layers;
	size_t end;

	for (size_t first = 0; first < manifest->count; first = end) {
		bool differ = false;

		for (end = first + 1; end < manifest->count; end++) {
			if (!str_equal(layers[end].name, layers[first].name))
				break;
			differ |= !checksum_equal(&layers[end].digest, &layers[first].digest);
		}
		for (size_t i = first; i < end; i++)
			wrong[i] = differ;
	}
}

static void mark_folders(const struct oci_manifest *manifest, bool *wrong)
{
	for (size_t i = 0; i < manifest->count; i++)
		wrong[i] = oci_manifest_below(manifest, manifest->layers[i].name) < manifest->count;
}

/* All that @mark finds are called by their digests. */
static int rename_all(struct oci_manifest *manifest,
	void (*mark)(const struct oci_manifest *manifest, bool *wrong), struct err *err)
{
	bool *wrong = calloc(manifest->count + 1, sizeof(*wrong));
	int r = 0;

	if (!wrong)
		return err_oom(err);
	sort(manifest);
	mark(manifest, wrong);
	for (size_t i = 0; r == 0 && i < manifest->count; i++)
		if (wrong[i])
			r = name_by_digest(&manifest->layers[i], err);
	free(wrong);
	return r;
}

int oci_names_make(struct oci_manifest *manifest, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < manifest->count; i++)
		if (!is_usable(manifest->layers[i].name))
			r = name_by_digest(&manifest->layers[i], err);
	if (r == 0)
		r = rename_all(manifest, mark_ambiguous, err);
	if (r == 0)
		r = rename_all(manifest, mark_folders, err);
	sort(manifest);
	return r;
}
