/* Manifests and indexes: which files they have, and what of them is refused. */
#include "backends/oci_manifest.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"
#define OCI  "application/vnd.oci.image."

#define LAYER(digest, title)                                                                       \
	"{\"mediaType\":\"x\",\"size\":7,\"digest\":\"sha256:" digest "\",\"annotations\":{"       \
	"\"org.opencontainers.image.title\":\"" title "\"}}"
#define BARE(digest)     "{\"size\":7,\"digest\":\"sha256:" digest "\"}"
#define MANIFEST(layers) "{\"schemaVersion\":2,\"config\":{},\"layers\":[" layers "]}"
#define INDEX(manifests) "{\"schemaVersion\":2,\"manifests\":[" manifests "]}"
#define FOR(digest, os, arch, variant)                                                             \
	"{\"size\":9,\"digest\":\"sha256:" digest "\",\"platform\":{\"os\":\"" os                  \
	"\",\"architecture\":\"" arch "\"" variant "}}"

static int read_as(
	const char *text, const char *platform, struct oci_document *ret, struct err *err)
{
	return oci_document_read(text, strlen(text), platform, ret, err);
}

/* The names, with a blank behind each. */
static void check_names(const char *text, const char *want)
{
	struct oci_document document;
	struct err err = ERR_INIT;
	char is[2048] = "";

	cr_assert_eq(read_as(text, "linux/amd64", &document, &err), 0, "%s", err.msg);
	cr_assert_not_null(document.manifest);
	for (size_t i = 0; i < document.manifest->count; i++)
		snprintf(is + strlen(is), sizeof(is) - strlen(is), "%s ",
			document.manifest->layers[i].name);
	cr_assert_str_eq(is, want);
	oci_fact_unref(&document.manifest->fact);
}

static void check_refused(const char *text, int code, const char *why)
{
	struct oci_document document;
	struct err err = ERR_INIT;

	cr_assert_eq(read_as(text, "linux/amd64", &document, &err), -code, "%s: %s", text, err.msg);
	cr_assert(strstr(err.msg, why), "%s: %s", text, err.msg);
}

Test(oci_manifest, layers_are_called_by_their_titles)
{
	check_names(MANIFEST(LAYER(ONES, "b.bin") "," LAYER(ZERO, "a c")), "a c b.bin ");
	check_names(MANIFEST(LAYER(ONES, "d/e/f") "," LAYER(ZERO, "d/g")), "d/e/f d/g ");
	check_names(MANIFEST(LAYER(ZERO, "\\u00fc\\u2192+%?#")), "\xc3\xbc\xe2\x86\x92+%?# ");
	check_names(MANIFEST(""), "");
	check_names("{\"config\":{}}", "");
	check_names("{\"blobs\":[" LAYER(ZERO, "a") "]}", "a ");
}

Test(oci_manifest, without_a_name_that_a_file_can_have_it_is_the_digest)
{
	static const char *const titles[] = {"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "./a",
		"a\\nb", "a\\u007f", "sha256:" ONES};

	check_names(MANIFEST(BARE(ZERO)), "sha256:" ZERO " ");
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
		CLEANUP(str_freep)
		char *text = str_printf("{\"layers\":[{\"size\":7,\"digest\":\"sha256:" ZERO
					"\",\"annotations\":{\"org.opencontainers.image.title\":"
					"\"%s\"}}]}",
			titles[i]);

		check_names(text, "sha256:" ZERO " ");
	}
}

Test(oci_manifest, of_two_with_one_name_none_has_it)
{
	check_names(MANIFEST(LAYER(ZERO, "a") "," LAYER(ONES, "a") "," LAYER(TWOS, "b")),
		"b sha256:" ZERO " sha256:" ONES " ");
	/* unless they are the same */
	check_names(MANIFEST(LAYER(ZERO, "a") "," LAYER(ZERO, "a")), "a a ");
	/* a file is no folder, though names sort in between */
	check_names(MANIFEST(LAYER(ZERO, "a") "," LAYER(ONES, "a/b") "," LAYER(TWOS, "a-c")),
		"a-c a/b sha256:" ZERO " ");
}

Test(oci_manifest, a_layer_is_found_by_name_and_by_digest)
{
	struct oci_document document;
	const struct oci_layer *layer;

	cr_assert_eq(read_as(MANIFEST(LAYER(ONES, "d/b") "," LAYER(ZERO, "a") "," BARE(TWOS)),
			     "linux/amd64", &document, NULL),
		0);
	layer = oci_manifest_find(document.manifest, "d/b");
	cr_assert_not_null(layer);
	cr_assert_eq(layer->size, 7);
	cr_assert_eq(layer->digest.bytes[0], 0x11);
	cr_assert_eq(oci_manifest_find(document.manifest, "sha256:" ONES), layer);
	cr_assert_not_null(oci_manifest_find(document.manifest, "sha256:" TWOS));
	cr_assert_null(oci_manifest_find(document.manifest, "d"));
	cr_assert_null(oci_manifest_find(document.manifest, "d/"));
	cr_assert_null(oci_manifest_find(document.manifest, ""));
	cr_assert_lt(oci_manifest_below(document.manifest, "d"), 3);
	cr_assert_eq(oci_manifest_below(document.manifest, "a"), 3);
	oci_fact_unref(&document.manifest->fact);
}

Test(oci_manifest, what_makes_no_sense_is_refused)
{
	check_refused("", EBADMSG, "no manifest");
	check_refused("<html>", EBADMSG, "no manifest");
	check_refused("[]", EBADMSG, "no manifest");
	check_refused("{}", EBADMSG, "no manifest");
	check_refused("{\"layers\":{}}", EBADMSG, "no list");
	check_refused("{\"layers\":[1]}", EBADMSG, "layer 1");
	check_refused("{\"layers\":[{}]}", EBADMSG, "layer 1");
	check_refused("{\"layers\":[" BARE(ZERO) ",{\"digest\":\"sha256:" ZERO "\"}]}", EBADMSG,
		"layer 2 has no size");
	check_refused(
		"{\"layers\":[{\"size\":-1,\"digest\":\"sha256:" ZERO "\"}]}", EBADMSG, "size");
	check_refused(
		"{\"layers\":[{\"size\":1e3,\"digest\":\"sha256:" ZERO "\"}]}", EBADMSG, "size");
	check_refused("{\"layers\":[{\"size\":99999999999999999999,\"digest\":\"sha256:" ZERO
		      "\"}]}",
		EBADMSG, "no manifest");
	check_refused(
		"{\"layers\":[{\"size\":1,\"digest\":\"sha256:../../etc\"}]}", EBADMSG, "digest");
	check_refused("{\"layers\":[{\"size\":1,\"digest\":\"md5:" ZERO "\"}]}", EBADMSG, "digest");
	check_refused("{\"layers\":[],\"layers\":[]}", EBADMSG, "no manifest");
	check_refused("{\"layers\":[],\"manifests\":[]}", EBADMSG, "at the same time");
	check_refused(
		"{\"mediaType\":\"" OCI "index.v1+json\",\"layers\":[]}", EBADMSG, "is a manifest");
	check_refused("{\"mediaType\":\"" OCI "manifest.v1+json\",\"manifests\":[]}", EBADMSG,
		"is an index");
}

Test(oci_manifest, schema_1_is_told_from_rubbish)
{
	static const char type[] = "application/vnd.docker.distribution.manifest.v1+prettyjws";
	struct err err = ERR_INIT;

	check_refused("{\"schemaVersion\":1,\"fsLayers\":[]}", EPROTONOSUPPORT, "schema 1");
	cr_assert_eq(oci_document_check_type(type, &err), -EPROTONOSUPPORT);
	cr_assert(strstr(err.msg, "schema 1"));
	cr_assert_eq(oci_document_check_type(OCI "manifest.v1+json", &err), 0);
	cr_assert_eq(oci_document_check_type("", &err), 0);
}

Test(oci_manifest, what_is_deep_is_no_manifest)
{
	size_t depth = 1000 * 1000;
	char *text = malloc(depth + 1);

	cr_assert_not_null(text);
	memset(text, '[', depth);
	text[depth] = '\0';
	check_refused(text, EBADMSG, "no manifest");
	free(text);
}

/* The first digit of what is chosen; 0: nothing. */
static char chosen(const char *text, const char *platform, struct err *err)
{
	struct oci_document document;
	char digest[CHECKSUM_TEXT_SIZE];

	if (read_as(text, platform, &document, err) < 0)
		return 0;
	cr_assert_null(document.manifest);
	cr_assert_eq(document.size, 9);
	checksum_format(&document.chosen, digest);
	return digest[strlen("sha256:")];
}

Test(oci_manifest, an_index_is_chosen_from_by_platform)
{
	static const char index[] = INDEX(FOR(ZERO, "linux", "amd64", "") "," FOR(
		ONES, "linux", "arm", ",\"variant\":\"v6\"") "," FOR(TWOS, "linux", "arm",
		",\"variant\":\"v7\"") ","
				       "{\"size\":9,\"digest\":\"sha256:" ZERO "\",\"platform\":"
				       "{\"os\":\"unknown\",\"architecture\":\"unknown\"}}");
	struct err err = ERR_INIT;

	cr_assert_eq(chosen(index, "linux/amd64", &err), '0', "%s", err.msg);
	cr_assert_eq(chosen(index, "linux/arm/v7", &err), '2', "%s", err.msg);
	cr_assert_eq(chosen(index, "linux/arm", &err), '1', "%s", err.msg);
	cr_assert_eq(chosen(index, "linux/arm64", &err), 0);
	cr_assert_eq(err.code, ENOENT);
	cr_assert(strstr(err.msg, "linux/arm64, but for linux/amd64, linux/arm/v6, linux/arm/v7"),
		"%s", err.msg);
	cr_assert_eq(chosen(index, "linux/arm/v8", &err), 0);
	cr_assert_eq(chosen(index, "linux", &err), 0);
}

Test(oci_manifest, what_names_no_platform_is_for_each)
{
	static const char index[] = INDEX(
		"{\"size\":9,\"digest\":\"sha256:" ONES "\"}," FOR(ZERO, "linux", "arm64", ""));

	cr_assert_eq(chosen(index, "linux/arm64", NULL), '0');
	cr_assert_eq(chosen(index, "linux/amd64", NULL), '1');
}

Test(oci_manifest, an_index_that_makes_no_sense_is_refused)
{
	check_refused("{\"manifests\":{}}", EBADMSG, "no list");
	check_refused("{\"manifests\":[]}", ENOENT, "no manifest for any");
	check_refused("{\"manifests\":[{\"digest\":\"x\"}]}", EBADMSG, "manifest 1");
	check_refused("{\"manifests\":[" FOR(ZERO, "unknown", "unknown", "") "]}", ENOENT,
		"no manifest for any");
}

/* Sorting and naming take no time that somebody could make long. */
Test(oci_manifest, ten_thousand_layers_of_one_name_are_quick)
{
	struct oci_document document;
	struct err err = ERR_INIT;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	int64_t began;

	fputs("{\"layers\":[", out);
	for (int i = 0; i < 10000; i++)
		fprintf(out,
			"%s{\"size\":7,\"digest\":\"sha256:%064d\",\"annotations\":{"
			"\"org.opencontainers.image.title\":\"a\"}}",
			i ? "," : "", i);
	fputs("]}", out);
	fclose(out);
	began = clock_monotonic_ms();
	cr_assert_eq(
		oci_document_read(text, len, "linux/amd64", &document, &err), 0, "%s", err.msg);
	cr_assert_lt(clock_monotonic_ms() - began, 20000);
	cr_assert_eq(document.manifest->count, 10000);
	cr_assert(str_has_prefix(document.manifest->layers[0].name, "sha256:"));
	oci_fact_unref(&document.manifest->fact);
	free(text);
}
