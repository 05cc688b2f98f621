/* What goes: objects that nobody needs. */
#include "cache/evict.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "cache/ballast.h"
#include "cache/db.h"
#include "cache/events.h"
#include "cache/evict_private.h"
#include "cache/room.h"
#include "cache/store_private.h"
#include "cache/tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* So many candidates are looked at together. */
#define PAGE 32

void evict_haul_release(struct haul *haul)
{
	for (size_t i = 0; i < haul->count; i++)
		lock_release(&haul->locks[i]);
	haul->count = 0;
	haul->bytes = 0;
}

/* ---- one object ---- */

/* Whether what is at @path may go. 1: yes; 0: there is nothing; -EBUSY with the reason. */
static int probe(const struct store *store, const char *path, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(
		store->dir->objects_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	int marked;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 && (errno == ELOOP || errno == ENXIO))
		return 1;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "open object %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return 1;
	marked = lock_is_marked(fd);
	if (marked < 0)
		return err_set(err, ERR_SYSTEM, -marked, "look at object %s: %m", path);
	if (marked)
		return err_set(err, ERR_SYSTEM, EBUSY, "object %s is open", path);
	if (st.st_nlink > 1)
		return err_set(err, ERR_SYSTEM, EBUSY, "object %s is linked elsewhere", path);
	return 1;
}

/* Note what goes: the names under which it was known, of which one stands for its bytes. */
static void tell(const struct store *store, const struct prospect *prospect)
{
	if (!store->events)
		return;
	events_tally(store->events, EVENT_EVICTED, prospect->bytes);
	for (size_t i = 0; i < prospect->count; i++)
		events_note(store->events, &(struct event){.kind = EVENT_EVICTED,
						   .bytes = i == 0 ? prospect->bytes : 0,
						   .duration_ms = -1,
						   .scope = prospect->names[i].scope,
						   .uri = prospect->names[i].uri});
}

static int lock_object(
	const struct store *store, const struct digest *digest, struct lock *ret, struct err *err)
{
	int r = cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, ret);

	if (r == -EAGAIN)
		return err_set(err, ERR_SYSTEM, EBUSY, "the object is in use at this moment");
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock an object: %m") : 0;
}

/*
 * Unlink the object, both of its files and its tree, if nobody needs it. The caller has its lock
 * since before @prospect was asked for, and deletes the row before releasing it. -EBUSY with the
 * reason.
 */
static int take(const struct store *store, const struct prospect *prospect, struct err *err)
{
	const struct digest *digest = &prospect->digest;
	char paths[2][STORE_PATH_SIZE];
	int there[2] = {0, 0};
	int r = 0;

	if (prospect->held)
		return err_set(err, ERR_SYSTEM, EBUSY, "the object is pinned or leased");
	for (int executable = 0; r >= 0 && executable <= 1; executable++) {
		store_path(digest, executable, paths[executable]);
		r = there[executable] = probe(store, paths[executable], err);
	}
	if (r >= 0)
		r = tree_probe(store, digest, err);
	/* the tree goes before the object: without it, nobody would look for it again */
	if (r == 0)
		r = tree_remove(store, digest, err);
	if (r == 0)
		r = tree_remove_bad(store, digest, err);
	if (r < 0)
		return r;
	for (int executable = 0; executable <= 1; executable++) {
		if (fault_hit("evict.unlink"))
			r = -errno;
		else if (there[executable])
			r = store_remove(store, store->dir->objects_fd, paths[executable]);
		if (r < 0)
			return err_set(
				err, ERR_SYSTEM, -r, "remove object %s: %m", paths[executable]);
	}
	tell(store, prospect);
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
	CLEANUP(catalog_prospect_release) struct prospect prospect = {.digest = *digest};
	int r = let_pass(store, err);

	if (r == 0)
		r = lock_object(store, digest, &lock, err);
	if (r == 0)
		r = catalog_prospects(store->catalog, &prospect, 1, err);
	if (r == 0)
		r = take(store, &prospect, err);
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

/* Candidates that are looked at together; those that are locked come first. */
struct page {
	size_t count;
	size_t locked;
	struct victim before; /* the last that was looked at before them */
	struct victim victims[PAGE];
	struct prospect prospects[PAGE];
	struct lock locks[PAGE];
};

static void page_free(struct page **page)
{
	for (size_t i = 0; *page && i < (*page)->locked; i++) {
		catalog_prospect_release(&(*page)->prospects[i]);
		lock_release(&(*page)->locks[i]);
	}
	free(*page);
}

/* What cannot go is passed over; why not is told if nothing else can. */
static void note_failure(const struct err *failure, struct err *first)
{
	if (failure->code != EBUSY && first->code == 0)
		*first = *failure;
}

static bool is_scarcity(const struct err *failure)
{
	return failure->code == EMFILE || failure->code == ENFILE;
}

/*
 * There are no more descriptors. That is not the fault of who would come next: so all but the first
 * @keep of those that are locked come again, by when those that were taken have given up theirs.
 */
static void turn_back(struct page *page, size_t keep, struct hunt *hunt, struct haul *haul)
{
	for (size_t i = keep; i < page->locked; i++) {
		catalog_prospect_release(&page->prospects[i]);
		lock_release(&page->locks[i]);
	}
	page->locked = keep;
	hunt->last = keep > 0 ? page->victims[keep - 1] : page->before;
	haul->until = 0;
}

/* Lock those that come next, of as many bytes as are needed, and look at them. */
static int lock_page(const struct store *store, uint64_t need, struct hunt *hunt, struct haul *haul,
	struct page *page, struct err *first, struct err *err)
{
	uint64_t bytes = 0;
	int r = catalog_victims(store->catalog, hunt->uid, PAGE, hunt->begun ? &hunt->last : NULL,
		page->victims, &page->count, err);

	page->before = hunt->last;
	for (size_t i = 0; r == 0 && i < page->count && bytes < need; i++) {
		const struct victim victim = page->victims[i];
		struct err failure = ERR_INIT;

		look_at(hunt, &victim);
		if (lock_object(store, &victim.digest, &page->locks[page->locked], &failure) < 0) {
			if (is_scarcity(&failure) && page->locked + haul->count > 0) {
				/* some are needed to look at them, too */
				turn_back(page, (page->locked + 1) / 2, hunt, haul);
				break;
			}
			note_failure(&failure, first);
			continue;
		}
		page->victims[page->locked] = victim;
		page->prospects[page->locked++].digest = victim.digest;
		bytes += victim.bytes;
	}
	return r < 0 ? r : catalog_prospects(store->catalog, page->prospects, page->locked, err);
}

/* Take a page of them: 1, 0 if there are no more, or -errno. */
static int take_page(const struct store *store, uint64_t need, struct hunt *hunt, struct haul *haul,
	struct err *first, struct err *err)
{
	CLEANUP(page_free) struct page *page = calloc(1, sizeof(*page));
	int r = page ? lock_page(store, need, hunt, haul, page, first, err) : err_oom(err);

	for (size_t i = 0; r == 0 && i < page->locked; i++) {
		const struct prospect *prospect = &page->prospects[i];
		struct err failure = ERR_INIT;
		int taken = take(store, prospect, &failure);

		if (taken < 0 && is_scarcity(&failure) && haul->count == 0) {
			turn_back(page, i + 1, hunt, haul);
			failure = ERR_INIT;
			taken = take(store, prospect, &failure);
		}
		if (taken < 0) {
			if (is_scarcity(&failure) && haul->count > 0) {
				turn_back(page, i, hunt, haul);
				break;
			}
			note_failure(&failure, first);
			continue;
		}
		/* the index's number: a file that was gone is credited by its row */
		haul->bytes += prospect->bytes;
		haul->locks[haul->count] = lock_steal(&page->locks[i]);
		haul->digests[haul->count++] = prospect->digest;
	}
	return r < 0 ? r : page->count > 0;
}

static_assert(DB_LOG_BYTES / HAUL_LOG >= PAGE, "a page is no more than the smallest haul");

/* So many go in one transaction. */
static size_t most(const struct store *store)
{
	uint64_t count = room_of_log(store) / HAUL_LOG;

	return count < HAUL_MAX ? count : HAUL_MAX;
}

static bool has_enough(const struct store *store, const struct haul *haul, uint64_t need)
{
	return haul->bytes >= need || haul->count + PAGE > most(store) ||
	       (haul->count > 0 && clock_monotonic_ms() >= haul->until);
}

int evict_take(const struct store *store, uint64_t need, struct hunt *hunt, struct haul *haul,
	struct err *err)
{
	struct err first = ERR_INIT; /* of one that cannot go, told if no other can either */
	int r = 1;

	/* what was used a moment ago is not the first to go; while others' openers wait for what is
	 * locked it would be too late to wait for whoever writes */
	catalog_write_touches(store->catalog);
	while (r > 0 && !has_enough(store, haul, need)) {
		/* (whoever holds some is not waited for by who lets others pass) */
		r = haul->count == 0 ? let_pass(store, err) : 0;
		if (haul->count == 0)
			haul->until = clock_monotonic_ms() + HAUL_MS;
		if (r == 0)
			r = take_page(store, need - haul->bytes, hunt, haul, &first, err);
	}
	/* what was taken is unlinked: its rows go, whatever came next */
	if (haul->count > 0)
		return 0;
	if (r == 0 && first.code != 0) {
		if (err)
			*err = first;
		return -first.code;
	}
	return r < 0 ? r : 0;
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
