/* A partial of what is larger than the cache: a window of it. */
#include "base/fault.h"
#include "tests/unit/cache/fixture.h"

#define LIMIT (UINT64_C(40) << 20)
#define LARGE (UINT64_C(100) << 20)

static struct partial *begin(struct cache *cache, struct entry_key *ret_key)
{
	struct ranges_version version = version_of((int64_t)LARGE);
	struct partial *partial = NULL;
	struct err err = ERR_INIT;

	*ret_key = key_of("https://example.org/large");
	cr_assert_eq(
		partial_create(&cache->store, LABEL(ret_key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_start_windowed(partial, &version, &err), 0, "%s", err.msg);
	return partial;
}

static uint64_t blocks_of(struct partial *partial)
{
	int fd = partial_reader_fd(partial);
	struct stat st;

	cr_assert(fd >= 0);
	cr_assert_eq(fstat(fd, &st), 0);
	cr_assert_eq(st.st_size, (off_t)LARGE);
	fd_close(&fd);
	return (uint64_t)st.st_blocks * 512;
}

static void bring(struct partial *partial, uint64_t from, uint64_t to)
{
	struct err err = ERR_INIT;

	cr_assert_eq(partial_make_room(partial, from, to - from, &err), 0, "%s", err.msg);
	cr_assert_eq(write_range(partial, from, to, 1, &err), 0, "%s", err.msg);
}

static void expect_right(struct partial *partial, uint64_t from, uint64_t to)
{
	int fd = partial_reader_fd(partial);
	uint8_t *is = malloc(to - from);
	uint8_t *should = malloc(to - from);

	fill_bytes(should, to - from, from, 1);
	cr_assert_eq(fd_pread_full(fd, is, to - from, from), (ssize_t)(to - from));
	cr_assert_eq(memcmp(is, should, to - from), 0);
	free(is);
	free(should);
	fd_close(&fd);
}

static uint64_t reserved_in(const struct cache *cache)
{
	struct usage usage;

	cr_assert_eq(catalog_usage(cache->store.catalog, &usage, NULL), 0);
	return usage.reserved;
}

Test(window, what_came_first_makes_way)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct entry_key key;
	struct partial *partial = begin(cache, &key);
	uint64_t run = partial_run_max(partial);

	cr_assert(partial_is_windowed(partial));
	cr_assert(run >= CHUNK_SIZE && run % CHUNK_SIZE == 0);
	for (uint64_t at = 0; at < LARGE; at += run) {
		uint64_t end = at + run < LARGE ? at + run : LARGE;

		bring(partial, at, end);
		cr_assert(partial_has(partial, at, end - at));
		expect_right(partial, at, end);
		cr_assert(blocks_of(partial) <= LIMIT / 4 + MIB);
		cr_assert(reserved_in(cache) <= LIMIT / 4 + MIB);
	}
	cr_assert_not(partial_has(partial, 0, 1));
	cr_assert_eq(partial_next_gap(partial, 0), 0);
	cr_assert(partial_forgotten(partial) >= (LARGE - LIMIT / 4) / CHUNK_SIZE);
	cr_assert_eq(partial_frontier(partial), 0);

	/* and comes again */
	bring(partial, 0, run);
	cr_assert(partial_has(partial, 0, run));
	expect_right(partial, 0, run);
	partial_fail(&partial, NULL, false);
	cr_assert_eq(reserved_in(cache), 0);
}

Test(window, readers_elsewhere_see_that_something_went)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(follower_release) struct follower follower = {.fd = -1};
	struct entry_key key;
	struct partial *partial = begin(cache, &key);
	struct ranges_chunk chunk;
	uint64_t before, after;
	bool windowed = false;

	bring(partial, 0, CHUNK_SIZE);
	cr_assert_eq(follower_attach(&cache->store, &key, &follower, NULL), 0);
	cr_assert_eq(ranges_is_windowed(follower.ranges, &windowed, NULL), 0);
	cr_assert(windowed);
	cr_assert_eq(ranges_want(follower.ranges, 0, NULL), 0);
	cr_assert_eq(ranges_chunks(follower.ranges, 0, 1, &chunk, NULL), 0);
	cr_assert(chunk.present && chunk.wanted);
	cr_assert_eq(ranges_forgotten(follower.ranges, &before, NULL), 0);
	for (uint64_t at = CHUNK_SIZE; at < LIMIT; at += CHUNK_SIZE)
		bring(partial, at, at + CHUNK_SIZE);

	/* nor is it wanted any more: else it would be fetched again and again */
	cr_assert_eq(ranges_chunks(follower.ranges, 0, 1, &chunk, NULL), 0);
	cr_assert_not(chunk.present);
	cr_assert_not(chunk.wanted);
	cr_assert_eq(ranges_forgotten(follower.ranges, &after, NULL), 0);
	cr_assert(after > before);
	partial_fail(&partial, NULL, false);
}

Test(window, what_a_writer_is_at_stays)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct partial_writer *writer;
	struct entry_key key;
	struct partial *partial = begin(cache, &key);
	uint8_t bytes[1000];

	fill_bytes(bytes, sizeof(bytes), 0, 1);
	cr_assert_eq(partial_make_room(partial, 0, CHUNK_SIZE, NULL), 0);
	cr_assert_eq(partial_writer_new(partial, 0, &writer, NULL), 0);
	cr_assert_eq(partial_write(writer, bytes, sizeof(bytes), NULL), 0);
	for (uint64_t at = CHUNK_SIZE; at < LIMIT; at += CHUNK_SIZE)
		bring(partial, at, at + CHUNK_SIZE);
	cr_assert(partial_has(partial, 0, sizeof(bytes)));
	expect_right(partial, 0, sizeof(bytes));

	/* given up, it goes like any other */
	partial_writer_free(writer);
	for (uint64_t at = LIMIT; at < 2 * LIMIT; at += CHUNK_SIZE)
		bring(partial, at, at + CHUNK_SIZE);
	cr_assert_not(partial_has(partial, 0, 1));
	cr_assert(blocks_of(partial) <= LIMIT / 4 + MIB);
	partial_fail(&partial, NULL, false);
}

/* Killed between the two, its leader leaves bytes of a chunk that is not there. */
Test(window, a_successor_goes_on_with_it_and_drops_what_is_not_known)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct err err = ERR_INIT;
	struct entry_key key;
	struct partial *partial = begin(cache, &key);
	uint64_t forgotten, here;
	int fd;

	for (uint64_t at = 0; at < LIMIT; at += CHUNK_SIZE)
		bring(partial, at, at + CHUNK_SIZE);
	forgotten = partial_forgotten(partial);
	here = blocks_of(partial);
	fd = partial_reader_fd(partial);
	partial_fail(&partial, NULL, true);
	{
		char proc[64];
		int writer;

		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
		writer = open(proc, O_WRONLY | O_CLOEXEC);
		cr_assert(writer >= 0);
		cr_assert_eq(fallocate(writer, 0, 0, (off_t)(4 * MIB)), 0);
		fd_close(&writer);
	}
	fd_close(&fd);

	cr_assert_eq(partial_resume_sparse(&cache->store, LABEL(&key), &partial, &err), 0, "%s",
		err.msg);
	cr_assert(partial_is_windowed(partial));
	cr_assert(partial_forgotten(partial) >
		  forgotten); /* for those who read while it was dropped */
	cr_assert(blocks_of(partial) <= here + MIB / 4); /* the file system's notes vary */
	cr_assert(partial_has(partial, LIMIT - CHUNK_SIZE, CHUNK_SIZE));
	bring(partial, 0, CHUNK_SIZE);
	expect_right(partial, 0, CHUNK_SIZE);
	cr_assert(blocks_of(partial) <= here + MIB / 4);
	partial_fail(&partial, NULL, true);

	/* whoever needs all of it has no use for it */
	cr_assert_lt(partial_resume(&cache->store, LABEL(&key), &partial, NULL), 0);
	cr_assert_eq(reserved_in(cache), 0);
}

/* Room that others need is not taken by force, nor is it an error not to have it. */
Test(window, it_is_as_narrow_as_the_others_leave_it)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct partial *other = NULL;
	struct ranges_version version = version_of((int64_t)(33 * MIB));
	struct entry_key key, other_key = key_of("https://example.org/other");
	struct partial *partial;

	cr_assert_eq(partial_create(&cache->store, LABEL(&other_key), &other, NULL), 0);
	cr_assert_eq(partial_start(other, &version, NULL), 0);
	partial = begin(cache, &key);
	for (uint64_t at = 0; at < LIMIT; at += CHUNK_SIZE) {
		bring(partial, at, at + CHUNK_SIZE);
		expect_right(partial, at, at + CHUNK_SIZE);
		cr_assert(reserved_in(cache) <= LIMIT);
	}
	partial_fail(&partial, NULL, false);
	partial_fail(&other, NULL, false);
}

/* What was reserved for a chunk that found no room is there for the next one. */
static void fail_and_go_on(struct cache *cache, struct partial *partial)
{
	uint64_t before = reserved_in(cache);

	for (int i = 0; i < 20; i++) {
		cr_assert_eq(fault_setup("partial.chunk:1:ENOSPC"), 0);
		cr_assert_eq(partial_make_room(partial, 0, CHUNK_SIZE, NULL), -ENOSPC);
	}
	cr_assert_eq(fault_setup(NULL), 0);
	bring(partial, 0, CHUNK_SIZE);
	expect_right(partial, 0, CHUNK_SIZE);
	cr_assert(reserved_in(cache) <= before + CHUNK_SIZE + MIB / 4);
	partial_fail(&partial, NULL, false);
	cr_assert_eq(reserved_in(cache), 0);
}

Test(window, what_a_chunk_could_not_use_another_does)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct ranges_version version = version_of((int64_t)(10 * MIB));
	struct entry_key key;
	struct partial *partial;

	cr_assert_eq(fault_setup("none"), 0);
	if (fault_hit("other"), fault_count() == 0)
		cr_skip("built without fault points");

	fail_and_go_on(cache, begin(cache, &key));
	key = key_of("https://example.org/sparse");
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, NULL), 0);
	cr_assert_eq(partial_start_sparse(partial, &version, NULL), 0);
	fail_and_go_on(cache, partial);
}

Test(window, only_what_could_never_be_held_needs_one)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct err err = ERR_INIT;

	cr_assert_eq(store_could_hold(&cache->store, 0, -1, NULL), 0);
	cr_assert_eq(store_could_hold(&cache->store, 0, (int64_t)(LIMIT / 2), NULL), 0);
	cr_assert_eq(store_could_hold(&cache->store, 0, (int64_t)LARGE, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "larger than the cache"), "%s", err.msg);
	cache->store.share = 10 * MIB;
	cr_assert_eq(store_could_hold(&cache->store, 0, (int64_t)(LIMIT / 2), NULL), 0);
	cr_assert_eq(store_could_hold(&cache->store, 1000, (int64_t)(LIMIT / 2), &err), -ENOSPC);
	cr_assert(strstr(err.msg, "per_user"), "%s", err.msg);
}
