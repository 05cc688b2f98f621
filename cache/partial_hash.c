/*
 * The digest of a partial follows its frontier: what joins the prefix as it is written is taken
 * from memory, the rest is read back.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <stdlib.h>

/* How much one write may read back: so much more than it brought that the digest catches up, so
 * little that the origin is not kept waiting. */
#define CATCH_UP (UINT64_C(1) << 20)

static int hash_bytes(struct partial *partial, const void *buf, size_t len, struct err *err)
{
	int r = checksum_stream_update(partial->sha, buf, len, err);

	if (r == 0 && partial->also)
		r = checksum_stream_update(partial->also, buf, len, err);
	return r;
}

/* Become the one who hashes: from *ret_from as far as the frontier is. false: there is nothing, or
 * another does it. Under mu. */
static bool claim(struct partial *partial, uint64_t *ret_from, uint64_t *ret_len)
{
	if (partial->hashing || partial->hashed == partial->frontier)
		return false;
	partial->hashing = true;
	*ret_from = partial->hashed;
	*ret_len = partial->frontier - partial->hashed;
	return true;
}

/* No longer the one who hashes; the bytes before @hashed are done. */
static void let_go(struct partial *partial, uint64_t hashed)
{
	WITH_LOCK(&partial->mu);

	partial->hashing = false;
	partial->hashed = hashed;
}

static int read_back(
	struct partial *partial, char *buf, uint64_t from, uint64_t len, struct err *err)
{
	ssize_t n = fd_pread_full(partial->fd, buf, len, from);

	if (n == (ssize_t)len)
		return hash_bytes(partial, buf, len, err);
	return err_set(
		err, ERR_SYSTEM, n < 0 ? (int)-n : EIO, "read back partial/%s: %m", partial->name);
}

/* A chunk at most, with *@buf as room for it. 1: done. 0: nothing to do. */
static int hash_next(struct partial *partial, char **buf, struct err *err)
{
	uint64_t from;
	uint64_t len;
	int r;

	partial_beat(partial);
	{
		WITH_LOCK(&partial->mu);

		if (!claim(partial, &from, &len))
			return 0;
	}
	len = len < CHUNK_SIZE ? len : CHUNK_SIZE;
	if (!*buf)
		*buf = malloc(CHUNK_SIZE);
	r = *buf ? read_back(partial, *buf, from, len, err) : err_oom(err);
	let_go(partial, r < 0 ? from : from + len);
	return r < 0 ? r : 1;
}

static int catch_up(struct partial *partial, uint64_t max, struct err *err)
{
	CLEANUP(str_freep) char *buf = NULL;
	int r = 1;

	for (uint64_t done = 0; r > 0 && done < max; done += CHUNK_SIZE)
		r = hash_next(partial, &buf, err);
	return r < 0 ? r : 0;
}

int partial_hash_written(
	struct partial *partial, const char *buf, uint64_t start, size_t len, struct err *err)
{
	uint64_t end = start + len;
	uint64_t from;
	int r;

	{
		WITH_LOCK(&partial->mu);

		if (partial->hashing || partial->hashed < start || partial->hashed >= end ||
			partial->frontier < end)
			return 0;
		partial->hashing = true;
		from = partial->hashed;
	}
	r = hash_bytes(partial, buf + (from - start), end - from, err);
	let_go(partial, r < 0 ? from : end);
	return r;
}

int partial_hash_follow(struct partial *partial, struct err *err)
{
	return catch_up(partial, CATCH_UP, err);
}

int partial_hash_finish(struct partial *partial, struct digest *ret, struct err *err)
{
	int r = catch_up(partial, UINT64_MAX, err);

	return r < 0 ? r : checksum_stream_digest(partial->sha, ret, err);
}
