#include "fetch/expected.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/lookup.h"

#include <errno.h>
#include <stdlib.h>

/* How many bytes are hashed between two looks at whether the cache is being closed. */
#define STEP (1 << 20)

static int hash_file(const struct fetchfs *fetchfs, const struct object *object,
	struct checksum_stream *stream, struct err *err)
{
	CLEANUP(str_freep) char *buf = malloc(STEP);

	if (!buf)
		return err_oom(err);
	for (uint64_t offset = 0; offset < object->size;) {
		ssize_t n = fd_pread_full(object->fd, buf, STEP, offset);
		int r;

		if (n <= 0)
			return err_set(
				err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read from the cache: %m");
		if (atomic_load(&fetchfs->closing))
			return err_set(err, ERR_CANCELLED, ECANCELED, "the cache is being closed");
		r = checksum_stream_update(stream, buf, (size_t)n, err);
		if (r < 0)
			return r;
		offset += (uint64_t)n;
	}
	return 0;
}

/* What the object of @entry hashes to, from now on in the index, too. */
static int hash_object(struct fetchfs *fetchfs, const struct entry *entry, enum checksum_kind kind,
	struct checksum *ret, struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = lookup_object(fetchfs, entry, EXPECTED_BY_HASHING, &object, err);

	if (r == 0)
		r = checksum_stream_new(kind, &stream, err);
	if (r == 0)
		r = hash_file(fetchfs, &object, stream, err);
	if (r == 0)
		r = checksum_stream_finish(stream, ret, err);
	if (r == 0) /* not remembered: found out again another time */
		catalog_checksum_add(fetchfs->catalog, &entry->digest, ret, NULL);
	return r;
}

/* -ENOENT: the index does not know it. */
static int recall(struct fetchfs *fetchfs, const struct entry *entry, enum checksum_kind kind,
	struct checksum *ret)
{
	*ret = checksum_of_digest(&entry->digest);
	if (kind == CHECKSUM_SHA256)
		return 0;
	return catalog_checksum(fetchfs->catalog, &entry->digest, kind, ret, NULL);
}

bool expected_holds(struct fetchfs *fetchfs, const struct target *target, const struct entry *entry,
	enum expected_effort effort)
{
	enum checksum_kind kind = target->expected.kind;
	struct checksum is;
	int r;

	if (!target->has_expected)
		return true;
	r = recall(fetchfs, entry, kind, &is);
	if (r == -ENOENT && effort == EXPECTED_BY_HASHING)
		r = hash_object(fetchfs, entry, kind, &is, NULL);
	return r == 0 && checksum_equal(&is, &target->expected);
}

bool expected_fails(struct fetchfs *fetchfs, const struct target *target, const struct entry *entry)
{
	struct checksum is;

	return target->has_expected && recall(fetchfs, entry, target->expected.kind, &is) == 0 &&
	       !checksum_equal(&is, &target->expected);
}

int expected_find(
	struct fetchfs *fetchfs, const struct target *target, struct entry *ret, struct err *err)
{
	if (checksum_is_weak(&target->expected))
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	return catalog_find_checksum(
		fetchfs->catalog, &target->expected, target->decision.scope, ret, err);
}
