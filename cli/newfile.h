/*
 * A file that has its name only once it is whole: until then nothing is under that name, or what
 * was there before. Where the file system can, it has none at all, so that nothing is left of it
 * however this process ends. What is no regular file (a device, a pipe, /dev/stdout) is written to
 * as it is.
 */
#ifndef FETCHFS_CLI_NEWFILE_H
#define FETCHFS_CLI_NEWFILE_H

#include "base/err.h"

#include <sys/types.h>

struct newfile {
	int fd; /* for writing */
	const char *path;
	char *temp;    /* another name in the same folder */
	bool named;    /* which it has */
	bool as_it_is; /* there is nothing to rename */
};

/* With what the umask leaves of @mode, whatever was there before had. @path must outlive it. */
int newfile_open(const char *path, mode_t mode, struct newfile *ret, struct err *err);

/* On its disk, and under its name, in place of whatever had it. */
int newfile_commit(struct newfile *file, struct err *err);

/* What was not committed is gone. */
void newfile_release(struct newfile *file);

#endif
