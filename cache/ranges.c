#include "cache/ranges.h"
#include "cache/ranges_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

/* Reads "fetchmap" on a little-endian machine; on one of the other kind it is no map of ours. */
#define MAGIC   UINT64_C(0x70616d6863746566)
#define VERSION 4

/* A header that is being replaced may be seen half. How often to look again before judging. */
#define TORN_RETRIES 1000

/* A fresh map is one block of a file system, written whole: up to 127 chunks need no other. */
#define FIRST_BLOCK 4096

/* What fits in the 48 bits that a frontier has. */
#define FRONTIER_MAX ((UINT64_C(1) << 48) - 1)

#define ERRNO_MAX 4095 /* of the kernel's */

#define FLAG_RANGES 1U
#define FLAG_STRONG 2U
#define FLAG_RETRY  4U
#define FLAG_MIXED  8U
#define FLAG_WINDOW 16U

/* The first block, in the byte order of the machine: a map never leaves it. */
struct disk_header {
	uint64_t magic;
	uint32_t format;
	uint32_t state;
	int64_t size;
	int64_t modified;
	uint32_t flags;
	uint32_t err_code;
	uint32_t err_kind;
	uint32_t err_retry_after;
	uint64_t data_inode;
	uint8_t digest[DIGEST_SIZE];
	char boot[40];
	char etag[256];
	char err_text[ERR_TEXT_MAX];
	char uri[RANGES_URI_MAX];
	char scope[RANGES_SCOPE_MAX];
	int64_t since;
	uint64_t base;
	uint32_t pid;
	uint8_t zero[188];
	uint64_t checksum; /* XXH3-64 of all before it */
};

static_assert(offsetof(struct disk_header, checksum) == 2000, "nothing is hidden in padding");
static_assert(sizeof(struct disk_header) <= FRONTIER_OFFSET, "the block ends before the numbers");
static_assert(FORGOTTEN_OFFSET + 8 <= RANGES_HEADER, "the numbers are in the header");

static int make_ranges(int fd, struct ranges **ret, struct err *err)
{
	struct ranges *ranges = malloc(sizeof(*ranges));

	if (!ranges) {
		fd_close(&fd);
		return err_oom(err);
	}
	ranges->fd = fd;
	*ret = ranges;
	return 0;
}

/* As it stands in the map. */
static uint64_t frontier_place(uint64_t frontier)
{
	return frontier | (frontier > 0 ? XXH3_64bits(&frontier, sizeof(frontier)) << 48 : 0);
}

static uint64_t checksum_of(const struct disk_header *disk)
{
	return XXH3_64bits(disk, offsetof(struct disk_header, checksum));
}

static void fill(struct disk_header *disk, const struct ranges_header *header)
{
	*disk = (struct disk_header){
		.magic = MAGIC,
		.format = VERSION,
		.state = header->state,
		.size = header->version.size,
		.modified = header->version.modified,
		.flags = (header->version.ranges ? FLAG_RANGES : 0) |
			 (header->version.strong ? FLAG_STRONG : 0) |
			 (header->err.retry ? FLAG_RETRY : 0) | (header->mixed ? FLAG_MIXED : 0) |
			 (header->windowed ? FLAG_WINDOW : 0),
		.err_code = (uint32_t)header->err.code,
		.err_kind = header->err.kind,
		.err_retry_after = header->err.retry_after,
		.data_inode = header->data_inode,
		.since = header->label.since,
		.base = header->label.base,
		.pid = (uint32_t)header->label.pid,
	};
	memcpy(disk->digest, header->digest.bytes, sizeof(disk->digest));
	memcpy(disk->boot, header->boot, strnlen(header->boot, sizeof(header->boot) - 1));
	memcpy(disk->etag, header->version.etag,
		strnlen(header->version.etag, sizeof(disk->etag) - 1));
	memcpy(disk->err_text, header->err.msg,
		strnlen(header->err.msg, sizeof(disk->err_text) - 1));
	memcpy(disk->uri, header->label.uri, strnlen(header->label.uri, sizeof(disk->uri) - 1));
	memcpy(disk->scope, header->label.scope,
		strnlen(header->label.scope, sizeof(disk->scope) - 1));
	disk->checksum = checksum_of(disk);
}

int ranges_create(int dirfd, const char *name, const struct ranges_header *header,
	struct ranges **ret, struct err *err)
{
	union {
		struct disk_header disk;
		uint8_t bytes[FIRST_BLOCK];
	} block = {.bytes = {0}};
	int fd = fault_hit("map.create")
			 ? -1
			 : openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
				   0600);
	int r;

	if (fd < 0)
		return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno,
			"make map %s: %m", name);
	fill(&block.disk, header);
	r = fd_pwrite_all(fd, block.bytes, sizeof(block.bytes), 0);
	if (r < 0) {
		fd_close(&fd);
		unlinkat(dirfd, name, 0);
		return err_set(
			err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "write map %s: %m", name);
	}
	return make_ranges(fd, ret, err);
}

int ranges_open(int dirfd, const char *name, struct ranges **ret, struct err *err)
{
	/* readers write, too: what they want */
	int fd = openat(dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 && errno == EROFS)
		fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 && errno != ELOOP && errno != EISDIR && errno != ENXIO)
		return err_set(err, ERR_SYSTEM, errno, "open map %s: %m", name);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		return err_set(err, ERR_INTEGRITY, EBADMSG, "map %s is no file", name);
	}
	return make_ranges(fd, ret, err);
}

void ranges_free(struct ranges *ranges)
{
	if (!ranges)
		return;
	fd_close(&ranges->fd);
	free(ranges);
}

uint64_t ranges_bytes(int64_t size)
{
	uint64_t chunks = size > 0 ? ((uint64_t)size + CHUNK_SIZE - 1) / CHUNK_SIZE : 0;

	return (chunk_offset(chunks) + 4095) / 4096 * 4096;
}

int ranges_allocate(struct ranges *ranges, uint64_t chunks, struct err *err)
{
	off_t len = (off_t)chunk_offset(chunks);

	if (len <= FIRST_BLOCK)
		return 0;
	if (fallocate(ranges->fd, 0, 0, len) == 0)
		return 0;
	if (errno == EOPNOTSUPP && ftruncate(ranges->fd, len) == 0)
		return 0;
	return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno, "allocate map: %m");
}

/* ---- the header ---- */

static bool is_whole(const struct disk_header *disk)
{
	return disk->magic == MAGIC && disk->format == VERSION &&
	       disk->checksum == checksum_of(disk);
}

/* A damaged one is 0. */
static uint64_t frontier_of(uint64_t place)
{
	return frontier_place(place & FRONTIER_MAX) == place ? place & FRONTIER_MAX : 0;
}

/* With its place as a number of bytes; zeros beyond the end of a map that was cut off. */
static int read_frontier(const struct ranges *ranges, struct disk_frontier *ret, struct err *err)
{
	struct disk_frontier frontier = {0};
	ssize_t n = fd_pread_full(ranges->fd, &frontier, sizeof(frontier), FRONTIER_OFFSET);

	if (n < 0)
		return err_set(err, ERR_SYSTEM, (int)-n, "read map: %m");
	*ret = (struct disk_frontier){
		frontier.hash, n == sizeof(frontier) ? frontier_of(frontier.place) : 0};
	return 0;
}

/* Values that only a damaged, or a malicious, map has are made harmless. */
static bool makes_sense(const struct disk_header *disk)
{
	return disk->state <= RANGES_ABANDONED && disk->err_kind <= ERR_PROXY &&
	       disk->err_code <= ERRNO_MAX && disk->size >= -1 &&
	       disk->size <= (int64_t)FRONTIER_MAX;
}

int ranges_load(const struct ranges *ranges, struct ranges_header *ret, struct err *err)
{
	struct disk_header disk;
	struct disk_frontier frontier;
	int r;

	for (int tries = 0;; tries++) {
		ssize_t n = fd_pread_full(ranges->fd, &disk, sizeof(disk), 0);

		if (n < 0)
			return err_set(err, ERR_SYSTEM, (int)-n, "read map: %m");
		if (n == sizeof(disk) && is_whole(&disk) && makes_sense(&disk))
			break;
		if (n != sizeof(disk) || tries == TORN_RETRIES)
			return err_set(err, ERR_INTEGRITY, EBADMSG, "damaged map");
		sched_yield();
	}
	r = read_frontier(ranges, &frontier, err);
	if (r < 0)
		return r;

	*ret = (struct ranges_header){
		.state = (enum ranges_state)disk.state,
		.version.size = disk.size,
		.version.modified = disk.modified,
		.version.ranges = disk.flags & FLAG_RANGES,
		.version.strong = disk.flags & FLAG_STRONG,
		.mixed = disk.flags & FLAG_MIXED,
		.windowed = disk.flags & FLAG_WINDOW,
		.frontier = frontier.place,
		.frontier_hash = frontier.hash,
		.data_inode = disk.data_inode,
		.err.code = (int)disk.err_code,
		.err.kind = (enum err_kind)disk.err_kind,
		.err.retry = disk.flags & FLAG_RETRY,
		.err.retry_after = disk.err_retry_after,
		.label.since = disk.since,
		.label.base = disk.base,
		.label.pid = (int)disk.pid,
	};
	memcpy(ret->digest.bytes, disk.digest, sizeof(disk.digest));
	memcpy(ret->boot, disk.boot, sizeof(ret->boot) - 1);
	memcpy(ret->version.etag, disk.etag, sizeof(disk.etag) - 1);
	memcpy(ret->err.msg, disk.err_text, sizeof(disk.err_text) - 1);
	memcpy(ret->label.uri, disk.uri, sizeof(disk.uri) - 1);
	memcpy(ret->label.scope, disk.scope, sizeof(disk.scope) - 1);
	return 0;
}

int ranges_store(struct ranges *ranges, const struct ranges_header *header, struct err *err)
{
	struct disk_header disk;
	int r;

	fill(&disk, header);
	r = fd_pwrite_all(ranges->fd, &disk, sizeof(disk), 0);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

static int has_flag(const struct ranges *ranges, uint32_t flag, bool *ret, struct err *err)
{
	uint32_t flags = 0;
	ssize_t n = fd_pread_full(
		ranges->fd, &flags, sizeof(flags), offsetof(struct disk_header, flags));

	if (n != sizeof(flags))
		return err_set(err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read map: %m");
	*ret = flags & flag;
	return 0;
}

int ranges_is_mixed(const struct ranges *ranges, bool *ret, struct err *err)
{
	return has_flag(ranges, FLAG_MIXED, ret, err);
}

int ranges_is_windowed(const struct ranges *ranges, bool *ret, struct err *err)
{
	return has_flag(ranges, FLAG_WINDOW, ret, err);
}

/* ---- the numbers beside it ---- */

int ranges_advance(struct ranges *ranges, uint64_t frontier, uint64_t hash, struct err *err)
{
	const struct disk_frontier record = {hash, frontier_place(frontier)};
	int r = fd_pwrite_all(ranges->fd, &record, sizeof(record), FRONTIER_OFFSET);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

/* The number at @offset; 0 beyond the end of a map that was cut off. */
static int read_number(const struct ranges *ranges, uint64_t offset, uint64_t *ret, struct err *err)
{
	uint64_t number = 0;
	ssize_t n = fd_pread_full(ranges->fd, &number, sizeof(number), offset);

	if (n < 0)
		return err_set(err, ERR_SYSTEM, (int)-n, "read map: %m");
	*ret = n == sizeof(number) ? number : 0;
	return 0;
}

int ranges_forgotten(const struct ranges *ranges, uint64_t *ret, struct err *err)
{
	return read_number(ranges, FORGOTTEN_OFFSET, ret, err);
}

int ranges_beat(struct ranges *ranges, int64_t ms, struct err *err)
{
	int r = fd_pwrite_all(ranges->fd, &ms, sizeof(ms), BEAT_OFFSET);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

int ranges_last_beat(const struct ranges *ranges, int64_t *ret, struct err *err)
{
	uint64_t number = 0;
	int r = read_number(ranges, BEAT_OFFSET, &number, err);

	if (r == 0)
		*ret = (int64_t)number;
	return r;
}

int ranges_frontier(const struct ranges *ranges, uint64_t *ret, struct err *err)
{
	uint64_t place = 0;
	int r = read_number(
		ranges, FRONTIER_OFFSET + offsetof(struct disk_frontier, place), &place, err);

	if (r == 0)
		*ret = frontier_of(place);
	return r;
}

int ranges_wants(const struct ranges *ranges, uint64_t *ret, struct err *err)
{
	return read_number(ranges, WANTS_OFFSET, ret, err);
}

int ranges_want_whole(const struct ranges *ranges, struct err *err)
{
	const uint64_t number = 1;
	int r = fd_pwrite_all(ranges->fd, &number, sizeof(number), WHOLE_OFFSET);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "write map: %m") : 0;
}

int ranges_whole_wanted(const struct ranges *ranges, bool *ret, struct err *err)
{
	uint64_t number = 0;
	int r = read_number(ranges, WHOLE_OFFSET, &number, err);

	if (r == 0)
		*ret = number != 0;
	return r;
}
