/* The locks of a cache: bytes of CACHE/locks (docs/cache-format.md). */
#include "base/cleanup.h"
#include "cache/cachedir.h"

#include <errno.h>
#include <string.h>

/* Bytes of CACHE/locks. Keys and digests have a half each: they never share one. */
#define LOCK_WRITER 0
#define LOCK_TURN   1
#define LOCK_BOXES  4096 /* up to LOCK_BASE: the directories of sandboxes */
#define LOCK_BASE   (UINT64_C(1) << 20)
#define LOCK_HALF   (((UINT64_C(1) << 62) - LOCK_BASE) / 2)

static uint64_t lock_byte(const void *name)
{
	uint64_t number;

	memcpy(&number, name, sizeof(number)); /* of a SHA-256: as good as any hash of it */
	return number % LOCK_HALF;
}

int cachedir_lock_key(const struct cachedir *dir, const struct entry_key *key, struct lock *ret)
{
	return lock_try(dir->fd, "locks", LOCK_BASE + lock_byte(key->bytes), LOCK_EXCLUSIVE, ret);
}

int cachedir_is_led(const struct cachedir *dir, const struct entry_key *key)
{
	return lock_is_held(dir->fd, "locks", LOCK_BASE + lock_byte(key->bytes));
}

static uint64_t digest_byte(const struct digest *digest)
{
	return LOCK_BASE + LOCK_HALF + lock_byte(digest->bytes);
}

/*
 * Two who hold a digest each and wait for the other's would wait for ever: so only shared locks
 * wait, and with them whoever meets a lock of all digests, who can hold none himself.
 */
int cachedir_lock_digest(const struct cachedir *dir, const struct digest *digest,
	enum lock_mode mode, struct lock *ret)
{
	uint64_t offset = digest_byte(digest);
	int r = -EAGAIN;
	int held;

	if (mode == LOCK_SHARED)
		return lock_wait(dir->fd, "locks", offset, mode, ret);
	/* what was met may be gone at the look for it: then nothing is known yet */
	while (r == -EAGAIN) {
		r = lock_try(dir->fd, "locks", offset, mode, ret);
		if (r != -EAGAIN)
			return r;
		held = lock_is_in_range(dir->fd, "locks", offset);
		if (held != 1 && held != -ENOENT)
			return -EAGAIN;
		if (held == 1)
			r = lock_wait(dir->fd, "locks", offset, mode, ret);
	}
	return r;
}

/*
 * The kernel gives a lock to whoever comes when it is free, however long others have waited. Some
 * evictors, of whom one always has a digest, would keep out for ever who wants all of them.
 */
int cachedir_let_pass(const struct cachedir *dir)
{
	CLEANUP(lock_release) struct lock turn = LOCK_INIT;

	return lock_wait(dir->fd, "locks", LOCK_TURN, LOCK_EXCLUSIVE, &turn);
}

int cachedir_lock_digests(const struct cachedir *dir, struct lock *ret)
{
	CLEANUP(lock_release) struct lock turn = LOCK_INIT;
	int r = lock_wait(dir->fd, "locks", LOCK_TURN, LOCK_SHARED, &turn);

	if (r < 0)
		return r;
	return lock_wait_range(
		dir->fd, "locks", LOCK_BASE + LOCK_HALF, LOCK_HALF, LOCK_SHARED, ret);
}

int cachedir_lock_directory(
	const struct cachedir *dir, uint64_t device, uint64_t inode, struct lock *ret)
{
	/* inodes are numbered one after the other: two directories rarely share a byte */
	uint64_t number =
		(inode ^ device * UINT64_C(0x9e3779b97f4a7c15)) % (LOCK_BASE - LOCK_BOXES);

	return lock_try(dir->fd, "locks", LOCK_BOXES + number, LOCK_EXCLUSIVE, ret);
}

int cachedir_lock_writer(const struct cachedir *dir, struct lock *ret)
{
	return lock_wait(dir->fd, "locks", LOCK_WRITER, LOCK_EXCLUSIVE, ret);
}
