/*
 * Take back what was placed in a directory.
 */
#ifndef FETCHFS_SANDBOX_RELEASE_H
#define FETCHFS_SANDBOX_RELEASE_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "sandbox/leases.h"

#include <stddef.h>

/*
 * Remove what prepare placed in @directory, and drop its leases. When the directory is gone, or
 * another one has its name, the leases are all there is to drop. *ret_count is the number of
 * leases there were: 0 means that nothing was prepared there. @notice hears of what was left alone.
 */
int release_run(struct fetchfs *fetchfs, const char *directory, leases_notice *notice, void *arg,
	size_t *ret_count, struct err *err);

#endif
