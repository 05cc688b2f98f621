/* From a tar into the cache: fetchfs_import(). */
#include "fetch/import.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/str.h"
#include "fetch/entryname.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *fetchfs_import_outcome_name(enum fetchfs_import_outcome outcome)
{
	static const char *const names[] = {
		[FETCHFS_IMPORT_DONE] = "imported",
		[FETCHFS_IMPORT_PRESENT] = "present",
		[FETCHFS_IMPORT_NEWER] = "newer",
		[FETCHFS_IMPORT_FAILED] = "failed",
	};

	return (unsigned int)outcome < ARRAY_SIZE(names) ? names[outcome] : "failed";
}

void import_tell(struct import *import, struct import_item *item,
	enum fetchfs_import_outcome outcome, const struct err *err)
{
	struct fetchfs_import_item told = {
		.uri = item->entry.uri,
		.size = item->entry.size,
		.outcome = outcome,
	};

	item->told = true;
	import->sum.counts[outcome]++;
	if (outcome == FETCHFS_IMPORT_FAILED)
		told.err = *err;
	digest_hex(&item->entry.digest, told.sha256);
	import->how->told(&told, import->how->arg);
}

int import_check(const struct import *import, struct err *err)
{
	if (atomic_load(&import->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "interrupted");
	return 0;
}

/* ---- members ---- */

static int unknown_member(const char *name, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(name, shown);
	return err_set(err, ERR_INTEGRITY, EBADMSG, "fetchfs export writes no %s there", shown);
}

static int read_manifest(struct import *import, struct manifest *ret, struct err *err)
{
	CLEANUP(manifest_reader_freep) struct manifest_reader *reader = NULL;
	const char *name;
	const void *bytes;
	uint64_t size;
	size_t len;
	int r = tar_reader_next(import->tar, &name, &size, err);

	if (r == 0)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "there is nothing in it");
	if (r > 0 && !str_equal(name, MANIFEST_NAME))
		r = unknown_member(name, err);
	if (r > 0)
		r = manifest_reader_new(&reader, err);
	if (r < 0)
		return r;
	while ((r = tar_reader_bytes(import->tar, &bytes, &len, err)) > 0) {
		r = manifest_reader_feed(reader, bytes, len, err);
		if (r < 0)
			return r;
	}
	return r < 0 ? r : manifest_reader_end(reader, ret, err);
}

/* The first item of this content, or NULL. */
static struct import_item *find(struct import *import, const struct digest *digest)
{
	size_t low = 0, high = import->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(import->items[middle].entry.digest.bytes, digest->bytes, DIGEST_SIZE) <
			0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < import->count && digest_equal(&import->items[low].entry.digest, digest)
		       ? &import->items[low]
		       : NULL;
}

static int take_member(struct import *import, const char *name, uint64_t size, struct err *err)
{
	struct import_item *items;
	struct digest digest;
	size_t count;

	if (!manifest_parse_object_name(name, &digest))
		return unknown_member(name, err);
	items = find(import, &digest);
	if (!items)
		return 0;
	if (items->seen)
		return err_set(err, ERR_INTEGRITY, EBADMSG, "%s is there twice", name);
	count = import_alike(import, (size_t)(items - import->items));
	for (size_t i = 0; i < count; i++)
		items[i].seen = true;
	return import_put(import, items, count, size, err);
}

/* All came that was to come. What did not may be here. */
static void end_missing(struct import *import)
{
	struct err missing = ERR_INIT;

	err_set(&missing, ERR_INTEGRITY, EBADMSG, "its bytes are not in the archive");
	for (size_t i = 0; i < import->count; i++) {
		struct import_item *item = &import->items[i];
		enum fetchfs_import_outcome outcome;

		if (item->told)
			continue;
		if (import_decide(import, item, &outcome, NULL) == 0)
			import_keep(import, item, outcome);
		else
			import_tell(import, item, FETCHFS_IMPORT_FAILED, &missing);
	}
}

static int take_members(struct import *import, struct err *err)
{
	const char *name;
	uint64_t size;
	int r;

	while ((r = tar_reader_next(import->tar, &name, &size, err)) > 0) {
		if (fault_hit("import.object"))
			r = err_set(err, ERR_SYSTEM, errno, "read the archive: %m");
		else
			r = take_member(import, name, size, err);
		if (r == 0)
			r = import_check(import, err);
		if (r < 0)
			break;
	}
	import_reap(import, 0);
	if (r == 0) {
		end_missing(import);
		tar_reader_drain(import->tar);
	}
	return r;
}

static int run(struct import *import, struct err *err)
{
	struct manifest manifest = {.count = 0};
	int r = tar_reader_new(import->how->fd, &import->tar, err);

	if (r == 0)
		r = read_manifest(import, &manifest, err);
	if (r == 0)
		r = import_admit(import, &manifest, err);
	manifest_release(&manifest);
	if (r == 0)
		r = import_check_room(import, err);
	return r < 0 ? r : take_members(import, err);
}

int fetchfs_import(struct fetchfs *fetchfs, const struct fetchfs_import *how,
	struct fetchfs_imported *ret, struct err *err)
{
	struct import import = {
		.fetchfs = fetchfs,
		.how = how,
		.partial_lock = LOCK_INIT,
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.published = PTHREAD_COND_INITIALIZER,
	};
	int r = run(&import, err);

	if (how->tick)
		how->tick(&import.sum, how->arg);
	*ret = import.sum;
	lock_release(&import.partial_lock);
	tar_reader_free(import.tar);
	for (size_t i = 0; i < import.count; i++)
		entry_release(&import.items[i].entry);
	free(import.items);
	pthread_cond_destroy(&import.published);
	pthread_mutex_destroy(&import.mu);
	return r;
}
