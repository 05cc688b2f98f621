/*
 * What S3 means when it refuses: the XML of its error answers.
 */
#ifndef FETCHFS_BACKENDS_S3_ERROR_H
#define FETCHFS_BACKENDS_S3_ERROR_H

#include "base/err.h"

/*
 * Make of @err, which says what @status means in HTTP, what @body (a text, perhaps cut off, or
 * none) says. Nothing of @secrets, NULL-terminated, is repeated. Returns -err->code.
 */
int s3_error(long status, const char *body, const char *const *secrets, struct err *err);

#endif
