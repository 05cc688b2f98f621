#include "base/clock.h"
#include "base/fault.h"
#include "fixture.h"

#include <xxhash.h>

#define URI  "https://example.org/a"
#define SIZE (UINT64_C(10) * CHUNK_SIZE + 777)

/* Lead a transfer of SIZE bytes up to @to, then die without a word. */
static void lead_and_die(const char *path, uint64_t to)
{
	pid_t child = fork();

	if (child == 0) {
		struct cache *cache = cache_join(path, 64 * MIB);
		struct ranges_version version = version_of(SIZE);
		struct lock lock = LOCK_INIT;
		struct entry entry = entry_of(URI);
		struct partial *partial;

		if (cachedir_lock_key(&cache->dir, &entry.key, &lock) < 0 ||
			partial_create(&cache->store, LABEL(&entry.key), &partial, NULL) < 0 ||
			partial_start(partial, &version, NULL) < 0 ||
			write_range(partial, 0, to, 1, NULL) < 0 ||
			write_range(partial, 7 * CHUNK_SIZE, 8 * CHUNK_SIZE, 1, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(wait_for(child), 128 + SIGKILL);
}

static char *map_path(const struct cache *cache)
{
	char hex[ENTRY_KEY_HEX_SIZE];
	struct entry_key key = key_of(URI);

	entry_key_hex(&key, hex);
	return str_printf("%s/partial/%s.1.map", cache->path, hex);
}

static void finish_as(struct cache *cache, struct partial *partial, uint64_t from,
	const struct checksum *expected)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct entry entry = entry_of(URI);
	struct err err = ERR_INIT;

	cr_assert_eq(write_range(partial, from, SIZE, 1, &err), 0, "%s", err.msg);
	cr_assert_eq(
		partial_commit(&partial, SIZE, expected, &entry, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, SIZE, 1));
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(count_files(cache, "partial"), 0);
}

static void finish(struct cache *cache, struct partial *partial, uint64_t from)
{
	struct checksum expected = checksum_of_bytes(CHECKSUM_SHA256, SIZE, 1);

	finish_as(cache, partial, from, &expected);
}

Test(resume, what_a_killed_leader_left_counts)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(str_freep) char *map = map_path(cache);
	struct entry_key key = key_of(URI);
	struct ranges_header header;
	struct partial *partial;
	struct ranges *ranges;
	struct err err = ERR_INIT;

	lead_and_die(cache->path, 3 * CHUNK_SIZE + 1000);
	cr_assert_gt(usage_of(cache).reserved, SIZE);
	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_version(partial)->size, (int64_t)SIZE);
	cr_assert_str_eq(partial_version(partial)->etag, "\"v1\"");
	cr_assert_eq(partial_frontier(partial), 3 * CHUNK_SIZE + 1000);
	cr_assert_eq(partial_next_gap(partial, 0), (int64_t)(3 * CHUNK_SIZE + 1000));
	cr_assert(partial_has(partial, 7 * CHUNK_SIZE, CHUNK_SIZE));
	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, &err), 0);
	cr_assert_eq(ranges_load(ranges, &header, &err), 0, "%s", err.msg);
	cr_assert_eq(header.label.base, 4 * CHUNK_SIZE + 1000);
	cr_assert_eq(header.label.pid, (int)getpid());
	ranges_free(ranges);
	finish(cache, partial, 3 * CHUNK_SIZE + 1000);
}

Test(resume, what_is_expected_is_computed_from_the_first_byte_on)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct checksum expected = checksum_of_bytes(CHECKSUM_SHA512, SIZE, 1);
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct entry_key key = key_of(URI);
	struct checksum is;
	struct partial *partial;
	struct err err = ERR_INIT;

	lead_and_die(cache->path, 3 * CHUNK_SIZE + 1000);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_hash_also(partial, expected.kind, &err), 0, "%s", err.msg);
	finish_as(cache, partial, 3 * CHUNK_SIZE, &expected);
	cr_assert_eq(catalog_checksum(cache->store.catalog, &digest, expected.kind, &is, &err), 0);
	cr_assert(checksum_equal(&is, &expected));
}

Test(resume, bytes_of_another_boot_are_checked_first)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	struct entry_key key = key_of(URI);
	struct ranges_header header;
	struct partial *partial;
	struct ranges *ranges;
	struct err err = ERR_INIT;
	char *data;
	int fd;

	lead_and_die(cache->path, 3 * CHUNK_SIZE + 1000);
	/* as after a power cut: another boot, and one chunk did not reach the disk */
	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, &err), 0);
	cr_assert_eq(ranges_load(ranges, &header, &err), 0);
	strcpy(header.boot, "another");
	cr_assert_eq(ranges_store(ranges, &header, &err), 0);
	ranges_free(ranges);
	data = str_printf("%.*s.data", (int)strlen(map) - 4, map);
	fd = open(data, O_WRONLY);
	cr_assert_eq(pwrite(fd, "\0\0\0\0\0\0\0\0", 8, CHUNK_SIZE + 10), 8);
	close(fd);
	free(data);

	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_frontier(partial), CHUNK_SIZE);
	cr_assert_eq(partial_next_gap(partial, 0), (int64_t)CHUNK_SIZE);
	cr_assert_not(partial_has(partial, 3 * CHUNK_SIZE, 1));
	cr_assert(partial_has(partial, 2 * CHUNK_SIZE, CHUNK_SIZE));
	finish(cache, partial, CHUNK_SIZE);
}

Test(resume, failure_that_keeps_the_bytes_can_be_resumed)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(SIZE);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err why = ERR_INIT;
	struct err err = ERR_INIT;

	err_set(&why, ERR_NETWORK, ETIMEDOUT, "stalled");
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, 0, 5 * CHUNK_SIZE, 1, &err), 0);
	partial_fail(&partial, &why, true);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	finish(cache, partial, 5 * CHUNK_SIZE);
}

Test(resume, weak_version_is_not_resumed_and_leaves_nothing)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct ranges_version version = version_of(SIZE);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	version.strong = false;
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), -ENOENT);
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	partial_fail(&partial, &err, true);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), -ENOENT);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
}

Test(resume, damaged_map_is_not_resumed_but_cleared_by_the_next_leader)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	lead_and_die(cache->path, CHUNK_SIZE);
	cr_assert_eq(truncate(map, 100), 0);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), -ENOENT);
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(count_files(cache, "partial"), 2);
	cr_assert_eq(usage_of(cache).reserved, 0);
	partial_fail(&partial, &err, false);
	cr_assert_eq(count_files(cache, "partial"), 0);
}

/* The state on disk right after the rename of a commit. */
static void lead_and_die_after_the_rename(struct cache *cache)
{
	CLEANUP(str_freep) char *map = map_path(cache);
	CLEANUP(str_freep) char *data = str_printf("%.*s.data", (int)strlen(map) - 4, map);
	CLEANUP(str_freep) char *folder = NULL;
	CLEANUP(str_freep) char *name = NULL;
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct ranges_header header;
	char hex[DIGEST_HEX_SIZE];
	struct ranges *ranges;
	struct err err = ERR_INIT;

	lead_and_die(cache->path, SIZE);
	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, &err), 0);
	cr_assert_eq(ranges_load(ranges, &header, &err), 0);
	header.digest = digest;
	cr_assert_eq(ranges_store(ranges, &header, &err), 0);
	ranges_free(ranges);
	digest_hex(&digest, hex);
	folder = str_printf("%s/objects/%.2s", cache->path, hex);
	name = str_printf("%s/%s", folder, hex);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(chmod(data, 0444), 0);
	cr_assert_eq(rename(data, name), 0);
}

Test(resume, leader_killed_between_file_and_row_is_completed_by_the_next)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct checksum expected = checksum_of_bytes(CHECKSUM_SHA512, SIZE, 1);
	struct entry entry = entry_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	lead_and_die_after_the_rename(cache);
	partial_sweep(&cache->store); /* takes away nothing that is of use */
	cr_assert_eq(
		partial_resume(&cache->store, LABEL(&entry.key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_next_gap(partial, 0), -1);
	cr_assert_eq(
		partial_commit(&partial, SIZE, &expected, &entry, &object, &err), 0, "%s", err.msg);
	cr_assert(has_bytes(object.fd, SIZE, 1));
	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, &err), 0);
	cr_assert_eq(is.size, (int64_t)SIZE);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_geq(usage_of(cache).objects, SIZE);
	cr_assert_eq(count_files(cache, "partial"), 0);
}

/* Lead a transfer whole and die in the moment between the row and the end of the map. */
static void lead_and_die_at_the_end(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		struct cache *cache = cache_join(path, 64 * MIB);
		struct ranges_version version = version_of(SIZE);
		struct object object = {.fd = -1};
		struct lock lock = LOCK_INIT;
		struct entry entry = entry_of(URI);
		struct partial *partial;

		if (cachedir_lock_key(&cache->dir, &entry.key, &lock) < 0 ||
			partial_create(&cache->store, LABEL(&entry.key), &partial, NULL) < 0 ||
			partial_start(partial, &version, NULL) < 0 ||
			write_range(partial, 0, SIZE, 1, NULL) < 0 ||
			fault_setup("store.published:1:kill") < 0)
			_exit(1);
		_exit(partial_commit(&partial, SIZE, NULL, &entry, &object, NULL) == 0 ? 2 : 3);
	}
	cr_assert_eq(wait_for(child), 128 + SIGKILL);
}

Test(resume, map_of_what_was_published_is_swept_and_its_readers_hear_that)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry_key key = key_of(URI);
	struct ranges_header header;
	struct ranges *ranges;
	struct err err = ERR_INIT;

	lead_and_die_at_the_end(cache->path);
	cr_assert_eq(count_files(cache, "partial"), 1);
	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, &err), 0);

	/* who leads it would be in the middle of something */
	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 1);
	lock_release(&lock);

	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(ranges_load(ranges, &header, &err), 0);
	cr_assert_eq(header.state, RANGES_DONE);
	ranges_free(ranges);
}

Test(resume, map_of_content_that_another_uri_has_stays)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(object_release) struct object object = {.fd = -1};
	CLEANUP(object_release) struct object again = {.fd = -1};
	struct ranges_version version = version_of(SIZE);
	struct entry other = entry_of("https://example.org/other");
	struct entry entry = entry_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	lead_and_die_after_the_rename(cache);
	cr_assert_eq(partial_create(&cache->store, LABEL(&other.key), &partial, &err), 0);
	cr_assert_eq(partial_start(partial, &version, &err), 0);
	cr_assert_eq(write_range(partial, 0, SIZE, 1, &err), 0);
	cr_assert_eq(partial_commit(&partial, SIZE, NULL, &other, &object, &err), 0);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 1);
	cr_assert_eq(
		partial_resume(&cache->store, LABEL(&entry.key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_commit(&partial, SIZE, NULL, &entry, &again, &err), 0, "%s", err.msg);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(count_files(cache, "partial"), 0);
}

Test(resume, halves_are_swept_and_what_can_be_resumed_stays)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	CLEANUP(str_freep) char *data = str_printf("%.*s.data", (int)strlen(map) - 4, map);

	lead_and_die(cache->path, 3 * CHUNK_SIZE);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 2);
	cr_assert_eq(unlink(map), 0);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);

	lead_and_die(cache->path, 3 * CHUNK_SIZE);
	cr_assert_eq(unlink(data), 0);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
}

/* A leader that dies before the answer came: there is a map, and no room is reserved. */
static void lead_and_die_early(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		struct cache *cache = cache_join(path, 64 * MIB);
		struct entry_key key = key_of(URI);
		struct lock lock = LOCK_INIT;
		struct partial *partial;

		if (cachedir_lock_key(&cache->dir, &key, &lock) < 0 ||
			partial_create(&cache->store, LABEL(&key), &partial, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(wait_for(child), 128 + SIGKILL);
}

Test(resume, what_never_had_room_is_swept_unless_somebody_leads_it)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry_key key = key_of(URI);

	lead_and_die_early(cache->path);
	cr_assert_eq(count_files(cache, "partial"), 2);
	cr_assert_eq(usage_of(cache).reserved, 0);
	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 2);
	lock_release(&lock);

	partial_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "partial"), 0);
}

Test(resume, key_is_led_by_one_process_at_a_time)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry_key key = key_of(URI);
	pid_t child;

	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	child = fork();
	if (child == 0) {
		struct cachedir dir;
		struct lock other;

		/* only its own descriptors: the inherited one shares our lock */
		if (cachedir_open(cache->path, true, &dir, NULL) < 0)
			_exit(1);
		_exit(cachedir_lock_key(&dir, &key, &other) == -EAGAIN ? 0 : 2);
	}
	cr_assert_eq(wait_for(child), 0);
}

Test(resume, wait_ends_when_another_process_bumps_the_word)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key key = key_of(URI);
	uint32_t seen = cachedir_word(&cache->dir, &key);
	pid_t child = fork();

	if (child == 0) {
		struct cachedir dir;

		if (cachedir_open(cache->path, true, &dir, NULL) < 0)
			_exit(1);
		cachedir_bump(&dir, &key);
		_exit(0);
	}
	while (cachedir_word(&cache->dir, &key) == seen)
		cachedir_wait(&cache->dir, &key, seen, 60000);
	cr_assert_eq(wait_for(child), 0);
}

Test(resume, a_map_of_another_format_is_none)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(str_freep) char *map = map_path(cache);
	struct entry_key key = key_of(URI);
	uint8_t head[2008];
	uint32_t format = 2;
	struct partial *partial;
	struct err err = ERR_INIT;
	uint64_t checksum;
	int fd;

	/* an intact one, as the program before this one wrote it */
	lead_and_die(cache->path, 3 * CHUNK_SIZE);
	fd = open(map, O_RDWR);
	cr_assert_eq(pread(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	memcpy(head + 8, &format, sizeof(format));
	checksum = XXH3_64bits(head, 2000);
	memcpy(head + 2000, &checksum, sizeof(checksum));
	cr_assert_eq(pwrite(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
	close(fd);

	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), -ENOENT);
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(usage_of(cache).reserved, 0);
	partial_fail(&partial, NULL, false);
}

/* A writer that wrote bytes [@from, @to), and is at work still. */
static struct partial_writer *write_open(struct partial *partial, uint64_t from, uint64_t to)
{
	struct partial_writer *writer;
	uint8_t buf[10000];

	if (partial_writer_new(partial, from, &writer, NULL) < 0)
		return NULL;
	while (from < to) {
		size_t len = to - from < sizeof(buf) ? to - from : sizeof(buf);

		fill_bytes(buf, len, from, 1);
		if (partial_write(writer, buf, len, NULL) < 0)
			return NULL;
		from += len;
	}
	return writer;
}

/* Lead a transfer of SIZE bytes by several connections, and die amidst all of them. */
#define FIRST_ENDS  UINT64_C(150000)
#define SECOND      (4 * CHUNK_SIZE)
#define SECOND_ENDS (SECOND + 100000)
#define THIRD       (6 * CHUNK_SIZE)
#define THIRD_ENDS  (THIRD + CHUNK_SIZE + 200000)
#define LAST        (10 * CHUNK_SIZE)
#define LAST_ENDS   (LAST + 500)
#define STEP        UINT64_C(16384)
static void lead_by_many_and_die(const char *path)
{
	pid_t child = fork();

	if (child == 0) {
		struct cache *cache = cache_join(path, 64 * MIB);
		struct ranges_version version = version_of(SIZE);
		struct lock lock = LOCK_INIT;
		struct entry entry = entry_of(URI);
		struct partial *partial;

		if (cachedir_lock_key(&cache->dir, &entry.key, &lock) < 0 ||
			partial_create(&cache->store, LABEL(&entry.key), &partial, NULL) < 0 ||
			partial_start(partial, &version, NULL) < 0 ||
			!write_open(partial, 0, FIRST_ENDS) ||
			!write_open(partial, SECOND, SECOND_ENDS) ||
			!write_open(partial, THIRD, THIRD_ENDS) ||
			write_range(partial, LAST, LAST_ENDS, 1, NULL) < 0)
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(wait_for(child), 128 + SIGKILL);
}

static void be_of_another_boot(const char *map)
{
	struct ranges_header header;
	struct ranges *ranges;

	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, NULL), 0);
	cr_assert_eq(ranges_load(ranges, &header, NULL), 0);
	strcpy(header.boot, "another");
	cr_assert_eq(ranges_store(ranges, &header, NULL), 0);
	ranges_free(ranges);
}

/* What is missing from the chunk of @at on begins in (@ends - STEP, @ends]; fetch it up to @to. */
static uint64_t go_on(struct partial *partial, uint64_t at, uint64_t ends, uint64_t to)
{
	struct partial_writer *writer;
	struct err err = ERR_INIT;
	int64_t gap = partial_next_gap(partial, at);

	cr_assert(gap > (int64_t)(ends - STEP) && gap <= (int64_t)ends, "%lld", (long long)gap);
	cr_assert(partial_has(partial, at, (uint64_t)gap - at));
	cr_assert_not(partial_has(partial, at, (uint64_t)gap - at + 1));
	cr_assert_eq(partial_writer_new(partial, (uint64_t)gap + 1, &writer, &err), -EINVAL);
	cr_assert_eq(write_range(partial, (uint64_t)gap, to, 1, &err), 0, "%s", err.msg);
	return (uint64_t)gap - at;
}

Test(resume, beginnings_of_chunks_count_for_each_writer_of_a_killed_leader)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	uint64_t arrived;
	uint64_t seen;

	lead_by_many_and_die(cache->path);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	arrived = partial_arrived(partial);
	cr_assert_eq(partial_frontier(partial), FIRST_ENDS, "the frontier is known to the byte");
	/* from the end: what joins the beginning is not skipped */
	seen = go_on(partial, LAST, LAST_ENDS, SIZE);
	cr_assert_eq(seen, 500, "who ends tells all");
	seen += CHUNK_SIZE + go_on(partial, THIRD + CHUNK_SIZE, THIRD_ENDS, LAST);
	seen += go_on(partial, SECOND, SECOND_ENDS, THIRD);
	cr_assert_eq(arrived, FIRST_ENDS + seen);
	finish(cache, partial, FIRST_ENDS);
}

Test(resume, frontier_moves_into_the_beginning_of_a_chunk)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	uint64_t frontier;

	lead_by_many_and_die(cache->path);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(write_range(partial, FIRST_ENDS, SECOND, 1, &err), 0, "%s", err.msg);
	frontier = partial_frontier(partial);
	cr_assert(frontier > SECOND_ENDS - STEP && frontier <= SECOND_ENDS);
	/* and so another leader finds it */
	partial_fail(&partial, NULL, true);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_frontier(partial), frontier);
	finish(cache, partial, frontier);
}

Test(resume, beginnings_of_chunks_that_are_not_right_are_not_believed_then_or_later)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	CLEANUP(str_freep) char *data = str_printf("%.*s.data", (int)strlen(map) - 4, map);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	int fd;

	lead_by_many_and_die(cache->path);
	be_of_another_boot(map);
	/* in the first chunk and in the last: their beginnings */
	fd = open(data, O_WRONLY);
	cr_assert_eq(pwrite(fd, "x", 1, FIRST_ENDS - 1), 1);
	cr_assert_eq(pwrite(fd, "x", 1, LAST), 1);
	close(fd);
	for (int times = 0; times < 2; times++) {
		cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s",
			err.msg);
		cr_assert_eq(partial_frontier(partial), 0);
		cr_assert_gt(partial_next_gap(partial, SECOND), (int64_t)(SECOND_ENDS - STEP));
		cr_assert_gt(partial_next_gap(partial, THIRD), (int64_t)(THIRD_ENDS - STEP));
		cr_assert_eq(partial_next_gap(partial, LAST), (int64_t)LAST);
		if (times == 0)
			partial_fail(&partial, NULL, true);
	}
	finish(cache, partial, 0);
}

Test(resume, more_than_a_chunk_has_is_not_believed)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct ranges *ranges;
	struct err err = ERR_INIT;

	lead_by_many_and_die(cache->path);
	cr_assert_eq(ranges_open(AT_FDCWD, map, &ranges, &err), 0);
	cr_assert_eq(ranges_fill(ranges, 1, UINT32_MAX, 1, &err), 0);
	cr_assert_eq(ranges_fill(ranges, 4, CHUNK_SIZE, 1, &err), 0);
	cr_assert_eq(ranges_fill(ranges, 7, CHUNK_SIZE + 1, 1, &err), 0);
	cr_assert_eq(ranges_fill(ranges, 10, 777, 1, &err), 0);
	ranges_free(ranges);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	for (uint64_t chunk = 1; chunk <= 10; chunk += 3)
		cr_assert_eq(partial_next_gap(partial, chunk * CHUNK_SIZE),
			(int64_t)(chunk * CHUNK_SIZE));
	cr_assert_eq(partial_arrived(partial), FIRST_ENDS + CHUNK_SIZE);
	finish(cache, partial, FIRST_ENDS);
}

Test(resume, parts_only_beginnings_of_chunks_have_their_room)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;

	lead_by_many_and_die(cache->path);
	cr_assert_eq(partial_resume_sparse(&cache->store, LABEL(&key), &partial, &err), 0, "%s",
		err.msg);
	/* of the first chunk, the fifth, two from the seventh on, and the last */
	cr_assert_geq(usage_of(cache).reserved, 5 * CHUNK_SIZE);
	cr_assert_leq(usage_of(cache).reserved, 5 * CHUNK_SIZE + 65536);
	cr_assert_eq(partial_make_room(partial, 0, SIZE, &err), 0, "%s", err.msg);
	finish(cache, partial, FIRST_ENDS);
}

/*
 * ---- damage of any kind ----
 *
 * Whatever somebody did to the two files of a partial: it is resumed, and then all that it has is
 * right, or it is not, and the next generation begins. The header is given its checksum again now
 * and then, or nothing beyond that would be reached.
 */

static uint64_t number;

static uint64_t any(uint64_t below)
{
	number = number * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (number >> 20) % below;
}

static void flip_some(int fd, uint64_t size)
{
	for (uint64_t i = any(20) + 1; i > 0 && size > 0; i--) {
		off_t at = (off_t)any(size);
		uint8_t byte = 0;

		if (pread(fd, &byte, 1, at) == 1) {
			byte ^= (uint8_t)(1 << any(8));
			cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		}
	}
}

static void scribble(int fd, uint64_t size)
{
	uint8_t bytes[200];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)any(256);
	cr_assert_gt(pwrite(fd, bytes, any(sizeof(bytes)) + 1, (off_t)any(size)), 0);
}

static void seal_header(int fd)
{
	uint8_t head[2008];
	uint64_t checksum;

	if (pread(fd, head, sizeof(head), 0) != sizeof(head))
		return;
	checksum = XXH3_64bits(head, 2000);
	memcpy(head + 2000, &checksum, sizeof(checksum));
	cr_assert_eq(pwrite(fd, head, sizeof(head), 0), (ssize_t)sizeof(head));
}

static void harm(const char *file, bool is_map)
{
	int fd = open(file, O_RDWR);
	struct stat st;

	cr_assert_eq(fstat(fd, &st), 0);
	switch (any(8)) {
	case 0:
		cr_assert_eq(ftruncate(fd, (off_t)any((uint64_t)st.st_size + 1)), 0);
		break;
	case 1:
		cr_assert_eq(ftruncate(fd, (off_t)(UINT64_C(1) << (20 + any(20)))), 0);
		break;
	case 2:
		scribble(fd, (uint64_t)st.st_size);
		break;
	case 3:
		unlink(file);
		cr_assert_eq(mkfifo(file, 0600), 0);
		break;
	case 4:
		unlink(file);
		cr_assert_eq(mkdir(file, 0700), 0);
		break;
	case 5:
		unlink(file);
		cr_assert_eq(symlink("/dev/zero", file), 0);
		break;
	default:
		/* in the map: among the records and numbers, or anywhere */
		flip_some(fd, is_map && any(2) ? 2300 : (uint64_t)st.st_size);
	}
	if (is_map && any(2))
		seal_header(fd);
	close(fd);
}

/* All that it says is there is right. */
static void check_what_is_there(struct partial *partial)
{
	uint8_t *is = malloc(CHUNK_SIZE), *should = malloc(CHUNK_SIZE);
	int fd = partial_reader_fd(partial);

	cr_assert_geq(fd, 0);
	for (uint64_t at = 0; at < SIZE; at += CHUNK_SIZE) {
		int64_t gap = partial_next_gap(partial, at);
		uint64_t end = at + chunk_length(at / CHUNK_SIZE, SIZE);
		uint64_t len = (gap < 0 || (uint64_t)gap > end ? end : (uint64_t)gap) - at;

		fill_bytes(should, len, at, 1);
		cr_assert_eq(fd_pread_full(fd, is, len, at), (ssize_t)len);
		cr_assert_eq(memcmp(is, should, len), 0, "wrong bytes in chunk %d",
			(int)(at / CHUNK_SIZE));
	}
	close(fd);
	free(is);
	free(should);
}

Test(resume, whatever_was_done_to_its_files, .timeout = 100)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *map = map_path(cache);
	CLEANUP(str_freep) char *data = str_printf("%.*s.data", (int)strlen(map) - 4, map);
	struct entry_key key = key_of(URI);
	uint64_t seed = (uint64_t)clock_wall_ms();
	unsigned int resumed = 0;

	for (int round = 0; round < 60; round++) {
		struct follower follower = {.fd = -1};
		struct partial *partial;
		struct err err = ERR_INIT;

		number = seed + (uint64_t)round;
		lead_by_many_and_die(cache->path);
		if (any(3))
			harm(map, true);
		else
			harm(data, false);
		if (follower_attach(&cache->store, &key, &follower, &err) == 0)
			follower_release(&follower);
		if (partial_resume(&cache->store, LABEL(&key), &partial, &err) == 0) {
			resumed++;
			check_what_is_there(partial);
		} else {
			cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0,
				"seed %llu: %s", (unsigned long long)number, err.msg);
		}
		partial_fail(&partial, NULL, false);
		cr_assert_eq(usage_of(cache).reserved, 0);
	}
	cr_assert(resumed > 5 && resumed < 55, "%u were resumed", resumed);
}
