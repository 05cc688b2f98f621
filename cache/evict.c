#include "cache/evict.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/units.h"
#include "cache/events.h"
#include "cache/journal.h"
#include "cache/room.h"
#include "cache/store_private.h"
#include "cache/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many victims are taken, and how many candidates looked at, between two transactions. */
#define BATCH 32

/* Of an object that is known by many names so many are told when it goes. */
#define NAMES_TOLD 8

/* Victims taken together: their locks are held until their rows are gone, so that nobody can
 * publish the same content in between and lose the row of a file that exists. */
struct haul {
	size_t count;
	uint64_t bytes;
	struct digest digests[BATCH];
	struct lock locks[BATCH];
};

static void haul_release(struct haul *haul)
{
	for (size_t i = 0; i < haul->count; i++)
		lock_release(&haul->locks[i]);
	haul->count = 0;
	haul->bytes = 0;
}

/* ---- one object ---- */

/*
 * Whether the file @path may go. 1: yes, *ret_bytes (which grows) will be free; 0: there is no
 * such file; -EBUSY with the reason.
 */
static int probe(const struct store *store, const char *path, uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(store->dir->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	int marked;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "open object %s: %m", path);
	marked = lock_is_marked(fd);
	if (marked < 0)
		return err_set(err, ERR_SYSTEM, -marked, "look at object %s: %m", path);
	if (marked)
		return err_set(err, ERR_SYSTEM, EBUSY, "object %s is open", path);
	if (st.st_nlink > 1)
		return err_set(err, ERR_SYSTEM, EBUSY, "object %s is linked elsewhere", path);
	*ret_bytes += (uint64_t)st.st_blocks * 512;
	return 1;
}

/* Note what goes: the names under which it was known, of which one stands for its bytes. */
static void tell(const struct store *store, const struct digest *digest, uint64_t bytes)
{
	struct entry entries[NAMES_TOLD];
	size_t count;

	if (!store->events)
		return;
	events_tally(store->events, EVENT_EVICTED, bytes);
	(void)catalog_entries_of(store->catalog, digest, NAMES_TOLD, entries, &count, NULL);
	for (size_t i = 0; i < count; i++) {
		events_note(store->events, &(struct event){.kind = EVENT_EVICTED,
						   .bytes = i == 0 ? bytes : 0,
						   .duration_ms = -1,
						   .scope = entries[i].scope,
						   .uri = entries[i].uri});
		entry_release(&entries[i]);
	}
}

/* The tree goes before the object: without it, nobody would look for it again. */
static int take_tree(const struct store *store, const struct digest *digest, uint64_t *ret_bytes,
	struct err *err)
{
	struct catalog_tree tree;
	int r = tree_remove(store, digest, err);

	if (r == 0)
		r = tree_remove_bad(store, digest, err);
	if (r == 0 && catalog_tree_find(store->catalog, digest, &tree, NULL) == 0)
		*ret_bytes += tree.bytes;
	return r;
}

/*
 * Unlink the object @digest, both of its files and its tree, if nobody needs it. On success the
 * lock is the caller's, who deletes the row before releasing it. -EBUSY with the reason.
 */
static int take(const struct store *store, const struct digest *digest, struct lock *ret,
	uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	char path[STORE_PATH_SIZE];
	uint64_t bytes = 0;
	int r = cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, &lock);

	if (r == -EAGAIN)
		return err_set(err, ERR_SYSTEM, EBUSY, "the object is in use at this moment");
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock an object: %m");
	r = catalog_is_held(store->catalog, digest, err);
	if (r > 0)
		return err_set(err, ERR_SYSTEM, EBUSY, "the object is pinned or leased");
	for (int executable = 0; r >= 0 && executable <= 1; executable++) {
		store_path(digest, executable, path);
		r = probe(store, path, &bytes, err);
	}
	if (r >= 0)
		r = tree_probe(store, digest, err);
	if (r == 0)
		r = take_tree(store, digest, &bytes, err);
	if (r < 0)
		return r;
	for (int executable = 0; executable <= 1; executable++) {
		store_path(digest, executable, path);
		if (fault_hit("evict.unlink") ||
			(unlinkat(store->dir->objects_fd, path, 0) < 0 && errno != ENOENT))
			return err_set(err, ERR_SYSTEM, errno, "remove object %s: %m", path);
	}
	tell(store, digest, bytes);
	*ret = lock_steal(&lock);
	*ret_bytes = bytes;
	return 0;
}

/* Caller holds the lock of no digest. */
static int let_pass(const struct store *store, struct err *err)
{
	int r = cachedir_let_pass(store->dir);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock the objects: %m") : 0;
}

int evict_object(const struct store *store, const struct digest *digest, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	uint64_t bytes;
	int r = let_pass(store, err);

	if (r == 0)
		r = take(store, digest, &lock, &bytes, err);
	return r < 0 ? r : catalog_object_gone(store->catalog, digest, err);
}

/* ---- many ---- */

/*
 * Take victims until they amount to @need bytes or @haul is full. *skip, which grows, counts those
 * that had to be left alone; a haul that stays empty means that there are no others.
 */
static int take_victims(const struct store *store, uint64_t need, uint64_t *skip, struct haul *haul,
	struct err *err)
{
	struct victim victims[BATCH];
	size_t count;

	do {
		int r = catalog_victims(store->catalog, BATCH, *skip, victims, &count, err);

		if (r == 0)
			r = let_pass(store, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < count && haul->count < BATCH && haul->bytes < need; i++) {
			uint64_t bytes;

			r = take(store, &victims[i].digest, &haul->locks[haul->count], &bytes, err);
			if (r == -EBUSY) {
				(*skip)++;
				continue;
			}
			if (r < 0)
				return r;
			/* the index's number: a file that was gone is credited by its row */
			haul->bytes += victims[i].bytes;
			haul->digests[haul->count++] = victims[i].digest;
		}
	} while (haul->count == 0 && count == BATCH);
	return 0;
}

struct idle_walk {
	const struct store *store;
	uint64_t need;
	uint64_t freed;
	struct err *err;
};

/* Who has its data open reads on as soon as somebody leads again; and its room is not free. */
static bool is_being_read(const struct store *store, const char *partial)
{
	CLEANUP(fd_closep) int fd = -1;
	char file[PARTIAL_FILE_SIZE];

	partial_data_file(partial, file);
	fd = openat(store->dir->partial_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && lock_is_marked(fd) > 0;
}

/* A partial that nobody leads, kept for resumption, goes before anything that is complete. */
static int drop_idle(const char *partial, uint64_t bytes, void *arg)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct idle_walk *walk = arg;
	struct entry_key key;
	uint32_t generation;
	int r;

	if (walk->freed >= walk->need || str_equal(partial, JOURNAL_DRAFT))
		return 0;
	/* a name that is not one of ours has no files: only its row is in the way */
	if (!partial_parse(partial, &key, &generation)) {
		r = catalog_unreserve(walk->store->catalog, partial, walk->err);
	} else {
		r = cachedir_lock_key(walk->store->dir, &key, &lock);
		if (r == -EAGAIN)
			return 0;
		if (r == 0 && is_being_read(walk->store, partial))
			return 0;
		r = r < 0 ? err_set(walk->err, ERR_SYSTEM, -r, "lock a key: %m")
			  : partial_clear(walk->store, &key, generation, walk->err);
		/* the files may be gone, and with them what partial_clear() goes by */
		if (r == 0)
			r = catalog_unreserve(walk->store->catalog, partial, walk->err);
	}
	if (r == 0)
		walk->freed += bytes;
	return r;
}

static int drop_idle_partials(
	const struct store *store, uint64_t need, uint64_t *ret_freed, struct err *err)
{
	struct idle_walk walk = {.store = store, .need = need, .err = err};
	int r;

	tree_sweep(store);
	partial_sweep(store);
	(void)journal_compact(store, false, NULL); /* it may be what takes the room */
	r = catalog_partials(store->catalog, drop_idle, &walk, err);
	if (r < 0)
		return r;
	*ret_freed = walk.freed;
	return 0;
}

/* Nothing more can go: say who holds the space. */
static int full(const struct store *store, uint64_t bytes, uint64_t on_disk, struct err *err)
{
	char limit[UNITS_SIZE_TEXT];
	char used[UNITS_SIZE_TEXT];
	char needed[UNITS_SIZE_TEXT];
	struct usage usage;
	int r = catalog_usage(store->catalog, &usage, err);

	if (r < 0)
		return r;
	units_format_size(usage.objects + usage.reserved, used);
	units_format_size(bytes, needed);
	if (on_disk > 0) {
		units_format_size(store->min_free, limit);
		return err_set(err, ERR_SPACE, ENOSPC,
			"disk full: %s must stay free, %s in use by open, pinned or linked "
			"artifacts, %s needed",
			limit, used, needed);
	}
	units_format_size(store->limit, limit);
	return err_set(err, ERR_SPACE, ENOSPC,
		"cache full: limit %s, %s in use by open, pinned or linked artifacts, %s needed",
		limit, used, needed);
}

static int too_big(const struct store *store, uint64_t bytes, struct err *err)
{
	char limit[UNITS_SIZE_TEXT];
	char needed[UNITS_SIZE_TEXT];

	units_format_size(store->limit, limit);
	units_format_size(bytes, needed);
	return err_set(err, ERR_SPACE, ENOSPC, "larger than the cache: %s needed, limit %s", needed,
		limit);
}

/*
 * Ask for @bytes of @room, giving up the objects of @haul in the same transaction. -ENOSPC:
 * @ret_missing bytes must go first, *ret_on_disk of them because the disk is full.
 */
static int exchange(const struct store *store, struct haul *haul, const char *partial,
	uint64_t bytes, uint64_t room, uint64_t *ret_missing, uint64_t *ret_on_disk,
	struct err *err)
{
	uint64_t before;
	uint64_t more;
	int r = catalog_reservation(store->catalog, partial, &before, err);

	more = bytes > before ? bytes - before : 0;
	if (r == 0)
		r = room_missing_on_disk(store, more, ret_on_disk, err);
	if (r < 0)
		return r;
	if (*ret_on_disk > 0) {
		*ret_missing = *ret_on_disk;
		r = haul->count == 0 ? 0
				     : catalog_exchange(store->catalog, haul->digests, haul->count,
					       NULL, 0, 0, NULL, err);
		return r < 0 ? r : -ENOSPC;
	}
	return catalog_exchange(
		store->catalog, haul->digests, haul->count, partial, bytes, room, ret_missing, err);
}

/*
 * 0, or -ENOSPC when @on_disk bytes are more than the cache could give back: then nothing of it is
 * thrown away in vain. What others have on the file system is not ours to remove.
 */
static int check_hope(const struct store *store, uint64_t bytes, uint64_t on_disk, struct err *err)
{
	char needed[UNITS_SIZE_TEXT];
	char free_text[UNITS_SIZE_TEXT];
	char held[UNITS_SIZE_TEXT];
	struct usage usage;
	int r = catalog_usage(store->catalog, &usage, err);

	if (r < 0 || on_disk <= usage.objects + usage.reserved)
		return r;
	units_format_size(bytes, needed);
	units_format_size(store->min_free, free_text);
	units_format_size(usage.objects + usage.reserved, held);
	return err_set(err, ERR_SPACE, ENOSPC,
		"disk full: %s needed, %s must stay free, and the cache itself holds only %s",
		needed, free_text, held);
}

int evict_reserve(const struct store *store, const char *partial, uint64_t bytes, struct err *err)
{
	CLEANUP(haul_release) struct haul haul = {.count = 0};
	bool idle_left = true;
	uint64_t room = room_within(store);
	uint64_t skip = 0;

	if (bytes > room)
		return too_big(store, bytes, err);
	for (;;) {
		uint64_t missing = 0;
		uint64_t on_disk = 0;
		uint64_t freed = 0;
		int r = exchange(store, &haul, partial, bytes, room, &missing, &on_disk, err);

		haul_release(&haul);
		if (r != -ENOSPC || missing == 0)
			return r;
		r = check_hope(store, bytes, on_disk, err);
		if (r == 0 && idle_left)
			r = drop_idle_partials(store, missing, &freed, err);
		idle_left = false;
		if (r == 0 && freed == 0)
			r = take_victims(store, missing, &skip, &haul, err);
		if (r < 0)
			return r;
		if (freed == 0 && haul.count == 0)
			return full(store, bytes, on_disk, err);
		room = room_within(store);
	}
}

int evict_to(const struct store *store, uint64_t bytes, uint64_t *ret_freed, struct err *err)
{
	uint64_t total = 0;
	uint64_t skip = 0;
	uint64_t idle = 0;
	struct usage usage;
	int r = catalog_usage(store->catalog, &usage, err);

	if (r == 0 && usage.objects + usage.reserved > bytes)
		r = drop_idle_partials(store, usage.objects + usage.reserved - bytes, &idle, err);
	total += idle;
	while (r == 0) {
		CLEANUP(haul_release) struct haul haul = {.count = 0};
		uint64_t used;

		r = catalog_usage(store->catalog, &usage, err);
		if (r < 0)
			break;
		used = usage.objects + usage.reserved;
		/* what is empty has no bytes, and goes with all the rest */
		if (used <= bytes && (bytes > 0 || usage.object_count == 0))
			break;
		r = take_victims(
			store, used > bytes ? used - bytes : UINT64_MAX, &skip, &haul, err);
		if (r < 0 || haul.count == 0)
			break;
		r = catalog_exchange(
			store->catalog, haul.digests, haul.count, NULL, 0, 0, NULL, err);
		total += haul.bytes;
	}
	if (r < 0)
		return r;
	if (ret_freed)
		*ret_freed = total;
	return 0;
}
