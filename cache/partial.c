/* A partial from its beginning to its failure. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
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

/* So often whoever leads says that it is at work. */
#define BEAT_MS 500

/* A file system's own notes on where a large file lies: one block for so many bytes of it. */
#define BYTES_PER_EXTENT_BLOCK (UINT64_C(64) << 20)

/* What a new one may take before its room is known. */
#define FILES_BYTES 8192

/* Without a size, room is reserved in steps that double between these. */
#define STEP_MIN (UINT64_C(1) << 20)

uint64_t partial_footprint(uint64_t data, int64_t size)
{
	uint64_t blocks = (data + 4095) / 4096;

	if (data > CHUNK_SIZE)
		blocks += 1 + data / BYTES_PER_EXTENT_BLOCK;
	return blocks * 4096 + ranges_bytes(size >= 0 ? size : (int64_t)data);
}

static int allocate(struct partial *partial, uint64_t data, struct err *err)
{
	int r = 0;

	if (data == 0)
		return 0;
	do {
		r = fault_hit("partial.allocate") || fallocate(partial->fd, 0, 0, (off_t)data) < 0
			    ? -errno
			    : 0;
	} while (r == -EINTR);
	if (r == -EOPNOTSUPP)
		r = ftruncate(partial->fd, (off_t)data) < 0 ? -errno : 0;
	if (r < 0)
		return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
			"allocate %llu bytes for partial/%s: %m", (unsigned long long)data,
			partial->name);
	return 0;
}

int partial_allocate(struct partial *partial, uint64_t data, struct err *err)
{
	int r = allocate(partial, data, err);

	for (int i = 0; r == -ENOSPC && i < EVICT_TRIES; i++) {
		if (evict_some(partial->store, data, err) < 0)
			break;
		r = allocate(partial, data, err);
	}
	return r;
}

int partial_grow_chunks(struct partial *partial, uint64_t count, struct err *err)
{
	uint64_t more = count - partial->chunk_count;
	uint64_t *hashes;
	uint32_t *filled;
	uint8_t *chunks;

	if (count <= partial->chunk_count)
		return 0;
	chunks = realloc(partial->chunks, count);
	if (!chunks)
		return err_oom(err);
	partial->chunks = chunks;
	filled = realloc(partial->filled, count * sizeof(*filled));
	if (!filled)
		return err_oom(err);
	partial->filled = filled;
	hashes = realloc(partial->filled_hashes, count * sizeof(*hashes));
	if (!hashes)
		return err_oom(err);
	partial->filled_hashes = hashes;
	memset(chunks + partial->chunk_count, CHUNK_MISSING, more);
	memset(filled + partial->chunk_count, 0, more * sizeof(*filled));
	memset(hashes + partial->chunk_count, 0, more * sizeof(*hashes));
	partial->chunk_count = count;
	return 0;
}

void partial_beat(struct partial *partial)
{
	int64_t now = clock_monotonic_ms();
	int64_t last = atomic_load(&partial->beat_ms);

	/* unsaid it is said the next time */
	if (now - last >= BEAT_MS && atomic_compare_exchange_strong(&partial->beat_ms, &last, now))
		ranges_beat(partial->ranges, now, NULL);
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
	checksum_stream_free(partial->sha);
	checksum_stream_free(partial->also);
	free(partial->chunks);
	free(partial->filled);
	free(partial->filled_hashes);
	free(partial->roomed);
	free(partial->window);
	pthread_mutex_destroy(&partial->room_mu);
	pthread_mutex_destroy(&partial->mu);
	pthread_cond_destroy(&partial->pictured);
	free(partial);
}

void partial_label(struct partial *partial, const struct partial_label *label, uint64_t base)
{
	struct ranges_label *to = &partial->header.label;

	str_cut(to->uri, sizeof(to->uri), label->uri);
	str_cut(to->scope, sizeof(to->scope), label->scope);
	partial->uid = label->uid;
	to->since = label->since > 0 ? label->since : clock_wall_ms();
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
	pthread_cond_init(&partial->pictured, NULL);
	r = checksum_stream_new(CHECKSUM_SHA256, &partial->sha, err);
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
	if (!fault_hit("partial.create"))
		partial->fd = openat(
			dirfd, file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (partial->fd < 0 || fstat(partial->fd, &st) < 0)
		return err_set(err, errno == ENOSPC ? ERR_SPACE : ERR_SYSTEM, errno,
			"make partial/%s: %m", file);
	partial->header.data_inode = st.st_ino;
	partial_map_file(partial->name, file);
	r = ranges_create(dirfd, file, &partial->header, &partial->ranges, err);
	if (r < 0) {
		fd_close(&partial->fd);
		partial_data_file(partial->name, file);
		unlinkat(dirfd, file, 0);
		return r;
	}
	partial_beat(partial);
	return 0;
}

/* The same where others may have to go for it. */
static int make_files_evicting(struct partial *partial, struct err *err)
{
	int r = make_files(partial, err);

	for (int i = 0; r == -ENOSPC && i < EVICT_TRIES; i++) {
		if (evict_some(partial->store, FILES_BYTES, err) < 0)
			break;
		r = make_files(partial, err);
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
		r = make_files_evicting(partial, err);
	if (r < 0) {
		partial_free(partial);
		return r;
	}
	cachedir_bump(store->dir, label->key);
	*ret = partial;
	return 0;
}

int partial_reserve(struct partial *partial, uint64_t data, int64_t size, struct err *err)
{
	return evict_reserve(
		partial->store, partial->name, partial->uid, partial_footprint(data, size), err);
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
	r = partial_reserve(partial, data, version->size, err);
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
	r = partial_reserve(partial, 0, version->size, err);
	if (r == 0)
		r = make_records(partial, (uint64_t)version->size, err);
	if (r < 0)
		return r;
	partial->header.version = *version;
	r = partial_be_sparse(partial, err);
	return r < 0 ? r : begin(partial, version, err);
}

int partial_start_windowed(
	struct partial *partial, const struct ranges_version *version, struct err *err)
{
	partial->header.windowed = true;
	return partial_start_sparse(partial, version, err);
}

int partial_mix(struct partial *partial, struct err *err)
{
	if (partial->header.mixed)
		return 0;
	partial->header.mixed = true;
	return partial_tell(partial, err);
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
	if (!keep || p->header.mixed || !version->strong || !version->ranges || version->size < 0) {
		/* what cannot be removed now is removed by the next generation */
		if (partial_parse(p->name, &key, &generation))
			partial_clear(p->store, &key, generation, NULL);
	}
	partial_free(p);
}
