#include "cache/ballast.h"
#include "cache/room.h"
#include "fixture.h"

#include <sys/statvfs.h>

#define LIMIT (128 * MIB)

static uint64_t blocks_of_ballast(const struct cache *cache)
{
	struct stat st;

	return fstatat(cache->dir.fd, BALLAST, &st, 0) < 0 ? 0 : (uint64_t)st.st_blocks * 512;
}

static void give_up_all(const struct cache *cache)
{
	unsigned int steps = 0;

	while (ballast_give_up(&cache->dir))
		cr_assert_leq(++steps, 8);
	cr_assert(steps > 0);
	cr_assert_eq(blocks_of_ballast(cache), 0);
}

Test(ballast, is_a_mebibyte_and_less_in_a_small_cache)
{
	struct store store = {.limit = LIMIT};

	cr_assert_eq(ballast_size(&store), MIB);
	store.limit = 8 * MIB;
	cr_assert_eq(ballast_size(&store), MIB / 8);
	store.limit = 1000;
	cr_assert_eq(ballast_size(&store), 0);
}

Test(ballast, counts_whether_it_is_there_or_not)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	uint64_t room = room_within(&cache->store);

	ballast_take(&cache->store);
	cr_assert_eq(blocks_of_ballast(cache), MIB);
	cr_assert_eq(ballast_lacking(&cache->store), 0);
	cr_assert_eq(room_within(&cache->store), room);
	give_up_all(cache);
	cr_assert_eq(room_within(&cache->store), room);
	cr_assert_eq(ballast_lacking(&cache->store), MIB);
}

Test(ballast, goes_in_steps)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	uint64_t room = room_within(&cache->store);

	ballast_take(&cache->store);
	for (unsigned int i = 1; i <= 8; i++) {
		cr_assert(ballast_give_up(&cache->dir));
		cr_assert_eq(ballast_lacking(&cache->store), i * MIB / 8);
		cr_assert_eq(room_within(&cache->store), room);
	}
	cr_assert_not(ballast_give_up(&cache->dir));
	ballast_take(&cache->store);
	cr_assert(ballast_give_up(&cache->dir));
	ballast_take(&cache->store);
	cr_assert_eq(blocks_of_ballast(cache), MIB);
}

Test(ballast, a_cache_that_is_full_by_its_limit_has_none_until_something_went)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	put_away(cache, "https://example.org/1", 20 * MIB, 1);
	give_up_all(cache);
	cache->store.limit = 24 * MIB;
	ballast_take(&cache->store);
	cr_assert_eq(blocks_of_ballast(cache), 0);
	cr_assert_eq(evict_to(&cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(blocks_of_ballast(cache), 24 * MIB / 64);
}

Test(ballast, stays_away_where_it_would_take_what_must_stay_free)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct statvfs fs;

	cr_assert_eq(fstatvfs(cache->dir.fd, &fs), 0);
	cache->store.min_free = (uint64_t)fs.f_blocks * fs.f_frsize;
	ballast_take(&cache->store);
	cr_assert_eq(blocks_of_ballast(cache), 0);
}

Test(ballast, what_is_no_file_is_none)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	cr_assert_eq(mkdirat(cache->dir.fd, BALLAST, 0700), 0);
	ballast_take(&cache->store);
	cr_assert_not(ballast_give_up(&cache->dir));
	cr_assert_eq(unlinkat(cache->dir.fd, BALLAST, AT_REMOVEDIR), 0);
}
