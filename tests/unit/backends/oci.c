/* Registries at the scripted origin: what is asked there, and what of its answers is believed. */
#include "tests/unit/backends/registry_fixture.h"

#include <unistd.h>

static const struct backend_request whole;

Test(oci, a_layer_is_fetched_by_its_title)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	char digest[CHECKSUM_TEXT_SIZE];
	struct err err = ERR_INIT;

	push_file(&reg, "v1", 5000, digest);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert_eq(got.remote.size, 5000);
	cr_assert_eq(got.remote.checksum.kind, CHECKSUM_SHA256);
	cr_assert_eq(got.remote.max_age, TIME_UNKNOWN);
	cr_assert(str_has_prefix(got.remote.validators.etag, "\"sha256:"));
	cr_assert(sent(&reg, 0, "\tGET\t/v2/team/files/manifests/v1\t"));
	cr_assert(sent(&reg, 0, "\tAccept: application/vnd.oci.image.manifest.v1+json, "));
	cr_assert(sent(&reg, 0, "application/vnd.docker.distribution.manifest.list.v2+json"));
	cr_assert(sent(&reg, 1, "\tGET\t/v2/team/files/blobs/sha256:"));
	cr_assert_not(sent(&reg, 0, "Authorization"));
}

Test(oci, by_a_digest_nothing_can_change)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(file);
	WITH_COLLECT(blob);
	char manifest[CHECKSUM_TEXT_SIZE];
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *of_file = NULL;
	CLEANUP(str_freep) char *of_blob = NULL;
	struct remote remote;
	struct err err = ERR_INIT;

	push_blob(&reg, 5000, digest);
	push_file(&reg, "v1", 5000, manifest);
	of_file = str_printf(URI "@%s/a", manifest);
	of_blob = str_printf(URI "@%s", digest);
	cr_assert_eq(registry_fetch(&reg, of_file, whole, &file, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&file, 0, 5000));
	cr_assert_gt(file.remote.max_age, 365 * 24 * 60 * 60);
	cr_assert_eq(registry_fetch(&reg, of_blob, whole, &blob, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&blob, 0, 5000));
	cr_assert_gt(blob.remote.max_age, 365 * 24 * 60 * 60);
	cr_assert_eq(registry_stat(&reg, of_blob, &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(remote.size, 5000);
	cr_assert(checksum_equal(&remote.checksum, &blob.remote.checksum));
}

Test(oci, a_manifest_is_a_folder)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *by_digest = NULL;
	struct remote remote;
	struct err err = ERR_INIT;

	push_file(&reg, "latest", 10, digest);
	by_digest = str_printf(URI "@%s", digest);
	cr_assert_eq(registry_stat(&reg, URI, &remote, &err), -EISDIR);
	cr_assert(strstr(err.msg, "there is: a (1 in all)"), "%s", err.msg);
	cr_assert_eq(registry_stat(&reg, URI ":latest", &remote, &err), -EISDIR);
	cr_assert_eq(registry_stat(&reg, by_digest, &remote, &err), -EISDIR);
	cr_assert_eq(registry_fetch(&reg, by_digest, whole, &got, &err), -EISDIR);
	cr_assert(strstr(err.msg, "there is: a (1 in all)"), "%s", err.msg);
	cr_assert_eq(got.begun, 0);
	cr_assert_eq(registry_stat(&reg, "oci://reg/", &remote, &err), -EISDIR);
	cr_assert_eq(registry_stat(&reg, URI ":latest/b", &remote, &err), -ENOENT);
	cr_assert(strstr(err.msg, "there is a (1 in all)"), "%s", err.msg);
	cr_assert_eq(registry_stat(&reg, URI ":v2", &remote, &err), -ENOENT);
	by_digest[strlen(by_digest) - 1] ^= 1;
	cr_assert_eq(registry_stat(&reg, by_digest, &remote, &err), -ENOENT);
}

Test(oci, parts_are_of_one_version)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(part);
	WITH_COLLECT(other);
	WITH_COLLECT(same);
	char digest[CHECKSUM_TEXT_SIZE];
	struct validators known;
	struct remote remote;
	struct err err = ERR_INIT;

	push_file(&reg, "v1", 5000, digest);
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(remote.size, 5000);
	cr_assert(remote.ranges);
	known = remote.validators;

	const struct backend_request range = {.offset = 100, .length = 300, .known = &known};

	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", range, &part, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&part, 100, 300));
	cr_assert_eq(part.remote.size, 5000);
	cr_assert_str_eq(part.remote.validators.etag, known.etag);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", (struct backend_request){.known = &known},
			     &same, &err),
		0, "%s", err.msg);
	cr_assert(same.remote.unchanged);
	cr_assert_eq(same.len, 0);
	/* the tag moves */
	push_file(&reg, "v1", 4000, digest);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", range, &other, &err), -ESTALE);
	cr_assert_eq(other.begun, 0);
}

/* What is there already is asked for by HEAD only, and again as soon as it has moved. */
Test(oci, a_tag_is_looked_at_each_time)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(first);
	WITH_COLLECT(again);
	WITH_COLLECT(moved);
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(str_freep) char *manifest = NULL;
	struct err err = ERR_INIT;

	push_file(&reg, "v1", 5000, digest);
	path = str_printf("/header/Docker-Content-Digest/%s/", digest);
	registry_at(&reg, path);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &first, &err), 0, "%s", err.msg);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &again, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&again, 0, 5000));
	cr_assert_eq(requests(&reg), 4);
	cr_assert(sent(&reg, 0, "\tGET\t"));
	cr_assert(sent(&reg, 2, "\tHEAD\t"));
	/* without a digest in the answer nobody knows without the whole */
	registry_at(&reg, "/");
	manifest = str_printf("%s/v2/" REPO "/manifests/v1", reg.f.origin.dir);
	push_file(&reg, "v1", 4000, digest);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &moved, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&moved, 0, 4000));
	push_file(&reg, "v1", 3000, digest);
	collect_release(&moved);
	collect_init(&moved);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &moved, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&moved, 0, 3000));
	cr_assert_eq(unlink(manifest), 0);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &moved, &err), -ENOENT);
}

Test(oci, who_only_looks_asks_for_a_tag_once)
{
	WITH_REGISTRY(reg);
	char digest[CHECKSUM_TEXT_SIZE];
	struct remote remote;
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	push_file(&reg, "v1", 5000, digest);
	for (int i = 0; i < 10; i++)
		cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), 0, "%s", err.msg);
	if (clock_monotonic_ms() - began < 2000)
		cr_assert_eq(requests(&reg), 1);
	push_file(&reg, "v1", 4000, digest);
	do {
		cr_assert_lt(clock_monotonic_ms() - began, 60000);
		cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), 0, "%s", err.msg);
	} while (remote.size == 5000);
	cr_assert_eq(remote.size, 4000);
}

Test(oci, a_manifest_that_is_not_what_it_is_called_is_refused)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *by_digest = NULL;
	CLEANUP(str_freep) char *path = NULL;
	struct err err = ERR_INIT;

	push_file(&reg, "v1", 5000, digest);
	by_digest = str_printf(URI "@%s/a", digest);
	registry_at(&reg, "/corrupt/");
	cr_assert_eq(registry_fetch(&reg, by_digest, whole, &got, &err), -EBADMSG);
	cr_assert(strstr(err.msg, "the manifest: "), "%s", err.msg);
	digest[strlen("sha256:")] ^= 1;
	path = str_printf("/header/Docker-Content-Digest/%s/", digest);
	registry_at(&reg, path);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), -EBADMSG);
	cr_assert_eq(got.begun, 0);
}

Test(oci, a_layer_of_another_size_is_refused)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	char blob[CHECKSUM_TEXT_SIZE];
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *text = NULL;
	struct err err = ERR_INIT;

	push_blob(&reg, 5000, blob);
	text = str_printf("{\"layers\":[{\"size\":4999,\"digest\":\"%s\"}]}", blob);
	push_text(&reg, "v1", text, digest);
	str_freep(&text);
	text = str_printf(URI ":v1/%s", blob);
	cr_assert_eq(registry_fetch(&reg, text, whole, &got, &err), -EBADMSG);
	cr_assert(strstr(err.msg, "5000 bytes, and not 4999"), "%s", err.msg);
	cr_assert_eq(got.begun, 0);
}

Test(oci, an_index_leads_to_the_platform)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	char manifest[CHECKSUM_TEXT_SIZE];
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *index = NULL;
	CLEANUP(str_freep) char *lying = NULL;
	struct remote remote;
	struct err err = ERR_INIT;
	size_t size;

	push_file(&reg, "x", 5000, manifest);
	size = strlen("{\"layers\":[{\"size\":5000,\"digest\":\"\",\"annotations\":"
		      "{\"org.opencontainers.image.title\":\"a\"}}]}") +
	       strlen(manifest);
	index = str_printf("{\"manifests\":[{\"size\":%zu,\"digest\":\"%s\",\"platform\":"
			   "{\"os\":\"linux\",\"architecture\":\"mips\"}}]}",
		size, manifest);
	push_text(&reg, "v1", index, digest);
	reg.oci.platform = "linux/mips";
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	reg.oci.platform = "linux/s390x";
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -ENOENT);
	cr_assert(strstr(err.msg, "nothing for linux/s390x, but for linux/mips"), "%s", err.msg);
	/* of another size than it says */
	lying = str_printf("{\"manifests\":[{\"size\":7,\"digest\":\"%s\"}]}", manifest);
	push_text(&reg, "v2", lying, digest);
	cr_assert_eq(registry_stat(&reg, URI ":v2/a", &remote, &err), -EBADMSG);
}

Test(oci, indexes_in_indexes_end)
{
	WITH_REGISTRY(reg);
	char digest[CHECKSUM_TEXT_SIZE];
	struct remote remote;
	struct err err = ERR_INIT;
	size_t size;

	push_file(&reg, "x", 10, digest);
	size = strlen("{\"layers\":[{\"size\":10,\"digest\":\"\",\"annotations\":"
		      "{\"org.opencontainers.image.title\":\"a\"}}]}") +
	       strlen(digest);
	for (int i = 1; i <= 5; i++) {
		CLEANUP(str_freep)
		char *index = str_printf(
			"{\"manifests\":[{\"size\":%zu,\"digest\":\"%s\"}]}", size, digest);
		char tag[8];

		snprintf(tag, sizeof(tag), "d%d", i);
		push_text(&reg, tag, index, digest);
		size = strlen(index);
	}
	cr_assert_eq(registry_stat(&reg, URI ":d4/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(registry_stat(&reg, URI ":d5/a", &remote, &err), -EBADMSG);
	cr_assert(strstr(err.msg, "indexes in each other"), "%s", err.msg);
}

Test(oci, a_manifest_too_large_is_not_read_to_its_end)
{
	WITH_REGISTRY(reg);
	struct remote remote;
	struct err err = ERR_INIT;

	origin_add_sparse(&reg.f.origin, "v2/" REPO "/manifests/v1", (off_t)64 << 20);
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EFBIG);
	cr_assert(strstr(err.msg, "4096 KiB"), "%s", err.msg);
	cr_assert_lt(origin_sent(&reg.f.origin, "/v2/" REPO "/manifests/v1"), 32 << 20);
}

static int enough(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, ERR_CANCELLED, EINTR, "enough");
}

Test(oci, who_waits_for_a_manifest_can_stop)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	CLEANUP(uri_release) struct uri uri = fixture_uri(&reg.f, URI ":v1/a");
	struct backend_request request = {.uri = &uri, .access = &reg.access, .poll = enough};
	char digest[CHECKSUM_TEXT_SIZE];
	struct remote remote;

	push_file(&reg, "v1", 10, digest);
	registry_at(&reg, "/hang/");
	cr_assert_eq(oci_backend.stat(reg.f.env, &request, &remote, NULL), -EINTR);
	got.fail_poll = 2;
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, NULL), -EINTR);
}

static int count_names(const char *segment, bool is_folder, void *arg, struct err *err)
{
	char *all = arg;

	(void)err;
	cr_assert_lt(strlen(all) + strlen(segment) + 3, 500);
	strcat(all, segment);
	strcat(all, is_folder ? "/ " : " ");
	return 0;
}

static void check_list(struct registry *reg, const char *text, int r, const char *want)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(&reg->f, text);
	struct backend_request request = {.uri = &uri, .access = &reg->access};
	struct remote remote;
	struct err err = ERR_INIT;
	char all[500] = "";

	cr_assert_eq(oci_backend.list(reg->f.env, &request, &remote, count_names, all, &err), r,
		"%s: %s", text, err.msg);
	cr_assert_str_eq(all, want, "%s: %s", text, all);
}

Test(oci, layers_are_listed_as_files_and_folders)
{
	WITH_REGISTRY(reg);
	char blob[CHECKSUM_TEXT_SIZE];
	char digest[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *text = NULL;
	CLEANUP(str_freep) char *want = NULL;
	static const char layer[] = "{\"size\":10,\"digest\":\"%s\",\"annotations\":{"
				    "\"org.opencontainers.image.title\":\"%s\"}}";
	static const char *const titles[] = {
		"d/e/f", "d/x y", "a?b#c%", "d-z", "d/e/f", "\xc3\xbc"};

	push_blob(&reg, 10, blob);
	text = str_printf("{\"layers\":[{\"size\":10,\"digest\":\"%s\"}", blob);
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
		CLEANUP(str_freep) char *one = str_printf(layer, blob, titles[i]);
		char *longer = str_printf("%s,%s", text, one);

		free(text);
		text = longer;
	}
	want = str_printf("%s]}", text);
	push_text(&reg, "v1", want, digest);
	str_freep(&want);
	want = str_printf("a%%3Fb%%23c%%25 d-z d/ %s %%C3%%BC ", blob);
	check_list(&reg, URI ":v1/", 0, want);
	check_list(&reg, URI ":v1/d/", 0, "e/ x%20y ");
	check_list(&reg, URI ":v1/d/e/", 0, "f ");
	check_list(&reg, URI ":v1/d-z/", -ENOTDIR, "");
	check_list(&reg, URI ":v1/none/", -ENOENT, "");
	check_list(&reg, URI ":v2/", -ENOENT, "");
	check_list(&reg, "oci://reg/team/", 0, "");
	check_list(&reg, "oci://reg/", 0, "");
}

Test(oci, what_a_registry_refuses_is_told)
{
	WITH_REGISTRY(reg);
	struct remote remote;
	struct err err = ERR_INIT;

	registry_at(&reg, "/status/403/");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EACCES);
	registry_at(&reg, "/status/429/");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EIO);
	cr_assert(err.retry);
	registry_at(&reg, "/status/401/");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EACCES);
}

/* Where it is, and what opens it, is known of the URIs below the prefix only. */
Test(oci, a_section_is_for_its_prefix)
{
	WITH_REGISTRY(reg);
	struct remote remote;
	struct err err = ERR_INIT;

	reg.access.prefix = "oci://reg/other/";
	reg.f.env->connect_ms = 5000;
	cr_assert_lt(registry_stat(&reg, "oci://127.0.0.1:1/team/files:v1/a", &remote, &err), 0);
	cr_assert_eq(requests(&reg), 0);
}
