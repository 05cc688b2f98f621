/*
 * Files with credentials, read for each request: what is wrong with one is told with the key of the
 * configuration that names it.
 */
#ifndef FETCHFS_FETCH_CREDENTIAL_FILE_H
#define FETCHFS_FETCH_CREDENTIAL_FILE_H

#include "fetch/config.h"

#include <sys/stat.h>

/* A key of the section that names a file; without a section it is where others have it, too. */
struct credential_file {
	const struct origin *origin;
	const char *key;
	const char *file;
};

/* -EACCES, with @why. */
int credential_file_refuse(const struct credential_file *file, const char *why, struct err *err);

/*
 * A FIFO would keep a thread that nobody can interrupt, a device might never end: only what is a
 * file is read. For fd_close(). @ret_errno: why it could not be opened, 0: for another reason; or
 * NULL.
 */
int credential_file_open(const struct credential_file *file, struct stat *ret, int *ret_fd,
	int *ret_errno, struct err *err);

/* All bytes of the file, with a NUL behind them, for config_free_secret(). */
int credential_file_read(
	const struct credential_file *file, char **ret, int *ret_errno, struct err *err);

/* The one line that the file holds. Blanks around it, and blank lines after it, do not count. *ret
 * is for config_free_secret(). */
int credential_file_line(const struct credential_file *file, char **ret, struct err *err);

#endif
