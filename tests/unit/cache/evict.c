#include "base/clock.h"
#include "base/fault.h"
#include "cache/room.h"
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#define LIMIT (20 * MIB)

static char *uri_of(int i)
{
	return str_printf("https://example.org/%d", i);
}

static bool is_cached(struct cache *cache, int i)
{
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	CLEANUP(str_freep) char *uri = uri_of(i);
	struct entry_key key = key_of(uri);
	struct object object;

	if (catalog_find(cache->store.catalog, &key, &entry, NULL) < 0 ||
		entry.state != ENTRY_COMPLETE)
		return false;
	cr_assert_eq(store_open(&cache->store, &entry.digest, false, &object, NULL), 0);
	object_release(&object);
	return true;
}

static void put_number(struct cache *cache, int i, size_t len)
{
	CLEANUP(str_freep) char *uri = uri_of(i);

	put_away(cache, uri, len, (uint64_t)i);
}

static struct digest digest_of_number(int i, size_t len)
{
	return digest_of_bytes(len, (uint64_t)i);
}

Test(evict, limit_is_never_exceeded_on_disk)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	for (int i = 0; i < 12; i++) {
		put_number(cache, i, 3 * MIB + 1);
		cr_assert_leq(disk_usage(cache), LIMIT);
	}
	cr_assert(is_cached(cache, 11));
	cr_assert_not(is_cached(cache, 0));
	cr_assert_geq(usage_of(cache).objects, 9 * MIB);
	cr_assert_eq(count_files(cache, "objects"), (int)usage_of(cache).object_count);
}

Test(evict, changes_of_the_index_alone_stay_below_the_limit)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(str_freep) char *last = uri_of(69);
	struct entry_key key = key_of(last);

	for (int i = 0; i < 70; i++)
		put_number(cache, i, MIB / 4);
	cr_assert_not(is_cached(cache, 0));
	for (int i = 0; i < 1500; i++)
		cr_assert_eq(catalog_confirm(cache->store.catalog, &key, i, 5000, false, NULL), 0);
	cr_assert_leq(disk_usage(cache), LIMIT);
}

Test(evict, least_recently_used_goes_first)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct digest zero = digest_of_number(0, 4 * MIB);

	for (int i = 0; i < 3; i++)
		put_number(cache, i, 4 * MIB);
	catalog_touch(cache->store.catalog, &zero, 5000);
	put_number(cache, 3, 4 * MIB);
	cr_assert(is_cached(cache, 0));
	cr_assert_not(is_cached(cache, 1));
	cr_assert(is_cached(cache, 2));
}

Test(evict, pinned_leased_linked_and_open_objects_stay)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(object_release) struct object open_one = {.fd = -1};
	CLEANUP(str_freep) char *uri = uri_of(0);
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/s",
		.name = (char *)(uintptr_t) "f",
		.method = (char *)(uintptr_t) "copy",
		.digest = digest_of_number(1, 3 * MIB),
	};
	struct digest linked = digest_of_number(2, 3 * MIB);
	struct digest opened = digest_of_number(3, 3 * MIB);
	struct entry_key key = key_of(uri);
	struct object object;
	struct err err = ERR_INIT;
	char hex[DIGEST_HEX_SIZE];
	char *from;
	char *to;

	for (int i = 0; i < 4; i++)
		put_number(cache, i, 3 * MIB);
	cr_assert_eq(catalog_pin(cache->store.catalog, &key, true, NULL), 0);
	cr_assert_eq(catalog_lease_add(cache->store.catalog, &lease, 1, NULL), 0);
	digest_hex(&linked, hex);
	from = str_printf("%s/objects/%.2s/%s", cache->path, hex, hex);
	to = str_printf("%s/outside", cache->path);
	cr_assert_eq(link(from, to), 0);
	cr_assert_eq(store_open(&cache->store, &opened, false, &open_one, NULL), 0);

	cr_assert_eq(evict_object(&cache->store, &lease.digest, &err), -EBUSY);
	cr_assert_eq(evict_object(&cache->store, &linked, &err), -EBUSY);
	cr_assert(strstr(err.msg, "linked"));
	cr_assert_eq(evict_object(&cache->store, &opened, &err), -EBUSY);
	cr_assert(strstr(err.msg, "open"));
	cr_assert_eq(put(cache, "https://example.org/big", 8 * MIB, 9, &object, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "cache full: 8.0 MiB needed, limit 20.0 MiB"), "%s", err.msg);
	cr_assert(strstr(err.msg, "3.0 MiB pinned, 3.0 MiB leased, 0 B by transfers, 6.0 MiB else"),
		"%s", err.msg);
	cr_assert_eq(err.kind, ERR_SPACE);
	for (int i = 0; i < 4; i++)
		cr_assert(is_cached(cache, i));
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(count_files(cache, "partial"), 0);

	/* once they are free, they go */
	object_release(&open_one);
	cr_assert_eq(unlink(to), 0);
	cr_assert_eq(
		put(cache, "https://example.org/big", 8 * MIB, 9, &object, &err), 0, "%s", err.msg);
	object_release(&object);
	cr_assert(is_cached(cache, 0));
	cr_assert(is_cached(cache, 1));
	cr_assert_not(is_cached(cache, 2));
	free(from);
	free(to);
}

Test(evict, what_many_hold_is_not_looked_at_by_every_evictor)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	const int held = 600;
	struct victim victim;
	struct digest digest;
	uint64_t freed;
	size_t count;

	for (int i = 0; i < held + 20; i++) {
		CLEANUP(str_freep) char *uri = uri_of(i);
		struct entry_key key = key_of(uri);

		put_number(cache, i, 100);
		if (i < held)
			cr_assert_eq(catalog_pin(cache->store.catalog, &key, true, NULL), 0);
	}
	cr_assert_eq(evict_to(&cache->store, usage_of(cache).objects - 10 * 4096, &freed, NULL), 0);
	cr_assert_eq(freed, 10 * 4096);
	cr_assert(is_cached(cache, 0) && !is_cached(cache, held) && is_cached(cache, held + 10));
	/* had they not been passed over, the first would be the first of all again */
	for (int i = 0; i < held; i++) {
		CLEANUP(str_freep) char *uri = uri_of(i);
		struct entry_key key = key_of(uri);

		cr_assert_eq(catalog_pin(cache->store.catalog, &key, false, NULL), 0);
	}
	cr_assert_eq(catalog_victims(cache->store.catalog, 0, 1, NULL, &victim, &count, NULL), 0);
	cr_assert_eq(count, 1);
	digest = digest_of_number(held + 10, 100);
	/* (of the last 88, which are few, nobody cares) */
	for (int i = 0; i < held && memcmp(&victim.digest, &digest, sizeof(digest)) != 0; i++) {
		cr_assert_lt(i, held % 512);
		cr_assert_eq(catalog_object_gone(cache->store.catalog, &victim.digest, NULL), 0);
		cr_assert_eq(
			catalog_victims(cache->store.catalog, 0, 1, NULL, &victim, &count, NULL),
			0);
	}
}

Test(evict, larger_than_the_cache_is_refused_at_once)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct object object;
	struct err err = ERR_INIT;

	put_number(cache, 0, MIB);
	cr_assert_eq(put(cache, "https://example.org/big", 17 * MIB, 1, &object, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "larger than the cache"), "%s", err.msg);
	cr_assert(is_cached(cache, 0));
}

Test(evict, min_free_holds_like_the_limit)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct object object;
	struct err err = ERR_INIT;

	put_number(cache, 0, MIB);
	cache->store.min_free = UINT64_MAX / 2;
	cr_assert_eq(put(cache, "https://example.org/b", MIB, 1, &object, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "must stay free"), "%s", err.msg);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert(is_cached(cache, 0)); /* thrown away, it would not have helped */
}

Test(evict, nothing_goes_for_what_gets_no_room_all_the_same)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct ranges_version version = version_of(2 * MIB);
	struct entry_key idle = key_of("https://example.org/idle");
	struct partial *partial;
	struct object object;
	struct err err = ERR_INIT;

	for (int i = 0; i < 4; i++) {
		CLEANUP(str_freep) char *uri = uri_of(i);
		struct entry_key key = key_of(uri);

		put_number(cache, i, 3 * MIB);
		if (i < 2)
			cr_assert_eq(catalog_pin(cache->store.catalog, &key, true, NULL), 0);
	}
	cr_assert_eq(partial_create(&cache->store, LABEL(&idle), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	err_set(&err, ERR_NETWORK, ETIMEDOUT, "stalled");
	partial_fail(&partial, &err, true);

	cr_assert_eq(put(cache, "https://example.org/b", 13 * MIB, 9, &object, &err), -ENOSPC);
	cr_assert(strstr(err.msg, "cache full: 13.0 MiB needed, limit 20.0 MiB"), "%s", err.msg);
	cr_assert(is_cached(cache, 2) && is_cached(cache, 3));
	cr_assert_eq(count_files(cache, "partial"), 2);
	cr_assert_eq(
		put(cache, "https://example.org/b", 9 * MIB, 9, &object, &err), 0, "%s", err.msg);
	object_release(&object);
	cr_assert_not(is_cached(cache, 2) || is_cached(cache, 3));
	cr_assert_eq(count_files(cache, "partial"), 0);
}

Test(evict, partial_that_nobody_leads_goes_before_any_object)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct ranges_version version = version_of(5 * MIB);
	struct entry_key led = key_of("https://example.org/led");
	struct entry_key idle = key_of("https://example.org/idle");
	struct partial *partial;
	struct partial *running;
	struct err err = ERR_INIT;

	put_number(cache, 0, 3 * MIB);
	cr_assert_eq(partial_create(&cache->store, LABEL(&idle), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	err_set(&err, ERR_NETWORK, ETIMEDOUT, "stalled");
	partial_fail(&partial, &err, true);
	cr_assert_eq(cachedir_lock_key(&cache->dir, &led, &lock), 0);
	cr_assert_eq(partial_create(&cache->store, LABEL(&led), &running, &err), 0);
	cr_assert_eq(partial_start(running, &version, &err), 0);

	put_number(cache, 1, 4 * MIB);
	cr_assert(is_cached(cache, 0));
	cr_assert_eq(count_files(cache, "partial"), 2);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&idle), &partial, &err), -ENOENT);
	cr_assert_eq(write_range(running, 0, 5 * MIB, 1, &err), 0);
	partial_fail(&running, &err, false);
}

Test(evict, what_cannot_be_removed_keeps_nothing_else_from_going)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct ranges_version version = version_of(3 * MIB);
	struct entry_key idle = key_of("https://example.org/idle");
	struct partial *partial;
	struct object object;
	struct err err = ERR_INIT;

	if (fault_hit("none"), fault_count() == 0)
		cr_skip_test("fault points are not built in");
	for (int i = 0; i < 2; i++)
		put_number(cache, i, 5 * MIB);
	cr_assert_eq(partial_create(&cache->store, LABEL(&idle), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	err_set(&err, ERR_NETWORK, ETIMEDOUT, "stalled");
	partial_fail(&partial, &err, true);

	cr_assert_eq(fault_setup("partial.unlink:1:EPERM,evict.unlink:1:EPERM"), 0);
	put_number(cache, 2, 7 * MIB);
	cr_assert(is_cached(cache, 0));
	cr_assert_not(is_cached(cache, 1));
	/* (now the partial goes, and is not enough) */
	cr_assert_eq(fault_setup("evict.unlink:1:EPERM,evict.unlink:2:EIO"), 0);
	cr_assert_eq(put(cache, "https://example.org/b", 15 * MIB, 9, &object, &err), -EPERM);
	cr_assert(strstr(err.msg, "remove object"), "%s", err.msg);
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert(is_cached(cache, 0) && is_cached(cache, 2));
}

struct pinning {
	struct cache *cache;
	struct entry_key key;
	int result;
	atomic_bool done;
};

static void *pin(void *arg)
{
	struct pinning *pinning = arg;

	pinning->result = catalog_pin(pinning->cache->store.catalog, &pinning->key, true, NULL);
	atomic_store(&pinning->done, true);
	return NULL;
}

static bool is_pinned(struct cache *cache, const struct entry_key *key)
{
	CLEANUP(entry_release) struct entry entry = {.size = -1};

	return catalog_find(cache->store.catalog, key, &entry, NULL) == 0 && entry.pinned;
}

Test(evict, what_has_been_looked_at_is_not_said_to_be_pinned)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(lock_release) struct lock evictor = LOCK_INIT;
	struct digest replaced = digest_of_bytes(100, 2);
	struct pinning pinning = {.cache = cache, .key = key_of("https://h/a")};
	int64_t until = clock_monotonic_ms() + 20000;
	int64_t paused;
	pthread_t thread;

	if (fault_hit("none"), fault_count() == 0)
		cr_skip_test("fault points are not built in");
	put_away(cache, "https://h/a", 100, 1);
	cr_assert_eq(fault_setup("catalog.pin:1:3000ms"), 0);
	cr_assert_eq(pthread_create(&thread, NULL, pin, &pinning), 0);
	while (fault_count() == 0 && clock_monotonic_ms() < until)
		usleep(1000);
	paused = clock_monotonic_ms();
	/* another version comes, which an evictor has looked at, and is about to let go */
	put_away(cache, "https://h/a", 100, 2);
	cr_assert_eq(cachedir_lock_digest(&cache->dir, &replaced, LOCK_EXCLUSIVE, &evictor), 0);
	/* who pins waits for the evictor, as is right, or has said something by then */
	until = paused + 4000;
	while (!atomic_load(&pinning.done) && !is_pinned(cache, &pinning.key) &&
		clock_monotonic_ms() < until)
		usleep(1000);
	cr_assert_eq(catalog_object_gone(cache->store.catalog, &replaced, NULL), 0);
	lock_release(&evictor);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert_eq(pinning.result, -ENOENT, "%d", pinning.result);
	cr_assert_not(is_pinned(cache, &pinning.key));
}

Test(evict, stale_row_is_credited)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct digest digest = digest_of_number(0, 8 * MIB);
	char hex[DIGEST_HEX_SIZE];
	char *path;

	put_number(cache, 0, 8 * MIB);
	digest_hex(&digest, hex);
	path = str_printf("%s/objects/%.2s/%s", cache->path, hex, hex);
	cr_assert_eq(unlink(path), 0);
	free(path);
	put_number(cache, 1, 12 * MIB);
	cr_assert(is_cached(cache, 1));
	cr_assert_eq(usage_of(cache).object_count, 1);
}

Test(evict, evict_to_frees_until_the_given_size)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	uint64_t freed = 0;

	for (int i = 0; i < 4; i++)
		put_number(cache, i, 2 * MIB);
	cr_assert_eq(evict_to(&cache->store, 5 * MIB, &freed, NULL), 0);
	cr_assert_leq(usage_of(cache).objects, 5 * MIB);
	cr_assert_geq(freed, 3 * MIB);
	cr_assert_not(is_cached(cache, 0));
	cr_assert(is_cached(cache, 3));
	cr_assert_eq(evict_to(&cache->store, 0, &freed, NULL), 0);
	cr_assert_eq(usage_of(cache).objects, 0);
	cr_assert_eq(count_files(cache, "objects"), 0);
}

/* In how many transactions @count small ones go. */
static uint32_t changes_of_evicting(struct cache *cache, int count)
{
	uint32_t changes;

	for (int i = 0; i < count; i++)
		put_number(cache, i, 100);
	changes = cachedir_changes(cache->store.dir);
	cr_assert_eq(evict_to(&cache->store, 0, NULL, NULL), 0);
	cr_assert_eq(usage_of(cache).object_count, 0);
	cr_assert_eq(count_files(cache, "objects"), 0);
	return cachedir_changes(cache->store.dir) - changes;
}

/* For each transaction an evictor waits for whoever writes, and each moves the change counter. How
 * much goes together is bounded by time, so that on a slow machine it may take another try. */
Test(evict, many_small_ones_go_in_few_transactions)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	const int count = 128; /* four pages */
	uint32_t changes = UINT32_MAX;

	cache->store.limit = 4096 * MIB;
	for (int attempt = 0; attempt < 200 && changes > 3; attempt++)
		changes = changes_of_evicting(cache, count);
	cr_assert_leq(changes, 3, "%u", changes);
	/* the log, which counts in full, is no longer for them */
	cache->store.limit = LIMIT;
	for (int attempt = 0; attempt < 8; attempt++) {
		changes = changes_of_evicting(cache, count);
		cr_assert_geq(changes, 4, "%u", changes);
	}
}

/* A process may have few, and each that is locked takes one. */
Test(evict, what_there_is_no_descriptor_for_goes_later)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct rlimit few;
	struct err err = ERR_INIT;
	int next;
	int r;

	for (int i = 0; i < 70; i++)
		put_number(cache, i, 100);
	cr_assert_eq(evict_to(&cache->store, usage_of(cache).objects - 1, NULL, NULL), 0);
	next = dup(STDIN_FILENO);
	close(next);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &few), 0);
	few.rlim_cur = (rlim_t)next + 12;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	r = evict_to(&cache->store, 0, NULL, &err);
	few.rlim_cur = few.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cr_assert_eq(r, 0, "%s", err.msg);
	cr_assert_eq(usage_of(cache).object_count, 0);
}

Test(evict, the_log_of_a_large_cache_may_be_long)
{
	struct store store = {.limit = LIMIT};

	cr_assert_eq(room_of_log(&store), 4 * MIB);
	store.limit = 2048 * MIB;
	cr_assert_eq(room_of_log(&store), 16 * MIB);
	store.limit = UINT64_MAX;
	cr_assert_eq(room_of_log(&store), 32 * MIB);
}

Test(evict, evict_to_nothing_lets_go_of_what_is_empty)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);

	put_number(cache, 1, 0);
	cr_assert_eq(evict_to(&cache->store, 1, NULL, NULL), 0);
	cr_assert(is_cached(cache, 1));
	cr_assert_eq(evict_to(&cache->store, 0, NULL, NULL), 0);
	cr_assert_not(is_cached(cache, 1));
	cr_assert_eq(usage_of(cache).object_count, 0);
}

/* Publish over and over from a few contents, more than fit, and read each back. Nonzero is an
 * error, said on stderr. */
static int publish_in_turn(const char *path, int seed)
{
	struct cache *cache = cache_join(path, LIMIT);

	for (int i = 0; i < 40; i++) {
		CLEANUP(str_freep) char *uri = str_printf("https://h/%d/%d", seed, i);
		int content = (i * 7 + seed) % 6;
		struct object object;
		uint64_t used;
		struct err err = ERR_INIT;
		int r = put(
			cache, uri, 2 * MIB + (size_t)content, (uint64_t)content, &object, &err);

		/* others' open objects and partials may be all there is */
		if (r == -ENOSPC)
			continue;
		if (r < 0) {
			fprintf(stderr, "put %s: %s\n", uri, err.msg);
			return 1;
		}
		if (!has_bytes(object.fd, 2 * MIB + (size_t)content, (uint64_t)content)) {
			fprintf(stderr, "%s has other bytes\n", uri);
			return 2;
		}
		object_release(&object);
		used = disk_usage(cache);
		if (used > LIMIT) {
			fprintf(stderr, "%llu bytes on disk, the limit is %llu\n",
				(unsigned long long)used, (unsigned long long)LIMIT);
			return 3;
		}
	}
	cache_leave(cache);
	return 0;
}

static int find_lost(const struct entry *entry, void *arg)
{
	struct cache *cache = arg;
	struct object object;

	if (entry->state != ENTRY_COMPLETE)
		return 0;
	if (store_open(&cache->store, &entry->digest, false, &object, NULL) < 0)
		return 1;
	object_release(&object);
	return 0;
}

Test(evict, publishing_and_evicting_in_several_processes_loses_nothing)
{
	enum { PROCESSES = 4 };
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	char *path = strdup(cache->path);
	pid_t children[PROCESSES];
	struct err err = ERR_INIT;

	catalog_close(cache->store.catalog);
	for (int p = 0; p < PROCESSES; p++) {
		children[p] = fork();
		if (children[p] == 0)
			_exit(publish_in_turn(path, p));
	}
	for (int p = 0; p < PROCESSES; p++)
		cr_assert_eq(wait_for(children[p]), 0, "process %d: see stderr", p);

	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, NULL), 0);
	cr_assert_eq(catalog_list(cache->store.catalog, "", NULL, find_lost, cache, &err), 0);
	cr_assert_eq(count_files(cache, "objects"), (int)usage_of(cache).object_count);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
	free(path);
}

struct evictor {
	struct cache *cache;
	struct digest digest;
	int result;
};

static void *evict(void *arg)
{
	struct evictor *evictor = arg;

	evictor->result = evict_object(&evictor->cache->store, &evictor->digest, NULL);
	return NULL;
}

Test(evict, objects_wait_for_who_publishes_many_at_once)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	CLEANUP(lock_release) struct lock publisher = LOCK_INIT;
	struct evictor evictor = {.cache = cache, .digest = digest_of_number(1, 100), .result = 1};
	struct timespec soon;
	pthread_t thread;

	put_number(cache, 1, 100);
	cr_assert_eq(cachedir_lock_digests(&cache->dir, &publisher), 0);
	cr_assert_eq(pthread_create(&thread, NULL, evict, &evictor), 0);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_sec++;
	cr_assert_eq(pthread_timedjoin_np(thread, NULL, &soon), ETIMEDOUT, "it gave up: %d",
		evictor.result);
	lock_release(&publisher);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(evictor.result, 0, "it went in the end");
	cr_assert_not(is_cached(cache, 1));
}

struct hauls {
	const struct store *store;
	atomic_bool *stop;
	uint64_t number;
};

static void *publish_on(void *arg)
{
	struct hauls *hauls = arg;

	while (!atomic_load(hauls->stop)) {
		struct lock all = LOCK_INIT;

		cr_assert_eq(cachedir_lock_digests(hauls->store->dir, &all), 0);
		lock_release(&all);
		usleep(20); /* or it had the next one before anybody who waits */
	}
	return NULL;
}

Test(evict, what_nobody_has_is_not_in_use_because_others_publish)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct digest digest = digest_of_number(1, 100);
	atomic_bool stop = false;
	struct hauls hauls = {.store = &cache->store, .stop = &stop};
	pthread_t thread;

	cr_assert_eq(pthread_create(&thread, NULL, publish_on, &hauls), 0);
	for (int i = 0; i < 2000; i++) {
		CLEANUP(lock_release) struct lock lock = LOCK_INIT;

		cr_assert_eq(cachedir_lock_digest(&cache->dir, &digest, LOCK_EXCLUSIVE, &lock), 0,
			"%d", i);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

#define HAULS     6
#define HAUL_SIZE 8

/* What an evictor does, again and again, with objects that nobody has. */
static void *haul_on(void *arg)
{
	struct hauls *hauls = arg;

	for (uint64_t i = 0; !atomic_load(hauls->stop); i++) {
		struct lock locks[HAUL_SIZE];

		cr_assert_eq(cachedir_let_pass(hauls->store->dir), 0);
		for (uint64_t k = 0; k < HAUL_SIZE; k++) {
			uint64_t number[] = {hauls->number, i, k};
			struct digest digest;

			locks[k] = LOCK_INIT;
			digest_buffer(number, sizeof(number), &digest);
			cr_assert_eq(cachedir_lock_digest(
					     hauls->store->dir, &digest, LOCK_EXCLUSIVE, &locks[k]),
				0);
		}
		usleep(1000); /* a transaction */
		for (size_t k = 0; k < HAUL_SIZE; k++)
			lock_release(&locks[k]);
	}
	return NULL;
}

Test(evict, who_publishes_is_not_kept_out_by_many_evictors, .timeout = 60)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(LIMIT);
	struct hauls hauls[HAULS];
	pthread_t threads[HAULS];
	atomic_bool stop = false;
	int64_t since = clock_monotonic_ms();

	for (uint64_t i = 0; i < HAULS; i++) {
		hauls[i] = (struct hauls){.store = &cache->store, .stop = &stop, .number = i};
		cr_assert_eq(pthread_create(&threads[i], NULL, haul_on, &hauls[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		CLEANUP(lock_release) struct lock all = LOCK_INIT;

		usleep(2000); /* the evictors are at work again */
		cr_assert_eq(cachedir_lock_digests(&cache->dir, &all), 0);
		usleep(500);
	}
	since = clock_monotonic_ms() - since;
	atomic_store(&stop, true);
	for (size_t i = 0; i < HAULS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_lt(since, 10000);
}
