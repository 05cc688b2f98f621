/*
 * A part of fetchfs.h, which includes it: from one cache to another that cannot ask the network, by
 * way of a tar.
 */
#ifndef FETCHFS_FETCH_FETCHFS_EXPORT_H
#define FETCHFS_FETCH_FETCHFS_EXPORT_H

#include "fetch/fetchfs.h"

/* So far, or in all. */
struct fetchfs_exported {
	uint64_t entries; /* whose bytes are in the archive */
	uint64_t objects; /* that these bytes are: each once */
	uint64_t bytes;
	uint64_t total_objects; /* that are to come into it, and … */
	uint64_t total_bytes;   /* … their bytes */
};

struct fetchfs_export {
	const char *const *keys; /* of fetchfs_info; one that comes twice counts once */
	size_t count;
	int fd; /* where to: written in order, from its position on */
	/* Both on the caller's thread. @failed: one that cannot be exported; the others are.
	 * @tick: often, and at the end; or NULL. */
	void (*failed)(const char *uri, const struct err *err, void *arg);
	void (*tick)(const struct fetchfs_exported *so_far, void *arg);
	void *arg;
};

/*
 * Why one cannot be exported, told without looking at its bytes: -ENOENT when it is not complete,
 * -EACCES when it is not public, or a file of this machine: what others may not see here they would
 * there.
 */
FETCHFS_API int fetchfs_exportable(const struct fetchfs_info *info, struct err *err);

/*
 * Write them as one archive. What is damaged on its disk is found, and leaves the cache; it is
 * named in the archive, but not in it. Blocks. -ENOENT, and nothing is written, when none can be
 * exported; after any other error what was written is no whole archive. -EPIPE: nobody reads.
 */
FETCHFS_API int fetchfs_export(struct fetchfs *fetchfs, const struct fetchfs_export *how,
	struct fetchfs_exported *ret, struct err *err);

/* ---- the other way ---- */

enum fetchfs_import_outcome {
	FETCHFS_IMPORT_DONE,    /* it is here now */
	FETCHFS_IMPORT_PRESENT, /* it was */
	FETCHFS_IMPORT_NEWER,   /* what is here was fetched later, and stays */
	FETCHFS_IMPORT_FAILED,
	FETCHFS_IMPORT_OUTCOMES, /* how many there are */
};

/* A stable word: "imported", "present", "newer", "failed". */
FETCHFS_API const char *fetchfs_import_outcome_name(enum fetchfs_import_outcome outcome);

struct fetchfs_import_item {
	const char *uri; /* as it may be shown; or a text that is none, as it came */
	char sha256[FETCHFS_SHA256_SIZE];
	int64_t size;
	enum fetchfs_import_outcome outcome;
	struct err err; /* when it failed */
};

/* So far, or in all. */
struct fetchfs_imported {
	uint64_t counts[FETCHFS_IMPORT_OUTCOMES]; /* entries */
	uint64_t entries;                         /* of the archive, once that is known */
	uint64_t bytes;                           /* that came into the cache */
	uint64_t seen;                            /* of total_bytes: what is behind us */
	uint64_t total_bytes;                     /* of the objects of all entries */
};

struct fetchfs_import {
	int fd;   /* read in order, from its position on */
	bool pin; /* what the archive has, and is here afterwards. Else what is new here has the pin
		   * that it had where it was exported */
	/* Both on the caller's thread. @told: of each entry. @tick: often; or NULL. */
	void (*told)(const struct fetchfs_import_item *item, void *arg);
	void (*tick)(const struct fetchfs_imported *so_far, void *arg);
	void *arg;
};

/*
 * Take what such an archive has into the cache, as if it had been fetched when it was, by the owner
 * of the cache. Nothing of it is believed: bytes are hashed, URIs and policy asked. What is not
 * named in it, and what is here already, is passed over. Blocks.
 *
 * An error ends it; what was told stays. -EBADMSG: the archive is damaged, cut off, or no such
 * thing; -ENOTSUP: of another version, or compressed; -ENOSPC: there is no room for all of it,
 * which is asked before the first byte.
 */
FETCHFS_API int fetchfs_import(struct fetchfs *fetchfs, const struct fetchfs_import *how,
	struct fetchfs_imported *ret, struct err *err);

#endif
