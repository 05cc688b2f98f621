/*
 * What the files of LOOKUP share: lookup.c has the fixed names, uri/ and digest/, lookup_tree.c the
 * natural tree.
 */
#ifndef FETCHFS_FS_LOOKUP_PRIVATE_H
#define FETCHFS_FS_LOOKUP_PRIVATE_H

#include "fs/doubt.h"
#include "fs/ops.h"

/* One lookup under way; the strings are its own. */
struct lookup {
	struct fs *fs;
	fuse_req_t req; /* NULL: none waits for the answer (any more) */
	uid_t uid;
	struct node *parent;
	const char *name;
	char *path;
	struct wanted wanted;
	char key[FETCHFS_KEY_HEX_SIZE];
	struct facts facts;
	int64_t now;      /* seconds since 1970 */
	struct ask *look; /* while it looks: lookup_look() */
};

/* What the cache knows of a name. */
struct recalled {
	enum fetchfs_state state; /* FETCHFS_UNKNOWN: nothing */
	bool is_file;
	bool is_folder; /* not of a file that somebody has asked for */
	bool fresh;
	int64_t expires;
};

void lookup_release(struct lookup *lookup);

/* Reply with the node of @found in the folder @parent, which is, if it is a folder, in @doubt until
 * @until. */
int lookup_enter_in_doubt(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, enum doubt doubt, int64_t until, struct err *err);
int lookup_enter(struct fs *fs, fuse_req_t req, uint64_t parent, const char *name,
	const struct found *found, struct err *err);

/* The same for lookup->path, a folder or another fixed name, and for the file lookup->wanted. */
int lookup_enter_path(struct lookup *lookup, enum node_kind kind, struct err *err);
int lookup_enter_file(struct lookup *lookup, struct err *err);

/* -ENOENT. */
int lookup_no_such_name(struct lookup *lookup, struct err *err);

/*
 * What is done until lookup_looked(), about @uri, may look at a local file, and so hang: the
 * request is answered after half a second, though the thread hangs on.
 */
void lookup_look(struct lookup *lookup, const char *uri);

/* Returns @r, what has come of it, or -ETIMEDOUT: nobody waits for the answer any more. */
int lookup_looked(struct lookup *lookup, int r, struct err *err);

/* What the cache knows of lookup->wanted; lookup->facts, too, if it is a file. */
int lookup_recall(struct lookup *lookup, struct recalled *ret, struct err *err);

/* An error: the name has no node, who wants to know why asks the folder. */
void lookup_reply_nothing(fuse_req_t req, struct node *folder, const char *name, struct err *err);

/* Let the origin say whether the name exists: @answer is called, later. Takes of @lookup what it
 * needs. */
struct ask;
int lookup_ask_origin(struct lookup *lookup,
	void (*answer)(struct ask *ask, const struct fetchfs_info *info, const struct err *err),
	struct err *err);

/* NAME.unpacked, of which nothing else is known. */
int lookup_unpacked(struct lookup *lookup, struct err *err);

/* In a folder of the natural tree. */
int lookup_in_tree(struct lookup *lookup, struct err *err);

#endif
