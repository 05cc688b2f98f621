/*
 * What an HTTP request says beside its URI: which part, of which version (RFC 9110, 13 and 14).
 */
#ifndef FETCHFS_BACKENDS_QUESTION_H
#define FETCHFS_BACKENDS_QUESTION_H

#include "backends/backend.h"

#define QUESTION_HEADERS 6 /* and a NULL */

/* A part of the file, rather than all of it. */
bool question_wants_part(const struct backend_request *request);

/* Whether its headers name a version. */
bool question_has_condition(const struct backend_request *request);

/* The headers, for question_releasep(); what is not needed stays NULL, at the end. @body: not only
 * the headers of the file are wanted. -ENOMEM. */
int question_headers(const struct backend_request *request, bool body,
	char *headers[QUESTION_HEADERS], struct err *err);
void question_releasep(char *(*headers)[QUESTION_HEADERS]); /* leaves NULLs; for CLEANUP(), too */

#endif
