/*
 * A file of this machine, opened with the rights of whom the request is for.
 */
#ifndef FETCHFS_BACKENDS_SOURCE_H
#define FETCHFS_BACKENDS_SOURCE_H

#include "backends/backend.h"

#include <limits.h>
#include <sys/stat.h>

/* A file that is open, and how it looked then. */
struct source {
	int fd;
	struct stat st;
};

/* The path that is asked for, if it may be. The caller's to free(). */
int source_path(const struct backend_request *request, char **ret, struct err *err);

/* Open the regular file that is asked for; whatever else it is, it is not touched. */
int source_open(const struct backend_request *request, struct source *ret, struct err *err);
void source_closep(struct source *source); /* for CLEANUP() */

/* Whether what was opened is, by its real name, what may be asked for: links may lead anywhere. */
int source_check_real(const struct backend_request *request, int fd, struct err *err);

/* errno, of opening what was asked for, as an error. */
int source_failed(struct err *err);

/* The name that the kernel knows the file @fd by. */
bool source_real_path(int fd, char ret[PATH_MAX]);

/* Whether any user could have opened @fd, who needs @bits (S_IROTH …): by its real name, through
 * each folder above it. */
bool source_is_open_to_all(int fd, mode_t bits);

#endif
