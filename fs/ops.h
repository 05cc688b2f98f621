/*
 * The operations of the mount, one file a family, and what they share.
 *
 * A worker of libfuse's loop never waits for the network. What may wait is parked: either a
 * question to an origin (ask.h), or the wait for bytes that are on their way (park.h).
 */
#ifndef FETCHFS_FS_OPS_H
#define FETCHFS_FS_OPS_H

#ifndef FUSE_USE_VERSION
#define FUSE_USE_VERSION 314
#endif

#include "base/err.h"
#include "base/queue.h"
#include "fetch/fetchfs.h"
#include "fs/handshake.h"
#include "fs/inode.h"
#include "fs/mount.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct deadlines;
struct handle;
struct passthrough;
struct watch;

#define OPS_READAHEAD (1024 * 1024) /* bytes */
/*
 * Reads of pages that the kernel may have under way: as many as it can count. Each may wait for its
 * origin, and once there are so many no other file's pages are asked for. Who reads bounds them: a
 * window ahead for each.
 */
#define OPS_BACKGROUND UINT16_MAX

/* One mount. */
struct fs {
	struct fetchfs *fetchfs;
	const struct mount_options *options;
	struct fuse_session *session;
	struct inodes *inodes;
	struct queue *work;    /* opens and replies: brief */
	struct queue *asks;    /* questions to origins: as long as the network takes */
	struct queue *unpacks; /* archives that are here: as long as those take */
	struct queue *notices; /* to the kernel, which may make them wait for a lookup */
	struct deadlines *deadlines;
	struct handshake handshake;
	struct passthrough *passthrough;
	struct watch *watch;
	atomic_bool has_begun_to_end;    /* which was told */
	atomic_bool is_ending;           /* no more notices */
	atomic_uint_fast64_t read_bytes; /* handed to readers */
	int64_t started;                 /* seconds since 1970 */
	atomic_bool can_prune;           /* prune.c's, with … */
	atomic_bool is_pruning;          /* … whether it is at it, or is about to be … */
	atomic_size_t prune_above;       /* … and beyond how many nodes it is to be again */
	bool can_expire; /* the kernel can expire an entry without detaching what is mounted on it
			  */

	pthread_mutex_t sizes; /* the kernel is told of one at a time */

	pthread_mutex_t mu;
	pthread_cond_t changed; /* no request is parked any more, or no question under way */
	/* guarded by mu */
	struct park *parks;         /* requests under way in park.h */
	unsigned int parked;        /* how many, with those whose last reference just goes */
	struct handle *handles;     /* all that are open */
	struct question *questions; /* question.c's, by what they ask … */
	unsigned int asking;        /* … how many, with those that nobody joins any more … */
	struct asked_host *hosts;   /* … and whom, by name, … */
	unsigned int ask_threads;   /* … on how many threads */
};

/* What is behind fuse_file_info.fh. */
struct handle {
	struct fetchfs_file *file; /* an artifact; or … */
	char *text;                /* … a text made at open; or … */
	size_t text_len;
	struct folder *folder;     /* … a listing made at opendir; … */
	struct fetchfs_tree *tree; /* … in which is … */
	int fd;                    /* … a file or folder of an archive, -1: it is none */
	struct node *node;         /* of the file, by inode_open(); NULL: not open yet */
	bool entered;              /* … and by passthrough_enter() */
	bool direct;               /* the kernel's cache is for another version */
	atomic_bool given_up;      /* the last read was interrupted */
	unsigned int refs;         /* guarded by fs->mu, as is the rest */
	struct handle *next;
	struct handle **link;
};

struct handle *handle_new(struct fs *fs); /* NULL: out of memory */

/* The first that opened the file @node, and reads it through the kernel's cache, with a reference;
 * NULL: nobody does. */
struct handle *handle_reading(struct fs *fs, const struct node *node);

/* It is closed. What it holds is let go with the last reference. */
void handle_free(struct fs *fs, struct handle *handle);
void handle_unref(struct fs *fs, struct handle *handle);
void handle_free_all(struct fs *fs);

static inline struct fs *ops_fs(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* The request of @uid for the file @node. */
struct fetchfs_request ops_request(const struct node *node, uid_t uid);

/* What the cache knows of the file @node, for @uid; asks nobody. */
int ops_find(struct fs *fs, const struct node *node, uid_t uid, struct fetchfs_info *ret,
	struct err *err);

/* Start or join the download of the artifact @node (of a tree: the archive's), or open what is
 * here; as fetchfs_get(). */
int open_get(struct fs *fs, const struct node *node, uid_t uid, struct fetchfs_file **ret,
	struct err *err);

/* Whether it is known to be a file, with or without its bytes here. */
bool ops_is_file(const struct fetchfs_info *info);

/*
 * Whether what the origin says of the name (or path) @name is what it says of a folder: a page
 * where nobody expects one is what servers show for a folder.
 */
bool ops_looks_like_folder(const char *name, const struct fetchfs_info *info);

/* Have the kernel look up @name in @parent again, at its next use. May wait for lookups there. */
void ops_expire(struct fs *fs, uint64_t parent, const char *name);

extern const struct fuse_lowlevel_ops ops_table;

/* The first thing after INIT, on a thread of the work queue. */
void mount_answers(struct fs *fs);

/* It begins to end, as whoever is the first to know says. */
void mount_ends(struct fs *fs);

/* Whether it has been unmounted. */
bool mount_is_gone(struct fs *fs);

/* Take it down if it is still there, and let the kernel end all that waits for it. By one thread at
 * a time. */
void mount_detach(struct fs *fs);

/*
 * For a listing: the node of the file @name in @folder of the natural tree, if all of it is here
 * and everybody may read it. It counts as looked up once more, and has a reference for
 * inode_unref(). NULL: the kernel shall look it up itself.
 */
struct node *lookup_listed(struct fs *fs, const struct node *folder, const char *name, uid_t uid);

void lookup_op(fuse_req_t req, fuse_ino_t parent, const char *name);
void attr_get_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void attr_access_op(fuse_req_t req, fuse_ino_t ino, int mask);
void attr_statfs_op(fuse_req_t req, fuse_ino_t ino);
void open_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void read_op(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void read_flush_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void read_release_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_open_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void folder_read_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void folder_read_plus_op(
	fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void folder_release_op(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void unpacked_read_link_op(fuse_req_t req, fuse_ino_t ino);
void xattr_get_op(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list_op(fuse_req_t req, fuse_ino_t ino, size_t size);

/* The n-th name in .fetchfs/, or NULL; whether @name is one. */
const char *control_name(unsigned int n);
bool control_has(const char *name);
/* The text of that name for @uid, the caller's to free(); NULL when out of memory. */
char *control_text(struct fs *fs, const struct node *node, uid_t uid);

void status_write(struct fs *fs, uid_t uid, FILE *out);
void metrics_write(struct fs *fs, uid_t uid, FILE *out);

#endif
