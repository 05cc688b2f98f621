/*
 * From a whole partial to an object. The order is what makes a crash harmless, at any point:
 *
 *  1. the digest goes into the map     before: the partial is resumed, or fetched again
 *  2. fchmod, close, rename            after: the object is there, no row knows it, but the map
 *                                      knows its digest: the next opener completes the rest
 *  3. one transaction: entry, object   after: the map is a leftover; the reservation has become
 *     row, end of the reservation      the object's row in the same moment, so no byte counts
 *                                      twice or not at all
 *  4. the map is unlinked              after: who waits and sees nobody lead any more finds the
 *                                      entry when he takes over
 *  5. the map, unlinked, says DONE     to those who have it open: they look in the catalog
 *
 * Until step 4 the map leads to all of the above. Who dies right before it leaves it behind: who
 * waited takes it away (partial_published()), or who begins the next generation of the key.
 *
 * Steps 2 and 3 happen under the digest's lock, shared with other publishers and with openers:
 * no evictor can take the object between its file and its row.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "cache/room.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define BATCH 512

/* With the size that the version did not tell: trim, and mark the last chunk. */
static int settle_size(struct partial *partial, uint64_t size, struct err *err)
{
	uint64_t last = size / CHUNK_SIZE;
	uint64_t hash;
	int r;

	if (ftruncate(partial->fd, (off_t)size) < 0)
		return err_set(err, ERR_SYSTEM, errno, "trim partial/%s: %m", partial->name);
	if (size % CHUNK_SIZE != 0) {
		r = partial_hash_chunk(partial->fd, last, size, &hash, err);
		if (r == 0)
			r = ranges_mark(partial->ranges, last, hash, err);
		if (r < 0)
			return r;
	}
	partial->header.version.size = (int64_t)size;
	return 0;
}

static int check_whole(struct partial *partial, uint64_t size, struct err *err)
{
	int64_t promised = partial->header.version.size;
	uint64_t frontier = partial_frontier(partial);
	uint64_t wanted = promised >= 0 ? (uint64_t)promised : size;

	if (frontier != wanted)
		return err_set_retry(err, ERR_NETWORK, EIO, 0, "only %llu of %llu bytes arrived",
			(unsigned long long)frontier, (unsigned long long)wanted);
	return promised >= 0 ? 0 : settle_size(partial, size, err);
}

/* What the bytes hash to by @kind, from the stream that followed them, or by reading them. */
static int compute(
	struct partial *partial, enum checksum_kind kind, struct checksum *ret, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = 0;

	if (kind == CHECKSUM_SHA256) {
		*ret = checksum_of_digest(&partial->header.digest);
		return 0;
	}
	if (partial->fd >= 0 && checksum_stream_kind(partial->also) == kind)
		return checksum_stream_finish(partial->also, ret, err);
	if (partial->fd >= 0)
		return checksum_file(kind, partial->fd, size, ret, err);

	r = store_open(partial->store, &partial->header.digest, false, &object, NULL);
	if (r < 0)
		r = store_open(partial->store, &partial->header.digest, true, &object, err);
	return r < 0 ? r : checksum_file(kind, object.fd, size, ret, err);
}

static int check_expected(struct partial *partial, const struct checksum *expected, struct err *err)
{
	struct checksum is;
	int r;

	if (!expected)
		return 0;
	r = compute(partial, expected->kind, &is, err);
	return r < 0 ? r : checksum_check(&is, expected, err);
}

/* The XXH3 of an object: over the XXH3 of its chunks, each as eight bytes, lowest first. 0, not
 * known, when the map has lost one. */
static int hash_of_hashes(struct partial *partial, uint64_t *ret, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	uint64_t chunks = (size + CHUNK_SIZE - 1) / CHUNK_SIZE;
	XXH3_state_t *state = XXH3_createState();
	int r = 0;

	if (!state)
		return err_oom(err);
	XXH3_64bits_reset(state);
	for (uint64_t first = 0; r == 0 && first < chunks; first += BATCH) {
		uint64_t count = chunks - first < BATCH ? chunks - first : BATCH;
		struct ranges_chunk records[BATCH];

		r = ranges_chunks(partial->ranges, first, count, records, err);
		for (uint64_t i = 0; r == 0 && i < count; i++) {
			uint8_t bytes[8];

			if (!records[i].present) {
				XXH3_freeState(state);
				*ret = 0;
				return 0;
			}
			for (int shift = 0; shift < 8; shift++)
				bytes[shift] = (uint8_t)(records[i].hash >> (8 * shift));
			XXH3_64bits_update(state, bytes, sizeof(bytes));
		}
	}
	*ret = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return r;
}

/*
 * Give the data file its name. *ret_fresh: it is ours; else the same content was there before and
 * ours is dropped (openers, links and leases of the other go on as they are).
 */
static int place(struct partial *partial, const char *path, bool executable, bool *ret_fresh,
	struct err *err)
{
	const struct cachedir *dir = partial->store->dir;
	char file[PARTIAL_FILE_SIZE];
	int r;

	partial_data_file(partial->name, file);
	if (fchmod(partial->fd, executable ? 0555 : 0444) < 0)
		return err_set(err, ERR_SYSTEM, errno, "change partial/%s: %m", file);
	/* from here on nobody can write it: an object is never open for writing */
	fd_close(&partial->fd);
	r = store_make_folder(partial->store, path, err);
	if (r < 0)
		return r;
	if (fault_hit("store.rename"))
		return err_set(err, ERR_SYSTEM, errno, "publish %s: %m", path);
	if (renameat2(dir->partial_fd, file, dir->objects_fd, path, RENAME_NOREPLACE) == 0) {
		*ret_fresh = true;
		return 0;
	}
	if (errno != EEXIST)
		return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno,
			"publish %s: %m", path);
	*ret_fresh = false;
	if (unlinkat(dir->partial_fd, file, 0) < 0)
		return err_set(err, ERR_SYSTEM, errno, "remove partial/%s: %m", file);
	return 0;
}

/* Steps 2 and 3, under the digest's lock. *ret is the opened object. */
static int publish(struct partial *partial, const struct entry *entry,
	const struct checksum *verified, struct object *ret, struct err *err)
{
	const struct store *store = partial->store;
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct catalog_object row = {.verified = verified};
	char path[STORE_PATH_SIZE];
	struct stat st;
	int r = hash_of_hashes(partial, &row.hash, err);

	if (r == 0 && partial->fd >= 0)
		r = store_prepare_folder(store, &entry->digest, entry->executable, err);
	/* what is there may be what somebody made of it */
	if (r == 0 && partial->fd >= 0)
		r = store_examine_doubtful(store, &entry->digest, entry->executable, err);
	if (r < 0)
		return r;
	store_path(&entry->digest, entry->executable, path);
	r = cachedir_lock_digest(store->dir, &entry->digest, LOCK_SHARED, &lock);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock an object: %m");
	/* without a descriptor the file was renamed by a leader who died then */
	if (partial->fd >= 0)
		r = place(partial, path, entry->executable, &row.fresh, err);
	(void)fault_hit("store.placed");
	if (r == 0 && fstatat(store->dir->objects_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		r = err_set(err, ERR_SYSTEM, errno, "stat object %s: %m", path);
	if (r < 0)
		return r;
	row.blocks = (uint64_t)st.st_blocks * 512;
	r = store_open(store, &entry->digest, entry->executable, ret, err);
	if (r == 0)
		r = catalog_publish(store->catalog, entry, &row, partial->name, err);
	/* a file without a row would be lost space; one that others found has their row */
	if (r < 0 && row.fresh)
		unlinkat(store->dir->objects_fd, path, 0);
	return r;
}

/* Step 1: what the bytes are, checked, and in the map. */
static int seal(
	struct partial *partial, uint64_t size, const struct checksum *expected, struct err *err)
{
	struct digest *digest = &partial->header.digest;
	int r = check_whole(partial, size, err);

	if (r == 0)
		r = partial_hash_finish(partial, digest, err);
	if (r == 0)
		r = check_expected(partial, expected, err);
	if (r < 0) {
		*digest = (struct digest){{0}};
		return r;
	}
	return ranges_store(partial->ranges, &partial->header, err);
}

static void finish(struct partial *partial)
{
	char file[PARTIAL_FILE_SIZE];

	(void)fault_hit("store.published");
	/* failures here leave a map behind, which the next generation of the key clears away */
	partial_map_file(partial->name, file);
	unlinkat(partial->store->dir->partial_fd, file, 0);
	partial->header.state = RANGES_DONE;
	partial_tell(partial, NULL);
	partial_free(partial);
}

int partial_commit(struct partial **partial, uint64_t size, const struct checksum *expected,
	struct entry *entry, struct object *ret, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err failure = ERR_INIT;
	struct partial *p = *partial;
	int r;

	*partial = NULL;
	if (p->fd >= 0)
		r = seal(p, size, expected, &failure);
	else
		r = check_expected(p, expected, &failure);
	if (r == 0) {
		entry->state = ENTRY_COMPLETE;
		entry->digest = p->header.digest;
		entry->size = p->header.version.size;
		r = publish(p, entry, expected, &object, &failure);
	}
	if (r < 0) {
		room_blame(p->store, &failure);
		partial_fail(&p, &failure, false);
		if (err)
			*err = failure;
		return r;
	}
	finish(p);
	*ret = object_steal(&object);
	return 0;
}
