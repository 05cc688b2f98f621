/*
 * A backend whose files are a table in memory, for tests of what stands above: scheme "fake",
 * fake://host/path. One table per process; thread-safe.
 *
 *	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
 *	fetchfs_open(&(struct fetchfs_options){.backends = fake_backends, …}, …);
 */
#ifndef FETCHFS_TESTS_FAKE_BACKEND_H
#define FETCHFS_TESTS_FAKE_BACKEND_H

#include "backends/backend.h"

struct fake_file {
	const void *content; /* copied; NULL: @len bytes that fake_backend_byte() tells */
	size_t len;
	const char *etag;  /* as written, with quotes; NULL: none. Copied */
	int64_t modified;  /* 0: unknown */
	bool size_unknown; /* said neither by stat nor by begin */
	bool no_ranges;    /* a part gets -EOPNOTSUPP unless it begins at 0 */
	bool no_stat;      /* -EOPNOTSUPP from stat */
	bool private;      /* not world_readable */
	bool has_max_age;
	int64_t max_age;
	const char *type; /* NULL: "application/octet-stream". Copied */

	int error;                /* stat and fetch answer -error … */
	bool retry;               /* … with err.retry */
	unsigned int error_times; /* … so many times; 0: always */
	uint64_t cut_at;        /* fetch breaks off (-EIO, retry) before this byte; 0: never … */
	unsigned int cut_times; /* … so many times; 0: always */
	uint64_t stall_at;      /* a fetch that begins before this byte waits at it … */
	bool stall;             /* … until fake_backend_release(); so does an "unchanged" */
	bool late;              /* what is begun is ready only after fake_backend_release() */
	unsigned int block;     /* bytes per write to the sink; 0: 64 KiB */
};

struct fake_counts {
	unsigned int stats;
	unsigned int fetches;   /* begun */
	unsigned int unchanged; /* of which answered "unchanged" */
	unsigned int stalled;   /* of which wait now, or are late */
	unsigned int open;      /* begun in two parts, and not finished */
	uint64_t bytes;         /* given to sinks */
};

extern const struct backend fake_backend;
extern const struct backend *const fake_backends[]; /* it, and the file backend */

/* Add or replace the file at @path ("/a"). The counts stay. */
void fake_backend_put(const char *path, const struct fake_file *file);

/* Let all fetches of @path that stall, now and later, go on. */
void fake_backend_release(const char *path);

/* Wait until @count fetches of @path stall, up to ten seconds; aborts the test then. */
void fake_backend_wait_stalled(const char *path, unsigned int count);

struct fake_counts fake_backend_counts(const char *path);
unsigned char fake_backend_byte(uint64_t at);

/* Forget all files and counts. No fetch may be running. */
void fake_backend_reset(void);

#endif
