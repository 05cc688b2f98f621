/*
 * URIs (RFC 3986), in one canonical form.
 *
 * Canonical: lower-case scheme and host, default port dropped, dot segments removed, an empty path
 * of a scheme with authority is "/", %XX stays as typed except that its digits are upper case and
 * escaped unreserved characters are unescaped, bytes that a URI may not hold are percent-encoded.
 * Userinfo and fragment are taken off: userinfo is a credential, and a fragment is never sent; a
 * fragment "sha256=HEX" or "sha512:HEX" (checksum.h has the kinds) is understood as what the bytes
 * are expected to hash to; any other is dropped. s3a and s3n are s3, whose keys have one spelling:
 * "%2F" there is '/', "%2B" is '+'; so it is in oci, hdfs, webhdfs and swebhdfs. Parsed by
 * libcurl's URL API, so that what policy sees is what libcurl connects to.
 *
 * Limits: URI_MAX bytes; control characters, and backslashes in the authority, are refused.
 */
#ifndef FETCHFS_BASE_URI_H
#define FETCHFS_BASE_URI_H

#include "base/checksum.h"
#include "base/err.h"

#define URI_MAX      8192
#define URI_NAME_MAX 255 /* bytes of one name in a directory */

struct uri {
	char *text;               /* canonical, without userinfo and fragment, with the query */
	char *scheme;             /* "https" */
	char *host;               /* lower case; brackets kept on IPv6; "" for file */
	char *port;               /* digits, or NULL for the scheme's default */
	char *path;               /* begins with '/', percent-encoded */
	char *query;              /* without '?', or NULL */
	char *user;               /* from userinfo, percent-decoded, or NULL */
	char *password;           /* likewise */
	struct checksum expected; /* from the fragment, the best of several; else none */
};

/*
 * Parse @text. -EINVAL with a reason when it is not an absolute URI. Any scheme is accepted:
 * whether somebody can fetch it is the backends' business. On success *ret is the caller's and
 * must be given to uri_release().
 */
int uri_parse(const char *text, struct uri *ret, struct err *err);
void uri_release(struct uri *uri);

/* *ret is the caller's, for uri_release(). */
int uri_copy(const struct uri *uri, struct uri *ret, struct err *err);

/*
 * The URI that @reference (a Location header: absolute or relative) means, seen from @base. User
 * and password stay with their origin (scheme, host and port): they are taken over only there.
 */
int uri_resolve(const struct uri *base, const char *reference, struct uri *ret, struct err *err);

/*
 * Whether the canonical URI @text is @prefix, which is canonical, too, or lies below it. Prefixes
 * end between segments: "https://h/a" covers "https://h/a/b" and "https://h/a?b", not
 * "https://h/ab". What would leave the prefix on a server that undoes escapes first ("..%2F") is
 * not below it.
 */
bool uri_is_below(const char *prefix, const char *text);

/*
 * The URI as it may be shown and stored: the query, which may be a secret, replaced by "?…".
 * The caller's to free(); NULL when out of memory.
 */
char *uri_display(const struct uri *uri);

/*
 * The path of a file:// URI, percent-decoded, the caller's to free(). -EINVAL when it holds %00, or
 * %2F (no name can: and so there is no ".." in what is returned).
 */
int uri_file_path(const struct uri *uri, char **ret, struct err *err);

/* The path, percent-decoded, whatever it holds but %00 (-EINVAL). The caller's to free(). */
int uri_plain_path(const struct uri *uri, char **ret, struct err *err);

/*
 * The last segment of the path, percent-decoded: the natural name of a copy. -EINVAL when it is
 * empty, ".", "..", or holds '/' or NUL. The caller's to free().
 */
int uri_basename(const struct uri *uri, char **ret, struct err *err);

/*
 * The URI of what is called @name (any bytes but '/') in @folder, whose path ends in a slash.
 * -EINVAL when no URI can hold it. *ret is the caller's, for uri_release().
 */
int uri_child(const struct uri *folder, const char *name, struct uri *ret, struct err *err);

/* The file:// URI of the absolute @path (any bytes). *ret is the caller's, for uri_release(). */
int uri_of_file(const char *path, struct uri *ret, struct err *err);

/*
 * What somebody means who types @text: a URI, or the absolute path of a file of this machine, in
 * which nothing is unescaped. -EINVAL otherwise. *ret is the caller's, for uri_release().
 */
int uri_of_text(const char *text, struct uri *ret, struct err *err);

/* @text with all bytes as %XX but unreserved characters (RFC 3986, 2.3) and those in @keep. The
 * caller's to free(); NULL when out of memory. */
char *uri_escape(const char *text, const char *keep);

/*
 * Names in the mount.
 *
 * uri_to_name(): the whole URI as one file name of uri/: '/' is %2F and '%' is %25 (so that the
 * reverse is exact). -ENAMETOOLONG when it is longer than URI_NAME_MAX bytes. uri_from_name()
 * accepts every spelling whose unescaping is a URI.
 *
 * uri_to_tree(): "https/host:port/path…", relative to the mount, without a leading slash.
 * -ENOENT when the natural tree cannot hold it (empty segments, a segment that is too long, a
 * trailing slash). uri_from_tree() is the reverse: '?' starts the query, %XX stays, forbidden
 * bytes are encoded; "file/etc/x" means file:///etc/x.
 */
int uri_to_name(const struct uri *uri, char **ret, struct err *err);
int uri_from_name(const char *name, struct uri *ret, struct err *err);
int uri_to_tree(const struct uri *uri, char **ret, struct err *err);
int uri_from_tree(const char *tree_path, struct uri *ret, struct err *err);

#endif
