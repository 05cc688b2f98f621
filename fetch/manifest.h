/*
 * What an exported archive says of itself: its first member, lines of JSON (RFC 8259). The first
 * one has the version and sums, each other one is an entry, in the order of URIs.
 * docs/cache-format.md has the members.
 */
#ifndef FETCHFS_FETCH_MANIFEST_H
#define FETCHFS_FETCH_MANIFEST_H

#include "cache/catalog.h"

#include <stdio.h>

#define MANIFEST_NAME    "manifest.jsonl"
#define MANIFEST_KIND    "export"
#define MANIFEST_VERSION 1

/* Bytes: of all of it, which is some hundred thousand entries, and of a line. */
#define MANIFEST_MAX      (UINT64_C(256) << 20)
#define MANIFEST_LINE_MAX (64 * 1024)

/* "objects/<64 hex>": the member that holds the content. */
#define MANIFEST_OBJECT_SIZE (8 + DIGEST_HEX_SIZE)
void manifest_object_name(const struct digest *digest, char ret[MANIFEST_OBJECT_SIZE]);
bool manifest_parse_object_name(const char *name, struct digest *ret);

struct manifest {
	struct entry *entries; /* complete; without key and scope */
	size_t count;
	size_t room;
};
void manifest_release(struct manifest *manifest);

/* A copy of @entry at the end. */
int manifest_add(struct manifest *manifest, const struct entry *entry, struct err *err);

/* @objects different ones, of @bytes in all. Errors stay in @out. */
void manifest_write(const struct manifest *manifest, uint64_t objects, uint64_t bytes, FILE *out);

/*
 * Read it as it comes, in pieces of any size. -EBADMSG with the number of the line that is wrong;
 * -ENOTSUP when it is of a version that is not known here. URIs are only texts: whether they are
 * good ones is to be asked of uri_parse().
 */
struct manifest_reader;
int manifest_reader_new(struct manifest_reader **ret, struct err *err);
int manifest_reader_feed(
	struct manifest_reader *reader, const char *bytes, size_t len, struct err *err);
/* There is no more. *ret is the caller's, for manifest_release(). */
int manifest_reader_end(struct manifest_reader *reader, struct manifest *ret, struct err *err);
void manifest_reader_free(struct manifest_reader *reader);
void manifest_reader_freep(struct manifest_reader **reader); /* for CLEANUP() */

#endif
