/* What goes before anything that is complete: partials that nobody leads, and what is nobody's. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/evict_private.h"
#include "cache/journal.h"
#include "cache/store_private.h"
#include "cache/tree.h"

#include <errno.h>
#include <fcntl.h>

struct idle_walk {
	const struct store *store;
	uid_t uid;
	uint64_t need;
	uint64_t freed;
	bool count; /* what could go, and let nothing go */
};

/* Who has its data open reads on as soon as somebody leads again; and its room is not free. */
static bool is_being_read(const struct store *store, const char *partial)
{
	CLEANUP(fd_closep) int fd = -1;
	char file[PARTIAL_FILE_SIZE];

	partial_data_file(partial, file);
	fd = openat(store->dir->partial_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	return fd >= 0 && lock_is_marked(fd) > 0;
}

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
		if (r == 0 && is_being_read(walk->store, partial))
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
