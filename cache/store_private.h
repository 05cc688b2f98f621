/*
 * What the files of the store share: names, and the state of a partial.
 */
#ifndef FETCHFS_CACHE_STORE_PRIVATE_H
#define FETCHFS_CACHE_STORE_PRIVATE_H

#include "base/checksum.h"
#include "cache/store.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

/* ---- objects ---- */

/* "ab/<64 hex>" or "ab/<64 hex>.x", relative to objects/. */
#define STORE_PATH_SIZE (3 + DIGEST_HEX_SIZE + 2)
void store_path(const struct digest *digest, bool executable, char ret[STORE_PATH_SIZE]);

/* Whether @name in the folder @folder of objects/ ("ab") is an object's. */
bool store_parse_name(
	const char *folder, const char *name, struct digest *ret, bool *ret_executable);

/* Unlink @path below @dirfd, whatever somebody has made of it: a folder may hold anything, and is
 * left for tree_sweep(). That it is not there is no error. 0 or -errno. */
int store_remove(const struct store *store, int dirfd, const char *path);

/* Make the folder of @path in objects/. */
int store_make_folder(const struct store *store, const char *path, struct err *err);

/* The same for @digest if it is not there, for which others may have to go: by who holds the lock
 * of no digest. */
int store_prepare_folder(
	const struct store *store, const struct digest *digest, bool executable, struct err *err);

/*
 * 1: the bytes, owner and mode of @object are right, by the XXH3 of @file, or, if that is 0, by
 * SHA-256, and were when it was changed at *ret_changed_ns; 0: they are not, or cannot be read.
 * 2: they were whenever it was looked, but it is changed all the time. May take long.
 */
int store_is_right(const struct object *object, const struct catalog_file *file,
	int64_t *ret_changed_ns, struct err *err);

/* Why it was let go, for the log. */
#define STORE_DAMAGED "damaged on its disk"

/*
 * @object is not what its name says: its names in the cache go, both of them, since one row stands
 * for both, its tree, and the row. Somebody who leads, or who reads, keeps what he has open.
 * Without a descriptor it is missing. 1: somebody else has seen to it, nothing happened.
 */
int store_let_go(
	const struct store *store, const struct object *object, const char *why, struct err *err);

/* ---- names in partial/ ---- */

/* "<32 hex>.<generation>", and with ".data" or ".map" the two files of a generation. */
#define PARTIAL_NAME_SIZE (ENTRY_KEY_HEX_SIZE + 1 + 10)
#define PARTIAL_FILE_SIZE (PARTIAL_NAME_SIZE + 5)

void partial_name(const struct entry_key *key, uint32_t generation, char ret[PARTIAL_NAME_SIZE]);
void partial_data_file(const char *name, char ret[PARTIAL_FILE_SIZE]);
void partial_map_file(const char *name, char ret[PARTIAL_FILE_SIZE]);

/* The key and generation of a name, with or without a suffix. false: it is none of ours. */
bool partial_parse(const char *name, struct entry_key *ret_key, uint32_t *ret_generation);

/* The names in partial/, for readdir() and fd_close_list(). */
int partial_open_list(const struct store *store, DIR **ret, struct err *err);

/* The highest generation of @key that has a file; 0: none. */
int partial_newest(
	const struct store *store, const struct entry_key *key, uint32_t *ret, struct err *err);

/*
 * Take away the generations of @key up to @last, whose lock the caller holds: their readers are
 * told, their files are unlinked, their reservations end.
 */
int partial_clear(
	const struct store *store, const struct entry_key *key, uint32_t last, struct err *err);

/* ---- a partial ---- */

/* Of another file, whose blocks the data file shares. */
enum picture { PICTURE_NONE, PICTURE_BEGUN, PICTURE_TAKEN };

enum chunk_state { CHUNK_MISSING, CHUNK_CLAIMED, CHUNK_PRESENT };

/*
 * Invariants, under mu:
 *  - a chunk is written only by the writer that claimed it, and never once it is PRESENT;
 *  - all bytes before frontier are in the data file, and are not written again; nor are the first
 *    filled[i] bytes of chunk i;
 *  - the first `hashed` bytes, which never exceed frontier, have gone into sha;
 *  - whoever set `hashing` is alone with sha, and does its work without mu;
 *  - while a picture is taken, which is done without mu, no chunk is claimed, and nothing is there;
 *    once it is, all bytes are in the data file, and nobody writes any.
 */
struct partial {
	const struct store *store;
	struct entry_key key;
	char name[PARTIAL_NAME_SIZE];
	uid_t uid; /* on whose share it is, 0: nobody's */
	struct ranges *ranges;
	int fd;                       /* of the data, for writing; -1 once that is over */
	struct ranges_header header;  /* as last stored: by the leader's own thread only */
	_Atomic int64_t beat_ms;      /* when it was last said that somebody is at work */
	struct checksum_stream *sha;  /* the thread's that set hashing */
	struct checksum_stream *also; /* or NULL; goes where sha goes */
	uint64_t reserved; /* by the only writer, or before there are any; or guarded by room_mu */
	bool *roomed;      /* of a sparse one: the chunks that have room; guarded by room_mu */
	uint64_t rooms;    /* how many they are, at most what is reserved; guarded by room_mu */
	struct window *window; /* NULL: it may become whole; guarded by room_mu */

	pthread_mutex_t room_mu; /* taken before mu */

	pthread_mutex_t mu;
	uint8_t *chunks;         /* enum chunk_state; guarded by mu */
	uint32_t *filled;        /* of each chunk, but not of a whole one; guarded by mu */
	uint64_t *filled_hashes; /* XXH3-64 of what is filled; guarded by mu */
	uint64_t chunk_count;    /* of all three; grows when the size is unknown; guarded by mu */
	uint64_t frontier;       /* stays 0 in a window; guarded by mu */
	uint64_t forgotten;      /* chunks of a window, ever; guarded by mu */
	uint64_t hashed;         /* guarded by mu */
	bool hashing;            /* guarded by mu */
	uint64_t told;           /* the frontier in the map; guarded by mu */
	bool advancing;          /* somebody is writing it there; guarded by mu */
	uint64_t wants_seen;     /* the map's number at the last look; guarded by mu */
	bool wants_left;         /* that look left some to do; guarded by mu */
	enum picture picture;    /* guarded by mu */
	pthread_cond_t pictured; /* it is no longer being taken */
};

/* Whether what the map tells of has become an object's file: all that its leader may not have done
 * is the bookkeeping. */
bool partial_has_object(const struct store *store, const struct ranges_header *header);

/* Room for @count chunks. 0 or -ENOMEM. */
int partial_grow_chunks(struct partial *partial, uint64_t count, struct err *err);

/* How much a partial with @data bytes of data and room for @size occupies, in bytes. */
uint64_t partial_footprint(uint64_t data, int64_t size);

/* Have so much reserved for it that @data bytes have room. */
int partial_reserve(struct partial *partial, uint64_t data, int64_t size, struct err *err);

/* Give @data bytes (in all) of disk to the data file. */
int partial_allocate(struct partial *partial, uint64_t data, struct err *err);

/* Store the header, and wake whoever waits for the key. */
int partial_tell(struct partial *partial, struct err *err);

/* The first byte of chunk @chunk that is not there; its end when it is whole. Under mu. */
uint64_t partial_chunk_reach(const struct partial *partial, uint64_t chunk);

/* The frontier moves over present chunks, and what is there of the next one. Under mu. */
void partial_skip_present(struct partial *partial);

/* The hash that goes with it into the map. Under mu. */
uint64_t partial_frontier_hash(const struct partial *partial);

/* Make a sparse one of @partial, whose size is known: what is there has room, nothing else. */
int partial_be_sparse(struct partial *partial, struct err *err);

/* Of a sparse one: reserve for @count chunks in all, with or without room yet. Under room_mu. */
int partial_reserve_rooms(struct partial *partial, uint64_t count, struct err *err);

/* Give its room to one chunk, which has been reserved. Under room_mu. */
int partial_allocate_chunk(struct partial *partial, uint64_t chunk, struct err *err);

/* partial_make_room(), under room_mu. */
int partial_make_room_locked(
	struct partial *partial, uint64_t offset, uint64_t length, struct err *err);

/* Of a sparse one: make it a window of what it has (partial_window.c). */
int partial_be_windowed(struct partial *partial, struct err *err);

/* Room for those of chunks [@first, @last] that have none, @lacking in number. Under room_mu. */
int partial_move_window(
	struct partial *partial, uint64_t first, uint64_t last, uint64_t lacking, struct err *err);

/* Bytes [@start, @start + @len) were just written: if the digest waits for one of them, and they
 * join the prefix, it takes them from memory. */
int partial_hash_written(
	struct partial *partial, const char *buf, uint64_t start, size_t len, struct err *err);

/* After each write: see that the digest follows the frontier. */
int partial_hash_follow(struct partial *partial, struct err *err);

/* The digest of all up to the frontier. Nobody writes any more. */
int partial_hash_finish(struct partial *partial, struct digest *ret, struct err *err);

/* XXH3-64 of the chunk as it is in the data file. */
int partial_hash_chunk(int fd, uint64_t chunk, uint64_t size, uint64_t *ret, struct err *err);

/* A partial without files, for @generation of @label->key. */
int partial_new(const struct store *store, const struct partial_label *label, uint32_t generation,
	struct partial **ret, struct err *err);

/* From now on this process leads it, for those who look on. @base: bytes that are there. */
void partial_label(struct partial *partial, const struct partial_label *label, uint64_t base);

/* Free what a partial holds, without touching its files. */
void partial_free(struct partial *partial);

#endif
