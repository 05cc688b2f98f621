/*
 * The bytes of one artifact, from the first on, as they arrive: out of a cache, or by way of a
 * mount.
 */
#ifndef FETCHFS_CLI_ARTIFACT_H
#define FETCHFS_CLI_ARTIFACT_H

#include "base/err.h"
#include "cli/cli.h"

#include <stdint.h>

struct artifact_request {
	const char *uri;
	const char *digest; /* "KIND:HEX", of a cache only; or NULL */
	const char *mount;  /* or NULL: the cache of the command line */
	bool refresh;       /* ask the origin; of a cache only */
};

struct artifact {
	const char *mount;
	struct fetchfs *fetchfs;
	struct fetchfs_file *file;
	int fd; /* by way of the mount */
	uint64_t offset;
};

/* --mount, --digest and --refresh. Input: struct artifact_request. */
extern const struct argp artifact_argp;

/* When all is parsed: false, and said why on stderr, when the options contradict each other. */
bool artifact_prepare(struct cli *cli, struct artifact_request *request);

/*
 * *ret is the caller's, for artifact_close(), whatever is returned. *ret_of_cache: it is the cache
 * that failed, and not the URI.
 */
int artifact_open(const struct cli *cli, const struct artifact_request *request,
	struct artifact *ret, bool *ret_of_cache, struct err *err);

/*
 * All bytes into @out, which err calls @name; when it returns 0 they were the right ones, which
 * may be known only at the end. -EPIPE, when nobody reads any more.
 */
int artifact_write(struct artifact *artifact, int out, const char *name, struct err *err);

/* The same into the empty file @out, which shares the blocks of the cache where it can. */
int artifact_copy(struct artifact *artifact, int out, const char *name, struct err *err);

/* Say so when an old copy of @subject stood in. */
void artifact_warn_old(const struct cli *cli, const struct artifact *artifact, const char *subject);

/* @done: else the download stops, if nobody else waits for it. */
void artifact_close(struct artifact *artifact, bool done);

#endif
