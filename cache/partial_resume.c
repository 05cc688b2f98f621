/* Taking over what a dead leader left. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH 512

static int nothing(const struct partial *partial, const char *why, struct err *err)
{
	return err_set(err, ERR_SYSTEM, ENOENT, "partial/%s: %s", partial->name, why);
}

/* Open the data file and see that it is the one of the map. */
static int open_data(struct partial *partial, struct err *err)
{
	const struct ranges_version *version = &partial->header.version;
	char file[PARTIAL_FILE_SIZE];
	struct stat st;

	partial_data_file(partial->name, file);
	partial->fd =
		openat(partial->store->dir->partial_fd, file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (partial->fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open partial/%s: %m", file);
	if (partial->header.state != RANGES_ACTIVE && partial->header.state != RANGES_FAILED)
		return nothing(partial, "was not under way", err);
	if (!version->strong || !version->ranges || version->size < 0)
		return nothing(partial, "cannot be resumed", err);
	if (partial->header.mixed)
		return nothing(partial, "is not of one version for sure", err);
	if (fstat(partial->fd, &st) < 0 || st.st_ino != partial->header.data_inode ||
		st.st_size != version->size)
		return nothing(partial, "data and map do not belong together", err);
	return 0;
}

/* Whether the boot is ours: then what was written before the map was told is in the page cache. */
static bool is_of_this_boot(const struct partial *partial)
{
	return str_equal(partial->header.boot, partial->store->dir->boot_id);
}

/*
 * Whether the first @len bytes of a chunk are what the map says: not if a power cut came over them,
 * and not if somebody else did. 1, 0 or -errno.
 */
static int is_right(
	struct partial *partial, uint64_t chunk, uint64_t len, uint64_t expected, struct err *err)
{
	uint64_t hash;
	int r = partial_hash_chunk(partial->fd, chunk, chunk * CHUNK_SIZE + len, &hash, err);

	return r < 0 ? r : hash == expected;
}

static int take_chunk(
	struct partial *partial, uint64_t chunk, const struct ranges_chunk *record, struct err *err)
{
	uint64_t whole = chunk_length(chunk, partial->header.version.size);
	uint64_t len = record->present ? whole : record->filled;
	int r;

	if (len == 0)
		return 0;
	r = len > whole || (len == whole && !record->present)
		    ? 0
		    : is_right(partial, chunk, len, record->hash, err);
	if (r <= 0)
		return r < 0 ? r : ranges_unmark(partial->ranges, chunk, err);
	if (record->present) {
		partial->chunks[chunk] = CHUNK_PRESENT;
	} else {
		partial->filled[chunk] = record->filled;
		partial->filled_hashes[chunk] = record->hash;
	}
	return 0;
}

static int load_chunks(struct partial *partial, uint64_t count, struct err *err)
{
	struct ranges_chunk records[BATCH];

	for (uint64_t first = 0; first < count; first += BATCH) {
		uint64_t batch = count - first < BATCH ? count - first : BATCH;
		int r = ranges_chunks(partial->ranges, first, batch, records, err);

		for (uint64_t i = 0; r == 0 && i < batch; i++) {
			partial_beat(partial);
			r = take_chunk(partial, first + i, &records[i], err);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The frontier: over all whole chunks, and as far into the first other one as the dead leader had
 * come. Nobody else has the partial yet.
 */
static int find_frontier(struct partial *partial, struct err *err)
{
	uint64_t told = partial->header.frontier;
	uint64_t chunk;
	uint64_t start;
	int r;

	partial_skip_present(partial);
	chunk = partial->frontier / CHUNK_SIZE;
	start = chunk * CHUNK_SIZE;
	if (partial->header.windowed || chunk >= partial->chunk_count ||
		told <= partial->frontier ||
		told - start >= chunk_length(chunk, partial->header.version.size))
		return 0;
	r = is_right(partial, chunk, told - start, partial->header.frontier_hash, err);
	if (r <= 0)
		return r;
	partial->filled[chunk] = (uint32_t)(told - start);
	partial->filled_hashes[chunk] = partial->header.frontier_hash;
	partial->frontier = told;
	return 0;
}

/* Room for all of it: again, for the index may have lost it; before that nothing is written. */
static int reserve_all(struct partial *partial, uint64_t size, struct err *err)
{
	int r = partial_reserve(partial, size, partial->header.version.size, err);

	if (r == 0)
		r = partial_allocate(partial, size, err);
	partial->reserved = size;
	return r;
}

/* Who needs all of it has no use for a window. */
static int find_window(struct partial *partial, bool sparse, struct err *err)
{
	partial->header.windowed = partial->header.windowed && sparse;
	return ranges_forgotten(partial->ranges, &partial->forgotten, err);
}

static int load_data(struct partial *partial, bool sparse, struct err *err)
{
	uint64_t size = (uint64_t)partial->header.version.size;
	uint64_t chunks = (size + CHUNK_SIZE - 1) / CHUNK_SIZE;
	int r = find_window(partial, sparse, err);

	if (r == 0 && !sparse)
		r = reserve_all(partial, size, err);

	if (r == 0)
		r = ranges_allocate(partial->ranges, chunks, err);
	if (r == 0)
		r = partial_grow_chunks(partial, chunks, err);
	if (r == 0)
		r = load_chunks(partial, chunks, err);
	if (r == 0)
		r = find_frontier(partial, err);
	if (r == 0 && sparse)
		r = partial_be_sparse(partial, err);
	if (r < 0)
		return r;
	/* also when it went back: bytes that are not believed */
	partial->told = partial->frontier;
	return ranges_advance(
		partial->ranges, partial->frontier, partial_frontier_hash(partial), err);
}

/* Whether the bytes are an object's already, which a power cut may have come over. */
static bool has_right_object(const struct partial *partial)
{
	const struct digest *digest = &partial->header.digest;

	if (!partial_has_object(partial->store, &partial->header))
		return false;
	if (is_of_this_boot(partial))
		return true;
	for (int executable = 0; executable <= 1; executable++)
		if (store_examine_doubtful(partial->store, digest, executable, NULL) < 0)
			return false;
	return partial_has_object(partial->store, &partial->header);
}

static int load(
	struct partial *partial, const struct partial_label *label, bool sparse, struct err *err)
{
	char file[PARTIAL_FILE_SIZE];
	int r;

	partial_map_file(partial->name, file);
	r = ranges_open(partial->store->dir->partial_fd, file, &partial->ranges, err);
	if (r == 0)
		r = ranges_load(partial->ranges, &partial->header, err);
	if (r == -EBADMSG)
		return nothing(partial, "its map is damaged", err);
	if (r == 0) {
		partial_beat(partial);
		r = open_data(partial, err);
	}
	if (r == -ENOENT && partial->fd < 0 && partial->ranges && has_right_object(partial)) {
		partial->frontier = (uint64_t)partial->header.version.size;
		return 0; /* partial_commit() does the rest */
	}
	if (r == 0)
		r = load_data(partial, sparse, err);
	if (r < 0)
		return r;

	partial->header.state = RANGES_ACTIVE;
	partial->header.err = ERR_INIT;
	partial->header.digest = (struct digest){{0}};
	memcpy(partial->header.boot, partial->store->dir->boot_id, sizeof(partial->header.boot));
	partial_label(partial, label, partial_arrived(partial));
	return partial_tell(partial, err);
}

static int resume(const struct store *store, const struct partial_label *label, bool sparse,
	struct partial **ret, struct err *err)
{
	struct partial *partial = NULL;
	uint32_t newest;
	int r = partial_newest(store, label->key, &newest, err);

	if (r == 0 && newest == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "nothing to resume");
	if (r == 0)
		r = partial_new(store, label, newest, &partial, err);
	if (r == 0)
		r = load(partial, label, sparse, err);
	if (r < 0) {
		partial_free(partial);
		/* what cannot be taken away now is by the next generation */
		partial_clear(store, label->key, newest, NULL);
		return r;
	}
	*ret = partial;
	return 0;
}

int partial_resume(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err)
{
	return resume(store, label, false, ret, err);
}

int partial_resume_sparse(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err)
{
	return resume(store, label, true, ret, err);
}
