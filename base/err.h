/*
 * What went wrong: an errno for programs and one line for people.
 *
 * A fallible function returns 0 or -errno and takes a struct err last. The struct is the
 * caller's (no heap, so that running out of memory can be told, too); NULL is accepted by a
 * caller who needs only the code. Text is lower case, has no full stop and names the thing:
 *
 *	return err_set(err, ERR_SYSTEM, errno, "open object %s: %m", path);
 *
 * Foreign codes (curl, sqlite, libarchive) are translated once, in the file that owns the library.
 */
#ifndef FETCHFS_BASE_ERR_H
#define FETCHFS_BASE_ERR_H

#include <stdbool.h>

#pragma GCC visibility push(default) /* a part of the installed header */

#define ERR_TEXT_MAX 512

enum err_kind {
	ERR_NONE,
	ERR_SYSTEM,    /* this machine: a system call, memory, the index */
	ERR_USAGE,     /* the caller's input makes no sense: malformed URI, bad option */
	ERR_NETWORK,   /* the origin was not reached, or the connection broke */
	ERR_REMOTE,    /* the origin answered, and said no */
	ERR_INTEGRITY, /* bytes arrived that are not the right ones */
	ERR_POLICY,    /* the configuration forbids it */
	ERR_SPACE,     /* the cache or its disk is full */
	ERR_CANCELLED, /* nobody waits for it any more */
	ERR_PROXY,     /* the proxy was not reached, or refused; nothing is known of the origin */
};

struct err {
	int code; /* a positive errno; 0: no error */
	enum err_kind kind;
	bool retry;               /* the same call may succeed later */
	unsigned int retry_after; /* seconds the origin asked us to wait; 0: it did not say */
	char msg[ERR_TEXT_MAX];
};

#define ERR_INIT                                                                                   \
	(struct err)                                                                               \
	{                                                                                          \
		.code = 0                                                                          \
	}

/*
 * Fill @err and return -@code. @code is a positive errno (0 is taken as EIO: an error must not
 * look like success). "%m" in @fmt is the text of @code. A text that is too long is cut; control
 * characters become '?'. EDQUOT becomes ENOSPC, and what of that was ERR_SYSTEM is ERR_SPACE.
 */
int err_set(struct err *err, enum err_kind kind, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for an error that may go away by itself. @after is in seconds, 0 when unknown. */
int err_set_retry(struct err *err, enum err_kind kind, int code, unsigned int after,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Put "@fmt: " in front of the text, where a new noun is known. Returns -err->code. */
int err_context(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory; needs none itself. Returns -ENOMEM. */
int err_oom(struct err *err);

/* A stable word for status, log and --json: "network", "policy" … Never NULL. */
const char *err_kind_name(enum err_kind kind);

#pragma GCC visibility pop

#endif
