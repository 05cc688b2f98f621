/*
 * The directory of a cache, and what all processes that use it share without SQLite.
 *
 *	index.db   objects/ab/<sha256>   trees/<sha256>/   partial/<key>.<gen>.{data,map}
 *	locks   shared   secret
 *
 * docs/cache-format.md describes every file. The directory is 0700 and its creator's; it is
 * refused when it belongs to somebody else, or lies on a file system whose locks and mmap cannot
 * be trusted (NFS, 9p, virtiofs, FUSE), unless forced.
 */
#ifndef FETCHFS_CACHE_CACHEDIR_H
#define FETCHFS_CACHE_CACHEDIR_H

#include "base/digest.h"
#include "base/err.h"
#include "base/lock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * What one artifact is called in the cache: the first 16 bytes of the SHA-256 of scope, NUL, URI.
 * 128 bits: that two differ is certain enough to need no further comparison.
 */
#define ENTRY_KEY_SIZE     16
#define ENTRY_KEY_HEX_SIZE 33

/* A format of what there is to say, and to do, when @file of a cache (%s) cannot be used. */
#define CACHEDIR_DAMAGED(file)                                                                     \
	"%s/" file " is damaged: remove the cache, what is needed is fetched again"

struct entry_key {
	uint8_t bytes[ENTRY_KEY_SIZE];
};

int entry_key_make(const char *scope, const char *uri_text, struct entry_key *ret, struct err *err);
/* The key by which those who wait for a frozen leader of @key go on: as if of another artifact. */
void entry_key_next(const struct entry_key *key, struct entry_key *ret);
void entry_key_hex(const struct entry_key *key, char *ret);

struct cachedir {
	char *path; /* absolute */
	int fd;
	int objects_fd;
	int partial_fd;
	int trees_fd;
	uint8_t secret[DIGEST_SIZE]; /* random, made once per cache: keys the HMAC of credentials */
	char boot_id[37];            /* of this boot of this machine */
	bool read_only;              /* its file system: what is there can be read */
	struct shared_page *shared;
};

#define CACHEDIR_INIT                                                                              \
	(struct cachedir)                                                                          \
	{                                                                                          \
		.fd = -1, .objects_fd = -1, .partial_fd = -1, .trees_fd = -1                       \
	}

/* Open, making it and its parents when absent. Release by cachedir_close(). */
int cachedir_open(const char *path, bool force, struct cachedir *ret, struct err *err);
void cachedir_close(struct cachedir *dir);

/* The locks of a cache, in the order in which they may be taken: directory (at most one), key,
 * digest, writer. */
int cachedir_lock_directory(const struct cachedir *dir, uint64_t device, uint64_t inode,
	struct lock *ret); /* only tries, -EAGAIN */
int cachedir_lock_key(const struct cachedir *dir, const struct entry_key *key, struct lock *ret);
int cachedir_is_led(const struct cachedir *dir, const struct entry_key *key); /* 1, 0, -errno */
int cachedir_lock_digest(const struct cachedir *dir, const struct digest *digest,
	enum lock_mode mode, struct lock *ret); /* shared: waits; exclusive: only tries, -EAGAIN */
/* All digests, shared: waits. Who tries one exclusively meanwhile waits for the end of this. */
int cachedir_lock_digests(const struct cachedir *dir, struct lock *ret);
/* Wait for those who wait for that: before the first of some exclusive ones, holding none. */
int cachedir_let_pass(const struct cachedir *dir);
int cachedir_lock_writer(const struct cachedir *dir, struct lock *ret); /* waits */

/*
 * Waking across processes: a futex word per key (hashed) in CACHE/shared. See the word, look at
 * the state it stands for, and sleep only if the word has not moved since. A killed process wakes
 * nobody, so waits are short (100 ms) and the state is looked at again.
 */
uint32_t cachedir_word(const struct cachedir *dir, const struct entry_key *key);
void cachedir_bump(const struct cachedir *dir, const struct entry_key *key); /* and wake all */
void cachedir_move(const struct cachedir *dir, const struct entry_key *key); /* wakes nobody */
void cachedir_wait(const struct cachedir *dir, const struct entry_key *key, uint32_t seen,
	unsigned int timeout_ms);

/* Moves after each commit that changes what a reader of the index would see; a futex word, too. */
uint32_t cachedir_changes(const struct cachedir *dir);
void cachedir_changed(const struct cachedir *dir);
void cachedir_wait_change(const struct cachedir *dir, uint32_t seen, unsigned int timeout_ms);

#endif
