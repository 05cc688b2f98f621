/* What is wanted of an archive becomes objects and entries. */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/import.h"
#include "fetch/twin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Imports into one cache at the same time that have a large object on its way. */
#define PARTIALS 64

static void tick(struct import *import, uint64_t bytes)
{
	import->sum.seen += bytes;
	if (import->how->tick)
		import->how->tick(&import->sum, import->how->arg);
}

/* ---- what is here ---- */

static int pin(struct import *import, const struct import_item *item, struct err *err)
{
	CLEANUP(entry_release) struct entry here = {.size = -1};
	struct catalog *catalog = import->fetchfs->catalog;
	int r = import->how->pin ? catalog_find(catalog, &item->entry.key, &here, err) : 0;

	if (r < 0 || !import->how->pin || here.pinned)
		return r;
	return catalog_pin(catalog, &item->entry.key, true, err);
}

void import_keep(
	struct import *import, struct import_item *item, enum fetchfs_import_outcome outcome)
{
	const struct entry *entry = &item->entry;
	struct err err = ERR_INIT;
	int r = 0;

	if (outcome == FETCHFS_IMPORT_PRESENT && item->confirms)
		r = catalog_confirm(import->fetchfs->catalog, &entry->key, entry->verified,
			entry->expires, entry->must_ask, &err);
	if (r == 0)
		r = pin(import, item, &err);
	import_tell(import, item, r == 0 ? outcome : FETCHFS_IMPORT_FAILED, &err);
}

/*
 * Whoever looked before and is about to fetch it shall look again. @key may be free: then somebody
 * is fetching it right now, or is frozen, and what he publishes in the end will be newer.
 */
static void end_put(struct import *import, struct import_item *item, struct lock *key,
	const struct err *failure)
{
	const struct cachedir *dir = &import->fetchfs->dir;
	struct err err = failure->code ? *failure : ERR_INIT;

	cachedir_move(dir, &item->entry.key);
	lock_release(key);
	cachedir_bump(dir, &item->entry.key);
	if (!err.code)
		(void)pin(import, item, &err);
	import_tell(import, item, err.code ? FETCHFS_IMPORT_FAILED : FETCHFS_IMPORT_DONE, &err);
}

/* ---- small ones ---- */

struct import_small {
	struct import *import;
	struct import_item *item;
	struct checksum expected;
	struct lock key;
	void *bytes;
	struct err err; /* how it ended */
	struct import_small *next;
};

static void small_free(struct import_small *small)
{
	lock_release(&small->key);
	free(small->bytes);
	free(small);
}

/* On the publisher's thread. */
static void on_published(void *arg, int result, struct object *object, const struct err *err)
{
	struct import_small *small = arg;
	struct import *import = small->import;

	(void)object;
	if (result < 0)
		small->err = *err;
	store_expected_small(&import->fetchfs->store);
	WITH_LOCK(&import->mu);
	small->next = import->ended;
	import->ended = small;
	import->under_way--;
	pthread_cond_signal(&import->published);
}

static struct import_small *take_ended(struct import *import, unsigned int left)
{
	struct import_small *ended;
	WITH_LOCK(&import->mu);

	while (import->under_way > left)
		pthread_cond_wait(&import->published, &import->mu);
	ended = import->ended;
	import->ended = NULL;
	return ended;
}

void import_reap(struct import *import, unsigned int left)
{
	struct import_small *next;

	for (struct import_small *small = take_ended(import, left); small; small = next) {
		next = small->next;
		if (!small->err.code)
			import->sum.bytes += (uint64_t)small->item->entry.size;
		end_put(import, small->item, &small->key, &small->err);
		small_free(small);
	}
}

static int start_small(struct import *import, struct import_item *item, const void *bytes,
	size_t len, struct err *err)
{
	const struct store *store = &import->fetchfs->store;
	struct import_small *small = calloc(1, sizeof(*small));
	int r;

	if (!small)
		return err_oom(err);
	*small = (struct import_small){.import = import, .item = item, .key = LOCK_INIT};
	small->expected = checksum_of_digest(&item->entry.digest);
	small->bytes = malloc(len + 1);
	if (!small->bytes) {
		small_free(small);
		return err_oom(err);
	}
	memcpy(small->bytes, bytes, len);
	(void)cachedir_lock_key(store->dir, &item->entry.key, &small->key);
	{
		WITH_LOCK(&import->mu);
		import->under_way++;
	}
	store_expect_small(store);
	r = store_publish_small(store, small->bytes, len, &small->expected, &item->entry, false,
		on_published, small, err);
	if (r == 0)
		return 0;
	store_expected_small(store);
	{
		WITH_LOCK(&import->mu);
		import->under_way--;
	}
	small_free(small);
	return r;
}

/* All of the member. */
static int read_small(struct import *import, char *buf, size_t size, struct err *err)
{
	size_t at = 0, len;
	const void *bytes;
	int r;

	while ((r = tar_reader_bytes(import->tar, &bytes, &len, err)) > 0) {
		memcpy(buf + at, bytes, len); /* no more than the member has */
		at += len;
	}
	import->torn = r < 0;
	tick(import, size);
	return r;
}

static int put_small(struct import *import, struct import_item *items, size_t count, size_t size,
	struct err *err)
{
	CLEANUP(str_freep) char *buf = malloc(size + 1);
	int r = buf ? read_small(import, buf, size, err) : err_oom(err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct err failure = ERR_INIT;

		if (!items[i].wanted)
			continue;
		import_reap(import, IMPORT_SMALL_MAX - 1);
		if (start_small(import, &items[i], buf, size, &failure) < 0)
			import_tell(import, &items[i], FETCHFS_IMPORT_FAILED, &failure);
	}
	return r;
}

/* ---- large ones ---- */

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
		tick(import, len);
		if (r == 0 && import_check(import, err) < 0)
			r = -ECANCELED;
	}
	partial_writer_free(writer);
	return r;
}

/* The object of @item, of the member that is to be read, or of @twin. */
static int make(struct import *import, struct import_item *item, const struct object *twin,
	struct object *ret, struct err *err)
{
	const struct store *store = &import->fetchfs->store;
	struct entry *entry = &item->entry;
	const struct checksum expected = checksum_of_digest(&entry->digest);
	struct ranges_version version = {.size = entry->size, .modified = entry->modified};
	struct partial_label label = {&import->partial_key, entry->uri, entry->scope};
	struct partial *partial = NULL;
	int r = lock_partial(import, err);

	if (r == 0)
		r = partial_create(store, &label, &partial, err);
	if (r == 0)
		r = partial_start(partial, &version, err);
	if (r == 0)
		r = twin ? twin_copy(twin, partial, err) : copy_member(import, partial, err);
	if (r == 0)
		r = partial_commit(&partial, (uint64_t)version.size, &expected, entry, ret, err);
	if (r < 0 && partial)
		partial_fail(&partial, err, false);
	if (r == 0)
		import->sum.bytes += (uint64_t)version.size;
	return r;
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

/* @object: what there is of the content, in one mode or the other; or nothing yet. */
static int obtain(
	struct import *import, struct import_item *item, struct object *object, struct err *err)
{
	CLEANUP(object_release) struct object other = object_steal(object);

	if (other.fd >= 0 && other.executable == item->entry.executable)
		*object = object_steal(&other);
	else if (!open_here(import, &item->entry, object))
		return make(import, item, other.fd >= 0 ? &other : NULL, object, err);
	return record(import, item, object, err);
}

static int put_large(
	struct import *import, struct import_item *items, size_t count, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err failure = ERR_INIT;

	for (size_t i = 0; i < count; i++) {
		CLEANUP(lock_release) struct lock key = LOCK_INIT;

		if (!items[i].wanted)
			continue;
		(void)cachedir_lock_key(&import->fetchfs->dir, &items[i].entry.key, &key);
		/* what failed once has been read by now */
		if (!failure.code && obtain(import, &items[i], &object, &failure) == 0)
			failure = ERR_INIT;
		if (import->torn || failure.code == ECANCELED) {
			*err = failure;
			return -err->code;
		}
		end_put(import, &items[i], &key, &failure);
	}
	return 0;
}

/* ---- all ---- */

/* Whether it is wanted; else it is told why not. */
static bool is_wanted(struct import *import, struct import_item *item, uint64_t size)
{
	enum fetchfs_import_outcome outcome;
	struct err err = ERR_INIT;
	int r;

	if (item->told)
		return false;
	if ((uint64_t)item->entry.size == size)
		r = import_decide(import, item, &outcome, &err);
	else
		r = err_set(&err, ERR_INTEGRITY, EBADMSG, "its bytes are %llu, and not %lld",
			(unsigned long long)size, (long long)item->entry.size);
	if (r < 0)
		import_tell(import, item, FETCHFS_IMPORT_FAILED, &err);
	else if (r == 0)
		import_keep(import, item, outcome);
	return r > 0;
}

int import_put(struct import *import, struct import_item *items, size_t count, uint64_t size,
	struct err *err)
{
	uint64_t seen = import->sum.seen;
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		items[i].wanted = is_wanted(import, &items[i], size);
		any |= items[i].wanted;
	}
	if (any && size <= CHUNK_SIZE)
		r = put_small(import, items, count, (size_t)size, err);
	else if (any)
		r = put_large(import, items, count, err);
	/* what was passed over counts, too */
	tick(import, size - (import->sum.seen - seen));
	return r;
}
