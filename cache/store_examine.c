/*
 * Objects that may not be what they were any more. Of those that were handed out as hardlinks,
 * whoever is root in a sandbox, or was given the file by a chown, can change it there: its time of
 * change (ctime), which nobody can set, tells whether there is anything to look for. Of those that
 * were published in an earlier boot, and had not been settled, a power cut may have left a part.
 * Then all is read, and compared with the XXH3 of the index.
 */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "cache/events.h"
#include "cache/store.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* How often its lock is tried, which others hold briefly, and the pause in between. */
#define TRIES    200
#define PAUSE_NS 5000000

/* So often all is read while it is changed under our eyes. */
#define LOOKS 3

#define WHY_CHANGED "changed by way of a hardlink"
#define WHY_LOST    "damaged when the machine went down"

static bool may_be_changed(const struct object *object, int64_t lent)
{
	return object->odd || ((object->linked || lent != 0) && object->changed_ns != lent);
}

bool object_is_doubtful(const struct object *object, const struct entry *entry)
{
	return entry->unsure || may_be_changed(object, entry->lent) ||
	       (entry->size >= 0 && object->size != (uint64_t)entry->size);
}

/* As store.h has it: over the XXH3 of the chunks. */
static int hash_file(int fd, uint64_t size, uint64_t *ret, struct err *err)
{
	uint64_t chunks = (size + CHUNK_SIZE - 1) / CHUNK_SIZE;
	XXH3_state_t *state = XXH3_createState();
	int r = 0;

	if (!state)
		return err_oom(err);
	XXH3_64bits_reset(state);
	for (uint64_t i = 0; i < chunks && r == 0; i++) {
		uint8_t bytes[8];
		uint64_t hash = 0;

		r = partial_hash_chunk(fd, i, size, &hash, err);
		for (int shift = 0; shift < 8; shift++)
			bytes[shift] = (uint8_t)(hash >> (8 * shift));
		XXH3_64bits_update(state, bytes, sizeof(bytes));
	}
	*ret = XXH3_64bits_digest(state);
	XXH3_freeState(state);
	return r;
}

/* 1: its bytes are right; 0: they are not; or -errno. */
static int compare(const struct object *object, const struct catalog_file *file, struct err *err)
{
	struct checksum is, should = checksum_of_digest(&object->digest);
	uint64_t hash;
	int r;

	/* what is in memory may not be what the disk has */
	if (file->unsure)
		(void)posix_fadvise(object->fd, 0, 0, POSIX_FADV_DONTNEED);
	if (file->hash == 0) {
		r = checksum_file(CHECKSUM_SHA256, object->fd, object->size, &is, err);
		return r < 0 ? r : checksum_equal(&is, &should);
	}
	if (file->size != object->size)
		return 0;
	r = hash_file(object->fd, object->size, &hash, err);
	return r < 0 ? r : hash == file->hash;
}

/* Whether it has owner and mode as it should, and when it was changed last. */
static bool look(const struct object *object, int64_t *ret_changed_ns)
{
	struct stat st;

	if (object->odd || fstat(object->fd, &st) < 0 || (uint64_t)st.st_size != object->size)
		return false;
	*ret_changed_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
	return true;
}

static int lock_alone(const struct store *store, const struct digest *digest, struct lock *ret)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		r = cachedir_let_pass(store->dir);
		if (r == 0)
			r = cachedir_lock_digest(store->dir, digest, LOCK_EXCLUSIVE, ret);
	}
	return r;
}

static void tell(const struct store *store, const struct object *object, const char *why)
{
	struct entry entry = {.size = -1};
	size_t count;

	if (!store->events)
		return;
	(void)catalog_entries_of(store->catalog, &object->digest, 1, &entry, &count, NULL);
	if (count > 0)
		events_add(store->events, &(struct event){.kind = EVENT_EVICTED,
						  .bytes = object->size,
						  .duration_ms = -1,
						  .scope = entry.scope,
						  .uri = entry.uri,
						  .text = why});
	entry_release(&entry);
}

/* Whether it still has its name; without a descriptor it had none. */
static bool is_as_it_was(const struct store *store, const struct object *object)
{
	char path[STORE_PATH_SIZE];
	struct stat named, open;
	bool has_name;

	store_path(&object->digest, object->executable, path);
	has_name = fstatat(store->dir->objects_fd, path, &named, AT_SYMLINK_NOFOLLOW) == 0 ||
		   errno != ENOENT;
	if (object->fd < 0)
		return !has_name;
	return has_name && fstat(object->fd, &open) == 0 && named.st_ino == open.st_ino;
}

int store_let_go(
	const struct store *store, const struct object *object, const char *why, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	int r = lock_alone(store, &object->digest, &lock);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock an object that was %s: %m", why);
	if (!is_as_it_was(store, object))
		return 1; /* somebody else has seen to it */
	for (int executable = 0; executable <= 1; executable++) {
		char path[STORE_PATH_SIZE];

		store_path(&object->digest, executable, path);
		if (unlinkat(store->dir->objects_fd, path, 0) < 0 && errno != ENOENT)
			return err_set(err, ERR_SYSTEM, errno, "remove object %s: %m", path);
	}
	/* without its object nobody would look for it again; what cannot go now is swept away later
	 */
	(void)tree_part_with(store, &object->digest, NULL);
	tell(store, object, why);
	return catalog_object_gone(store->catalog, &object->digest, err);
}

/* A link that somebody makes or takes away meanwhile is a change, too: then once more. */
int store_is_right(const struct object *object, const struct catalog_file *file,
	int64_t *ret_changed_ns, struct err *err)
{
	int64_t after;
	int r = 0;

	for (int i = 0; i < LOOKS; i++) {
		r = look(object, ret_changed_ns) ? compare(object, file, err) : 0;
		if (r <= 0)
			return r == -EIO ? 0 : r;
		if (look(object, &after) && after == *ret_changed_ns)
			return 1;
	}
	return 2;
}

/* 0: @object is what the index says in @file; 1: it was whenever it was looked at, but it changes
 * all the time. -EBADMSG: it was not, and is gone. */
static int check(const struct store *store, const struct object *object,
	const struct catalog_file *file, int64_t *ret_changed_ns, struct err *err)
{
	const char *why = file->unsure                         ? WHY_LOST
			  : may_be_changed(object, file->lent) ? WHY_CHANGED
							       : STORE_DAMAGED;
	int r = store_is_right(object, file, ret_changed_ns, err);

	if (r > 0)
		return r == 2;
	if (r == 0)
		r = store_let_go(store, object, why, err);
	return r < 0 ? r : err_set(err, ERR_INTEGRITY, EBADMSG, "the object was %s", why);
}

/* One row stands for both files of @object's content: the other one has to be right, too. */
static int check_other(const struct store *store, const struct object *object,
	const struct catalog_file *file, struct err *err)
{
	CLEANUP(object_release) struct object other = {.fd = -1};
	int64_t changed_ns;
	int r = store_open(store, &object->digest, !object->executable, &other, err);

	return r < 0 ? r : check(store, &other, file, &changed_ns, err);
}

static int trust(const struct store *store, const struct object *object,
	const struct catalog_file *file, struct err *err)
{
	int r = check_other(store, object, file, err);

	if (r == 1) /* another time */
		return 0;
	return r < 0 && r != -ENOENT ? r : catalog_trust(store->catalog, &object->digest, err);
}

int store_examine(const struct store *store, const struct object *object, struct err *err)
{
	struct catalog_file file = {.unsure = true};
	int64_t changed_ns;
	int r = catalog_file(store->catalog, &object->digest, object->executable, &file, err);

	if (r < 0 && r != -ENOENT)
		return r;
	r = check(store, object, &file, &changed_ns, err);
	if (r == 1) /* right, but nothing can be noted of it */
		return 0;
	if (r == 0 && may_be_changed(object, file.lent))
		r = catalog_lend(
			store->catalog, &object->digest, object->executable, changed_ns, err);
	return r == 0 && file.unsure ? trust(store, object, &file, err) : r;
}

/* Whether its row says that it is in order; without a row nobody says so. */
static int has_doubts(const struct store *store, const struct object *object, struct err *err)
{
	struct entry entry = {.size = (int64_t)object->size};
	struct catalog_file file;
	int r = catalog_file(store->catalog, &object->digest, object->executable, &file, err);

	if (r == -ENOENT)
		return 1;
	if (r < 0)
		return r;
	entry.lent = file.lent;
	entry.unsure = file.unsure;
	return object_is_doubtful(object, &entry);
}

int store_examine_doubtful(
	const struct store *store, const struct digest *digest, bool executable, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = store_open(store, digest, executable, &object, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = has_doubts(store, &object, err);
	if (r <= 0)
		return r;
	r = store_examine(store, &object, err);
	return r == -EBADMSG ? 0 : r;
}
