/*
 * oci: what is kept in registries (OCI distribution specification, 1.1), over HTTP. A tag or the
 * digest of a manifest is a folder, whose files are the layers; the digest of a blob is a file.
 */
#include "backends/builtin.h"

#include "backends/oci_list.h"
#include "backends/oci_resolve.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMMUTABLE_S (INT64_C(10) * 365 * 24 * 60 * 60) /* by its digest it cannot change */

/* A file. */
struct blob {
	struct checksum digest;
	int64_t size;   /* as the manifest says, or SIZE_UNKNOWN */
	bool by_digest; /* the URI names it, or its manifest, by a digest */
	bool was_answered;
};

static void manifest_unrefp(struct oci_manifest **manifest)
{
	if (*manifest)
		oci_fact_unref(&(*manifest)->fact);
}

/* ---- what is told ---- */

static void make_etag(const struct blob *blob, char ret[ETAG_MAX])
{
	char text[CHECKSUM_TEXT_SIZE];

	checksum_format(&blob->digest, text);
	snprintf(ret, ETAG_MAX, "\"%s\"", text);
}

/* Whoever brings it: what it is, its digest says, and for how long, who named it. */
static void describe(const struct blob *blob, struct remote *remote)
{
	make_etag(blob, remote->validators.etag);
	remote->validators.modified = TIME_UNKNOWN;
	remote->max_age = blob->by_digest ? IMMUTABLE_S : TIME_UNKNOWN;
	remote->must_ask = false;
	remote->checksum = blob->digest;
	remote->type[0] = '\0';
	if (remote->size == SIZE_UNKNOWN)
		remote->size = blob->size;
}

static int on_told(struct oci_question *question, const struct transfer *transfer,
	struct remote *remote, struct err *err)
{
	struct blob *blob = question->arg;

	(void)transfer;
	blob->was_answered = true;
	if (blob->size != SIZE_UNKNOWN && remote->size != SIZE_UNKNOWN &&
		blob->size != remote->size)
		return err_set(err, ERR_INTEGRITY, EBADMSG,
			"the layer has %lld bytes, and not %lld as the manifest says",
			(long long)remote->size, (long long)blob->size);
	describe(blob, remote);
	return 0;
}

/* ---- which file it is ---- */

/* A tag, a manifest, or a folder in one. Returns -EISDIR. */
static int is_folder(const struct oci_manifest *manifest, const char *name, struct err *err)
{
	char shown[OCI_LIST_SHOWN];
	size_t count = oci_list_show(manifest, name, shown);

	if (count == 0)
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder, and empty");
	return err_set(err, ERR_REMOTE, EISDIR,
		"it is a folder: append the name of a file, which there %s: %s (%zu in all)",
		count == 1 ? "is" : "are", shown, count);
}

static int is_absent(const struct oci_manifest *manifest, struct err *err)
{
	char shown[OCI_LIST_SHOWN];
	size_t count = oci_list_show(manifest, "", shown);

	if (count == 0)
		return err_set(err, ERR_REMOTE, ENOENT, "the manifest has no layers");
	return err_set(err, ERR_REMOTE, ENOENT, "no layer is called so: there %s %s (%zu in all)",
		count == 1 ? "is" : "are", shown, count);
}

/* The layer that the URI names. */
static int find_layer(struct oci_repo *oci, struct blob *ret, struct err *err)
{
	CLEANUP(manifest_unrefp) struct oci_manifest *manifest = NULL;
	const struct oci_name *name = &oci->name;
	const struct oci_layer *layer;
	int r = oci_resolve(oci, &manifest, err);

	if (r < 0)
		return r;
	layer = name->file ? oci_manifest_find(manifest, name->file) : NULL;
	if (!layer && (!name->file || oci_manifest_below(manifest, name->file) < manifest->count))
		return is_folder(manifest, name->file ? name->file : "", err);
	if (!layer)
		return is_absent(manifest, err);
	*ret = (struct blob){
		.digest = layer->digest,
		.size = layer->size,
		.by_digest = name->digest.kind != CHECKSUM_NONE,
	};
	return 0;
}

/* The URI may name a blob or a manifest by its digest: a blob until it turns out to be none. */
static bool may_be_blob(const struct oci_repo *oci)
{
	return oci->name.digest.kind != CHECKSUM_NONE && !oci->name.file;
}

static int find_blob(struct oci_repo *oci, struct blob *ret, struct err *err)
{
	if (!*oci->name.repo)
		return err_set(err, ERR_USAGE, EISDIR, "it is a registry");
	if (!may_be_blob(oci))
		return find_layer(oci, ret, err);
	*ret = (struct blob){.digest = oci->name.digest, .size = SIZE_UNKNOWN, .by_digest = true};
	return 0;
}

/* What is no blob may be a manifest, and if it is none either, the first answer was right. */
static int no_blob(struct oci_repo *oci, int r, const struct err *why, struct err *err)
{
	struct blob blob;

	if (r == -ENOENT && may_be_blob(oci)) {
		int as_folder = find_layer(oci, &blob, err);

		if (as_folder != -ENOENT)
			return as_folder;
	}
	if (err)
		*err = *why;
	return r;
}

/* ---- the backend ---- */

static int stat_blob(struct oci_repo *oci, struct blob *blob, struct remote *ret, struct err *err)
{
	struct oci_question question = {.told = on_told, .arg = blob};
	char reference[CHECKSUM_TEXT_SIZE];
	struct err why = ERR_INIT;
	int r;

	/* the manifest has said all there is to say */
	if (blob->size != SIZE_UNKNOWN) {
		*ret = (struct remote){.size = blob->size, .ranges = true};
		describe(blob, ret);
		return 0;
	}
	checksum_format(&blob->digest, reference);
	r = oci_ask(oci, &question, "blobs", reference, NULL, ret, &why);
	/* where it is stored a URI may be signed for GET alone */
	if (r == -EACCES && why.kind == ERR_REMOTE)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "forbidden to HEAD");
	return r < 0 ? no_blob(oci, r, &why, err) : 0;
}

static int oci_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(oci_repo_release) struct oci_repo oci;
	struct blob blob;
	int r = oci_repo_init(&oci, env, request, NULL, err);

	if (r == 0)
		r = find_blob(&oci, &blob, err);
	return r < 0 ? r : stat_blob(&oci, &blob, ret, err);
}

/* Positive: it is the known one still, as was asked. -ESTALE: it is not, as must be. */
static int compare(const struct backend_request *request, const struct blob *blob, struct err *err)
{
	bool whole = request->offset == 0 && request->length == 0;
	char etag[ETAG_MAX];
	bool same;

	if (!request->known || !request->known->etag[0])
		return 0;
	make_etag(blob, etag);
	same = str_equal(request->known->etag, etag);
	if (!whole && !same)
		return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
	return whole && same;
}

static int say_unchanged(const struct blob *blob, struct sink *sink, struct err *err)
{
	struct remote remote = {.size = SIZE_UNKNOWN, .ranges = true, .unchanged = true};

	describe(blob, &remote);
	remote.size = SIZE_UNKNOWN;
	return sink->begin(sink, &remote, err);
}

static int fetch_blob(struct oci_repo *oci, struct blob *blob, struct err *err)
{
	struct oci_question question = {
		.offset = oci->asked->offset,
		.length = oci->asked->length,
		.told = on_told,
		.arg = blob,
	};
	char reference[CHECKSUM_TEXT_SIZE];
	struct err why = ERR_INIT;
	int r;

	checksum_format(&blob->digest, reference);
	r = oci_ask(oci, &question, "blobs", reference, oci->sink, NULL, &why);
	if (r < 0 && !blob->was_answered)
		return no_blob(oci, r, &why, err);
	if (r < 0 && err)
		*err = why;
	return r;
}

static int oci_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(oci_repo_release) struct oci_repo oci;
	struct blob blob;
	int r = oci_repo_init(&oci, env, request, sink, err);

	if (r == 0)
		r = find_blob(&oci, &blob, err);
	if (r == 0)
		r = compare(request, &blob, err);
	if (r > 0)
		return say_unchanged(&blob, sink, err);
	return r < 0 ? r : fetch_blob(&oci, &blob, err);
}

static const char *const schemes[] = {"oci", NULL};

const struct backend oci_backend = {
	.name = "oci",
	.schemes = schemes,
	.cheap_parts = true,
	.stat = oci_stat,
	.fetch = oci_fetch,
	.list = oci_list,
};
