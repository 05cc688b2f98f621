/*
 * Makes a tree below an open folder, entry by entry, as an archive says it, within limits.
 *
 * Nothing is made outside: each name is walked from that folder on, and never over a symbolic link.
 * A file or link takes the place of an earlier one of its name; a folder is gone on with; a folder
 * and something else under one name are an error, as is whatever is no file, folder or link.
 *
 * Errors: -EBADMSG names the entry, -E2BIG the configuration's key, -ENOSPC, -EPIPE: who granted
 * the room is gone. After an error the tree can only be thrown away.
 */
#ifndef FETCHFS_FETCH_TREEMAKER_H
#define FETCHFS_FETCH_TREEMAKER_H

#include "fetch/entryname.h"

#include <stddef.h>
#include <sys/types.h>
#include <time.h>

/* Asks for room: @bytes in all would be good, @least are needed. *ret is what there is. */
typedef int treemaker_ask(
	void *arg, uint64_t bytes, uint64_t least, uint64_t *ret, struct err *err);

struct treemaker_folder;

struct treemaker {
	int top;
	const struct unpack_limits *limits;
	uint64_t archive_size;
	treemaker_ask *ask;
	void *arg;

	/* the rest is its own */
	uint64_t block; /* of the file system */
	unsigned int entries;
	uint64_t logical; /* bytes of files, holes included */
	uint64_t written; /* bytes of files */
	uint64_t used;    /* room that was taken, at most */
	uint64_t granted;

	struct entryname name; /* of the entry that is being made */
	int parent;            /* where it is, O_PATH … */
	char parent_path[PATH_MAX];

	int file; /* that is open, or -1 */
	uint64_t file_end;
	uint64_t file_size;  /* as the archive says, or its end so far */
	uint64_t last_block; /* of it, that has room; counted from 1 */
	struct timespec file_time;

	struct treemaker_folder
		*folders; /* that were made, or told the time of; the last one first */
};

/* What is known of an entry. */
struct treemaker_entry {
	const char *name;
	bool executable;
	int64_t size;         /* -1: unknown */
	struct timespec time; /* tv_nsec is UTIME_OMIT when unknown */
};

/* @maker's first five fields are set. It is not copied from then on. */
int treemaker_init(struct treemaker *maker, struct err *err);
void treemaker_release(struct treemaker *maker);

int treemaker_folder(struct treemaker *maker, const struct treemaker_entry *entry, struct err *err);
int treemaker_symlink(struct treemaker *maker, const struct treemaker_entry *entry,
	const char *target, struct err *err);
/* A second name of the file that an earlier entry made as @target. */
int treemaker_hardlink(struct treemaker *maker, const struct treemaker_entry *entry,
	const char *target, struct err *err);

/* A file, then its bytes, with holes where there are none; then its end. */
int treemaker_file(struct treemaker *maker, const struct treemaker_entry *entry, struct err *err);
int treemaker_write(
	struct treemaker *maker, const void *buf, size_t len, uint64_t offset, struct err *err);
int treemaker_file_end(struct treemaker *maker, struct err *err);

/* All entries are there: folders get their modes and times. */
int treemaker_finish(struct treemaker *maker, struct err *err);

/* "entry NAME: why", -EBADMSG. */
int treemaker_refuse(const char *name, const char *why, struct err *err);

#endif
