/* libxml2, loaded when it is needed; its functions are those of <libxml/…>. */
#ifndef FETCHFS_BACKENDS_LIBXML_H
#define FETCHFS_BACKENDS_LIBXML_H

#include "base/err.h"

/* Before any function of it is called. -ELIBACC. */
int libxml_load(struct err *err);

#endif
