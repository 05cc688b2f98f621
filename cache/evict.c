/* What goes: objects that nobody needs, and partials that nobody leads. */
#include "cache/evict.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/ballast.h"
#include "cache/events.h"
#include "cache/evict_private.h"
#include "cache/journal.h"
#include "cache/room.h"
#include "cache/store_private.h"
#include "cache/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of an object that is known by many names so many are told when it goes. */
#define NAMES_TOLD 8

void evict_haul_release(struct haul *haul)
{
	for (size_t i = 0; i < haul->count; i++)
		lock_release(&haul->locks[i]);
	haul->count = 0;
	haul->bytes = 0;
}

/* ---- one object ---- */

/*
 * Whether the file @path may go. 1: yes, *ret_bytes (which grows) will be free; 0: there is no
 * such file, or something else; -EBUSY with the reason.
 */
static int probe(const struct store *store, const char *path, uint64_t *ret_bytes, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(
		store->dir->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int marked;

	if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "open object %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return 0;
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
		r = fault_hit("evict.unlink") ? -errno
					      : store_remove(store, store->dir->objects_fd, path);
		if (r < 0)
			return err_set(err, ERR_SYSTEM, -r, "remove object %s: %m", path);
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

/* Others begin where this one found the first. */
void evict_hunt_end(const struct store *store, const struct hunt *hunt)
{
	if (hunt->begun && hunt->uid == 0)
		(void)catalog_pass_over(store->catalog, hunt->first.used, NULL);
}

static void look_at(struct hunt *hunt, const struct victim *victim)
{
	if (!hunt->begun)
		hunt->first = *victim;
	hunt->begun = true;
	hunt->last = *victim;
}

int evict_take(const struct store *store, uint64_t need, struct hunt *hunt, struct haul *haul,
	struct err *err)
{
	struct victim victims[HAUL_MAX];
	struct err first = ERR_INIT; /* of one that cannot go, told if no other can either */
	size_t count;

	do {
		int r = catalog_victims(store->catalog, hunt->uid, HAUL_MAX,
			hunt->begun ? &hunt->last : NULL, victims, &count, err);

		if (r == 0)
			r = let_pass(store, err);
		if (r < 0)
			return r;
		for (size_t i = 0; i < count && haul->count < HAUL_MAX && haul->bytes < need; i++) {
			struct err failure = ERR_INIT;
			uint64_t bytes;

			look_at(hunt, &victims[i]);
			r = take(store, &victims[i].digest, &haul->locks[haul->count], &bytes,
				&failure);
			if (r < 0 && r != -EBUSY && first.code == 0)
				first = failure;
			if (r < 0)
				continue;
			/* the index's number: a file that was gone is credited by its row */
			haul->bytes += victims[i].bytes;
			haul->digests[haul->count++] = victims[i].digest;
		}
	} while (haul->count == 0 && count == HAUL_MAX);
	if (haul->count > 0 || first.code == 0)
		return 0;
	if (err)
		*err = first;
	return -first.code;
}

struct idle_walk {
	const struct store *store;
	uid_t uid;
	uint64_t need;
	uint64_t freed;
	bool count; /* what could go, and let nothing go */
};

/* A partial that nobody leads, kept for resumption, goes before anything that is complete. */
static int drop_idle(const char *partial, uint64_t bytes, uid_t uid, void *arg)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct idle_walk *walk = arg;
	struct entry_key key;
	uint32_t generation;
	int r;

	if (walk->freed >= walk->need || str_equal(partial, JOURNAL_DRAFT))
		return 0;
	if (walk->uid > 0 && uid != walk->uid)
		return 0;
	/* a name that is not one of ours has no files: only its row is in the way */
	if (!partial_parse(partial, &key, &generation)) {
		r = walk->count ? 0 : catalog_unreserve(walk->store->catalog, partial, NULL);
	} else {
		r = cachedir_lock_key(walk->store->dir, &key, &lock);
		if (r == -EAGAIN)
			return 0;
		if (r == 0 && partial_is_being_read(walk->store, partial))
			return 0;
		if (r == 0 && !walk->count)
			r = partial_clear(walk->store, &key, generation, NULL);
		/* the files may be gone, and with them what partial_clear() goes by */
		if (r == 0 && !walk->count)
			r = catalog_unreserve(walk->store->catalog, partial, NULL);
	}
	/* what cannot be removed keeps nothing else from going */
	if (r == 0)
		walk->freed += bytes;
	return 0;
}

int evict_count_idle(const struct store *store, uint64_t need, uint64_t *ret, struct err *err)
{
	struct idle_walk walk = {.store = store, .need = need, .count = true};
	int r = catalog_partials(store->catalog, drop_idle, &walk, err);

	*ret = walk.freed;
	return r;
}

void evict_sweep(const struct store *store)
{
	tree_sweep(store);
	partial_sweep(store);
	(void)journal_compact(store, false, NULL); /* it may be what takes the room */
}

int evict_idle(
	const struct store *store, uid_t uid, uint64_t need, uint64_t *ret_freed, struct err *err)
{
	struct idle_walk walk = {.store = store, .uid = uid, .need = need};
	int r;

	evict_sweep(store);
	r = catalog_partials(store->catalog, drop_idle, &walk, err);
	if (r < 0)
		return r;
	*ret_freed = walk.freed;
	return 0;
}

/* Let go of @need bytes, and of one object at least. How many bytes that were. */
static int let_go(const struct store *store, uint64_t need, uint64_t *ret_freed, struct err *err)
{
	CLEANUP(evict_haul_release) struct haul haul = {.count = 0};
	struct hunt hunt = {.begun = false};
	int r = evict_idle(store, 0, need, ret_freed, err);

	if (r == 0 && *ret_freed == 0)
		r = evict_take(store, need, &hunt, &haul, err);
	if (r < 0 || haul.count == 0)
		return r;
	*ret_freed += haul.bytes;
	return catalog_exchange(store->catalog, haul.digests, haul.count, NULL, NULL, err);
}

int evict_some(const struct store *store, uint64_t bytes, struct err *err)
{
	struct usage usage;
	uint64_t missing = 0;
	uint64_t freed = 0;
	int r = room_missing_on_disk(store, 0, &missing, NULL); /* these are reserved */

	if (r < 0 || catalog_usage(store->catalog, &usage, NULL) < 0)
		return room_blame(store, err);
	if (usage.objects + usage.reserved < (missing > 0 ? missing : bytes))
		return room_blame(store, err);
	r = let_go(store, missing > 0 ? missing : bytes, &freed, NULL);
	return r == 0 && freed > 0 ? 1 : room_blame(store, err);
}

int evict_to(const struct store *store, uint64_t bytes, uint64_t *ret_freed, struct err *err)
{
	struct hunt hunt = {.begun = false};
	uint64_t total = 0;
	uint64_t idle = 0;
	struct usage usage;
	int r = catalog_usage(store->catalog, &usage, err);

	if (r == 0 && usage.objects + usage.reserved > bytes)
		r = evict_idle(store, 0, usage.objects + usage.reserved - bytes, &idle, err);
	total += idle;
	while (r == 0) {
		CLEANUP(evict_haul_release) struct haul haul = {.count = 0};
		uint64_t used;

		r = catalog_usage(store->catalog, &usage, err);
		if (r < 0)
			break;
		used = usage.objects + usage.reserved;
		/* what is empty has no bytes, and goes with all the rest */
		if (used <= bytes && (bytes > 0 || usage.object_count == 0))
			break;
		r = evict_take(store, used > bytes ? used - bytes : UINT64_MAX, &hunt, &haul, err);
		if (r < 0 || haul.count == 0)
			break;
		r = catalog_exchange(store->catalog, haul.digests, haul.count, NULL, NULL, err);
		total += haul.bytes;
	}
	evict_hunt_end(store, &hunt);
	if (r < 0)
		return r;
	ballast_take(store);
	if (ret_freed)
		*ret_freed = total;
	return 0;
}
