#include "base/clock.h"
#include "cache/catalog_private.h"
#include "fixture.h"

#define LIMIT (20 * MIB)
#define COUNT 3

/* Change the index behind everybody's back: the counter does not move. */
static void change_silently(struct cache *cache, const char *sql)
{
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", cache->path);
	CLEANUP(db_closep) struct db *db = NULL;

	cr_assert_eq(db_open(path, &db, NULL), 0);
	cr_assert_eq(db_exec(db, sql, NULL), 0);
}

static int recall(struct cache *cache, const char *uri)
{
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct entry_key key = key_of(uri);
	int r = catalog_recall(cache->store.catalog, &key, &entry, NULL);

	cr_assert(r < 0 || strcmp(entry.uri, uri) == 0);
	cr_assert(r < 0 || memcmp(&entry.key, &key, sizeof(key)) == 0);
	return r;
}

Test(recall, the_index_is_not_asked_until_something_changes)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	put_away(cache, "https://h/a", 100, 1);
	put_away(cache, "https://h/b", 100, 2);
	cr_assert_eq(recall(cache, "https://h/a"), 0);
	change_silently(cache, "DELETE FROM entry");
	cr_assert_eq(recall(cache, "https://h/a"), 0);
	cr_assert_eq(recall(cache, "https://h/b"), -ENOENT, "it had not been read before");
	cachedir_changed(&cache->dir);
	cr_assert_eq(recall(cache, "https://h/a"), -ENOENT);
}

Test(recall, a_change_by_another_process_is_seen_at_once)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct entry_key key = key_of("https://h/a");
	struct entry entry = {.size = -1};
	struct cache *other;

	put_away(cache, "https://h/a", 100, 1);
	other = cache_join(cache->path, LIMIT);
	for (int i = 1; i <= 100; i++) {
		cr_assert_eq(recall(cache, "https://h/a"), 0);
		cr_assert_eq(
			catalog_confirm(other->store.catalog, &key, i, 1000 + i, false, NULL), 0);
		cr_assert_eq(catalog_recall(cache->store.catalog, &key, &entry, NULL), 0);
		cr_assert_eq(entry.expires, 1000 + i);
		entry_release(&entry);
	}
	cr_assert_eq(catalog_remove(other->store.catalog, &key, NULL), 0);
	cr_assert_eq(recall(cache, "https://h/a"), -ENOENT);
	cache_leave(other);
}

/* ---- touches ---- */

static void put_some(struct cache *cache)
{
	for (int i = 0; i < COUNT; i++) {
		CLEANUP(str_freep) char *uri = str_printf("https://h/%d", i);

		put_away(cache, uri, 100, (uint64_t)i);
	}
}

static void touch(struct cache *cache, int i)
{
	struct digest digest = digest_of_bytes(100, (uint64_t)i);

	catalog_touch(cache->store.catalog, &digest, 5000);
}

/* Whether @other, another process as it were, has @first, @second, @third in the order to go. */
static bool order_is(struct cache *other, int first, int second, int third)
{
	const int order[COUNT] = {first, second, third};
	struct victim victims[COUNT];
	size_t count = 0;

	cr_assert_eq(
		catalog_victims(other->store.catalog, 0, COUNT, NULL, victims, &count, NULL), 0);
	cr_assert_eq(count, COUNT);
	for (int i = 0; i < COUNT; i++) {
		struct digest digest = digest_of_bytes(100, (uint64_t)order[i]);

		if (memcmp(&victims[i].digest, &digest, sizeof(digest)) != 0)
			return false;
	}
	return true;
}

Test(touches, are_written_in_their_order_within_a_second_or_so)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct cache *other;

	put_some(cache);
	other = cache_join(cache->path, LIMIT);
	cr_assert(order_is(other, 0, 1, 2));
	touch(cache, 2);
	touch(cache, 0);
	touch(cache, 2);
	touch(cache, 1);
	touch(cache, 0);
	catalog_write_touches(cache->store.catalog);
	cr_assert(order_is(other, 2, 1, 0), "an evictor has them written at once");

	touch(cache, 1);
	touch(cache, 2);
	for (int i = 0; i < 1000 && !order_is(other, 0, 1, 2); i++)
		usleep(10000);
	cr_assert(order_is(other, 0, 1, 2), "never written");
	cache_leave(other);
}

/* By then an evictor has locked others, whose openers would wait, too. */
Test(touches, who_looks_for_victims_waits_for_nobody_who_writes, .timeout = 60)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;

	put_some(cache);
	cr_assert_eq(cachedir_lock_writer(cache->store.dir, &writer), 0);
	touch(cache, 0);
	cr_assert(order_is(cache, 0, 1, 2));
}

/* As many as make a batch full, of which one is known. */
static void touch_many(struct cache *cache, int i)
{
	touch(cache, i);
	for (int unknown = 0; unknown < TOUCHES_MAX; unknown++) {
		struct digest digest = digest_of_bytes(50, (uint64_t)unknown);

		catalog_touch(cache->store.catalog, &digest, 5000);
	}
}

/* So somebody who waits to write gets his turn, however much is opened. */
Test(touches, whoever_wrote_for_long_rests_for_longer)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	struct cache *other;
	int64_t began;

	put_some(cache);
	other = cache_join(cache->path, LIMIT);
	cr_assert_eq(cachedir_lock_writer(other->store.dir, &writer), 0);
	touch_many(cache, 0);
	usleep(300000); /* that is how long it takes */
	began = clock_monotonic_ms();
	lock_release(&writer);
	for (int i = 0; i < 1000 && !order_is(other, 1, 2, 0); i++)
		usleep(10000);
	touch_many(cache, 1);
	for (int i = 0; i < 1000 && !order_is(other, 2, 0, 1); i++)
		usleep(10000);
	cr_assert(order_is(other, 2, 0, 1), "never written");
	cr_assert_geq(clock_monotonic_ms() - began, 300);
	cache_leave(other);
}

Test(touches, the_last_ones_are_written_at_the_end)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct cache *other;

	put_some(cache);
	other = cache_join(cache->path, LIMIT);
	touch(other, 0);
	cache_leave(other);
	cr_assert(order_is(cache, 1, 2, 0));
}

Test(touches, more_than_there_is_room_for_do_no_harm)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	put_some(cache);
	touch(cache, 0);
	for (int i = 0; i < 20 * TOUCHES_MAX; i++) {
		struct digest unknown = digest_of_bytes(50, (uint64_t)i);

		catalog_touch(cache->store.catalog, &unknown, 5000);
	}
	cr_assert_eq(touches_write(cache->store.catalog->touches, NULL), 0);
	cr_assert(order_is(cache, 1, 2, 0));
}

Test(recall, thousands_find_room_and_the_oldest_go)
{
	struct recall *recall;
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	char uri[64];
	int found = 0;

	cr_assert_eq(recall_new(&recall, NULL), 0);
	for (int i = 0; i < 20000; i++) {
		snprintf(uri, sizeof(uri), "https://h/%d", i);
		entry = (struct entry){.key = key_of(uri), .scope = uri, .uri = uri};
		recall_keep(recall, &entry, 1);
		entry = (struct entry){.size = -1};
		cr_assert(recall_find(recall, &(struct entry_key){{0}}, 1, &entry) == false);
	}
	for (int i = 19999; i >= 0; i--) {
		struct entry_key key;

		snprintf(uri, sizeof(uri), "https://h/%d", i);
		key = key_of(uri);
		cr_assert(!recall_find(recall, &key, 2, &entry), "of another time");
		if (!recall_find(recall, &key, 1, &entry))
			continue;
		cr_assert_str_eq(entry.uri, uri);
		entry_release(&entry);
		found++;
		cr_assert(i < 18000 || found > (20000 - i) * 9 / 10, "%d of the last %d", found,
			20000 - i);
	}
	cr_assert_leq(found, 8192);
	cr_assert_gt(found, 7500);
	recall_free(recall);
}
