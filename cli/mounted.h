/*
 * Working by way of a mount, as the caller: --mount DIR, else $FETCHFS_MOUNT.
 *
 * The daemon behind the mount decides and downloads; a command only opens and reads files there.
 */
#ifndef FETCHFS_CLI_MOUNTED_H
#define FETCHFS_CLI_MOUNTED_H

#include "base/err.h"
#include "cli/cli.h"

#include <stdbool.h>
#include <stdint.h>

/* @option, else $FETCHFS_MOUNT unless --cache was given, else NULL: no mount is meant. */
const char *mounted_directory(const struct cli *cli, const char *option);

/*
 * Open the file that stands for @uri below @mount: its exact name in uri/, or, when that is too
 * long for a name, its place in the tree. *ret is a descriptor.
 */
int mounted_open(const char *mount, const char *uri, int *ret, struct err *err);

/* Make @uri known to the mount: it asks the origin what it is, without the body. */
int mounted_know(const char *mount, const char *uri, struct err *err);

/* The string that is the extended attribute user.fetchfs.@name of @fd. -ENODATA. */
int mounted_attribute(int fd, const char *name, char *ret, size_t size);

/* Why @fd cannot be read, in the daemon's words where it has some; @code is read's errno. */
int mounted_error(const char *mount, int fd, int code, const char *what, struct err *err);

/*
 * Make --cache of @cli the cache behind the mount, when one is asked for and its status can be
 * read. *ret_path is what cli->cache then points to, the caller's to free() at the end.
 */
int mounted_use_cache(struct cli *cli, const char *mount, char **ret_path, struct err *err);

/* -EACCES: it is mounted with -o known, and fetches nothing. */
int mounted_check_fetches(const char *mount, struct err *err);

/* How the mount serves complete files, in the daemon's words. */
struct mounted_passthrough {
	bool on;
	char why[ERR_TEXT_MAX]; /* it is not; else "" */
	int64_t opens;          /* passed on to the kernel */
	int64_t fallbacks;      /* opens of complete files that were not */
	int64_t files;          /* that the kernel reads itself at this moment */
};
int mounted_passthrough(const char *mount, struct mounted_passthrough *ret, struct err *err);

/* What the daemon behind the mount has done since it began. */
struct mounted_served {
	int64_t seconds;       /* ago */
	int64_t hits;          /* opens answered from the cache */
	int64_t misses;        /* opens that needed the origin */
	int64_t fetched_bytes; /* that origins sent */
};
int mounted_served(const char *mount, struct mounted_served *ret, struct err *err);

#endif
