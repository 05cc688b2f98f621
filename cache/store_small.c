/*
 * Small objects: from memory to an object without a partial.
 *
 * The file is made without a name (O_TMPFILE), written, closed for writing; then its row and its
 * name follow, together with those of others (group.h). Killed at any point, nothing is left of it
 * but a row whose object is missing: a miss, which the next fetch or evictor puts right.
 */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "cache/evict.h"
#include "cache/group.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* What an object may add to the cache beside its blocks: a folder in objects/, and its rows. */
#define BESIDE 8192

int store_share(struct store *store, struct err *err)
{
	return group_new(store, &store->group, err);
}

void store_unshare(struct store *store)
{
	group_free(store->group);
	store->group = NULL;
}

void store_expect_small(const struct store *store)
{
	if (store->group)
		group_expect(store->group, 1);
}

void store_expected_small(const struct store *store)
{
	if (store->group)
		group_expect(store->group, -1);
}

/* As store.h and docs/cache-format.md have it, for what is one chunk or nothing. */
static uint64_t hash_of_hashes(const void *bytes, size_t len)
{
	uint64_t hash = XXH3_64bits(bytes, len);
	uint8_t text[8];

	for (int shift = 0; shift < 8; shift++)
		text[shift] = (uint8_t)(hash >> (8 * shift));
	return XXH3_64bits(text, len > 0 ? sizeof(text) : 0);
}

static bool is_unsupported(int error)
{
	return error == EOPNOTSUPP || error == EISDIR || error == EINVAL || error == ENOENT;
}

/*
 * The file of @writer, open for reading only and marked so: nobody can write it any more, nor will
 * an evictor take it. -EOPNOTSUPP: that cannot be had here.
 */
static int reopen(int writer, int *ret, struct err *err)
{
	CLEANUP(fd_closep) int reader = -1;
	char proc[32];
	int r;

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", writer);
	reader = open(proc, O_RDONLY | O_CLOEXEC);
	if (reader < 0)
		return -EOPNOTSUPP;
	r = lock_mark_open(reader);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "mark an object: %m");
	*ret = fd_steal(&reader);
	return 0;
}

/* A complete file without a name, open. -EOPNOTSUPP: it cannot be had here. */
static int make_file(const struct store *store, const void *bytes, size_t len, mode_t mode,
	bool hand_out, int *ret_fd, uint64_t *ret_blocks, struct err *err)
{
	CLEANUP(fd_closep)
	int fd = openat(store->dir->objects_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	struct stat st;
	int r;

	if (fd < 0 && is_unsupported(errno))
		return -EOPNOTSUPP;
	r = fd < 0 ? -errno : fd_pwrite_all(fd, bytes, len, 0);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	/* the umask may have taken some of it */
	if (r == 0 && (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
		r = -errno;
	if (r < 0)
		return err_set(
			err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "write an object: %m");

	if (hand_out)
		r = reopen(fd, ret_fd, err);
	else
		*ret_fd = fd_steal(&fd);
	if (r < 0)
		return r;
	*ret_blocks = (uint64_t)st.st_blocks * 512;
	return 0;
}

/* A publication under way. */
struct publication {
	struct group_job job; /* first */
	const struct store *store;
	struct object object; /* to be handed out, or … */
	bool hand_out;        /* … only to be open until it has its name */
	store_published *published;
	void *arg;
};

static void on_done(struct group_job *job)
{
	struct publication *publication = (struct publication *)job;
	const struct entry *entry = job->entry;

	if (!publication->hand_out) {
		object_release(&publication->object);
	} else if (job->result == 0 && job->lost) {
		object_release(&publication->object);
		job->result = store_open(publication->store, &entry->digest, entry->executable,
			&publication->object, &job->err);
	}
	publication->published(publication->arg, job->result, &publication->object, &job->err);
	object_release(&publication->object);
	free(publication);
}

/* The content is there already: only the row is needed. -ENOENT when it is not. */
static int take_object(const struct store *store, struct publication *publication)
{
	const struct entry *entry = publication->job.entry;
	char path[STORE_PATH_SIZE];
	struct stat st;

	store_path(&entry->digest, entry->executable, path);
	if (faccessat(store->dir->objects_fd, path, F_OK, 0) < 0)
		return -ENOENT;
	if (store_examine_doubtful(store, &entry->digest, entry->executable, NULL) < 0)
		return -ENOENT;
	/* held open it cannot go, and its row can neither */
	if (store_open(store, &entry->digest, entry->executable, &publication->object, NULL) < 0)
		return -ENOENT;
	if (fstat(publication->object.fd, &st) < 0) {
		object_release(&publication->object);
		return -ENOENT;
	}
	publication->job.row.blocks = (uint64_t)st.st_blocks * 512;
	return 0;
}

static int make_object(const struct store *store, const void *bytes, size_t len,
	struct publication *publication, struct err *err)
{
	struct group_job *job = &publication->job;
	uint64_t needed = (len + 4095) / 4096 * 4096 + BESIDE;
	int r = store_prepare_folder(store, &job->entry->digest, job->entry->executable, err);

	if (r == 0)
		r = evict_for_share(store, job->entry->uid, needed, err);
	if (r == 0)
		r = group_take(store->group, needed, err);
	if (r < 0)
		return r;
	for (int i = 0; i < EVICT_TRIES; i++) {
		r = make_file(store, bytes, len, job->entry->executable ? 0555 : 0444,
			publication->hand_out, &job->fd, &job->row.blocks, err);
		if (r != -ENOSPC || evict_some(store, needed, err) < 0)
			break;
	}
	if (r < 0) {
		group_give_back(store->group, needed);
		return r;
	}
	job->taken = needed;
	job->row.fresh = true;
	publication->object = (struct object){
		.fd = job->fd,
		.digest = job->entry->digest,
		.executable = job->entry->executable,
		.size = len,
	};
	return 0;
}

static int publish(const struct store *store, const void *bytes, size_t len,
	struct publication *publication, struct err *err)
{
	int r = take_object(store, publication);

	if (r == -ENOENT)
		r = make_object(store, bytes, len, publication, err);
	if (r < 0)
		return r;
	r = group_publish(store->group, &publication->job, err);
	if (r < 0 && publication->job.taken > 0)
		group_give_back(store->group, publication->job.taken);
	return r;
}

static struct publication *publication_new(
	const struct store *store, const struct entry *entry, store_published *published, void *arg)
{
	struct publication *publication = calloc(1, sizeof(*publication));

	if (!publication)
		return NULL;
	publication->job.entry = entry;
	publication->job.fd = -1;
	publication->job.done = on_done;
	publication->store = store;
	publication->object.fd = -1;
	publication->published = published;
	publication->arg = arg;
	return publication;
}

/* Where files without a name cannot be had. */
static int publish_partial(const struct store *store, const void *bytes, size_t len,
	const struct checksum *expected, struct entry *entry, struct object *ret, struct err *err)
{
	struct ranges_version version = {.size = (int64_t)len, .modified = entry->modified};
	struct partial_writer *writer = NULL;
	struct partial *partial = NULL;
	/* when the origin was asked is not known here: not after anybody who waits for a new answer
	 */
	struct partial_label label = {
		&entry->key, entry->uri, entry->scope, entry->uid, .since = 1};
	int r = partial_create(store, &label, &partial, err);

	if (r == 0)
		r = partial_start(partial, &version, err);
	if (r == 0 && len > 0)
		r = partial_writer_new(partial, 0, &writer, err);
	if (r == 0 && len > 0)
		r = partial_write(writer, bytes, len, err);
	partial_writer_free(writer);
	if (r == 0)
		return partial_commit(&partial, len, expected, entry, ret, err);
	partial_fail(&partial, err, false);
	return r;
}

static int check(const void *bytes, size_t len, const struct digest *digest,
	const struct checksum *expected, struct err *err)
{
	struct checksum is;
	int r = 0;

	if (!expected)
		return 0;
	if (expected->kind == CHECKSUM_SHA256)
		is = checksum_of_digest(digest);
	else
		r = checksum_buffer(expected->kind, bytes, len, &is, err);
	return r < 0 ? r : checksum_check(&is, expected, err);
}

/* At once, on this thread. */
static int publish_now(const struct store *store, const void *bytes, size_t len,
	const struct checksum *expected, struct entry *entry, store_published *published, void *arg,
	struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = publish_partial(store, bytes, len, expected, entry, &object, err);

	if (r == 0)
		published(arg, 0, &object, err);
	return r;
}

int store_publish_small(const struct store *store, const void *bytes, size_t len,
	const struct checksum *expected, struct entry *entry, bool hand_out,
	store_published *published, void *arg, struct err *err)
{
	struct publication *publication;
	int r;

	assert(len <= CHUNK_SIZE);
	digest_buffer(bytes, len, &entry->digest);
	r = check(bytes, len, &entry->digest, expected, err);
	if (r < 0)
		return r;
	entry->state = ENTRY_COMPLETE;
	entry->size = (int64_t)len;
	if (!store->group)
		return publish_now(store, bytes, len, expected, entry, published, arg, err);

	publication = publication_new(store, entry, published, arg);
	if (!publication)
		return err_oom(err);
	/* nobody can execute what is open for writing, be it for the moment that this is */
	publication->hand_out = hand_out || entry->executable;
	publication->job.row.hash = hash_of_hashes(bytes, len);
	publication->job.row.verified = expected;
	r = publish(store, bytes, len, publication, err);
	if (r == 0)
		return 0;
	object_release(&publication->object);
	free(publication);
	if (r == -EOPNOTSUPP)
		return publish_now(store, bytes, len, expected, entry, published, arg, err);
	return r;
}
