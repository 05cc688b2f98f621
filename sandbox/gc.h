/*
 * Sandboxes that nobody released: those whose directories are gone, and of the others what ended
 * with an earlier boot, the mounts above all.
 */
#ifndef FETCHFS_SANDBOX_GC_H
#define FETCHFS_SANDBOX_GC_H

#include "base/err.h"
#include "fetch/fetchfs.h"

#include <stdbool.h>
#include <stddef.h>

/* Whether the directory of @lease is surely gone: its path leads nowhere, or to another one. */
bool gc_is_gone(const struct fetchfs_lease *lease);

/* What became of one of them. */
struct gc_sandbox {
	const char *directory;
	bool is_there;        /* only what is of an earlier boot is released */
	size_t files;         /* that had been placed there, and are released */
	size_t mounts;        /* that were still there */
	const char *moved_to; /* it is not gone but has another path now: left alone; or NULL */
	struct err err;       /* it could not be released, or not all of it */
};

typedef void gc_told(const struct gc_sandbox *sandbox, void *arg);

/* What was left alone in one that is there: it is not what was placed any more. */
typedef void gc_left(const char *directory, const char *name, void *arg);

/* Drop those leases, with the mounts that are left, and what the others were mounted on. Of each
 * sandbox, @left comes before @told. */
int gc_sandboxes(struct fetchfs *fetchfs, gc_told *told, gc_left *left, void *arg, struct err *err);

#endif
