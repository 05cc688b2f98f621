/* libcurl, loaded when it is needed; its functions are those of <curl/curl.h>. */
#ifndef FETCHFS_BASE_LIBCURL_H
#define FETCHFS_BASE_LIBCURL_H

#include "base/err.h"

/* Before any function of it is called. -ELIBACC. */
int libcurl_load(struct err *err);

#endif
