/*
 * Manifests and indexes (OCI image specification, 1.1; Docker's image manifest version 2, schema
 * 2), as they come from a registry: what they say, and which names their layers have as files.
 *
 * A layer is called by its title (the annotation org.opencontainers.image.title), which may have
 * several segments: those before the last one are folders. One that has none, or one that no file
 * can have, that looks like a digest, that another layer has, or that is a folder of another one,
 * is called by its digest.
 */
#ifndef FETCHFS_BACKENDS_OCI_MANIFEST_H
#define FETCHFS_BACKENDS_OCI_MANIFEST_H

#include "backends/oci_memory.h"
#include "base/checksum.h"

#include <stdbool.h>

#define OCI_MANIFEST_MAX ((size_t)4 * 1024 * 1024)

/* What is asked for as Accept, in this order. */
#define OCI_MANIFEST_TYPES                                                                         \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.oci.image.index.v1+json, "                                                \
	"application/vnd.oci.artifact.manifest.v1+json, "                                          \
	"application/vnd.docker.distribution.manifest.v2+json, "                                   \
	"application/vnd.docker.distribution.manifest.list.v2+json"

struct oci_layer {
	char *name;
	struct checksum digest;
	int64_t size;
};

struct oci_manifest {
	struct oci_fact fact;   /* first, so that it is the manifest */
	struct checksum digest; /* of what the reference stands for: the manifest, or its index */
	/* When its tag was seen to stand for it, in milliseconds on the monotonic clock: all that
	 * changes of it. */
	_Atomic int64_t confirmed;
	struct oci_layer *layers; /* by name */
	size_t count;
};

/* What a document says: one of the two. */
struct oci_document {
	struct oci_manifest *manifest; /* a reference; NULL: it is an index … */
	struct checksum chosen;        /* … in which this one is for the platform */
	int64_t size;                  /* of that one, in bytes */
};

/*
 * Read the @len bytes of a document. @platform: "os/architecture" or "os/architecture/variant", for
 * an index. -ENOENT: the index has nothing for it; -EBADMSG: it is no such document.
 */
int oci_document_read(const char *bytes, size_t len, const char *platform, struct oci_document *ret,
	struct err *err);

/* Whether a document of this type, as the answer's header says, can be read at all:
 * -EPROTONOSUPPORT for Docker's schema 1, whose bytes are not what its digest is of. */
int oci_document_check_type(const char *type, struct err *err);

/* The layer that is called @name, be it by its digest; or NULL. */
const struct oci_layer *oci_manifest_find(const struct oci_manifest *manifest, const char *name);

/* The place of the first layer below the folder @name, "" for all; count: it is no folder. */
size_t oci_manifest_below(const struct oci_manifest *manifest, const char *name);

/* oci_names.c: give each layer, which has a title or NULL as its name, the one it has as a file. */
int oci_names_make(struct oci_manifest *manifest, struct err *err);

/* oci_index.c: which of the manifests in an index is for @platform. @index: a json_t. */
int oci_index_choose(
	const void *index, const char *platform, struct oci_document *ret, struct err *err);

/* A descriptor, a json_t: its digest and its size. @what: "layer", for the text. */
int oci_descriptor_read(const void *json, const char *what, size_t number,
	struct checksum *ret_digest, int64_t *ret_size, struct err *err);

#endif
