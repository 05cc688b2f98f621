/* A partial from its beginning to its failure, and what can be asked of it. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/evict.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How many records of the map to look at at once. */
#define BATCH 512

/* A file system's own notes on where a large file lies: one block for so many bytes of it. */
#define BYTES_PER_EXTENT_BLOCK (UINT64_C(64) << 20)

/* Without a size, room is reserved in steps that double between these. */
#define STEP_MIN (UINT64_C(1) << 20)

uint64_t partial_footprint(uint64_t data, int64_t size)
{
	uint64_t blocks = (data + 4095) / 4096;

	if (data > CHUNK_SIZE)
		blocks += 1 + data / BYTES_PER_EXTENT_BLOCK;
	return blocks * 4096 + ranges_bytes(size >= 0 ? size : (int64_t)data);
}

int partial_allocate(struct partial *partial, uint64_t data, struct err *err)
{
	int r = 0;

	if (data == 0)
		return 0;
	do {
		r = fallocate(partial->fd, 0, 0, (off_t)data) < 0 ? -errno : 0;
	} while (r == -EINTR);
	if (r == -EOPNOTSUPP)
		r = ftruncate(partial->fd, (off_t)data) < 0 ? -errno : 0;
	if (r < 0)
		return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
			"allocate %llu bytes for partial/%s: %m", (unsigned long long)data,
			partial->name);
	return 0;
}

int partial_grow_chunks(struct partial *partial, uint64_t count, struct err *err)
{
	uint8_t *chunks;

	if (count <= partial->chunk_count)
		return 0;
	chunks = realloc(partial->chunks, count);
	if (!chunks)
		return err_oom(err);
	memset(chunks + partial->chunk_count, CHUNK_MISSING, count - partial->chunk_count);
	partial->chunks = chunks;
	partial->chunk_count = count;
	return 0;
}

int partial_tell(struct partial *partial, struct err *err)
{
	int r = ranges_store(partial->ranges, &partial->header, err);

	cachedir_bump(partial->store->dir, &partial->key);
	return r;
}

void partial_free(struct partial *partial)
{
	if (!partial)
		return;
	fd_close(&partial->fd);
	ranges_free(partial->ranges);
	digest_stream_free(partial->sha);
	checksum_stream_free(partial->also);
	free(partial->chunks);
	free(partial->roomed);
	pthread_mutex_destroy(&partial->room_mu);
	pthread_mutex_destroy(&partial->mu);
	free(partial);
}

void partial_label(struct partial *partial, const struct partial_label *label, uint64_t base)
{
	struct ranges_label *to = &partial->header.label;

	str_cut(to->uri, sizeof(to->uri), label->uri);
	str_cut(to->scope, sizeof(to->scope), label->scope);
	to->since = clock_wall_ms();
	to->base = base;
	to->pid = (int)getpid();
}

int partial_new(const struct store *store, const struct partial_label *label, uint32_t generation,
	struct partial **ret, struct err *err)
{
	struct partial *partial = calloc(1, sizeof(*partial));
	int r;

	if (!partial)
		return err_oom(err);
	partial->store = store;
	partial->key = *label->key;
	partial->fd = -1;
	partial->header = (struct ranges_header){.version = {.size = -1, .modified = -1}};
	memcpy(partial->header.boot, store->dir->boot_id, sizeof(partial->header.boot));
	partial_label(partial, label, 0);
	partial_name(label->key, generation, partial->name);
	pthread_mutex_init(&partial->mu, NULL);
	pthread_mutex_init(&partial->room_mu, NULL);
	r = digest_stream_new(&partial->sha, err);
	if (r < 0) {
		partial_free(partial);
		return r;
	}
	*ret = partial;
	return 0;
}

int partial_hash_also(struct partial *partial, enum checksum_kind kind, struct err *err)
{
	if (kind == CHECKSUM_NONE || kind == CHECKSUM_SHA256)
		return 0;
	assert(!partial->also && partial->hashed == 0);
	return checksum_stream_new(kind, &partial->also, err);
}

/* The data file first: whoever finds a map may count on finding the data, too. */
static int make_files(struct partial *partial, struct err *err)
{
	int dirfd = partial->store->dir->partial_fd;
	char file[PARTIAL_FILE_SIZE];
	struct stat st;
	int r;

	partial_data_file(partial->name, file);
	partial->fd = openat(dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (partial->fd < 0 || fstat(partial->fd, &st) < 0)
		return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno,
			"make partial/%s: %m", file);
	partial->header.data_inode = st.st_ino;
	partial_map_file(partial->name, file);
	r = ranges_create(dirfd, file, &partial->header, &partial->ranges, err);
	if (r < 0) {
		partial_data_file(partial->name, file);
		unlinkat(dirfd, file, 0);
	}
	return r;
}

int partial_create(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err)
{
	struct partial *partial = NULL;
	uint32_t newest;
	int r = partial_newest(store, label->key, &newest, err);

	if (r == 0 && newest > 0)
		r = partial_clear(store, label->key, newest, err);
	if (r == 0)
		r = partial_new(store, label, newest + 1, &partial, err);
	if (r == 0)
		r = make_files(partial, err);
	if (r < 0) {
		partial_free(partial);
		return r;
	}
	cachedir_bump(store->dir, label->key);
	*ret = partial;
	return 0;
}

static int make_records(struct partial *partial, uint64_t data, struct err *err)
{
	uint64_t chunks = (data + CHUNK_SIZE - 1) / CHUNK_SIZE;
	int r = ranges_allocate(partial->ranges, chunks, err);

	if (r < 0)
		return r;
	WITH_LOCK(&partial->mu);
	return partial_grow_chunks(partial, chunks, err);
}

static int begin(struct partial *partial, const struct ranges_version *version, struct err *err)
{
	partial->header.version = *version;
	partial->header.state = RANGES_ACTIVE;
	return partial_tell(partial, err);
}

int partial_start(struct partial *partial, const struct ranges_version *version, struct err *err)
{
	uint64_t data = version->size >= 0 ? (uint64_t)version->size : STEP_MIN;
	int r;

	assert(partial->header.state == RANGES_STARTING);
	r = evict_reserve(
		partial->store, partial->name, partial_footprint(data, version->size), err);
	if (r == 0)
		r = partial_allocate(partial, data, err);
	if (r == 0)
		r = make_records(partial, data, err);
	if (r < 0)
		return r;
	partial->reserved = data;
	return begin(partial, version, err);
}

int partial_start_sparse(
	struct partial *partial, const struct ranges_version *version, struct err *err)
{
	int r;

	assert(partial->header.state == RANGES_STARTING && version->size >= 0);
	r = evict_reserve(partial->store, partial->name, partial_footprint(0, version->size), err);
	if (r == 0)
		r = make_records(partial, (uint64_t)version->size, err);
	if (r < 0)
		return r;
	partial->header.version = *version;
	r = partial_be_sparse(partial, err);
	return r < 0 ? r : begin(partial, version, err);
}

void partial_fail(struct partial **partial, const struct err *why, bool keep)
{
	struct partial *p = *partial;
	const struct ranges_version *version;
	uint32_t generation;
	struct entry_key key;

	*partial = NULL;
	if (!p)
		return;
	version = &p->header.version;
	if (why) {
		p->header.state = RANGES_FAILED;
		p->header.err = *why;
		/* unheard, the readers see in 100 ms that nobody leads */
		partial_tell(p, NULL);
	}
	if (!keep || !version->strong || !version->ranges || version->size < 0) {
		/* what cannot be removed now is removed by the next generation */
		if (partial_parse(p->name, &key, &generation))
			partial_clear(p->store, &key, generation, NULL);
	}
	partial_free(p);
}

/* ---- questions ---- */

const struct ranges_version *partial_version(const struct partial *partial)
{
	return &partial->header.version;
}

uint64_t partial_frontier(struct partial *partial)
{
	WITH_LOCK(&partial->mu);

	return partial->frontier;
}

bool partial_has(struct partial *partial, uint64_t offset, uint64_t length)
{
	WITH_LOCK(&partial->mu);

	if (length == 0 || (offset <= partial->frontier && length <= partial->frontier - offset))
		return true;
	if (length > UINT64_MAX - offset)
		return false;
	for (uint64_t i = offset / CHUNK_SIZE; i <= (offset + length - 1) / CHUNK_SIZE; i++) {
		if (i >= partial->chunk_count)
			return false;
		if (partial->chunks[i] != CHUNK_PRESENT)
			return false;
	}
	return true;
}

uint64_t partial_arrived(struct partial *partial)
{
	WITH_LOCK(&partial->mu);
	int64_t size = partial->header.version.size;
	uint64_t bytes = partial->frontier;

	for (uint64_t i = (bytes + CHUNK_SIZE - 1) / CHUNK_SIZE; i < partial->chunk_count; i++) {
		if (partial->chunks[i] == CHUNK_PRESENT)
			bytes += chunk_length(i, size);
	}
	return bytes;
}

int64_t partial_next_gap(struct partial *partial, uint64_t from)
{
	WITH_LOCK(&partial->mu);
	uint64_t chunk = from / CHUNK_SIZE;

	while (chunk < partial->chunk_count && partial->chunks[chunk] == CHUNK_PRESENT)
		chunk++;
	if (partial->header.version.size >= 0 && chunk >= partial->chunk_count)
		return -1;
	return (int64_t)(chunk * CHUNK_SIZE);
}

/* The first of @count records that is wanted and on which nobody works; @count: none. */
static uint64_t first_wanted(
	struct partial *partial, uint64_t first, const struct ranges_chunk *records, uint64_t count)
{
	WITH_LOCK(&partial->mu);

	for (uint64_t i = 0; i < count; i++) {
		if (records[i].wanted && partial->chunks[first + i] == CHUNK_MISSING)
			return i;
	}
	return count;
}

static int64_t scan_wanted(struct partial *partial, uint64_t chunk_count)
{
	struct ranges_chunk records[BATCH];

	for (uint64_t first = 0; first < chunk_count; first += BATCH) {
		uint64_t count = chunk_count - first < BATCH ? chunk_count - first : BATCH;
		uint64_t i;

		if (ranges_chunks(partial->ranges, first, count, records, NULL) < 0)
			return -1; /* a wish that cannot be read is not granted early */
		i = first_wanted(partial, first, records, count);
		if (i < count)
			return (int64_t)((first + i) * CHUNK_SIZE);
	}
	return -1;
}

int64_t partial_next_wanted(struct partial *partial)
{
	uint64_t chunk_count;
	uint64_t wants;
	int64_t found;

	if (ranges_wants(partial->ranges, &wants, NULL) < 0)
		return -1;
	{
		WITH_LOCK(&partial->mu);

		if (wants == partial->wants_seen && !partial->wants_left)
			return -1;
		/* now, so that what is wished during the scan makes for another one */
		partial->wants_seen = wants;
		partial->wants_left = false;
		chunk_count = partial->chunk_count;
	}
	found = scan_wanted(partial, chunk_count);
	if (found >= 0) {
		WITH_LOCK(&partial->mu);

		partial->wants_left = true;
	}
	return found;
}

bool partial_whole_wanted(const struct partial *partial)
{
	bool wanted = false;

	/* a wish that cannot be read is not granted */
	return ranges_whole_wanted(partial->ranges, &wanted, NULL) == 0 && wanted;
}

int partial_reader_fd(const struct partial *partial)
{
	char file[PARTIAL_FILE_SIZE];
	CLEANUP(fd_closep) int fd = -1;
	int r;

	partial_data_file(partial->name, file);
	fd = openat(partial->store->dir->partial_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	r = lock_mark_open(fd); /* it will be the object's: open, so no victim */
	return r < 0 ? r : fd_steal(&fd);
}
