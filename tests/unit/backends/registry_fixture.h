/* A registry of files at the scripted origin: what is pushed can be asked for below behaviours. */
#ifndef FETCHFS_TESTS_BACKENDS_REGISTRY_FIXTURE_H
#define FETCHFS_TESTS_BACKENDS_REGISTRY_FIXTURE_H

#include "base/checksum.h"
#include "base/fd.h"
#include "tests/support/tmpdir.h"
#include "tests/unit/backends/fixture.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRACE_MAX (1024 * 1024)
#define REPO      "team/files"
#define URI       "oci://reg/" REPO

struct registry {
	struct fixture f;
	char *dir;
	char *trace;
	char *endpoint;
	struct access_oci oci;
	struct access access;
};

static inline void registry_stop(struct registry *registry)
{
	fixture_stop(&registry->f);
	tmpdir_removep(&registry->dir);
	free(registry->trace);
	free(registry->endpoint);
}

/* From here on the endpoint is below @path, behaviours. */
static inline void registry_at(struct registry *registry, const char *path)
{
	free(registry->endpoint);
	registry->endpoint = str_printf("%s%s", registry->f.origin.base, path);
	registry->oci.endpoint = registry->endpoint;
}

static inline void make_folders(const struct registry *registry, const char *path)
{
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		CLEANUP(str_freep)
		char *folder = str_printf("%s/%.*s", registry->f.origin.dir, (int)(p - path), path);

		cr_assert(mkdir(folder, 0755) == 0 || errno == EEXIST);
	}
}

static inline void registry_start(struct registry *registry)
{
	registry->dir = tmpdir_make();
	registry->trace = str_printf("%s/trace", registry->dir);
	origin_start(&registry->f.origin, (const char *const[]){"--trace", registry->trace, NULL});
	fixture_open(&registry->f);
	make_folders(registry, "v2/" REPO "/manifests/");
	make_folders(registry, "v2/" REPO "/blobs/");
	registry->access = (struct access){.prefix = "oci://reg/", .oci = &registry->oci};
	registry_at(registry, "/");
}

#define WITH_REGISTRY(name)                                                                        \
	CLEANUP(registry_stop) struct registry name = {.dir = NULL};                               \
	registry_start(&name)

static inline void digest_of(const void *bytes, size_t len, char ret[CHECKSUM_TEXT_SIZE])
{
	struct checksum checksum;

	cr_assert_eq(checksum_buffer(CHECKSUM_SHA256, bytes, len, &checksum, NULL), 0);
	checksum_format(&checksum, ret);
}

/* A blob of @size bytes, as origin_byte() has them; its digest. */
static inline void push_blob(struct registry *registry, size_t size, char ret[CHECKSUM_TEXT_SIZE])
{
	CLEANUP(str_freep) char *name = NULL;
	char *bytes = malloc(size + 1);

	cr_assert_not_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)origin_byte(i);
	digest_of(bytes, size, ret);
	name = str_printf("v2/" REPO "/blobs/%s", ret);
	origin_add_bytes(&registry->f.origin, name, bytes, size);
	free(bytes);
}

/* @text as the manifest @reference, and by its digest, which is returned. */
static inline void push_text(struct registry *registry, const char *reference, const char *text,
	char ret[CHECKSUM_TEXT_SIZE])
{
	CLEANUP(str_freep) char *tag = str_printf("v2/" REPO "/manifests/%s", reference);
	CLEANUP(str_freep) char *name = NULL;

	digest_of(text, strlen(text), ret);
	name = str_printf("v2/" REPO "/manifests/%s", ret);
	origin_add_bytes(&registry->f.origin, tag, text, strlen(text));
	origin_add_bytes(&registry->f.origin, name, text, strlen(text));
}

/* A tag with one file "a" of @size bytes. */
static inline void push_file(
	struct registry *registry, const char *tag, size_t size, char ret[CHECKSUM_TEXT_SIZE])
{
	char blob[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *text = NULL;

	push_blob(registry, size, blob);
	text = str_printf("{\"layers\":[{\"size\":%zu,\"digest\":\"%s\",\"annotations\":"
			  "{\"org.opencontainers.image.title\":\"a\"}}]}",
		size, blob);
	push_text(registry, tag, text, ret);
}

static inline int registry_fetch(struct registry *registry, const char *text,
	struct backend_request request, struct collect *collect, struct err *err)
{
	request.access = &registry->access;
	return fixture_fetch(&registry->f, text, request, collect, err);
}

static inline int registry_stat(
	struct registry *registry, const char *text, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(&registry->f, text);
	struct backend_request request = {.uri = &uri, .access = &registry->access};

	return oci_backend.stat(registry->f.env, &request, ret, err);
}

/* The n-th request, from 0, with a tab in front of each header and at the end; NULL: not so many.
 */
static inline char *request_of(const struct registry *registry, unsigned int n)
{
	CLEANUP(str_freep) char *text = NULL;
	char *rest;
	char *line;

	cr_assert_eq(fd_read_file(AT_FDCWD, registry->trace, TRACE_MAX, &text, NULL), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) && n-- > 0)
		;
	return line && *line ? str_printf("%s\t", line) : NULL;
}

static inline bool sent(const struct registry *registry, unsigned int n, const char *part)
{
	CLEANUP(str_freep) char *request = request_of(registry, n);

	cr_assert_not_null(request, "no request %u", n);
	return strstr(request, part);
}

static inline unsigned int requests(const struct registry *registry)
{
	unsigned int n = 0;

	for (;; n++) {
		CLEANUP(str_freep) char *request = request_of(registry, n);

		if (!request)
			return n;
	}
}

#endif
