/*
 * Unpacking, between the process that wants a tree and the one that makes it. The latter is fetchfs
 * under another name (FETCHFS_UNPACK_NAME); it has the descriptors below and nothing else, and
 * trusts nobody's archive. What it says is not trusted, either: the tree is checked afterwards.
 *
 *	parent → child   struct unpack_request, then a struct unpack_grant for each ASK
 *	child → parent   struct unpack_message: any number of ASK, then DONE or FAILED
 *
 * Each message is a packet of exactly its size; the end of the connection is the end of the other.
 */
#ifndef FETCHFS_FETCH_UNPACK_H
#define FETCHFS_FETCH_UNPACK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define UNPACK_ARCHIVE_FD 3 /* read only, at no position */
#define UNPACK_FOLDER_FD  4 /* empty: where to */
#define UNPACK_SOCKET_FD  5

/* What is asked for at once, bytes: no more than TREE_STEP. */
#define UNPACK_STEP (UINT64_C(4) << 20)

/* As deep as can be configured. */
#define UNPACK_DEPTH_MAX 200

/* [unpack] of the configuration. */
struct unpack_limits {
	unsigned int entries; /* files, folders, links */
	unsigned int depth;   /* folders below each other */
	unsigned int name;    /* bytes of a name … */
	unsigned int path;    /* … and of all with the slashes between them */
	unsigned int ratio;   /* bytes for each one of the archive, beyond UNPACK_RATIO_FROM */
	uint64_t size;        /* bytes of all files, holes included */
	bool confined;        /* fail rather than go on without what keeps the child locked up */
};

/* What is this small may be of any ratio. */
#define UNPACK_RATIO_FROM (UINT64_C(64) << 20)

#define UNPACK_HINT_SIZE 256

struct unpack_request {
	struct unpack_limits limits;
	char hint[UNPACK_HINT_SIZE]; /* the archive's name, or "" */
};

struct unpack_grant {
	uint64_t bytes; /* in all */
};

enum unpack_what {
	UNPACK_ASK,    /* for room: bytes in all would be good, least are needed */
	UNPACK_DONE,   /* single tells what it was */
	UNPACK_FAILED, /* code, kind and text tell why */
};

struct unpack_message {
	uint32_t what;
	uint32_t code;
	uint32_t kind;
	uint32_t single;
	uint64_t bytes;
	uint64_t least;
	char text[ERR_TEXT_MAX];
};

#endif
