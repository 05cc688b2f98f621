/*
 * A thread that watches the cache for changes, whichever process made them, and tells the kernel
 * what it keeps in vain.
 *
 * The kernel is told to believe for long only in complete public files, and in folders below which
 * something public is known, so these are what is looked at: files that were evicted, or have
 * changed, or below whose names something has become known, which makes folders of them in the
 * tree; and folders with nothing known below them any more. Everything else it asks for each time.
 */
#ifndef FETCHFS_FS_WATCH_H
#define FETCHFS_FS_WATCH_H

#include "fs/ops.h"

int watch_new(struct fs *fs, struct watch **ret, struct err *err);

/* It begins nothing new; before fetchfs_cancel_all(), which wakes it. */
void watch_end(struct watch *watch);

/* Wait until it tells the kernel nothing any more. Once; watch_free() does it, too. */
void watch_join(struct watch *watch);

/* Waits for it: what it is telling the kernel may wait for a lookup there. */
void watch_free(struct watch *watch);

#endif
