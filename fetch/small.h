/*
 * The bytes of a small file on their way, kept in memory: most small files are whole before it
 * would have been worth telling anybody about them.
 */
#ifndef FETCHFS_FETCH_SMALL_H
#define FETCHFS_FETCH_SMALL_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* After so long without an answer others shall know that it is being fetched, and hear how that
 * ends; after so long with one they shall see what arrives, however small it will be. */
#define SMALL_ANSWER_MS 250
#define SMALL_BODY_MS   100

struct small {
	char *bytes; /* NULL: none yet */
	size_t len;
	size_t room;
	int64_t since_ms;
	bool begun; /* the origin has answered */
};

#define SMALL_INIT                                                                                 \
	(struct small)                                                                             \
	{                                                                                          \
		.bytes = NULL                                                                      \
	}

/* Before a request; and the origin has answered. */
void small_begin(struct small *small);
void small_answered(struct small *small);
void small_release(struct small *small);

/* Whether a file of @size bytes (-1: unknown) may turn out to be small. */
bool small_suits(int64_t size);

bool small_is_slow(const struct small *small);

/* Add @len bytes. 1: they are too many, none was added. */
int small_add(struct small *small, const void *bytes, size_t len, struct err *err);

#endif
