/*
 * The bytes of a cache: partials that grow, and objects that never change.
 *
 * An object is complete, 0444, named by its SHA-256, and appears only by rename. A partial is one
 * version of one artifact; whoever holds the lock of its key (the leader) writes it, anybody may
 * read along. Space is reserved in the index before it is used on disk, so that the cache's limit
 * is never breached by our own writes.
 */
#ifndef FETCHFS_CACHE_STORE_H
#define FETCHFS_CACHE_STORE_H

#include "cache/cachedir.h"
#include "cache/catalog.h"
#include "cache/ranges.h"

struct store {
	const struct cachedir *dir;
	struct catalog *catalog;
	uint64_t limit;        /* bytes the cache may occupy */
	uint64_t min_free;     /* bytes of the file system that stay free */
	uint64_t share;        /* bytes that one user may have of it, pinned and leased apart */
	struct group *group;   /* store_share(); NULL: small objects take the way of partials */
	struct events *events; /* where what is let go is noted; NULL: nowhere */
};

/* ---- objects ---- */

struct object {
	int fd; /* read only, marked open: never a victim while it lives */
	struct digest digest;
	bool executable;
	uint64_t size;
	int64_t changed_ns; /* its time of change, when it was opened */
	bool linked;        /* it has names elsewhere */
	bool odd;           /* it has another owner or mode than it was given */
};

/*
 * Open the object @digest (its 0555 twin when @executable). On success *ret is the caller's, for
 * object_release(); it stays readable until then. -ENOENT when the store lacks it.
 */
int store_open(const struct store *store, const struct digest *digest, bool executable,
	struct object *ret, struct err *err);
void object_release(struct object *object);
struct object object_steal(struct object *object);

/*
 * A file that has a name elsewhere, by a hardlink into a sandbox, may be changed by way of it; and
 * one that is of an earlier boot may have lost something. So whoever hands an object out for @entry
 * asks whether it is doubtful. Reads nothing.
 */
bool object_is_doubtful(const struct object *object, const struct entry *entry);

/*
 * Read all of a doubtful object. 0: it is as it should be, which is noted. -EBADMSG: it is not, and
 * the cache has let it go; whoever has it elsewhere keeps what he made of it. May take long.
 */
int store_examine(const struct store *store, const struct object *object, struct err *err);

/* Both, by the index, for the object @digest if there is one: afterwards there is none, or a right
 * one. Caller does not hold its lock. */
int store_examine_doubtful(
	const struct store *store, const struct digest *digest, bool executable, struct err *err);

/*
 * See that all that was published before outlives a power cut from now on: one syncfs() of the file
 * system if there is anything to settle. When it fails, nothing is settled, and what was to be is
 * read before its next use. May take long.
 */
int store_settle(const struct store *store, struct err *err);

/*
 * The same in steps, of which only the second takes long, and needs no store. store_settle_begin():
 * 1, or 0 when there is nothing to settle, or -errno.
 */
struct settling {
	int64_t boot_ms; /* clock_boot_ms(): what has a row that is not younger was written before
			  */
	int64_t used;    /* the last use before that */
	int fd;
};
#define SETTLING_INIT                                                                              \
	(struct settling)                                                                          \
	{                                                                                          \
		.fd = -1                                                                           \
	}
int store_settle_begin(const struct store *store, struct settling *ret, struct err *err);
int store_settle_sync(const struct settling *settling, struct err *err);
/* @synced: that went well. Else they are unsure: a later sync would not know what this one lost. */
int store_settle_end(
	const struct store *store, const struct settling *settling, bool synced, struct err *err);
void store_settle_release(struct settling *settling); /* for CLEANUP() */

/* ---- small objects, without a partial ---- */

/*
 * Let the threads of this process share the transactions and the room of small objects. @store
 * stays where it is until store_unshare(), which may be called for any store.
 */
int store_share(struct store *store, struct err *err);
void store_unshare(struct store *store);

/*
 * A publication by store_publish_small() is to be expected, or no longer (it came, or will not):
 * as long as there are some, the room for small objects is not given back in between.
 */
void store_expect_small(const struct store *store);
void store_expected_small(const struct store *store);

/*
 * How a publication ended: 0, and @object is there to be taken by object_steal(), or closed if it
 * was not to be handed out; or -errno, and @err. Called under no lock, by another thread, perhaps
 * before store_publish_small() returns.
 */
typedef void store_published(void *arg, int result, struct object *object, const struct err *err);

/*
 * Publish @len bytes (at most CHUNK_SIZE) that are complete in memory: 0 when that will end by a
 * call of @published(@arg), to which @entry and what it refers to, and @expected, must live. The
 * caller holds the lock of the entry's key until then. @expected, @entry and errors are those of
 * partial_commit(); wrong bytes are told here. Thread-safe; publications that are under way at the
 * same time share one transaction.
 */
int store_publish_small(const struct store *store, const void *bytes, size_t len,
	const struct checksum *expected, struct entry *entry, bool hand_out,
	store_published *published, void *arg, struct err *err);

/* ---- partials: the leader's side. One thread at a time unless said otherwise ---- */

struct partial;

/* What a partial is of, and how it is shown to those who look on; copied. */
struct partial_label {
	const struct entry_key *key;
	const char *uri; /* without secrets */
	const char *scope;
	uid_t uid;     /* on whose share of the cache it is, 0: nobody's */
	int64_t since; /* milliseconds since 1970: when the origin was asked; 0: now */
};

/*
 * Begin a new generation for @label->key, whose lock the caller holds: map and data file are there,
 * and empty, and readers can attach. Older generations are marked ABANDONED and unlinked.
 */
int partial_create(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err);

/*
 * Take over the generation that a dead leader left, if it can be resumed (its version is strong,
 * of known size, and served by ranges): present chunks are checked against their hashes first and
 * count; so do, within one boot, the beginnings of others. What cannot be resumed is cleared away.
 * -ENOENT when there is none.
 */
int partial_resume(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err);

/*
 * The content @digest was published for @key, whose lock the caller holds: if its leader died right
 * then, the map that is left goes, and those who have it open hear that it is done.
 */
void partial_published(
	const struct store *store, const struct entry_key *key, const struct digest *digest);

/*
 * Take away what dead leaders left in partial/ that nobody will resume: maps whose content was
 * published right before, files that have lost the other one of their pair, and reservations
 * without files. What somebody leads, what can be resumed, and what cannot be looked at stays.
 */
void partial_sweep(const struct store *store);

/* Take away what a dead leader left of @key, whose lock the caller holds, though it could be
 * resumed.
 */
void partial_discard(const struct store *store, const struct entry_key *key);

/* Whether @key may have one, of a dead leader or of somebody who is at work. Thread-safe. */
bool partial_is_there(const struct store *store, const struct entry_key *key);

/*
 * Compute the checksum of @kind, too, along with SHA-256, because partial_commit() will expect it:
 * before the first write. Of no kind, and SHA-256, nothing is to be done.
 */
int partial_hash_also(struct partial *partial, enum checksum_kind kind, struct err *err);

/* The version is known: reserves (evicting others as needed), allocates, and tells the readers. */
int partial_start(struct partial *partial, const struct ranges_version *version, struct err *err);

/*
 * The same two for a partial of which only parts may ever be asked for: it gets no room by itself.
 * partial_make_room() must come before every write; it is thread-safe. Only for known sizes.
 */
int partial_start_sparse(
	struct partial *partial, const struct ranges_version *version, struct err *err);
int partial_resume_sparse(const struct store *store, const struct partial_label *label,
	struct partial **ret, struct err *err);
/*
 * The same for what is larger than the cache, or the share of its user, could ever hold (-ENOSPC,
 * which tells the limit): it has room for some chunks only, and forgets others for them. What was
 * read of it is right if partial_forgotten() was the same before partial_has() and after the
 * reading. A run of writing is at most partial_run_max() long, in bytes, for others may be under
 * way.
 */
int store_could_hold(const struct store *store, uid_t uid, int64_t size, struct err *err);
int partial_start_windowed(
	struct partial *partial, const struct ranges_version *version, struct err *err);
bool partial_is_windowed(const struct partial *partial);
uint64_t partial_forgotten(struct partial *partial);
uint64_t partial_run_max(const struct partial *partial);

/* Reserve and allocate room for the missing bytes of [@offset, @offset + @length). */
int partial_make_room(struct partial *partial, uint64_t offset, uint64_t length, struct err *err);

/*
 * Whoever leads is at work: said at least every second, or readers take it for frozen in the end.
 * Writing and hashing say so by themselves. Thread-safe; cheap.
 */
void partial_beat(struct partial *partial);

const struct ranges_version *partial_version(const struct partial *partial);

/* false: its leader died when it had become an object; all that is left to do is to publish it. */
bool partial_has_data(const struct partial *partial);

/*
 * A run of bytes going into a partial, from the start of a chunk onwards, or from the first byte
 * of one that is missing. Several writers may be at work on one partial, each used by one thread.
 * Bytes of chunks that are there, or at which another writer is at work, are passed over. With an
 * unknown size there is one writer, from 0.
 */
struct partial_writer;
int partial_writer_new(
	struct partial *partial, uint64_t offset, struct partial_writer **ret, struct err *err);
/* Chunks that become whole (the last one: at the end of the file) are marked present. More bytes
 * than the version promised are -EIO. Unknown sizes reserve as they grow. */
int partial_write(struct partial_writer *writer, const void *buf, size_t len, struct err *err);
void partial_writer_free(struct partial_writer *writer);

/*
 * Let the data file share all blocks of the regular file @fd, whose size is the version's: 0, and
 * *ret_fd, which stays the partial's, reads them from there. Nothing is marked present: a writer is
 * to be given what is read, and told that it is in place, so that hashes are those of the bytes
 * that stay. -EOPNOTSUPP: not with these files, or something is there already; nothing has changed.
 */
int partial_clone(struct partial *partial, int fd, int *ret_fd);
void partial_writer_in_place(struct partial_writer *writer);

/* Thread-safe. How far the bytes reach without a gap; and whether [@offset, @offset + @length) is
 * there. */
uint64_t partial_frontier(struct partial *partial);
bool partial_has(struct partial *partial, uint64_t offset, uint64_t length);

/* Bytes that are there, wherever. Thread-safe. */
uint64_t partial_arrived(struct partial *partial);

/* The first missing byte of the first chunk, from the one of @from on, that is not whole; -1 when
 * all are (size known). A chunk at which a writer is at work is not whole. */
int64_t partial_next_gap(struct partial *partial, uint64_t from);
/* Whether a reader in another process needs all of it. */
bool partial_whole_wanted(const struct partial *partial);
/* A chunk that a reader anywhere wants, that is missing, and at which no writer is at work, as its
 * first byte; -1: none. Cheap as long as nobody wishes anything: may be asked for every write. */
int64_t partial_next_wanted(struct partial *partial);

/*
 * Every byte is there: publish. @size is the final one when the version did not know it.
 * @expected may be NULL; other bytes than those are -EBADMSG with both values in the text, and
 * are dropped; of a kind that was not computed along they are read back for it. @entry (scope, uri,
 * validators, times, executable) is completed (state, digest, size) and recorded; *ret is the
 * opened object. The partial is freed in any case.
 */
int partial_commit(struct partial **partial, uint64_t size, const struct checksum *expected,
	struct entry *entry, struct object *ret, struct err *err);

/*
 * From now on there may be bytes of another version in it, which only a digest of the whole can
 * tell: nobody who reads along is shown them, and nobody resumes it. Before the first such byte.
 */
int partial_mix(struct partial *partial, struct err *err);

/*
 * End with the failure @why, told to the readers; NULL is no failure, and one of them takes over.
 * @keep leaves the bytes for partial_resume().
 */
void partial_fail(struct partial **partial, const struct err *why, bool keep);

/* A read-only descriptor of the data file, or -errno. The caller's; stays valid through
 * publication, and keeps the object from being evicted. */
int partial_reader_fd(const struct partial *partial);

/* ---- partials: a follower's side ---- */

struct follower {
	struct ranges *ranges;
	int fd; /* of the data, read only */
};

/* Attach to the transfer that somebody else leads. -ENOENT when there is none (yet). */
int follower_attach(const struct store *store, const struct entry_key *key, struct follower *ret,
	struct err *err);
void follower_release(struct follower *follower);

#endif
