/* Objects of more than a chunk, one after the other. */
#include "base/cleanup.h"
#include "fetch/import.h"
#include "fetch/twin.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* Imports into one cache at the same time that have such an object on its way. */
#define PARTIALS 64

/* Under a key that is nobody's but ours, so that nobody reads along, or resumes. The first one that
 * is free: what an import that was killed left under it goes. */
static int partial_key(unsigned int n, struct entry_key *ret, struct err *err)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", n);
	return entry_key_make("import", number, ret, err);
}

static int lock_partial(struct import *import, struct err *err)
{
	int r = lock_held(&import->partial_lock) ? 0 : -EAGAIN;

	for (unsigned int n = 0; r == -EAGAIN && n < PARTIALS; n++) {
		if (partial_key(n, &import->partial_key, err) < 0)
			return -err->code;
		r = cachedir_lock_key(
			&import->fetchfs->dir, &import->partial_key, &import->partial_lock);
	}
	if (r == -EAGAIN)
		return err_set(err, ERR_SYSTEM, EBUSY, "%d imports are at work", PARTIALS);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock the cache: %m") : 0;
}

void import_sweep(struct fetchfs *fetchfs)
{
	for (unsigned int n = 0; n < PARTIALS; n++) {
		CLEANUP(lock_release) struct lock lock = LOCK_INIT;
		struct entry_key key;

		if (partial_key(n, &key, NULL) == 0 && partial_is_there(&fetchfs->store, &key) &&
			cachedir_lock_key(&fetchfs->dir, &key, &lock) == 0)
			partial_discard(&fetchfs->store, &key);
	}
}

static int copy_member(struct import *import, struct partial *partial, struct err *err)
{
	struct partial_writer *writer;
	const void *bytes;
	size_t len;
	int r = partial_writer_new(partial, 0, &writer, err);

	while (r == 0) {
		r = tar_reader_bytes(import->tar, &bytes, &len, err);
		import->torn = r < 0;
		if (r <= 0)
			break;
		r = partial_write(writer, bytes, len, err);
		import_tick(import, len);
		if (r == 0 && import_check(import, err) < 0) {
			import->torn = true;
			r = -ECANCELED;
		}
	}
	partial_writer_free(writer);
	return r;
}

/* All bytes of the member that is to be read, or of @twin, ready to be published. */
static int fill(struct import *import, const struct import_item *item, const struct object *twin,
	struct partial **ret, struct err *err)
{
	const struct store *store = &import->fetchfs->store;
	const struct entry *entry = &item->entry;
	struct ranges_version version = {.size = entry->size, .modified = entry->modified};
	struct partial_label label = {
		.key = &import->partial_key, .uri = entry->uri, .scope = entry->scope};
	struct partial *partial = NULL;
	int r = lock_partial(import, err);

	if (r == 0)
		r = partial_create(store, &label, &partial, err);
	if (r == 0)
		r = partial_start(partial, &version, err);
	if (r == 0)
		r = twin ? twin_copy(twin, partial, err) : copy_member(import, partial, err);
	if (r < 0) {
		if (partial)
			partial_fail(&partial, err, false);
		return r;
	}
	*ret = partial;
	return 0;
}

/* What is here already under another name. */
static bool open_here(struct import *import, const struct entry *entry, struct object *ret)
{
	const struct store *store = &import->fetchfs->store;

	return store_examine_doubtful(store, &entry->digest, entry->executable, NULL) == 0 &&
	       store_open(store, &entry->digest, entry->executable, ret, NULL) == 0;
}

/* @object is the item's. Held open it cannot go, and its row can neither. */
static int record(struct import *import, const struct import_item *item,
	const struct object *object, struct err *err)
{
	struct catalog *catalog = import->fetchfs->catalog;
	struct catalog_file file = {.hash = 0};
	struct stat st;
	int r = catalog_file(catalog, &object->digest, object->executable, &file, err);

	if (r < 0 && r != -ENOENT)
		return r;
	if (fstat(object->fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "look at an object: %m");
	return catalog_record(
		catalog, &item->entry, (uint64_t)st.st_blocks * 512, file.hash, NULL, err);
}

/* A content on its way. */
struct large {
	struct object object;    /* in one mode or the other, once there is one */
	struct partial *partial; /* all its bytes, and nobody's yet; or NULL */
};

/* What is needed to publish @item: its partial, or its object. */
static int bring(
	struct import *import, const struct import_item *item, struct large *large, struct err *err)
{
	struct object here = {.fd = -1};
	bool any = large->object.fd >= 0;

	if (large->partial || (any && large->object.executable == item->entry.executable))
		return 0;
	if (!open_here(import, &item->entry, &here))
		return fill(import, item, any ? &large->object : NULL, &large->partial, err);
	object_release(&large->object);
	large->object = object_steal(&here);
	return 0;
}

static int publish(
	struct import *import, struct import_item *item, struct large *large, struct err *err)
{
	const struct checksum expected = checksum_of_digest(&item->entry.digest);
	uint64_t size = (uint64_t)item->entry.size;
	struct object object = {.fd = -1};
	int r;

	if (!large->partial)
		return record(import, item, &large->object, err);
	r = partial_commit(&large->partial, size, &expected, &item->entry, &object, err);
	if (r < 0)
		return r;
	import->sum.bytes += size;
	object_release(&large->object);
	large->object = object_steal(&object);
	return 0;
}

int import_large(struct import *import, struct import_item *items, size_t count, struct err *err)
{
	struct large large = {.object = {.fd = -1}};
	struct err failure = ERR_INIT;
	int r = 0;

	/* what failed once has been read by now */
	for (size_t i = 0; i < count && !import->torn; i++) {
		CLEANUP(lock_release) struct lock key = LOCK_INIT;
		struct import_item *item = &items[i];

		if (!item->wanted)
			continue;
		if (r == 0)
			r = bring(import, item, &large, &failure);
		if (import->torn)
			break;
		if (r < 0) {
			import_tell(import, item, FETCHFS_IMPORT_FAILED, &failure);
		} else if (import_claim(import, item, &key)) {
			r = publish(import, item, &large, &failure);
			import_yield(import, item, &key);
			import_end(import, item, r < 0 ? &failure : NULL);
		}
	}
	if (large.partial)
		partial_fail(&large.partial, NULL, false);
	object_release(&large.object);
	if (import->torn)
		*err = failure;
	return import->torn ? -err->code : 0;
}
