/* libarchive, loaded when it is needed; its functions are those of <archive.h>. */
#ifndef FETCHFS_FETCH_LIBARCHIVE_H
#define FETCHFS_FETCH_LIBARCHIVE_H

#include "base/err.h"

/* Before any function of it is called, and before the process shuts itself in. -ELIBACC. */
int libarchive_load(struct err *err);

#endif
