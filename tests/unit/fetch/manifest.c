#include "fetch/manifest.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

#define HEAD(entries)                                                                              \
	"{\"fetchfs\":\"export\",\"version\":1,\"entries\":" #entries                              \
	",\"objects\":1,\"bytes\":5}\n"
#define ENTRY_WITH(uri, more)                                                                      \
	"{\"uri\":\"" uri "\",\"sha256\":\"" HEX "\",\"size\":5,\"executable\":false,"             \
	"\"pinned\":true,\"etag\":\"\\\"a\\\"\",\"type\":null,\"modified\":null,\"fetched\":7,"    \
	"\"verified\":8,\"expires\":9,\"must_ask\":false" more "}\n"
#define ENTRY(uri) ENTRY_WITH(uri, "")

/* In pieces of @step bytes. */
static int feed(const char *text, size_t len, size_t step, struct manifest *ret, struct err *err)
{
	CLEANUP(manifest_reader_freep) struct manifest_reader *reader = NULL;
	int r = manifest_reader_new(&reader, err);

	for (size_t at = 0; r == 0 && at < len; at += step)
		r = manifest_reader_feed(reader, text + at, len - at < step ? len - at : step, err);
	return r < 0 ? r : manifest_reader_end(reader, ret, err);
}

static void refused(const char *text, int code, const char *why)
{
	struct manifest manifest;
	struct err err = ERR_INIT;

	cr_assert_eq(feed(text, strlen(text), 7, &manifest, &err), -code, "%s: %s", text, err.msg);
	cr_assert_not_null(strstr(err.msg, why), "%s: %s", text, err.msg);
}

/* A text of the caller's. */
static char *written(const struct manifest *manifest)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	manifest_write(manifest, 1, 5, out);
	fclose(out);
	return text;
}

Test(manifest, is_read_in_pieces_of_any_size)
{
	const char text[] = HEAD(2) ENTRY("http://h/a") ENTRY("http://h/b");

	for (size_t step = 1; step < sizeof(text); step++) {
		struct manifest manifest;
		struct err err = ERR_INIT;

		cr_assert_eq(feed(text, sizeof(text) - 1, step, &manifest, &err), 0, "%s", err.msg);
		cr_assert_eq(manifest.count, 2);
		cr_assert_str_eq(manifest.entries[1].uri, "http://h/b");
		cr_assert_str_eq(manifest.entries[1].etag, "\"a\"");
		cr_assert_null(manifest.entries[1].type);
		cr_assert_eq(manifest.entries[1].modified, -1);
		cr_assert(manifest.entries[1].pinned);
		manifest_release(&manifest);
	}
}

Test(manifest, says_again_what_was_read)
{
	const char text[] = HEAD(1) ENTRY("http://h/a");
	CLEANUP(str_freep) char *again = NULL;
	struct manifest manifest;

	cr_assert_eq(feed(text, sizeof(text) - 1, 100, &manifest, NULL), 0);
	again = written(&manifest);
	manifest_release(&manifest);
	cr_assert_eq(feed(again, strlen(again), 100, &manifest, NULL), 0);
	cr_assert_eq(manifest.entries[0].fetched, 7);
	cr_assert_eq(manifest.entries[0].verified, 8);
	cr_assert_eq(manifest.entries[0].expires, 9);
	manifest_release(&manifest);
}

Test(manifest, cut_off_anywhere_is_refused)
{
	const char text[] = HEAD(2) ENTRY("http://h/a") ENTRY("http://h/b");

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		struct manifest manifest;

		cr_assert_eq(feed(text, len, 64, &manifest, NULL), -EBADMSG, "%zu bytes", len);
	}
}

Test(manifest, with_any_byte_changed_is_refused_or_is_one)
{
	const char good[] = HEAD(1) ENTRY("http://h/a");
	char text[sizeof(good)];
	unsigned int seed = 1;

	for (int n = 0; n < 20000; n++) {
		struct manifest manifest;
		struct err err = ERR_INIT;
		int r;

		memcpy(text, good, sizeof(good));
		for (int i = 0; i <= n % 3; i++)
			text[(size_t)rand_r(&seed) % (sizeof(good) - 1)] = (char)rand_r(&seed);
		r = feed(text, sizeof(good) - 1, 50, &manifest, &err);
		cr_assert(r == 0 || r == -EBADMSG || r == -ENOTSUP, "%d: %s", r, text);
		if (r == 0) {
			cr_assert_geq(manifest.entries[0].size, 0);
			manifest_release(&manifest);
		} else {
			cr_assert(*err.msg);
		}
	}
}

Test(manifest, of_other_lines_is_refused)
{
	refused("", EBADMSG, "and ends");
	refused("\n", EBADMSG, "line 1: no object");
	refused("[]\n", EBADMSG, "line 1: no object");
	refused("{}\n", EBADMSG, "line 1: it is not by fetchfs export");
	refused("{\"fetchfs\":\"export\",\"version\":2}\n", ENOTSUP, "version 2");
	refused("{\"fetchfs\":\"export\",\"version\":1}\n", EBADMSG, "no number of entries");
	refused(HEAD(0) ENTRY("http://h/a"), EBADMSG, "has 1 of 0 entries");
	refused(HEAD(2) ENTRY("http://h/a"), EBADMSG, "has 1 of 2 entries");
	refused(HEAD(2) ENTRY("http://h/a") ENTRY("http://h/a"), EBADMSG, "line 3: its URI");
	refused(HEAD(2) ENTRY("http://h/b") ENTRY("http://h/a"), EBADMSG, "line 3: its URI");
	refused(HEAD(1) ENTRY(""), EBADMSG, "line 2: no URI");
	refused(HEAD(1) ENTRY("http://h/\\u0000"), EBADMSG, "line 2: no object");
	refused(HEAD(1) ENTRY("http://h/\\n"), EBADMSG, "line 2: no URI");
	/* which of the two counts would be the reader's choice */
	refused(HEAD(1) ENTRY_WITH("http://h/a", ",\"size\":6"), EBADMSG, "line 2: no object");
}

Test(manifest, with_members_nobody_knows_is_read)
{
	const char text[] = HEAD(1) ENTRY_WITH("http://h/a", ",\"new\":[1,{}]");
	struct manifest manifest;

	cr_assert_eq(feed(text, sizeof(text) - 1, 100, &manifest, NULL), 0);
	manifest_release(&manifest);
}

Test(manifest, writes_no_validator_that_it_would_not_read)
{
	char scope[] = "", uri[] = "http://h/a", etag[] = "\"\xe9\"";
	struct manifest manifest = {.count = 0};
	struct entry entry = {
		.state = ENTRY_COMPLETE,
		.scope = scope,
		.uri = uri,
		.etag = etag,
		.modified = -1,
		.fetched = -1,
	};
	CLEANUP(str_freep) char *text = NULL;
	struct manifest again;
	struct err err = ERR_INIT;

	cr_assert_eq(manifest_add(&manifest, &entry, &err), 0);
	text = written(&manifest);
	manifest_release(&manifest);
	cr_assert_eq(feed(text, strlen(text), 100, &again, &err), 0, "%s", err.msg);
	cr_assert_null(again.entries[0].etag);
	cr_assert_eq(again.entries[0].fetched, 0);
	manifest_release(&again);
}

Test(manifest, names_objects_in_one_way)
{
	char name[MANIFEST_OBJECT_SIZE];
	struct digest digest;

	cr_assert(manifest_parse_object_name("objects/" HEX, &digest));
	manifest_object_name(&digest, name);
	cr_assert_str_eq(name, "objects/" HEX);
	cr_assert_not(manifest_parse_object_name("objects/" HEX "0", &digest));
	cr_assert_not(manifest_parse_object_name("objects/" HEX ".x", &digest));
	cr_assert_not(manifest_parse_object_name("./objects/" HEX, &digest));
	cr_assert_not(manifest_parse_object_name("objects/../" HEX, &digest));
	cr_assert_not(manifest_parse_object_name("objects/", &digest));
	cr_assert_not(manifest_parse_object_name(HEX, &digest));
}
