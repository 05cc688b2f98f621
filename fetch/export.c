/* From the cache into a tar: fetchfs_export(). */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/verify.h"
#include "fetch/context.h"
#include "fetch/manifest.h"
#include "fetch/tar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_SIZE ((size_t)1 << 20)

/* Files of this machine are others on another. */
#define LOCAL "file:"

struct export
{
	struct fetchfs *fetchfs;
	const struct fetchfs_export *how;
	struct manifest manifest; /* by URI */
	const struct entry **by_content;
	struct tar_writer *tar;
	char *buf;
	struct fetchfs_exported sum;
};

/* ---- which ---- */

static int check(bool complete, bool is_public, const char *uri, struct err *err)
{
	if (!is_public)
		return err_set(err, ERR_POLICY, EACCES,
			"it is private to whom it was fetched for, and stays here");
	if (str_has_prefix(uri, LOCAL))
		return err_set(err, ERR_POLICY, EACCES,
			"it is a file of this machine, and would be another one elsewhere");
	if (!complete)
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	return 0;
}

int fetchfs_exportable(const struct fetchfs_info *info, struct err *err)
{
	return check(info->state == FETCHFS_COMPLETE, info->is_public, info->uri, err);
}

/* What is shown must be all of the URI, or nobody could ask for it there. */
static int check_entry(const struct entry *entry, struct err *err)
{
	struct entry_key key;
	int r = check(entry->state == ENTRY_COMPLETE, !*entry->scope, entry->uri, err);

	if (r == 0)
		r = entry_key_make(entry->scope, entry->uri, &key, err);
	if (r == 0 && memcmp(key.bytes, entry->key.bytes, sizeof(key.bytes)) != 0)
		return err_set(err, ERR_POLICY, EACCES, "a part of its URI is a secret");
	return r;
}

static int choose(struct export *export, const char *hex, struct err *err)
{
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct err failure = ERR_INIT;
	struct entry_key key;
	int r;

	if (!str_from_hex(hex, sizeof(key.bytes), key.bytes))
		return err_set(err, ERR_USAGE, EINVAL, "no key: %s", hex);
	r = catalog_find(export->fetchfs->catalog, &key, &entry, &failure);
	if (r == 0)
		r = check_entry(&entry, &failure);
	if (r == 0)
		return manifest_add(&export->manifest, &entry, err);
	export->how->failed(entry.uri ? entry.uri : hex, &failure, export->how->arg);
	return 0;
}

static int compare_uris(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->uri, ((const struct entry *)b)->uri);
}

static void drop_twice(struct manifest *manifest)
{
	size_t kept = 0;

	for (size_t i = 0; i < manifest->count; i++) {
		if (kept > 0 &&
			strcmp(manifest->entries[kept - 1].uri, manifest->entries[i].uri) == 0)
			entry_release(&manifest->entries[i]);
		else
			manifest->entries[kept++] = manifest->entries[i];
	}
	manifest->count = kept;
}

static int compare_contents(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;
	int r = memcmp((*x)->digest.bytes, (*y)->digest.bytes, DIGEST_SIZE);

	return r ? r : strcmp((*x)->uri, (*y)->uri);
}

/* How many of @left entries have the content of the first one. */
static size_t alike(const struct entry *const *entries, size_t left)
{
	size_t n = 1;

	while (n < left && digest_equal(&entries[0]->digest, &entries[n]->digest))
		n++;
	return n;
}

static int choose_all(struct export *export, struct err *err)
{
	struct manifest *manifest = &export->manifest;
	const struct fetchfs_export *how = export->how;

	for (size_t i = 0; i < how->count; i++) {
		int r = choose(export, how->keys[i], err);

		if (r < 0)
			return r;
	}
	if (manifest->count == 0)
		return err_set(err, ERR_USAGE, ENOENT, "there is nothing to export");
	qsort(manifest->entries, manifest->count, sizeof(*manifest->entries), compare_uris);
	drop_twice(manifest);
	export->by_content = reallocarray(NULL, manifest->count, sizeof(*export->by_content));
	if (!export->by_content)
		return err_oom(err);
	for (size_t i = 0; i < manifest->count; i++)
		export->by_content[i] = &manifest->entries[i];
	qsort(export->by_content, manifest->count, sizeof(*export->by_content), compare_contents);
	for (size_t i = 0; i < manifest->count;
		i += alike(export->by_content + i, manifest->count - i)) {
		export->sum.total_objects++;
		export->sum.total_bytes += (uint64_t) export->by_content[i]->size;
	}
	return 0;
}

/* ---- bytes ---- */

static int write_manifest(struct export *export, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool failed;
	int r;

	if (!out)
		return err_oom(err);
	manifest_write(&export->manifest, export->sum.total_objects, export->sum.total_bytes, out);
	failed = ferror(out);
	if (fclose(out) != 0 || failed)
		return err_oom(err);
	if (len > MANIFEST_MAX)
		return err_set(err, ERR_USAGE, E2BIG,
			"%zu artifacts are too many for one archive: export them by parts",
			export->manifest.count);
	r = tar_writer_file(export->tar, MANIFEST_NAME, len, err);
	return r < 0 ? r : tar_writer_bytes(export->tar, text, len, err);
}

static void tick(const struct export *export)
{
	if (export->how->tick)
		export->how->tick(&export->sum, export->how->arg);
}

/* All of @object, and what that hashes to. */
static int copy(
	struct export *export, const struct object *object, struct digest *ret, struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *sha = NULL;
	uint64_t offset = 0;
	int r = checksum_stream_new(CHECKSUM_SHA256, &sha, err);

	while (r == 0 && offset < object->size) {
		uint64_t left = object->size - offset;
		size_t want = left < READ_SIZE ? (size_t)left : READ_SIZE;
		ssize_t n = fd_pread_full(object->fd, export->buf, want, offset);

		if (n < (ssize_t)want)
			return err_set(
				err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read an object: %m");
		r = checksum_stream_update(sha, export->buf, want, err);
		if (r == 0)
			r = tar_writer_bytes(export->tar, export->buf, want, err);
		offset += want;
		export->sum.bytes += want;
		tick(export);
		if (r == 0 && atomic_load(&export->fetchfs->closing))
			r = err_set(err, ERR_CANCELLED, ECANCELED, "interrupted");
	}
	return r < 0 ? r : checksum_stream_digest(sha, ret, err);
}

/* @object, which was right a moment ago: in the archive it must be. */
static int write_object(struct export *export, const struct object *object, struct err *err)
{
	char name[MANIFEST_OBJECT_SIZE];
	struct digest is;
	int r;

	manifest_object_name(&object->digest, name);
	r = tar_writer_file(export->tar, name, object->size, err);
	if (r == 0)
		r = copy(export, object, &is, err);
	if (r == 0 && !digest_equal(&is, &object->digest))
		r = err_set(err, ERR_INTEGRITY, EBADMSG,
			"an object has changed while it was read: see 'fetchfs verify --full'");
	return r;
}

/*
 * The object of @entry, marked open, after a look at all of its bytes by the index's fast hash: by
 * SHA-256 it could only be said when they are in the archive.
 */
static int open_right(
	struct export *export, const struct entry *entry, struct object *ret, struct err *err)
{
	const struct store *store = &export->fetchfs->store;
	struct verified verified;
	enum verdict verdict;
	int r = store_open(store, &entry->digest, entry->executable, ret, NULL);

	/* it is named for somebody who has its twin */
	if (r == -ENOENT)
		r = store_open(store, &entry->digest, !entry->executable, ret, err);
	if (r < 0)
		return r == -ENOENT
			       ? err_set(err, ERR_SYSTEM, ENOENT, "it has left the cache meanwhile")
			       : r;
	r = verify_object(store, &entry->digest, false, &verified, err);
	if (r < 0)
		return r;
	verdict = verified.verdict;
	verify_release(&verified);
	if (verdict == VERDICT_DAMAGED || ret->size != (uint64_t)entry->size)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "damaged: removed, and not exported");
	if (verdict != VERDICT_RIGHT)
		return err_set(err, ERR_SYSTEM, ENOENT, "it has left the cache meanwhile");
	return 0;
}

/* The content of @count entries. */
static int write_content(
	struct export *export, const struct entry *const *entries, size_t count, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err failure = ERR_INIT;
	int r;

	if (atomic_load(&export->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "interrupted");
	if (fault_hit("export.object"))
		return err_set(err, ERR_SYSTEM, errno, "read an object: %m");
	r = open_right(export, entries[0], &object, &failure);
	if (r == 0) {
		r = write_object(export, &object, err);
		export->sum.objects++;
		export->sum.entries += count;
		return r;
	}
	for (size_t i = 0; i < count; i++)
		export->how->failed(entries[i]->uri, &failure, export->how->arg);
	return 0;
}

static int write_all(struct export *export, struct err *err)
{
	size_t count = export->manifest.count;
	int r = tar_writer_new(export->how->fd, &export->tar, err);

	if (r == 0)
		r = write_manifest(export, err);
	for (size_t i = 0, n; r == 0 && i < count; i += n) {
		n = alike(export->by_content + i, count - i);
		r = write_content(export, export->by_content + i, n, err);
	}
	if (r == 0)
		r = tar_writer_finish(export->tar, err);
	return r;
}

int fetchfs_export(struct fetchfs *fetchfs, const struct fetchfs_export *how,
	struct fetchfs_exported *ret, struct err *err)
{
	struct export export = {.fetchfs = fetchfs, .how = how, .buf = malloc(READ_SIZE)};
	int r = export.buf ? choose_all(&export, err) : err_oom(err);

	if (r == 0)
		r = write_all(&export, err);
	tick(&export);
	*ret = export.sum;
	tar_writer_free(export.tar);
	free(export.by_content);
	free(export.buf);
	manifest_release(&export.manifest);
	return r;
}
