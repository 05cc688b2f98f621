#include "fixture.h"

struct map {
	char *path;
	int dirfd;
	struct ranges *ranges;
};

static struct ranges_header header_of(int64_t size)
{
	return (struct ranges_header){.state = RANGES_ACTIVE,
		.version = version_of(size),
		.data_inode = 42,
		.boot = "a-boot"};
}

static struct map map_make(int64_t size)
{
	struct map map = {.path = tmpdir_make()};
	struct ranges_header header = header_of(size);

	map.dirfd = open(map.path, O_RDONLY | O_DIRECTORY);
	cr_assert_eq(ranges_create(map.dirfd, "m", &header, &map.ranges, NULL), 0);
	return map;
}

static void map_remove(struct map *map)
{
	ranges_free(map->ranges);
	close(map->dirfd);
	tmpdir_remove(map->path);
}

Test(ranges, header_comes_back_as_it_was_stored)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges_header header = header_of(1000);
	struct ranges *again;
	struct ranges_header is;
	struct err err = ERR_INIT;

	header.state = RANGES_FAILED;
	header.digest = digest_of_bytes(10, 1);
	header.label = (struct ranges_label){.uri = "https://example.org/a?…",
		.scope = "uid:1000",
		.since = INT64_C(1700000000123),
		.base = UINT64_C(1) << 40,
		.pid = 4711};
	err_set_retry(&header.err, ERR_REMOTE, EIO, 7, "the origin said 503");
	cr_assert_eq(ranges_store(map.ranges, &header, &err), 0);
	cr_assert_eq(ranges_advance(map.ranges, 999, 7, &err), 0);

	cr_assert_eq(ranges_open(map.dirfd, "m", &again, &err), 0);
	cr_assert_eq(ranges_load(again, &is, &err), 0, "%s", err.msg);
	cr_assert_eq(is.state, RANGES_FAILED);
	cr_assert_eq(is.version.size, 1000);
	cr_assert_eq(is.version.modified, -1);
	cr_assert_str_eq(is.version.etag, "\"v1\"");
	cr_assert(is.version.ranges && is.version.strong);
	cr_assert_eq(is.frontier, 999);
	cr_assert_eq(is.data_inode, 42);
	cr_assert_str_eq(is.boot, "a-boot");
	cr_assert(digest_equal(&is.digest, &header.digest));
	cr_assert_eq(is.err.code, EIO);
	cr_assert_eq(is.err.kind, ERR_REMOTE);
	cr_assert(is.err.retry);
	cr_assert_eq(is.err.retry_after, 7);
	cr_assert_str_eq(is.err.msg, "the origin said 503");
	cr_assert_str_eq(is.label.uri, "https://example.org/a?…");
	cr_assert_str_eq(is.label.scope, "uid:1000");
	cr_assert_eq(is.label.since, INT64_C(1700000000123));
	cr_assert_eq(is.label.base, UINT64_C(1) << 40);
	cr_assert_eq(is.label.pid, 4711);
	ranges_free(again);
}

Test(ranges, a_sign_of_life_stays_until_the_next_whatever_else_is_told)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges_header header = header_of(1000);
	int64_t beat = -1;

	cr_assert_eq(ranges_last_beat(map.ranges, &beat, NULL), 0);
	cr_assert_eq(beat, 0);
	cr_assert_eq(ranges_beat(map.ranges, INT64_C(1) << 40, NULL), 0);
	cr_assert_eq(ranges_store(map.ranges, &header, NULL), 0);
	cr_assert_eq(ranges_advance(map.ranges, 999, 7, NULL), 0);
	cr_assert_eq(ranges_want(map.ranges, 0, NULL), 0);
	cr_assert_eq(ranges_want_whole(map.ranges, NULL), 0);
	cr_assert_eq(ranges_last_beat(map.ranges, &beat, NULL), 0);
	cr_assert_eq(beat, INT64_C(1) << 40);
	cr_assert_eq(ranges_load(map.ranges, &header, NULL), 0);
	cr_assert_eq(header.frontier, 999);
}

Test(ranges, cut_off_header_is_refused)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges_header header;
	struct err err = ERR_INIT;
	int fd = openat(map.dirfd, "m", O_RDWR);

	for (off_t len = 0; len < 2008; len += 63) {
		cr_assert_eq(ftruncate(fd, len), 0);
		cr_assert_eq(ranges_load(map.ranges, &header, &err), -EBADMSG, "%ld", (long)len);
	}
	close(fd);
}

Test(ranges, any_flipped_bit_of_the_header_is_noticed)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges_header header;
	struct err err = ERR_INIT;
	int fd = openat(map.dirfd, "m", O_RDWR);

	for (off_t at = 0; at < 2008; at += 37) {
		uint8_t byte;

		cr_assert_eq(pread(fd, &byte, 1, at), 1);
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		cr_assert_eq(ranges_load(map.ranges, &header, &err), -EBADMSG, "%ld", (long)at);
		byte ^= 0x10;
		cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
		cr_assert_eq(ranges_load(map.ranges, &header, &err), 0);
	}
	close(fd);
}

Test(ranges, marks_and_wishes_do_not_disturb_each_other)
{
	CLEANUP(map_remove) struct map map = map_make(4 * CHUNK_SIZE);
	struct ranges_chunk chunks[6];
	uint64_t before;
	uint64_t after;
	struct stat st;

	/* before there are records, a wish is forgotten and allocates nothing */
	cr_assert_eq(ranges_want(map.ranges, UINT64_MAX / 16, NULL), 0);
	cr_assert_eq(ranges_want(map.ranges, 200, NULL), 0);
	cr_assert_eq(fstatat(map.dirfd, "m", &st, 0), 0);
	cr_assert_eq(st.st_size, 4096);

	cr_assert_eq(ranges_allocate(map.ranges, 4, NULL), 0);
	cr_assert_eq(ranges_wants(map.ranges, &before, NULL), 0);
	cr_assert_eq(ranges_want(map.ranges, 2, NULL), 0);
	cr_assert_eq(ranges_want(map.ranges, 3, NULL), 0);
	cr_assert_eq(ranges_wants(map.ranges, &after, NULL), 0);
	cr_assert_neq(before, after);
	cr_assert_eq(ranges_mark(map.ranges, 2, 77, NULL), 0);
	cr_assert_eq(ranges_mark(map.ranges, 1, 55, NULL), 0);
	cr_assert_eq(ranges_unmark(map.ranges, 1, NULL), 0);
	cr_assert_eq(ranges_fill(map.ranges, 3, 262143, 33, NULL), 0);
	cr_assert_eq(ranges_fill(map.ranges, 0, 5, 11, NULL), 0);

	cr_assert_eq(ranges_chunks(map.ranges, 0, 6, chunks, NULL), 0);
	cr_assert(!chunks[0].present && !chunks[0].wanted && chunks[0].filled == 5);
	cr_assert(!chunks[1].present && chunks[1].hash == 0);
	cr_assert(chunks[2].present && chunks[2].wanted && chunks[2].hash == 77);
	cr_assert(!chunks[3].present && chunks[3].wanted && chunks[3].filled == 262143);
	cr_assert(chunks[2].filled == 0 && chunks[3].hash == 33);
	cr_assert(!chunks[5].present && !chunks[5].wanted);
}

static void flip(int fd, off_t at, uint8_t mask)
{
	uint8_t byte;

	cr_assert_eq(pread(fd, &byte, 1, at), 1);
	byte ^= mask;
	cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
}

Test(ranges, any_flipped_bit_of_a_record_or_the_frontier_takes_it_away)
{
	CLEANUP(map_remove) struct map map = map_make(4 * CHUNK_SIZE);
	struct ranges_chunk chunk;
	uint64_t frontier;
	int fd = openat(map.dirfd, "m", O_RDWR);

	cr_assert_eq(ranges_allocate(map.ranges, 4, NULL), 0);
	cr_assert_eq(ranges_mark(map.ranges, 1, UINT64_C(0x123456789abcdef), NULL), 0);
	cr_assert_eq(ranges_fill(map.ranges, 2, 4711, 99, NULL), 0);
	cr_assert_eq(ranges_advance(map.ranges, 123456, 7, NULL), 0);
	for (int bit = 0; bit < 15 * 8; bit++) {
		off_t at = bit / 8;
		uint8_t mask = (uint8_t)(1 << bit % 8);

		for (uint64_t i = 0; i < 3; i++) {
			flip(fd, RANGES_HEADER + (off_t)i * 16 + at, mask);
			cr_assert_eq(ranges_chunks(map.ranges, i, 1, &chunk, NULL), 0);
			cr_assert(!chunk.present && chunk.filled == 0, "bit %d of %d", bit, (int)i);
			flip(fd, RANGES_HEADER + (off_t)i * 16 + at, mask);
		}
	}
	for (int bit = 0; bit < 64; bit++) {
		flip(fd, 2016 + bit / 8, (uint8_t)(1 << bit % 8));
		cr_assert_eq(ranges_frontier(map.ranges, &frontier, NULL), 0);
		cr_assert_eq(frontier, 0, "bit %d", bit);
		flip(fd, 2016 + bit / 8, (uint8_t)(1 << bit % 8));
	}
	cr_assert_eq(ranges_frontier(map.ranges, &frontier, NULL), 0);
	cr_assert_eq(frontier, 123456);
	close(fd);
}

Test(ranges, what_is_no_file_is_no_map)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges *ranges;

	cr_assert_eq(mkdirat(map.dirfd, "folder", 0700), 0);
	cr_assert_eq(symlinkat("m", map.dirfd, "link"), 0);
	cr_assert_eq(mkfifoat(map.dirfd, "pipe", 0600), 0);
	cr_assert_eq(ranges_open(map.dirfd, "folder", &ranges, NULL), -EBADMSG);
	cr_assert_eq(ranges_open(map.dirfd, "link", &ranges, NULL), -EBADMSG);
	cr_assert_eq(ranges_open(map.dirfd, "pipe", &ranges, NULL), -EBADMSG);
	cr_assert_eq(ranges_open(map.dirfd, "nothing", &ranges, NULL), -ENOENT);
	unlinkat(map.dirfd, "folder", AT_REMOVEDIR);
	unlinkat(map.dirfd, "link", 0);
	unlinkat(map.dirfd, "pipe", 0);
}

/* Reads for as long as the writer writes; a torn header would be -EBADMSG. */
static int read_along(const char *path)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY);
	struct ranges_header header;
	uint64_t frontier = 0;
	struct ranges *ranges;

	if (ranges_open(dirfd, "m", &ranges, NULL) < 0)
		return 2;
	do {
		if (ranges_load(ranges, &header, NULL) < 0)
			return 3;
		if (header.frontier < frontier)
			return 4;
		frontier = header.frontier;
		/* written together, so read together */
		if (header.data_inode != (uint64_t)header.version.modified)
			return 5;
	} while (header.state != RANGES_DONE);
	return 0;
}

Test(ranges, reader_in_another_process_sees_whole_headers_only)
{
	CLEANUP(map_remove) struct map map = map_make(1000);
	struct ranges_header header = header_of(1000);
	pid_t child;

	header.data_inode = 0;
	header.version.modified = 0;
	cr_assert_eq(ranges_store(map.ranges, &header, NULL), 0);
	child = fork();
	if (child == 0)
		_exit(read_along(map.path));
	for (uint64_t i = 1; i <= 20000; i++) {
		header.data_inode = i;
		header.version.modified = (int64_t)i;
		header.state = i == 20000 ? RANGES_DONE : RANGES_ACTIVE;
		cr_assert_eq(ranges_advance(map.ranges, i, i, NULL), 0);
		cr_assert_eq(ranges_store(map.ranges, &header, NULL), 0);
	}
	cr_assert_eq(wait_for(child), 0);
}
