/*
 * Patterns in place of URIs, where a command is about what is in the cache: '*' stands for any
 * characters, also '/'.
 */
#ifndef FETCHFS_CLI_PATTERN_H
#define FETCHFS_CLI_PATTERN_H

#include "fetch/fetchfs.h"

/* For the options of such a command. */
#define PATTERN_OPTION_DOC                                                                         \
	{                                                                                          \
		0, 0, 0, OPTION_DOC,                                                               \
			"In a PATTERN, * stands for any characters, also '/'. It is for what is "  \
			"in the cache now.",                                                       \
			0                                                                          \
	}

/* Whether @text is one: it has a '*', and is no URI that the cache knows. */
bool pattern_is(struct fetchfs *fetchfs, const char *text);

/* What the caller may see that @pattern stands for, as by fetchfs_list(). */
int pattern_list(struct fetchfs *fetchfs, const char *pattern, fetchfs_visit *visit, void *arg,
	struct err *err);

/* It stood for nothing: returns -ENOENT. */
int pattern_of_nothing(struct err *err);

#endif
