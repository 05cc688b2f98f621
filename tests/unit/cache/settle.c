/* What is believed of objects after the machine went down. */
#include "base/clock.h"
#include "base/fault.h"
#include "cache/catalog_private.h"
#include "fixture.h"

#define URI  "https://example.org/a"
#define SIZE (3 * MIB + 7)

/* As if the machine had been started again: the same cache, as it is on disk. */
static void reboot(struct cache *cache)
{
	cache->dir.boot_id[0] = cache->dir.boot_id[0] == 'z' ? 'y' : 'z';
}

static struct entry find(struct cache *cache)
{
	struct entry_key key = key_of(URI);
	struct entry entry = {.size = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_find(cache->store.catalog, &key, &entry, &err), 0, "%s", err.msg);
	return entry;
}

static bool is_unsure(struct cache *cache)
{
	struct entry entry = find(cache);
	bool unsure = entry.unsure;

	entry_release(&entry);
	return unsure;
}

static bool catalog_trusts(struct cache *cache, const struct digest *digest)
{
	struct catalog_file file;

	cr_assert_eq(catalog_file(cache->store.catalog, digest, false, &file, NULL), 0);
	return !file.unsure;
}

static char *path_of(struct cache *cache, bool executable)
{
	struct digest digest = digest_of_bytes(SIZE, 1);
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&digest, hex);
	return str_printf("%s/objects/%.2s/%s%s", cache->path, hex, hex, executable ? ".x" : "");
}

/* What a power cut leaves of a file whose blocks were not written: its name and length. */
static void lose_bytes(struct cache *cache, bool executable)
{
	CLEANUP(str_freep) char *path = path_of(cache, executable);
	struct timespec times[2];
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	cr_assert_eq(truncate(path, SIZE / 2), 0);
	cr_assert_eq(truncate(path, SIZE), 0);
	cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* What whoever hands it out does. */
static int look(struct cache *cache, bool executable)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct entry entry = find(cache);
	int r = store_open(&cache->store, &digest, executable, &object, NULL);

	if (r == 0 && object_is_doubtful(&object, &entry))
		r = store_examine(&cache->store, &object, NULL);
	entry_release(&entry);
	return r;
}

Test(settle, what_was_published_in_this_boot_is_sure)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	put_away(cache, URI, SIZE, 1);
	cr_assert_not(is_unsure(cache));
	reboot(cache);
	cr_assert(is_unsure(cache));
}

Test(settle, what_was_settled_stays_sure)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct err err = ERR_INIT;

	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(store_settle(&cache->store, &err), 0, "%s", err.msg);
	cr_assert_eq(catalog_has_unsettled(cache->store.catalog, clock_boot_ms(), NULL), 0);
	reboot(cache);
	cr_assert_not(is_unsure(cache));

	/* the same content once more: the file is the one that was settled */
	put_away(cache, URI, SIZE, 1);
	cr_assert_not(is_unsure(cache));
	/* another file of it is not */
	{
		CLEANUP(object_release) struct object twin = {.fd = -1};

		cr_assert_eq(
			put_executable(cache, "https://example.org/x", SIZE, 1, true, &twin, &err),
			0, "%s", err.msg);
	}
	reboot(cache);
	cr_assert(is_unsure(cache));
}

/* A power cut may leave the name of a twin without the row that knew of it. */
Test(settle, a_file_that_its_row_does_not_know_is_not_sure)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object executable = {.fd = -1};
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct catalog_file file;

	cr_assert_eq(put_executable(cache, URI, SIZE, 1, true, &executable, NULL), 0);
	cr_assert_eq(catalog_file(cache->store.catalog, &digest, true, &file, NULL), 0);
	cr_assert_not(file.unsure);
	cr_assert_not(catalog_trusts(cache, &digest));
	put_away(cache, URI, SIZE, 1);
	cr_assert(catalog_trusts(cache, &digest));
}

Test(settle, what_came_after_the_sync_began_is_not_settled)
{
	CLEANUP(store_settle_release) struct settling settling = SETTLING_INIT;
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	put_away(cache, "https://example.org/before", MIB, 2);
	cr_assert_eq(store_settle_begin(&cache->store, &settling, NULL), 1);
	usleep(2000); /* rows know milliseconds */
	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(store_settle_sync(&settling, NULL), 0);
	cr_assert_eq(store_settle_end(&cache->store, &settling, true, NULL), 0);
	reboot(cache);
	cr_assert(is_unsure(cache));
}

Test(settle, what_is_used_all_the_time_is_settled_too)
{
	CLEANUP(store_settle_release) struct settling settling = SETTLING_INIT;
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct digest digest = digest_of_bytes(SIZE, 1);

	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(store_settle_begin(&cache->store, &settling, NULL), 1);
	usleep(2000);
	/* what is settled later must not hide behind the use of another one */
	put_away(cache, "https://example.org/later", MIB, 2);
	catalog_touch(cache->store.catalog, &digest, 5000);
	cr_assert_eq(touches_write(cache->store.catalog->touches, NULL), 0);
	cr_assert_eq(store_settle_sync(&settling, NULL), 0);
	cr_assert_eq(store_settle_end(&cache->store, &settling, true, NULL), 0);
	cr_assert_eq(catalog_has_unsettled(cache->store.catalog, clock_boot_ms(), NULL), 1);
	cr_assert_eq(store_settle(&cache->store, NULL), 0);
	cr_assert_eq(catalog_has_unsettled(cache->store.catalog, clock_boot_ms(), NULL), 0);
	reboot(cache);
	cr_assert_not(is_unsure(cache));

	/* what was read after a reboot is settled in it */
	put_away(cache, "https://example.org/unsettled", MIB, 3);
	reboot(cache);
	digest = digest_of_bytes(MIB, 3);
	cr_assert_eq(store_examine_doubtful(&cache->store, &digest, false, NULL), 0);
	cr_assert_eq(store_settle(&cache->store, NULL), 0);
	reboot(cache);
	cr_assert_eq(catalog_trusts(cache, &digest), true);
}

Test(settle, a_sync_that_fails_settles_nothing)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct err err = ERR_INIT;

	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(fault_setup("settling.sync:1:EIO"), 0);
	if (fault_hit("none"), fault_count() == 0)
		cr_skip("built without fault points");
	cr_assert_eq(store_settle(&cache->store, &err), -EIO);
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert(strstr(err.msg, "disk"), "%s", err.msg);
	reboot(cache);
	cr_assert(is_unsure(cache));
}

Test(settle, what_is_whole_is_believed_once_it_was_read)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	put_away(cache, URI, SIZE, 1);
	reboot(cache);
	cr_assert_eq(look(cache, false), 0);
	cr_assert_not(is_unsure(cache));
	/* in memory, it may be: not for ever */
	reboot(cache);
	cr_assert(is_unsure(cache));
}

Test(settle, what_lost_bytes_is_gone)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry entry;

	put_away(cache, URI, SIZE, 1);
	lose_bytes(cache, false);
	reboot(cache);
	cr_assert_eq(look(cache, false), -EBADMSG);
	entry = find(cache);
	cr_assert_eq(entry.state, ENTRY_KNOWN);
	entry_release(&entry);
	cr_assert_eq(count_files(cache, "objects"), 0);
	cr_assert_eq(usage_of(cache).objects, 0);

	/* and comes again */
	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(look(cache, false), 0);
}

Test(settle, the_twin_that_lost_bytes_takes_both_along)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object twin = {.fd = -1};

	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(put_executable(cache, "https://example.org/x", SIZE, 1, true, &twin, NULL), 0);
	object_release(&twin);
	lose_bytes(cache, true);
	reboot(cache);
	cr_assert_eq(look(cache, false), -EBADMSG);
	cr_assert_eq(count_files(cache, "objects"), 0);
}

Test(settle, the_same_content_does_not_take_over_what_lost_bytes)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	put_away(cache, URI, SIZE, 1);
	lose_bytes(cache, false);
	reboot(cache);
	cr_assert_eq(put(cache, "https://example.org/b", SIZE, 1, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, SIZE, 1));
}

Test(settle, a_file_without_a_row_is_read_before_it_counts)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct err err = ERR_INIT;

	put_away(cache, URI, SIZE, 1);
	lose_bytes(cache, false);
	cr_assert_eq(catalog_object_gone(cache->store.catalog, &digest, NULL), 0);
	cr_assert_eq(put(cache, URI, SIZE, 1, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, SIZE, 1));
}

Test(settle, another_length_is_seen_at_once)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = path_of(cache, false);

	put_away(cache, URI, SIZE, 1);
	cr_assert_eq(truncate(path, SIZE - 1), 0);
	cr_assert_eq(look(cache, false), -EBADMSG);
}
