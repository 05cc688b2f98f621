/*
 * Reads an archive, of whatever kind, and makes its tree: tar with gzip, bzip2, xz or zstd or
 * without, zip, 7z; and what is compressed by these without being an archive. The bytes decide; the
 * name only whether nothing at all is an archive without entries.
 */
#ifndef FETCHFS_FETCH_UNARCHIVE_H
#define FETCHFS_FETCH_UNARCHIVE_H

#include "fetch/treemaker.h"

#include <locale.h>
#include <stdbool.h>

/*
 * Before the process locks itself up: what is needed to read names that are text (zip, 7z), for
 * unarchive(). (locale_t)0: there is none such here, only ASCII can be read.
 */
locale_t unarchive_charset(void);

/*
 * Unpack @fd, a regular file called @hint, by @maker. *ret_single: it was no archive, but is now
 * the file "data". -ENOTSUP: neither; -EBADMSG: it is broken; and what treemaker.h says.
 */
int unarchive(int fd, const char *hint, locale_t charset, struct treemaker *maker, bool *ret_single,
	struct err *err);

#endif
