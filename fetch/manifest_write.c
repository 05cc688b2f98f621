/* Apart from what reads it: base/json.h and jansson have names in common. */
#include "backends/backend.h"
#include "base/json.h"
#include "fetch/manifest.h"

#include <string.h>

/* Of what JSON cannot hold as it is nothing is left; a server is then asked without it. */
static const char *plain(const char *text, size_t size)
{
	if (!text || !*text || strlen(text) >= size)
		return NULL;
	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return NULL;
	return text;
}

static int64_t time_of(int64_t seconds)
{
	return seconds > 0 ? seconds : 0;
}

static void write_entry(struct json *json, const struct entry *entry)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&entry->digest, hex);
	json_open(json, NULL, '{');
	json_text(json, "uri", entry->uri);
	json_text(json, "sha256", hex);
	json_number(json, "size", entry->size);
	json_bool(json, "executable", entry->executable);
	json_bool(json, "pinned", entry->pinned);
	json_text(json, "etag", plain(entry->etag, ETAG_MAX));
	json_text(json, "type", plain(entry->type, MIME_MAX));
	json_known(json, "modified", entry->modified);
	json_number(json, "fetched", time_of(entry->fetched));
	json_number(json, "verified", time_of(entry->verified));
	json_number(json, "expires", time_of(entry->expires));
	json_bool(json, "must_ask", entry->must_ask);
	json_close(json, '}');
}

void manifest_write(const struct manifest *manifest, uint64_t objects, uint64_t bytes, FILE *out)
{
	struct json json = {.out = out};

	json_open(&json, NULL, '{');
	json_text(&json, "fetchfs", MANIFEST_KIND);
	json_number(&json, "version", MANIFEST_VERSION);
	json_number(&json, "entries", (int64_t)manifest->count);
	json_number(&json, "objects", (int64_t)objects);
	json_number(&json, "bytes", (int64_t)bytes);
	json_close(&json, '}');
	for (size_t i = 0; i < manifest->count; i++)
		write_entry(&json, &manifest->entries[i]);
}
