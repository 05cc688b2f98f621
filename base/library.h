/*
 * Foreign libraries that most runs of the program do not need. libcurl, libarchive and libxml2
 * bring forty others along, and to load these takes three times as long as all that `path` or a
 * `prepare` from the cache does; OpenSSL takes half as long. So the first who needs one loads it.
 *
 * What stands in for a library is one file, named after it: it defines the library's functions,
 * by their own declarations, and each hands its arguments on. All others call the library as if
 * they were linked with it.
 */
#ifndef FETCHFS_BASE_LIBRARY_H
#define FETCHFS_BASE_LIBRARY_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct library {
	const char *soname;
	pthread_mutex_t mu;
	_Atomic(void *) handle;
};

#define LIBRARY_INIT(name)                                                                         \
	{                                                                                          \
		.soname = (name), .mu = PTHREAD_MUTEX_INITIALIZER                                  \
	}

/*
 * Load it, unless that was done; it is never unloaded. Any thread, at any time. -ELIBACC when it
 * cannot be: to be called where there is somebody to tell, before its functions are.
 */
int library_load(struct library *library, struct err *err);

/* Whether somebody in this process has loaded it, be it another library. */
bool library_is_there(struct library *library);

/* The function @name of it, kept in @place. The program ends when there is none: it is not the
 * library that the program was built for. */
void *library_function(struct library *library, _Atomic(void *) *place, const char *name);

/* What stands in for its function @name. That is in parentheses: some are macros, too. */
/* NOLINTBEGIN(bugprone-macro-parentheses): parameters of a function have theirs */
#define LIBRARY_FUNCTION(library, type, name, params, args)                                        \
	type(name) params                                                                          \
	{                                                                                          \
		static _Atomic(void *) place;                                                      \
		typeof(&(name)) function = library_function(library, &place, #name);               \
                                                                                                   \
		return function args;                                                              \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

#endif
