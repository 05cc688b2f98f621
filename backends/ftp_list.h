/*
 * The listing of a folder as FTP servers send it, line by line: facts (MLSD, RFC 3659), or what
 * is for people (LIST), as Unix or as DOS has it.
 */
#ifndef FETCHFS_BACKENDS_FTP_LIST_H
#define FETCHFS_BACKENDS_FTP_LIST_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define FTP_LIST_LINE 4096 /* bytes; no name of a file needs a longer one */

/* @name as the server sent it, of which it may be anything but '/', "." and "..": names that are no
 * names are left out. -errno, with its err, ends the listing. */
typedef int ftp_list_visit(const char *name, bool is_folder, void *arg, struct err *err);

struct ftp_list {
	ftp_list_visit *visit;
	void *arg;
	const char *folder; /* its path, as the server knows it: for links that lead back */
	char line[FTP_LIST_LINE];
	size_t len;
	bool too_long;     /* the rest of the line is passed over */
	size_t understood; /* lines */
	size_t other;
};

/* The next @len bytes. */
int ftp_list_feed(struct ftp_list *list, const char *buf, size_t len, struct err *err);

/* That was all. -ENOTDIR when it was no listing at all. */
int ftp_list_end(struct ftp_list *list, struct err *err);

#endif
