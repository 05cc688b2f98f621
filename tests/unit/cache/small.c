/* Small objects: published from memory, in transactions that threads share. */
#include "tests/unit/cache/fixture.h"

#include "base/fault.h"

#include <pthread.h>
#include <semaphore.h>

static struct cache *small_make(uint64_t limit)
{
	struct cache *cache = cache_make(limit);
	struct err err = ERR_INIT;

	cr_assert_eq(store_share(&cache->store, &err), 0, "%s", err.msg);
	return cache;
}

static void small_removep(struct cache **cache)
{
	store_unshare(&(*cache)->store);
	cache_removep(cache);
}

/* A publication that is waited for. */
struct outcome {
	sem_t ended;
	int result;
	struct object object;
	struct err err;
};

static void on_published(void *arg, int result, struct object *object, const struct err *err)
{
	struct outcome *outcome = arg;

	outcome->result = result;
	outcome->object = object_steal(object);
	outcome->err = *err;
	sem_post(&outcome->ended);
}

static int publish_and_wait(const struct store *store, const void *bytes, size_t len,
	const struct checksum *expected, struct entry *entry, struct object *ret, struct err *err)
{
	struct outcome outcome = {.object = {.fd = -1}};
	int r;

	sem_init(&outcome.ended, 0, 0);
	r = store_publish_small(
		store, bytes, len, expected, entry, true, on_published, &outcome, err);
	if (r == 0) {
		while (sem_wait(&outcome.ended) < 0)
			;
		r = outcome.result;
		if (r < 0 && err)
			*err = outcome.err;
		if (r == 0)
			*ret = object_steal(&outcome.object);
	}
	sem_destroy(&outcome.ended);
	return r;
}

/* The whole way of one small artifact. */
static int put_bytes(struct cache *cache, const char *uri, size_t len, uint64_t seed,
	bool executable, const struct checksum *expected, struct object *ret, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry entry = entry_of(uri);
	uint8_t *bytes = malloc(len + 1);
	int r = cachedir_lock_key(&cache->dir, &entry.key, &lock);

	entry.executable = executable;
	entry.uid = cache->uid;
	fill_bytes(bytes, len, 0, seed);
	if (r == 0)
		r = publish_and_wait(&cache->store, bytes, len, expected, &entry, ret, err);
	free(bytes);
	return r;
}

static int put_small(struct cache *cache, const char *uri, size_t len, uint64_t seed,
	struct object *ret, struct err *err)
{
	return put_bytes(cache, uri, len, seed, false, NULL, ret, err);
}

static void put_small_away(struct cache *cache, const char *uri, size_t len, uint64_t seed)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(put_small(cache, uri, len, seed, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, len, seed));
}

/* 0 or -errno of opening what the index says that @uri is. */
static int open_uri(struct cache *cache, const char *uri, struct object *ret)
{
	CLEANUP(entry_release) struct entry entry = {0};
	struct entry_key key = key_of(uri);
	int r = catalog_find(cache->store.catalog, &key, &entry, NULL);

	if (r < 0 || entry.state != ENTRY_COMPLETE)
		return r < 0 ? r : -ENODATA;
	return store_open(&cache->store, &entry.digest, entry.executable, ret, NULL);
}

static void assert_uri(struct cache *cache, const char *uri, size_t len, uint64_t seed)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = open_uri(cache, uri, &object);

	cr_assert_eq(r, 0, "%s: %d", uri, r);
	cr_assert(has_bytes(object.fd, len, seed), "%s", uri);
}

/* What the index counts is what is there. */
static void assert_account(struct cache *cache)
{
	struct usage usage = usage_of(cache);
	char *command = str_printf("find %s/objects -type f -printf '%%b\\n'", cache->path);
	FILE *pipe = popen(command, "r");
	unsigned long long blocks;
	uint64_t sum = 0;

	while (fscanf(pipe, "%llu", &blocks) == 1)
		sum += blocks * 512;
	pclose(pipe);
	free(command);
	cr_assert_eq(usage.objects, sum, "%llu counted, %llu there",
		(unsigned long long)usage.objects, (unsigned long long)sum);
	cr_assert_eq(usage.object_count, (uint64_t)count_files(cache, "objects"));
}

Test(small, a_user_has_a_share)
{
	enum { OWN = 3, MANY = 40, SHARE = 100000 };
	CLEANUP(cache_removep) struct cache *cache = small_make(64 * MIB);
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct entry_key key = key_of("https://example.org/own/0");
	uint64_t bytes;

	cache->store.share = SHARE;
	for (int i = 0; i < OWN + MANY; i++) {
		CLEANUP(str_freep)
		char *uri = str_printf("https://example.org/%s/%d", i < OWN ? "own" : "hers", i);

		cache->uid = i < OWN ? 0 : 1001;
		put_small_away(cache, uri, 4000, (uint64_t)i);
		cr_assert_eq(catalog_share(cache->store.catalog, 1001, &bytes, NULL), 0);
		cr_assert_leq(bytes, SHARE);
	}
	cr_assert_geq(bytes, SHARE / 2);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &entry, NULL), 0);
	cr_assert_eq(entry.state, ENTRY_COMPLETE, "of the owner nothing went");
}

Test(small, any_length_up_to_a_chunk_is_published_without_a_partial)
{
	static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 100000, CHUNK_SIZE};
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		CLEANUP(str_freep) char *uri = str_printf("http://h/%zu", lengths[i]);

		put_small_away(cache, uri, lengths[i], i);
		assert_uri(cache, uri, lengths[i], i);
	}
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0, "nothing is kept once nobody publishes");
	assert_account(cache);
}

Test(small, an_object_is_read_only_and_nobody_has_it_open_for_writing)
{
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);
	CLEANUP(object_release) struct object plain = {.fd = -1};
	CLEANUP(object_release) struct object twin = {.fd = -1};
	struct stat st;

	umask(077);
	cr_assert_eq(put_small(cache, "http://h/a", 5000, 1, &plain, NULL), 0);
	cr_assert_eq(put_bytes(cache, "http://h/b", 5000, 1, true, NULL, &twin, NULL), 0);
	cr_assert_eq(fstat(plain.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0444);
	cr_assert_eq(st.st_nlink, 1);
	cr_assert_eq(fcntl(plain.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	cr_assert_eq(fstat(twin.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0555);
	cr_assert(twin.executable);
	cr_assert_eq(usage_of(cache).object_count, 1);
	cr_assert_eq(usage_of(cache).objects, 2 * 8192);
}

Test(small, it_is_open_and_therefore_no_victim)
{
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(put_small(cache, "http://h/a", 5000, 1, &object, NULL), 0);
	cr_assert_eq(evict_object(&cache->store, &object.digest, &err), -EBUSY);
	object_release(&object);
	cr_assert_eq(evict_object(&cache->store, &object.digest, &err), 0, "%s", err.msg);
}

Test(small, a_wrong_digest_is_refused_with_both_values)
{
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct digest other = digest_of_bytes(5000, 2);
	struct digest right = digest_of_bytes(5000, 1);
	struct checksum wrong = checksum_of_digest(&other);
	struct checksum expected = checksum_of_digest(&right);
	char hex[DIGEST_HEX_SIZE];
	struct err err = ERR_INIT;

	cr_assert_eq(
		put_bytes(cache, "http://h/a", 5000, 1, false, &wrong, &object, &err), -EBADMSG);
	digest_hex(&other, hex);
	cr_assert(strstr(err.msg, hex), "%s", err.msg);
	digest_hex(&right, hex);
	cr_assert(strstr(err.msg, hex), "%s", err.msg);
	cr_assert_eq(err.kind, ERR_INTEGRITY);
	cr_assert_eq(count_files(cache, "objects"), 0);
	cr_assert_eq(usage_of(cache).entries, 0);
	cr_assert_eq(put_bytes(cache, "http://h/a", 5000, 1, false, &expected, &object, &err), 0);
}

Test(small, what_it_was_held_against_is_remembered)
{
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);
	struct checksum expected = checksum_of_bytes(CHECKSUM_SHA512, 5000, 1);
	struct checksum wrong = checksum_of_bytes(CHECKSUM_SHA512, 5000, 2);
	struct digest digest = digest_of_bytes(5000, 1);
	struct checksum is;
	struct err err = ERR_INIT;

	for (int shared = 1; shared >= 0; shared--) {
		struct object object = {.fd = -1};

		if (!shared)
			store_unshare(&cache->store);
		cr_assert_eq(put_bytes(cache, "http://h/a", 5000, 1, false, &wrong, &object, &err),
			-EBADMSG);
		cr_assert_eq(
			put_bytes(cache, "http://h/a", 5000, 1, false, &expected, &object, &err), 0,
			"%s", err.msg);
		cr_assert_eq(
			catalog_checksum(cache->store.catalog, &digest, CHECKSUM_SHA512, &is, &err),
			0, "%s", err.msg);
		cr_assert(checksum_equal(&is, &expected));
		object_release(&object);
		cr_assert_eq(evict_object(&cache->store, &digest, &err), 0, "%s", err.msg);
	}
}

Test(small, the_same_content_under_two_names_is_stored_once)
{
	CLEANUP(small_removep) struct cache *cache = small_make(64 * MIB);

	put_small_away(cache, "http://h/a", 5000, 1);
	put_small_away(cache, "http://h/b", 5000, 1);
	put_away(cache, "http://h/c", 5000, 1);
	cr_assert_eq(count_files(cache, "objects"), 1);
	cr_assert_eq(usage_of(cache).entries, 3);
	assert_account(cache);
}

/* ---- many at once ---- */

#define THREADS    8
#define PER_THREAD 40

struct thread {
	pthread_t id;
	struct cache *cache;
	int number;
	int failures;
};

/* Each has files of its own, and some that all of them have. */
static uint64_t seed_of(int thread, int i)
{
	return i % 4 == 0 ? (uint64_t)i : (uint64_t)(1000 * (thread + 1) + i);
}

static size_t length_of(uint64_t seed)
{
	return 1 + seed * 7919 % 12000;
}

static void *publish_many(void *arg)
{
	struct thread *thread = arg;

	for (int i = 0; i < PER_THREAD; i++) {
		CLEANUP(str_freep) char *uri = str_printf("http://h/%d/%d", thread->number, i);
		CLEANUP(object_release) struct object object = {.fd = -1};
		uint64_t seed = seed_of(thread->number, i);
		size_t len = length_of(seed);

		store_expect_small(&thread->cache->store);
		if (put_small(thread->cache, uri, len, seed, &object, NULL) < 0 ||
			!has_bytes(object.fd, len, seed))
			thread->failures++;
		store_expected_small(&thread->cache->store);
	}
	return NULL;
}

static void run_threads(struct cache *cache, struct thread *threads)
{
	for (int i = 0; i < THREADS; i++) {
		threads[i] = (struct thread){.cache = cache, .number = i};
		cr_assert_eq(pthread_create(&threads[i].id, NULL, publish_many, &threads[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i].id, NULL);
}

Test(small, threads_share_transactions_and_none_is_lost)
{
	CLEANUP(small_removep) struct cache *cache = small_make(512 * MIB);
	struct thread threads[THREADS];

	run_threads(cache, threads);
	for (int t = 0; t < THREADS; t++) {
		cr_assert_eq(threads[t].failures, 0);
		for (int i = 0; i < PER_THREAD; i++) {
			CLEANUP(str_freep) char *uri = str_printf("http://h/%d/%d", t, i);
			uint64_t seed = seed_of(t, i);

			assert_uri(cache, uri, length_of(seed), seed);
		}
	}
	cr_assert_eq(usage_of(cache).entries, THREADS * PER_THREAD);
	cr_assert_eq(usage_of(cache).reserved, 0);
	assert_account(cache);
}

/* ---- space ---- */

Test(small, the_limit_holds_and_what_fits_is_not_refused)
{
	static const uint64_t limit = 8 * MIB;
	CLEANUP(small_removep) struct cache *cache = small_make(limit);

	for (int i = 0; i < 60; i++) {
		CLEANUP(str_freep) char *uri = str_printf("http://h/%d", i);

		put_small_away(cache, uri, 200000, (uint64_t)i);
		cr_assert_leq(disk_usage(cache), limit);
	}
	cr_assert_lt(count_files(cache, "objects"), 60);
	cr_assert_gt(count_files(cache, "objects"), 10);
	assert_account(cache);
}

Test(small, threads_stay_within_the_limit_too)
{
	static const uint64_t limit = 7 * MIB;
	CLEANUP(small_removep) struct cache *cache = small_make(limit);
	struct thread threads[THREADS];

	run_threads(cache, threads);
	for (int t = 0; t < THREADS; t++)
		cr_assert_eq(threads[t].failures, 0);
	cr_assert_leq(disk_usage(cache), limit);
	cr_assert_eq(usage_of(cache).reserved, 0);
	assert_account(cache);
}

Test(small, what_others_hold_open_is_a_full_cache)
{
	CLEANUP(small_removep) struct cache *cache = small_make(6 * MIB);
	struct object held[64];
	struct err err = ERR_INIT;
	int count = 0;

	while (count < 64) {
		CLEANUP(str_freep) char *uri = str_printf("http://h/%d", count);

		if (put_small(cache, uri, 200000, (uint64_t)count, &held[count], &err) < 0)
			break;
		count++;
	}
	cr_assert_lt(count, 64);
	cr_assert_eq(err.code, ENOSPC, "%s", err.msg);
	cr_assert_eq(err.kind, ERR_SPACE);
	object_release(&held[0]);
	put_small_away(cache, "http://h/more", 150000, 1000);
	while (--count > 0)
		object_release(&held[count]);
	cr_assert_eq(usage_of(cache).reserved, 0);
}

/* ---- killed ---- */

#ifdef FETCHFS_FAULTS

/* A child publishes @uri and dies at the fault; its reservation, if any, stays. */
static void die_publishing(struct cache *cache, const char *uri, const char *plan)
{
	pid_t child = fork();

	if (child == 0) {
		CLEANUP(object_release) struct object object = {.fd = -1};
		struct cache *own = cache_join(cache->path, cache->store.limit);

		if (store_share(&own->store, NULL) < 0 || fault_setup(plan) < 0)
			_exit(1);
		/* somebody else is expected: room is kept beyond this one */
		store_expect_small(&own->store);
		store_expect_small(&own->store);
		put_small(own, uri, 5000, 1, &object, NULL);
		_exit(2);
	}
	cr_assert_eq(wait_for(child), 128 + SIGKILL);
}

Test(small, killed_between_row_and_name_is_a_miss_and_nothing_leaks)
{
	CLEANUP(small_removep) struct cache *cache = small_make(512 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	uint64_t freed = 0;

	die_publishing(cache, "http://h/a", "store.link:1:kill");
	cr_assert_eq(count_files(cache, "objects"), 0);
	cr_assert_eq(open_uri(cache, "http://h/a", &object), -ENOENT);
	cr_assert_gt(usage_of(cache).reserved, 0, "the dead process had room");

	/* the next one puts it right */
	put_small_away(cache, "http://h/a", 5000, 1);
	assert_uri(cache, "http://h/a", 5000, 1);
	assert_account(cache);

	/* and an evictor drops the room that nobody has any more */
	cr_assert_eq(evict_to(&cache->store, 0, &freed, NULL), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(usage_of(cache).objects, 0);
}

Test(small, an_evictor_credits_a_row_without_its_file)
{
	CLEANUP(small_removep) struct cache *cache = small_make(512 * MIB);

	die_publishing(cache, "http://h/a", "store.link:1:kill");
	cr_assert_eq(usage_of(cache).object_count, 1);
	cr_assert_eq(evict_to(&cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(usage_of(cache).object_count, 0);
	cr_assert_eq(usage_of(cache).objects, 0);
	cr_assert_eq(usage_of(cache).entries, 0);
}

Test(small, a_name_that_cannot_be_given_is_an_error_and_a_miss)
{
	CLEANUP(small_removep) struct cache *cache = small_make(512 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(fault_setup("store.link:1:EIO"), 0);
	cr_assert_eq(put_small(cache, "http://h/a", 5000, 1, &object, &err), -EIO);
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert_eq(open_uri(cache, "http://h/a", &object), -ENOENT);
	put_small_away(cache, "http://h/a", 5000, 1);
	assert_account(cache);
}

#endif

/* The room of a process that lives is not touched by others' evictions. */
Test(small, room_in_use_survives_others_evictions)
{
	CLEANUP(small_removep) struct cache *cache = small_make(512 * MIB);
	uint64_t reserved;

	store_expect_small(&cache->store);
	store_expect_small(&cache->store);
	put_small_away(cache, "http://h/a", 5000, 1);
	reserved = usage_of(cache).reserved;
	cr_assert_gt(reserved, 0);
	cr_assert_eq(evict_to(&cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(usage_of(cache).reserved, reserved);
	store_expected_small(&cache->store);
	store_expected_small(&cache->store);
	cr_assert_eq(usage_of(cache).reserved, 0, "given back");
}

Test(small, without_sharing_it_takes_the_way_of_partials)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	put_small_away(cache, "http://h/a", 5000, 1);
	put_small_away(cache, "http://h/b", 0, 1);
	assert_uri(cache, "http://h/a", 5000, 1);
	cr_assert_eq(count_files(cache, "partial"), 0);
	assert_account(cache);
}
