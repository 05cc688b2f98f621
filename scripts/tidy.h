/*
 * What clang-tidy, which looks at one file at a time, has to be told: an error is never 0. Without
 * it each early return looks like a success that has set no output. Included before every file.
 */
#ifndef FETCHFS_SCRIPTS_TIDY_H
#define FETCHFS_SCRIPTS_TIDY_H

#include "base/err.h"

static inline int tidy_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

#define err_set(...)       tidy_negative(err_set(__VA_ARGS__))
#define err_set_retry(...) tidy_negative(err_set_retry(__VA_ARGS__))
#define err_context(...)   tidy_negative(err_context(__VA_ARGS__))
#define err_oom(...)       tidy_negative(err_oom(__VA_ARGS__))

#endif
