/* Shares: nobody can take more of the cache than is his. */
#include "cache/journal.h"
#include "fixture.h"

#define LIMIT (20 * MIB)
#define SHARE (5 * MIB)
#define ALICE 1001
#define BOB   1002

static char *uri_of(uid_t uid, int i)
{
	return str_printf("https://example.org/%u/%d", (unsigned int)uid, i);
}

/* 1 MiB of nobody else's, which costs a little more. */
static int fetch_for(struct cache *cache, uid_t uid, int i, struct object *ret, struct err *err)
{
	CLEANUP(str_freep) char *uri = uri_of(uid, i);

	cache->uid = uid;
	return put(cache, uri, MIB - 100000, uid * 1000 + (uint64_t)i, ret, err);
}

static void fetch(struct cache *cache, uid_t uid, int i)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(fetch_for(cache, uid, i, &object, &err), 0, "%s", err.msg);
}

static bool is_cached(struct cache *cache, uid_t uid, int i)
{
	CLEANUP(str_freep) char *uri = uri_of(uid, i);
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct entry_key key = key_of(uri);

	return catalog_find(cache->store.catalog, &key, &entry, NULL) == 0 &&
	       entry.state == ENTRY_COMPLETE;
}

static uint64_t share_of(struct cache *cache, uid_t uid)
{
	uint64_t bytes = 0;

	cr_assert_eq(catalog_share(cache->store.catalog, uid, &bytes, NULL), 0);
	return bytes;
}

static struct cache *make(void)
{
	struct cache *cache = cache_make(LIMIT);

	cache->store.share = SHARE;
	return cache;
}

Test(share, a_user_evicts_what_is_his_and_nothing_else)
{
	CLEANUP(cache_removep) struct cache *cache = make();

	for (int i = 0; i < 5; i++)
		fetch(cache, 0, i);
	fetch(cache, BOB, 0);
	for (int i = 0; i < 20; i++) {
		fetch(cache, ALICE, i);
		cr_assert_leq(share_of(cache, ALICE), SHARE);
		cr_assert_leq(disk_usage(cache), LIMIT);
	}
	for (int i = 0; i < 5; i++)
		cr_assert(is_cached(cache, 0, i), "the owner's %d, used longest ago", i);
	cr_assert(is_cached(cache, BOB, 0));
	cr_assert(is_cached(cache, ALICE, 19) && is_cached(cache, ALICE, 16));
	cr_assert_not(is_cached(cache, ALICE, 14));
	cr_assert_eq(share_of(cache, 0), 0, "the owner has none");
}

Test(share, what_is_larger_is_refused_and_costs_nothing)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	fetch(cache, ALICE, 0);
	cache->uid = ALICE;
	cr_assert_eq(put(cache, "https://example.org/big", 6 * MIB, 1, &object, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "per_user"), "%s", err.msg);
	cr_assert(is_cached(cache, ALICE, 0));
	cache->uid = 0;
	cr_assert_eq(put(cache, "https://example.org/big", 6 * MIB, 1, &object, NULL), 0);
}

Test(share, what_is_open_stays_and_is_named)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	struct object objects[5];
	struct err err = ERR_INIT;
	struct object one = {.fd = -1};
	int count = 0;

	while (count < 5 && fetch_for(cache, ALICE, count, &objects[count], &err) == 0)
		count++;
	cr_assert_geq(count, 4);
	cr_assert_eq(fetch_for(cache, ALICE, 7, &one, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "per_user") && strstr(err.msg, "1001"), "%s", err.msg);
	cr_assert_leq(share_of(cache, ALICE), SHARE, "nothing stays reserved");
	object_release(&objects[0]);
	cr_assert_eq(fetch_for(cache, ALICE, 7, &one, &err), 0, "%s", err.msg);
	object_release(&one);
	for (int i = 1; i < count; i++)
		object_release(&objects[i]);
}

Test(share, what_is_leased_or_pinned_does_not_count)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	CLEANUP(str_freep) char *uri = uri_of(ALICE, 2);
	struct entry_key pinned = key_of(uri);
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/sandbox",
		.name = (char *)(uintptr_t) "tool",
		.method = (char *)(uintptr_t) "copy",
	};

	for (int i = 0; i < 3; i++) {
		fetch(cache, ALICE, i);
		lease.digest = digest_of_bytes(MIB - 100000, ALICE * 1000 + (uint64_t)i);
		if (i < 2)
			cr_assert_eq(catalog_lease_add(cache->store.catalog, &lease, 1, NULL), 0);
	}
	cr_assert_eq(catalog_pin(cache->store.catalog, &pinned, true, NULL), 0);
	for (int i = 3; i < 10; i++)
		fetch(cache, ALICE, i);
	for (int i = 0; i < 3; i++)
		cr_assert(is_cached(cache, ALICE, i));
	cr_assert(is_cached(cache, ALICE, 6), "four more than those that are held");
	cr_assert_leq(share_of(cache, ALICE), SHARE + 3 * MIB);
}

Test(share, what_the_owner_wants_too_is_on_nobodys_share)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	CLEANUP(object_release) struct object object = {.fd = -1};

	fetch(cache, ALICE, 0);
	cr_assert_geq(share_of(cache, ALICE), MIB - 100000);
	/* the same bytes, for another user: still hers */
	cache->uid = BOB;
	cr_assert_eq(
		put(cache, "https://example.org/bob", MIB - 100000, ALICE * 1000, &object, NULL),
		0);
	cr_assert_eq(share_of(cache, BOB), 0);
	object_release(&object);
	cache->uid = 0;
	cr_assert_eq(
		put(cache, "https://example.org/owner", MIB - 100000, ALICE * 1000, &object, NULL),
		0);
	cr_assert_eq(share_of(cache, ALICE), 0);
}

Test(share, an_evicted_object_and_a_partial_that_ends_give_it_back)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	struct room_wish wish = {
		.partial = "some", .bytes = MIB, .limit = LIMIT, .uid = ALICE, .share = SHARE};
	struct digest digest = digest_of_bytes(MIB - 100000, ALICE * 1000);
	struct catalog *catalog = cache->store.catalog;
	struct room_lacking lacking;

	cr_assert_eq(catalog_reserve(catalog, &wish, &lacking, NULL), 0);
	cr_assert_eq(share_of(cache, ALICE), MIB);
	/* another goes on with it */
	wish.uid = BOB;
	wish.bytes = 2 * MIB;
	cr_assert_eq(catalog_reserve(catalog, &wish, &lacking, NULL), 0);
	cr_assert_eq(share_of(cache, ALICE), 0);
	cr_assert_eq(share_of(cache, BOB), 2 * MIB);
	wish.bytes = 6 * MIB;
	cr_assert_eq(catalog_reserve(catalog, &wish, &lacking, NULL), -ENOSPC);
	cr_assert_eq(lacking.of_all, 0);
	cr_assert_eq(lacking.of_share, MIB);
	cr_assert_eq(catalog_unreserve(catalog, "some", NULL), 0);
	cr_assert_eq(share_of(cache, BOB), 0);
	fetch(cache, ALICE, 0);
	cr_assert_eq(evict_object(&cache->store, &digest, NULL), 0);
	cr_assert_eq(share_of(cache, ALICE), 0);
}

Test(share, an_index_made_anew_knows_whose_it_is)
{
	CLEANUP(cache_removep) struct cache *cache = make();
	CLEANUP(str_freep) char *index = str_printf("%s/index.db", cache->path);
	CLEANUP(str_freep) char *log = str_printf("%s/index.db-wal", cache->path);
	CLEANUP(str_freep) char *memory = str_printf("%s/index.db-shm", cache->path);
	uint64_t bytes;

	for (int round = 0; round < 2; round++) {
		struct cache *again;

		fetch(cache, ALICE, round);
		fetch(cache, BOB, 1);
		/* the second time from a short journal */
		if (round == 1) {
			CLEANUP(str_freep) char *journal = str_printf("%s/journal", cache->path);

			cr_assert_eq(unlink(journal), 0);
			cr_assert_eq(journal_compact(&cache->store, true, NULL), 0);
		}
		bytes = share_of(cache, ALICE);
		cr_assert_geq(bytes, (uint64_t)(round + 1) * (MIB - 100000));
		unlink(index);
		unlink(log);
		unlink(memory);
		again = cache_join(cache->path, LIMIT);
		cr_assert_eq(share_of(again, ALICE), bytes);
		cache_leave(again);
	}
}
