#include "fetch/manifest.h"

#include "backends/backend.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS "objects/"

/* ---- what it is made of ---- */

void manifest_object_name(const struct digest *digest, char ret[MANIFEST_OBJECT_SIZE])
{
	memcpy(ret, OBJECTS, sizeof(OBJECTS));
	digest_hex(digest, ret + sizeof(OBJECTS) - 1);
}

bool manifest_parse_object_name(const char *name, struct digest *ret)
{
	char canonical[MANIFEST_OBJECT_SIZE];
	struct digest digest;

	if (!str_has_prefix(name, OBJECTS) ||
		!str_from_hex(name + sizeof(OBJECTS) - 1, DIGEST_SIZE, digest.bytes))
		return false;
	manifest_object_name(&digest, canonical);
	if (!str_equal(name, canonical))
		return false;
	*ret = digest;
	return true;
}

void manifest_release(struct manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		entry_release(&manifest->entries[i]);
	free(manifest->entries);
	*manifest = (struct manifest){.count = 0};
}

int manifest_add(struct manifest *manifest, const struct entry *entry, struct err *err)
{
	if (manifest->count == manifest->room) {
		size_t room = manifest->room ? 2 * manifest->room : 64;
		struct entry *entries =
			reallocarray(manifest->entries, room, sizeof(*manifest->entries));

		if (!entries)
			return err_oom(err);
		manifest->entries = entries;
		manifest->room = room;
	}
	if (!entry_copy(entry, &manifest->entries[manifest->count]))
		return err_oom(err);
	manifest->count++;
	return 0;
}

/* ---- reading ---- */

struct manifest_reader {
	struct manifest manifest;
	unsigned long line; /* number of the one that is read */
	uint64_t announced; /* entries */
	uint64_t read;      /* bytes, of all lines */
	size_t len;         /* of what there is of the line */
	char text[MANIFEST_LINE_MAX];
};

static void json_releasep(json_t **json)
{
	json_decref(*json);
}

static int wrong(const struct manifest_reader *reader, const char *why, struct err *err)
{
	return err_set(
		err, ERR_INTEGRITY, EBADMSG, "%s, line %lu: %s", MANIFEST_NAME, reader->line, why);
}

static bool read_number(const json_t *object, const char *name, int64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*ret = json_integer_value(value);
	return true;
}

/* A number, or null. */
static bool read_known(const json_t *object, const char *name, int64_t *ret)
{
	*ret = TIME_UNKNOWN;
	return json_is_null(json_object_get(object, name)) || read_number(object, name, ret);
}

static bool read_bool(const json_t *object, const char *name, bool *ret)
{
	const json_t *value = json_object_get(object, name);

	*ret = json_is_true(value);
	return json_is_boolean(value);
}

/* One line of less than @size bytes, as the header of an answer could have had it: some of it goes
 * into requests. Null is NULL. */
static bool read_text(const json_t *object, const char *name, size_t size, char **ret)
{
	const json_t *value = json_object_get(object, name);
	const char *text = json_string_value(value);

	*ret = (char *)(uintptr_t)text;
	if (!text)
		return json_is_null(value);
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return *text && strlen(text) < size;
}

/* Its strings stay those of @object. */
static const char *read_members(const json_t *object, struct entry *ret)
{
	const char *sha256 = json_string_value(json_object_get(object, "sha256"));

	ret->state = ENTRY_COMPLETE;
	if (!read_text(object, "uri", URI_MAX + 1, &ret->uri) || !ret->uri)
		return "no URI";
	if (!sha256 || !str_from_hex(sha256, DIGEST_SIZE, ret->digest.bytes))
		return "no SHA-256";
	if (!read_number(object, "size", &ret->size))
		return "no size";
	if (!read_text(object, "etag", ETAG_MAX, &ret->etag) ||
		!read_text(object, "type", MIME_MAX, &ret->type))
		return "no such ETag or type can be";
	if (!read_known(object, "modified", &ret->modified) ||
		!read_number(object, "fetched", &ret->fetched) ||
		!read_number(object, "verified", &ret->verified) ||
		!read_number(object, "expires", &ret->expires))
		return "no such times can be";
	if (!read_bool(object, "executable", &ret->executable) ||
		!read_bool(object, "pinned", &ret->pinned) ||
		!read_bool(object, "must_ask", &ret->must_ask))
		return "neither true nor false";
	return NULL;
}

static int read_entry(struct manifest_reader *reader, const json_t *object, struct err *err)
{
	struct manifest *manifest = &reader->manifest;
	struct entry entry = {.scope = (char *)(uintptr_t) ""};
	const char *why = read_members(object, &entry);

	if (why)
		return wrong(reader, why, err);
	/* so none is there twice */
	if (manifest->count > 0 &&
		strcmp(manifest->entries[manifest->count - 1].uri, entry.uri) >= 0)
		return wrong(reader, "its URI does not come after the one before", err);
	return manifest_add(manifest, &entry, err);
}

static int read_head(struct manifest_reader *reader, const json_t *object, struct err *err)
{
	const char *kind = json_string_value(json_object_get(object, "fetchfs"));
	int64_t version, entries;

	if (!str_equal(kind, MANIFEST_KIND) || !read_number(object, "version", &version))
		return wrong(reader, "it is not by fetchfs export", err);
	if (version != MANIFEST_VERSION)
		return err_set(err, ERR_USAGE, ENOTSUP,
			"it was exported in version %lld of the format, and this fetchfs knows %d "
			"only",
			(long long)version, MANIFEST_VERSION);
	if (!read_number(object, "entries", &entries))
		return wrong(reader, "no number of entries", err);
	reader->announced = (uint64_t)entries;
	return 0;
}

static int read_line(struct manifest_reader *reader, struct err *err)
{
	CLEANUP(json_releasep)
	json_t *object = json_loadb(reader->text, reader->len, JSON_REJECT_DUPLICATES, NULL);

	reader->line++;
	reader->len = 0;
	if (!json_is_object(object))
		return wrong(reader, "no object of JSON", err);
	return reader->line == 1 ? read_head(reader, object, err) : read_entry(reader, object, err);
}

int manifest_reader_new(struct manifest_reader **ret, struct err *err)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : err_oom(err);
}

/* Up to the end of the line, or of what there is. */
static int take(struct manifest_reader *reader, const char *bytes, size_t len, struct err *err)
{
	if (len > sizeof(reader->text) - reader->len) {
		reader->line++;
		return wrong(reader, "it is too long", err);
	}
	memcpy(reader->text + reader->len, bytes, len);
	reader->len += len;
	return 0;
}

int manifest_reader_feed(
	struct manifest_reader *reader, const char *bytes, size_t len, struct err *err)
{
	reader->read += len;
	if (reader->read > MANIFEST_MAX)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "%s is longer than %llu bytes",
			MANIFEST_NAME, (unsigned long long)MANIFEST_MAX);
	while (len > 0) {
		const char *newline = memchr(bytes, '\n', len);
		size_t part = newline ? (size_t)(newline - bytes) : len;
		int r = take(reader, bytes, part, err);

		if (r == 0 && newline)
			r = read_line(reader, err);
		if (r < 0)
			return r;
		part += newline != NULL;
		bytes += part;
		len -= part;
	}
	return 0;
}

int manifest_reader_end(struct manifest_reader *reader, struct manifest *ret, struct err *err)
{
	if (reader->len > 0 || reader->line == 0 || reader->manifest.count != reader->announced)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "%s has %zu of %llu entries, and ends",
			MANIFEST_NAME, reader->manifest.count,
			(unsigned long long)reader->announced);
	*ret = reader->manifest;
	reader->manifest = (struct manifest){.count = 0};
	return 0;
}

void manifest_reader_free(struct manifest_reader *reader)
{
	if (!reader)
		return;
	manifest_release(&reader->manifest);
	free(reader);
}

void manifest_reader_freep(struct manifest_reader **reader)
{
	manifest_reader_free(*reader);
	*reader = NULL;
}
