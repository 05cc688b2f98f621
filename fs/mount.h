/*
 * The FUSE face: serves one cache under one directory until it is unmounted.
 */
#ifndef FETCHFS_FS_MOUNT_H
#define FETCHFS_FS_MOUNT_H

#include "base/err.h"
#include "fetch/fetchfs.h"

#include <stdbool.h>

struct mount_options {
	const char *directory;
	const char *fuse_options;  /* comma-separated, for libfuse and the kernel, or NULL */
	bool list_xattrs;          /* -o xattrs: listxattr() shows ours */
	bool known_only;           /* -o known: no name ever causes a request */
	bool no_passthrough;       /* -o nopassthrough: every read comes to this process */
	void (*ready)(void *arg);  /* called once, when the mount answers */
	void (*ending)(void *arg); /* called once after that, when it begins to end */
	void *arg;                 /* for both, which any thread calls */
};

/*
 * Take away what a killed daemon left at @directory (ENOTCONN), so that it can be mounted again.
 * 0 also when there is nothing to do.
 */
int mount_clear_dead(const char *directory, struct err *err);

/*
 * Mount and serve until unmounted or told to end by SIGTERM, SIGINT or SIGHUP. Threads are
 * started; the caller has daemonised before. All have ended when this returns, which may be never
 * if one hangs in a file system that does not answer: root's mount is taken down before, and who
 * cannot wait for the rest ends the process, some time after @options->ending was called.
 */
int mount_serve(struct fetchfs *fetchfs, const struct mount_options *options, struct err *err);

#endif
