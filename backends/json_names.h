/*
 * The names in a folder as nginx tells them (autoindex_format json), found as its bytes come in: an
 * array of objects with the strings "name" and "type".
 */
#ifndef FETCHFS_BACKENDS_JSON_NAMES_H
#define FETCHFS_BACKENDS_JSON_NAMES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A name: bytes that may be any but NUL. -errno, with its err, ends the list. */
typedef int json_name(const char *name, bool is_folder, void *arg, struct err *err);

struct json_names;

/* *ret is for json_names_free(). */
int json_names_new(json_name *visit, void *arg, struct json_names **ret, struct err *err);
void json_names_free(struct json_names *names);

/*
 * The next @len bytes; @len 0: that was all. What @visit answered; -ENOTDIR for JSON that is no
 * such list, -EBADMSG for what is no JSON, -EFBIG for an item that no name has.
 */
int json_names_feed(struct json_names *names, const void *buf, size_t len, struct err *err);

#endif
