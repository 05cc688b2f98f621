/*
 * What a URI names in a registry (OCI distribution specification, 1.1):
 *
 *	oci://REGISTRY/REPOSITORY[:TAG][@DIGEST][/FILE]
 *
 * A repository may have several segments, none of which can hold ':' or '@': the first segment that
 * does is its last one. Without a tag it is "latest"; with a digest the tag means nothing.
 */
#ifndef FETCHFS_BACKENDS_OCI_NAME_H
#define FETCHFS_BACKENDS_OCI_NAME_H

#include "base/checksum.h"
#include "base/err.h"
#include "base/uri.h"

#include <stdbool.h>

struct oci_name {
	char *repo;             /* "a/b/c"; "" for the registry itself */
	char *reference;        /* a tag or a digest, as it is asked for */
	struct checksum digest; /* that of the reference, or none */
	char *file;             /* what is named in it, "dir/file"; NULL: nothing is */
	bool is_named;          /* there is a tag or a digest: it may have files */
};

/*
 * -EINVAL for what is no such URI, -ENOENT for what nothing can be called. *ret is for
 * oci_name_release(), whatever is returned.
 */
int oci_name_init(struct oci_name *ret, const struct uri *uri, struct err *err);
void oci_name_release(struct oci_name *name);

/* "sha256:HEX" or "sha512:HEX", in lower case, and nothing else. */
bool oci_digest_parse(const char *text, struct checksum *ret);

#endif
