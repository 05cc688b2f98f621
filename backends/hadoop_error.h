/* What Hadoop's client says when it fails, and what that is to us. */
#ifndef FETCHFS_BACKENDS_HADOOP_ERROR_H
#define FETCHFS_BACKENDS_HADOOP_ERROR_H

#include "base/err.h"

/*
 * The error that the end of what it wrote to stderr, @text, means; @status: how waitpid() says that
 * it ended. None of its words are repeated: configurations and tokens are among them. -errno.
 */
int hadoop_error(const char *text, int status, struct err *err);

#endif
