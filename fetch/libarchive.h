/* libarchive, loaded when it is needed; its functions are those of <archive.h>. */
#ifndef FETCHFS_FETCH_LIBARCHIVE_H
#define FETCHFS_FETCH_LIBARCHIVE_H

#include "base/err.h"

/* Before any function of it is called, and before the process shuts itself in. -ELIBACC. */
int libarchive_load(struct err *err);

/* The next header, asked for again where that may help; a mere warning (of times, owners, charsets)
 * is none. 1: *ret is an entry; 0: there are no more; -1: the archive says why. */
struct archive;
struct archive_entry;
int libarchive_next(struct archive *archive, struct archive_entry **ret);

#endif
