/*
 * Names in the mount, and the URIs that they stand for.
 *
 * A path is relative to the mount, without a leading slash: "https/example.org/dist/x.tgz". All
 * strings returned are the caller's to free().
 */
#ifndef FETCHFS_FS_NAMES_H
#define FETCHFS_FS_NAMES_H

#include "base/checksum.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define NAMES_TOKEN_SIZE 33

/* What a name asks the library for. */
struct wanted {
	char *uri;                       /* with its userinfo, without fragment */
	char digest[CHECKSUM_TEXT_SIZE]; /* "sha256:HEX" from the fragment, or "" */
	char token[NAMES_TOKEN_SIZE];    /* of a lease, which decides what it is; or "" */
};

void names_wanted_release(struct wanted *wanted);

/* The n-th scheme that the root always shows, or NULL. */
const char *names_scheme(unsigned int n);

/* "uri/NAME": any equivalent spelling is accepted. -EINVAL when it is no URI. */
int names_from_uri(const char *name, struct wanted *ret, struct err *err);

/* ".fetchfs/lease/TOKEN:NAME", where NAME is as in uri/. -EINVAL. */
int names_from_lease(const char *name, struct wanted *ret, struct err *err);

/* The name in uri/ of the URI @text, in its usual spelling. -ENAMETOOLONG when it has none. */
int names_to_uri(const char *text, char **ret, struct err *err);

/* A path of the natural tree. -EINVAL when it is no URI. */
int names_from_tree(const char *path, struct wanted *ret, struct err *err);

/* The URI prefix, which ends in '/', of the folder at @path: "https://", "https://host/dir/". */
int names_folder(const char *path, char **ret, struct err *err);

/* Whether @path is a scheme, or a scheme and a host: those are always folders. */
bool names_is_origin(const char *path);

/* Whether @path leads to files of this machine, or is their scheme. */
bool names_is_local(const char *path);

/*
 * Whether @name looks like a file: it has a suffix ('.', a letter, at most seven more letters or
 * digits), or a query.
 */
bool names_has_suffix(const char *name);

/* Whether an HTML page is what one expects behind @name. */
bool names_is_page(const char *name);

/* A 64-bit hash of @text (FNV-1a) for inode numbers and tables; never 0. */
uint64_t names_hash(const char *text);

#endif
