/* A cache of its own for each test, and short ways to fill it. */
#ifndef FETCHFS_TESTS_CACHE_FIXTURE_H
#define FETCHFS_TESTS_CACHE_FIXTURE_H

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/evict.h"
#include "cache/store.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)

struct cache {
	char *path;
	struct cachedir dir;
	struct store store;
	uid_t uid; /* on whose share it is what is put */
};

/* One more user of the cache at @path; a child process must join anew. */
static inline struct cache *cache_join(const char *path, uint64_t limit)
{
	struct cache *cache = calloc(1, sizeof(*cache));
	struct err err = ERR_INIT;

	cache->path = strdup(path);
	cr_assert_eq(cachedir_open(path, true, &cache->dir, &err), 0, "%s", err.msg);
	cache->store = (struct store){.dir = &cache->dir, .limit = limit};
	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, &err), 0, "%s", err.msg);
	return cache;
}

static inline void cache_leave(struct cache *cache)
{
	catalog_close(cache->store.catalog);
	cachedir_close(&cache->dir);
	free(cache->path);
	free(cache);
}

/* A fresh one, and the end of it. */
static inline struct cache *cache_make(uint64_t limit)
{
	char *path = tmpdir_make();
	struct cache *cache = cache_join(path, limit);

	free(path);
	return cache;
}

static inline void cache_removep(struct cache **cache)
{
	char *path = strdup((*cache)->path);

	cache_leave(*cache);
	*cache = NULL;
	tmpdir_remove(path);
}

static inline struct entry_key key_of(const char *uri)
{
	struct entry_key key;

	cr_assert_eq(entry_key_make("", uri, &key, NULL), 0);
	return key;
}

/* What a partial of @key_ is shown as, where that does not matter. */
#define LABEL(key_)                                                                                \
	(&(struct partial_label){.key = (key_), .uri = "https://example.org/", .scope = ""})

/* An entry as a conductor would make it; its strings are literals: do not release it. */
static inline struct entry entry_of(const char *uri)
{
	return (struct entry){
		.key = key_of(uri),
		.scope = (char *)(uintptr_t) "",
		.uri = (char *)(uintptr_t)uri,
		.size = -1,
		.modified = -1,
		.fetched = 1000,
		.verified = 1000,
		.expires = 2000,
	};
}

static inline struct ranges_version version_of(int64_t size)
{
	return (struct ranges_version){
		.size = size, .modified = -1, .etag = "\"v1\"", .ranges = true, .strong = true};
}

/* Bytes that differ from place to place and from seed to seed. */
static inline void fill_bytes(uint8_t *buf, size_t len, uint64_t offset, uint64_t seed)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t x = (offset + i + seed * 1000003) * UINT64_C(0x9e3779b97f4a7c15);

		buf[i] = (uint8_t)(x >> 56 ^ x >> 29);
	}
}

static inline struct digest digest_of_bytes(size_t len, uint64_t seed)
{
	uint8_t *buf = malloc(len + 1);
	struct digest digest;

	fill_bytes(buf, len, 0, seed);
	digest_buffer(buf, len, &digest);
	free(buf);
	return digest;
}

static inline struct checksum checksum_of_bytes(enum checksum_kind kind, size_t len, uint64_t seed)
{
	uint8_t *buf = malloc(len + 1);
	struct checksum checksum;

	fill_bytes(buf, len, 0, seed);
	cr_assert_eq(checksum_buffer(kind, buf, len, &checksum, NULL), 0);
	free(buf);
	return checksum;
}

/* Write bytes [@from, @to) of @seed, in pieces that do not match chunks. */
static inline int write_range(
	struct partial *partial, uint64_t from, uint64_t to, uint64_t seed, struct err *err)
{
	static const size_t piece = 50000;
	uint8_t *buf = malloc(piece);
	struct partial_writer *writer = NULL;
	int r = partial_writer_new(partial, from, &writer, err);

	while (r == 0 && from < to) {
		size_t len = to - from < piece ? to - from : piece;

		fill_bytes(buf, len, from, seed);
		r = partial_write(writer, buf, len, err);
		from += len;
	}
	partial_writer_free(writer);
	free(buf);
	return r;
}

/* The whole way of one artifact. */
static inline int put_executable(struct cache *cache, const char *uri, size_t len, uint64_t seed,
	bool executable, struct object *ret, struct err *err)
{
	struct ranges_version version = version_of((int64_t)len);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry entry = entry_of(uri);
	struct partial_label label = *LABEL(&entry.key);
	struct partial *partial = NULL;
	int r = cachedir_lock_key(&cache->dir, &entry.key, &lock);

	entry.executable = executable;
	entry.uid = label.uid = cache->uid;
	if (r == 0)
		r = partial_create(&cache->store, &label, &partial, err);
	if (r == 0)
		r = partial_start(partial, &version, err);
	if (r == 0)
		r = write_range(partial, 0, len, seed, err);
	if (r == 0)
		return partial_commit(&partial, len, NULL, &entry, ret, err);
	if (partial)
		partial_fail(&partial, err, false);
	return r;
}

static inline int put(struct cache *cache, const char *uri, size_t len, uint64_t seed,
	struct object *ret, struct err *err)
{
	return put_executable(cache, uri, len, seed, false, ret, err);
}

/* The same, done with it at once. */
static inline void put_away(struct cache *cache, const char *uri, size_t len, uint64_t seed)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct err err = ERR_INIT;

	cr_assert_eq(put(cache, uri, len, seed, &object, &err), 0, "%s", err.msg);
}

static inline bool has_bytes(int fd, size_t len, uint64_t seed)
{
	uint8_t *is = malloc(len + 1);
	uint8_t *should = malloc(len + 1);
	bool same;

	fill_bytes(should, len, 0, seed);
	same = fd_pread_full(fd, is, len + 1, 0) == (ssize_t)len && memcmp(is, should, len) == 0;
	free(is);
	free(should);
	return same;
}

/* Files below a folder of the cache. */
static inline int count_files(const struct cache *cache, const char *folder)
{
	char *command = str_printf("find %s/%s -type f | wc -l", cache->path, folder);
	FILE *pipe = popen(command, "r");
	int count = -1;

	free(command);
	cr_assert_eq(fscanf(pipe, "%d", &count), 1);
	pclose(pipe);
	return count;
}

/*
 * What the cache occupies, by summing up st_blocks, while others use it. Under the writer's lock
 * nobody is given space, so this is no sum of what went and of what came instead: all that is seen
 * had its room at the same time. A partial that becomes an object on the way counts once (by its
 * inode), and surely (partials are looked at first).
 */
static inline uint64_t disk_usage(const struct cache *cache)
{
	enum { MAX_FILES = 4096 };
	CLEANUP(lock_release) struct lock writer = LOCK_INIT;
	CLEANUP(str_freep) char *partial = str_printf("%s/partial", cache->path);
	char *const roots[] = {partial, cache->path, NULL};
	ino_t *seen = calloc(MAX_FILES, sizeof(*seen));
	uint64_t blocks = 0;
	size_t count = 0;
	FTSENT *item;
	FTS *walk;

	cr_assert_eq(cachedir_lock_writer(&cache->dir, &writer), 0);
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	while ((item = fts_read(walk))) {
		size_t i = 0;

		/* a folder comes twice; what was removed meanwhile has no stat */
		if (item->fts_info == FTS_DP || item->fts_info == FTS_NS)
			continue;
		while (i < count && seen[i] != item->fts_statp->st_ino)
			i++;
		if (i < count)
			continue;
		cr_assert_lt(count, MAX_FILES);
		seen[count++] = item->fts_statp->st_ino;
		blocks += (uint64_t)item->fts_statp->st_blocks;
	}
	fts_close(walk);
	free(seen);
	return blocks * 512;
}

static inline struct usage usage_of(struct cache *cache)
{
	struct usage usage;

	cr_assert_eq(catalog_usage(cache->store.catalog, &usage, NULL), 0);
	return usage;
}

/* Wait for a child and tell how it ended, as the shell does. */
static inline int wait_for(pid_t child)
{
	int status = 0;

	cr_assert_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

#endif
