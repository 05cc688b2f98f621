/* What dead leaders left and nobody will resume. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What cannot be looked at is taken to be there. */
static bool is_there(int dirfd, const char *file)
{
	return faccessat(dirfd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

bool partial_has_object(const struct store *store, const struct ranges_header *header)
{
	static const struct digest none;
	char path[STORE_PATH_SIZE];

	if (digest_equal(&header->digest, &none) || header->version.size < 0)
		return false;
	for (int executable = 0; executable <= 1; executable++) {
		store_path(&header->digest, executable, path);
		if (is_there(store->dir->objects_fd, path))
			return true;
	}
	return false;
}

/* A generation whose content has been published, by its leader or by somebody else: it goes, and
 * who has its map open hears of the end. */
static void end_generation(const struct store *store, const struct entry_key *key,
	uint32_t generation, struct ranges *ranges, struct ranges_header *header)
{
	header->state = RANGES_DONE;
	ranges_store(ranges, header, NULL);
	partial_clear(store, key, generation, NULL);
}

void partial_published(
	const struct store *store, const struct entry_key *key, const struct digest *digest)
{
	char name[PARTIAL_NAME_SIZE];
	char file[PARTIAL_FILE_SIZE];
	struct ranges_header header;
	struct ranges *ranges;
	uint32_t newest;

	if (partial_newest(store, key, &newest, NULL) < 0 || newest == 0)
		return;
	partial_name(key, newest, name);
	partial_map_file(name, file);
	if (ranges_open(store->dir->partial_fd, file, &ranges, NULL) < 0)
		return;
	/* one of another version may still be completed by somebody */
	if (ranges_load(ranges, &header, NULL) == 0 && digest_equal(&header.digest, digest))
		end_generation(store, key, newest, ranges, &header);
	ranges_free(ranges);
}

/* Whether a generation has only one of its two files. */
static bool is_half(const struct store *store, const char *name)
{
	char data[PARTIAL_FILE_SIZE];
	char map[PARTIAL_FILE_SIZE];

	partial_data_file(name, data);
	partial_map_file(name, map);
	return !is_there(store->dir->partial_fd, data) || !is_there(store->dir->partial_fd, map);
}

/*
 * Whether a generation without a leader is of no use: a half; or one that never had room reserved,
 * since its leader died before it knew the version. That one counts nowhere, and no evictor would
 * come by it.
 */
static bool may_be_useless(const struct store *store, const char *name)
{
	uint64_t reserved;

	return is_half(store, name) ||
	       (catalog_reservation(store->catalog, name, &reserved, NULL) == 0 && reserved == 0);
}

/* Whether the key's row in the index is of this content: then its leader has come so far. */
static bool is_recorded(
	const struct store *store, const struct entry_key *key, const struct digest *digest)
{
	struct entry entry;
	bool is;

	if (catalog_find(store->catalog, key, &entry, NULL) < 0)
		return false;
	is = entry.state == ENTRY_COMPLETE && digest_equal(&entry.digest, digest);
	entry_release(&entry);
	return is;
}

/*
 * A map whose content has its file, and no row says that it is the URI's, is what the next one who
 * asks for that completes: it stays. All else that may be useless is.
 */
static void sweep(const struct store *store, const struct entry_key *key, uint32_t generation,
	const char *name)
{
	char file[PARTIAL_FILE_SIZE];
	struct ranges_header header;
	struct ranges *ranges;
	int r;

	partial_map_file(name, file);
	r = ranges_open(store->dir->partial_fd, file, &ranges, NULL);
	if (r < 0) {
		if (r == -ENOENT || r == -EBADMSG)
			partial_clear(store, key, generation, NULL);
		return;
	}
	r = ranges_load(ranges, &header, NULL);
	if (r == -EBADMSG || (r == 0 && !partial_has_object(store, &header)))
		partial_clear(store, key, generation, NULL);
	else if (r == 0 && is_recorded(store, key, &header.digest))
		end_generation(store, key, generation, ranges, &header);
	ranges_free(ranges);
}

/* Room that was promised to who died before there were files. */
static int sweep_reservation(const char *partial, uint64_t bytes, uid_t uid, void *arg)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	const struct store *store = arg;
	char data[PARTIAL_FILE_SIZE];
	char map[PARTIAL_FILE_SIZE];
	struct entry_key key;
	uint32_t generation;

	(void)bytes;
	(void)uid;
	if (!partial_parse(partial, &key, &generation) ||
		cachedir_lock_key(store->dir, &key, &lock) < 0)
		return 0;
	partial_data_file(partial, data);
	partial_map_file(partial, map);
	if (!is_there(store->dir->partial_fd, data) && !is_there(store->dir->partial_fd, map))
		(void)catalog_unreserve(store->catalog, partial, NULL);
	return 0;
}

static void sweep_files(const struct store *store)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;

	if (partial_open_list(store, &list, NULL) < 0)
		return;
	while ((item = readdir(list))) {
		CLEANUP(lock_release) struct lock lock = LOCK_INIT;
		char name[PARTIAL_NAME_SIZE];
		struct entry_key key;
		uint32_t generation;

		if (!partial_parse(item->d_name, &key, &generation))
			continue;
		partial_name(&key, generation, name);
		/* a leader makes, and takes away, the files one after the other */
		if (may_be_useless(store, name) &&
			cachedir_lock_key(store->dir, &key, &lock) == 0 &&
			may_be_useless(store, name))
			sweep(store, &key, generation, name);
	}
}

void partial_discard(const struct store *store, const struct entry_key *key)
{
	uint32_t newest;

	if (partial_newest(store, key, &newest, NULL) == 0 && newest > 0)
		(void)partial_clear(store, key, newest, NULL);
}

void partial_sweep(const struct store *store)
{
	sweep_files(store);
	(void)catalog_partials(store->catalog, sweep_reservation, (void *)(uintptr_t)store, NULL);
}
