#include "fixture.h"

#include <pthread.h>

#define URI "https://example.org/a"

Test(store, whole_artifact_becomes_an_object)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	CLEANUP(object_release) struct object again = {.fd = -1};
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct entry_key key = key_of(URI);
	struct digest digest = digest_of_bytes(1000000, 1);
	struct err err = ERR_INIT;
	struct stat st;

	cr_assert_eq(put(cache, URI, 1000000, 1, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, 1000000, 1));
	cr_assert(digest_equal(&object.digest, &digest));
	cr_assert_eq(object.size, 1000000);
	cr_assert_eq(fstat(object.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0444);
	cr_assert_eq(count_files(cache, "partial"), 0);

	cr_assert_eq(catalog_find(cache->store.catalog, &key, &entry, &err), 0, "%s", err.msg);
	cr_assert_eq(entry.state, ENTRY_COMPLETE);
	cr_assert_eq(entry.size, 1000000);
	cr_assert_eq(store_open(&cache->store, &entry.digest, false, &again, &err), 0);
	cr_assert_eq(usage_of(cache).objects, (uint64_t)st.st_blocks * 512);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(usage_of(cache).entries, 1);
}

Test(store, sizes_around_a_chunk_work)
{
	static const size_t sizes[] = {
		0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE};
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(object_release) struct object object = {.fd = -1};
		CLEANUP(str_freep) char *uri = str_printf("%s%zu", URI, i);
		struct digest digest = digest_of_bytes(sizes[i], i);
		struct err err = ERR_INIT;

		cr_assert_eq(put(cache, uri, sizes[i], i, &object, &err), 0, "%zu: %s", sizes[i],
			err.msg);
		cr_assert(has_bytes(object.fd, sizes[i], i), "%zu", sizes[i]);
		cr_assert(digest_equal(&object.digest, &digest));
	}
}

Test(store, unknown_sizes_are_reserved_in_steps_and_trimmed)
{
	static const size_t sizes[] = {0, 5, CHUNK_SIZE, 5 * MIB + 3};
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		CLEANUP(object_release) struct object object = {.fd = -1};
		CLEANUP(str_freep) char *uri = str_printf("%s%zu", URI, i);
		struct ranges_version version = version_of(-1);
		struct entry entry = entry_of(uri);
		struct partial *partial = NULL;
		struct err err = ERR_INIT;

		cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
		cr_assert_eq(partial_start(partial, &version, &err), 0, "%s", err.msg);
		cr_assert_eq(write_range(partial, 0, sizes[i], i, &err), 0, "%s", err.msg);
		cr_assert_geq(usage_of(cache).reserved, sizes[i]);
		cr_assert_eq(partial_commit(&partial, sizes[i], NULL, &entry, &object, &err), 0,
			"%zu: %s", sizes[i], err.msg);
		cr_assert(has_bytes(object.fd, sizes[i], i));
		cr_assert_eq(usage_of(cache).reserved, 0);
	}
}

Test(store, wrong_digest_is_dropped_and_named)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(100);
	struct checksum other = checksum_of_bytes(CHECKSUM_SHA256, 100, 2);
	struct entry entry = entry_of(URI);
	struct object object = {.fd = -1};
	struct follower follower;
	struct partial *partial;
	struct ranges_header header;
	struct err err = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, 0, 100, 1, &err), 0);
	cr_assert_eq(follower_attach(&cache->store, &entry.key, &follower, &err), 0);
	cr_assert_eq(partial_commit(&partial, 100, &other, &entry, &object, &err), -EBADMSG);
	cr_assert_null(partial);
	cr_assert(strstr(err.msg, "sha256 is "));
	cr_assert_eq(err.kind, ERR_INTEGRITY);
	cr_assert_eq(count_files(cache, "objects"), 0);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
	/* and who read along is told the same */
	cr_assert_eq(ranges_load(follower.ranges, &header, &err), 0);
	cr_assert_eq(header.state, RANGES_FAILED);
	cr_assert_eq(header.err.code, EBADMSG);
	follower_release(&follower);
}

Test(store, short_and_long_bodies_are_refused)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(100);
	struct entry entry = entry_of(URI);
	struct object object = {.fd = -1};
	struct partial *partial;
	struct err err = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, 0, 101, 1, &err), -EIO);
	cr_assert_eq(write_range(partial, 0, 99, 1, &err), 0);
	cr_assert_eq(partial_commit(&partial, 0, NULL, &entry, &object, &err), -EIO);
	cr_assert_eq(count_files(cache, "objects"), 0);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
}

struct job {
	struct partial *partial;
	uint64_t from;
	uint64_t to;
};

static void *run_job(void *arg)
{
	struct job *job = arg;
	struct err err = ERR_INIT;
	int r = write_range(job->partial, job->from, job->to, 7, &err);

	return (void *)(intptr_t)r;
}

Test(store, out_of_order_writers_in_two_threads_make_one_object)
{
	static const uint64_t size = 8 * MIB + 12345;
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct checksum expected = checksum_of_bytes(CHECKSUM_SHA512, size, 7);
	struct digest digest = digest_of_bytes(size, 7);
	struct checksum is;
	struct ranges_version version = version_of((int64_t)size);
	struct entry entry = entry_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	pthread_t threads[2];
	void *r;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_hash_also(partial, expected.kind, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);

	struct job jobs[2] = {{partial, 0, size}, {partial, 4 * MIB, size}};

	for (int i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, run_job, &jobs[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], &r);
		cr_assert_eq((intptr_t)r, 0);
	}
	cr_assert_eq(partial_next_gap(partial, 0), -1);
	cr_assert_eq(partial_frontier(partial), size);
	cr_assert_eq(
		partial_commit(&partial, size, &expected, &entry, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, size, 7));
	cr_assert(digest_equal(&object.digest, &digest));
	cr_assert_eq(catalog_checksum(cache->store.catalog, &digest, expected.kind, &is, &err), 0);
	cr_assert(checksum_equal(&is, &expected));
}

/* One partial of 100 bytes that are expected to be @expected, followed along if @along. */
static int commit_as(
	struct cache *cache, const struct checksum *expected, bool along, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct ranges_version version = version_of(100);
	struct entry entry = entry_of(URI);
	struct partial *partial;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, err), 0);
	if (along)
		cr_assert_eq(partial_hash_also(partial, expected->kind, err), 0);
	cr_assert_eq(partial_start(partial, &version, err), 0);
	cr_assert_eq(write_range(partial, 0, 100, 1, err), 0);
	return partial_commit(&partial, 100, expected, &entry, &object, err);
}

Test(store, bytes_are_held_against_every_kind_of_checksum)
{
	static const enum checksum_kind kinds[] = {
		CHECKSUM_MD5, CHECKSUM_SHA1, CHECKSUM_SHA512, CHECKSUM_SHA256};

	for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
		struct checksum right = checksum_of_bytes(kinds[i / 2], 100, 1);
		struct checksum wrong = checksum_of_bytes(kinds[i / 2], 100, 2);
		char text[CHECKSUM_TEXT_SIZE];
		struct err err = ERR_INIT;

		cr_assert_eq(commit_as(cache, &wrong, i % 2, &err), -EBADMSG);
		for (int j = 0; j < 2; j++) {
			checksum_format(j ? &right : &wrong, text);
			cr_assert(strstr(err.msg, strchr(text, ':') + 1), "%s", err.msg);
		}
		cr_assert_eq(count_files(cache, "objects"), 0);
		cr_assert_eq(count_files(cache, "partial"), 0);
		cr_assert_eq(commit_as(cache, &right, i % 2, &err), 0, "%s", err.msg);
	}
}

Test(store, present_chunks_are_never_written_again)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct ranges_version version = version_of(3 * CHUNK_SIZE);
	struct entry entry = entry_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, CHUNK_SIZE, 2 * CHUNK_SIZE, 1, &err), 0);
	cr_assert(partial_has(partial, CHUNK_SIZE + 5, 100));
	cr_assert_not(partial_has(partial, CHUNK_SIZE - 1, 2));
	cr_assert_eq(partial_next_gap(partial, CHUNK_SIZE), 2 * CHUNK_SIZE);
	/* half of the first, by one writer; then all, by another that brings other bytes */
	cr_assert_eq(write_range(partial, 0, 100000, 1, &err), 0);
	cr_assert_eq(partial_frontier(partial), 100000);
	cr_assert_eq(write_range(partial, 0, 100000, 9, &err), 0);
	cr_assert_eq(write_range(partial, 0, CHUNK_SIZE, 1, &err), 0);
	cr_assert_eq(partial_frontier(partial), 2 * CHUNK_SIZE);
	cr_assert_eq(write_range(partial, CHUNK_SIZE, 2 * CHUNK_SIZE, 9, &err), 0);
	cr_assert_eq(write_range(partial, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE, 1, &err), 0);
	cr_assert_eq(partial_commit(&partial, 0, NULL, &entry, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, 3 * CHUNK_SIZE, 1));
}

Test(store, same_content_of_two_keys_is_stored_once)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object one = {.fd = -1};
	CLEANUP(object_release) struct object two = {.fd = -1};
	CLEANUP(entry_release) struct entry entry = {.size = -1};
	struct err err = ERR_INIT;
	struct stat first;
	struct stat second;

	cr_assert_eq(put(cache, URI "1", 5000, 1, &one, &err), 0);
	cr_assert_eq(put(cache, URI "2", 5000, 1, &two, &err), 0, "%s", err.msg);
	cr_assert_eq(fstat(one.fd, &first), 0);
	cr_assert_eq(fstat(two.fd, &second), 0);
	cr_assert_eq(first.st_ino, second.st_ino);
	cr_assert_eq(usage_of(cache).object_count, 1);
	cr_assert_eq(usage_of(cache).entries, 2);
	cr_assert_eq(usage_of(cache).objects, (uint64_t)first.st_blocks * 512);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(catalog_find_digest(cache->store.catalog, &one.digest, "", &entry, &err), 0);
}

Test(store, executable_twin_is_a_file_of_its_own)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object plain = {.fd = -1};
	CLEANUP(object_release) struct object twin = {.fd = -1};
	struct err err = ERR_INIT;
	struct stat st;

	cr_assert_eq(put(cache, URI "1", 5000, 1, &plain, &err), 0);
	cr_assert_eq(put_executable(cache, URI "2", 5000, 1, true, &twin, &err), 0);
	cr_assert_eq(fstat(twin.fd, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0555);
	cr_assert_eq(count_files(cache, "objects"), 2);
	cr_assert_eq(usage_of(cache).object_count, 1);
	cr_assert_eq(usage_of(cache).objects, 2 * (uint64_t)st.st_blocks * 512);
}

Test(store, missing_object_is_enoent)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct digest digest = digest_of_bytes(10, 1);
	struct object object;
	struct err err = ERR_INIT;

	cr_assert_eq(store_open(&cache->store, &digest, false, &object, &err), -ENOENT);
}

Test(store, failure_leaves_no_reservation_and_tells_readers)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(MIB);
	struct entry entry = entry_of(URI);
	struct ranges_header header;
	struct follower follower;
	struct partial *partial;
	struct err err = ERR_INIT;
	struct err why = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, 0, 100000, 1, &err), 0);
	cr_assert_eq(follower_attach(&cache->store, &entry.key, &follower, &err), 0);
	cr_assert_eq(ranges_load(follower.ranges, &header, &err), 0);
	cr_assert_eq(header.state, RANGES_ACTIVE);
	cr_assert_eq(header.frontier, 100000);

	err_set(&why, ERR_REMOTE, EIO, "the origin said 500");
	partial_fail(&partial, &why, false);
	cr_assert_eq(ranges_load(follower.ranges, &header, &err), 0);
	cr_assert_eq(header.state, RANGES_FAILED);
	cr_assert_str_eq(header.err.msg, "the origin said 500");
	follower_release(&follower);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(follower_attach(&cache->store, &entry.key, &follower, &err), -ENOENT);
}

Test(store, readers_of_an_older_generation_are_told_that_it_is_abandoned)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(MIB);
	struct entry entry = entry_of(URI);
	struct ranges_header header;
	struct follower follower;
	struct partial *old;
	struct partial *new;
	struct err err = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &old, &err), 0);
	cr_assert_eq(partial_start(old, &version, &err), 0);
	cr_assert_eq(follower_attach(&cache->store, &entry.key, &follower, &err), 0);
	cr_assert_eq(
		partial_create(&cache->store, LABEL(&entry.key), &new, &err), 0, "%s", err.msg);
	cr_assert_eq(ranges_load(follower.ranges, &header, &err), 0);
	cr_assert_eq(header.state, RANGES_ABANDONED);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(count_files(cache, "partial"), 2);
	follower_release(&follower);
	partial_fail(&old, &err, false);
	partial_fail(&new, &err, false);
}

Test(store, wanted_chunks_are_found_once_they_are_asked_for)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(8 * MIB);
	struct entry entry = entry_of(URI);
	struct follower follower;
	struct partial *partial;
	struct err err = ERR_INIT;

	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(partial_next_wanted(partial), -1);
	cr_assert_eq(follower_attach(&cache->store, &entry.key, &follower, &err), 0);
	cr_assert_eq(ranges_want(follower.ranges, 31, &err), 0);
	cr_assert_eq(ranges_want(follower.ranges, 20, &err), 0);
	cr_assert_eq(ranges_want(follower.ranges, 1000000, &err), 0);
	cr_assert_eq(partial_next_wanted(partial), (int64_t)(20 * CHUNK_SIZE));
	cr_assert_eq(write_range(partial, 20 * CHUNK_SIZE, 21 * CHUNK_SIZE, 1, &err), 0);
	cr_assert_eq(partial_next_wanted(partial), (int64_t)(31 * CHUNK_SIZE));
	cr_assert_eq(write_range(partial, 31 * CHUNK_SIZE, 32 * CHUNK_SIZE, 1, &err), 0);
	cr_assert_eq(partial_next_wanted(partial), -1);
	follower_release(&follower);
	partial_fail(&partial, &err, false);
}
