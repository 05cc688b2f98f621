/*
 * Requests that wait for the answer to a question (question.h).
 *
 * Whatever comes first answers the request: the origin, the interrupt, or the limit. An answer
 * that comes too late is remembered by the library, and is there for the next who asks. Those who
 * ask the same at the same time get the answer of one question.
 */
#ifndef FETCHFS_FS_ASK_H
#define FETCHFS_FS_ASK_H

#include "fs/ops.h"

struct unpacked_call;

enum ask_kind {
	ASK_STAT,    /* what it is */
	ASK_LISTING, /* what is in that folder; info is empty then */
	ASK_TREE,    /* what is in it; info is the archive's, the tree is there until answered */
};

struct ask {
	/* the caller's part */
	struct node *node; /* whom the request is about; its reference is the question's */
	struct wanted wanted;
	enum ask_kind kind;
	char *path; /* free for use; freed with the question, like … */
	char *name;
	char key[FETCHFS_KEY_HEX_SIZE];
	int limit_ms; /* 0: none */
	int late;     /* the errno when it has passed */
	bool access;  /* attr.c's */
	/* settle.c's and listing.c's */
	bool enters;
	struct fuse_file_info fi;
	void (*as_folder)(fuse_req_t req, struct node *node, const struct fuse_file_info *fi);
	void (*as_tree)(struct unpacked_call *call); /* unpacked.c's */
	/* Replies. err->code is 0: @info is the answer. */
	void (*answer)(struct ask *ask, const struct fetchfs_info *info, const struct err *err);

	/* ours */
	struct fs *fs;
	fuse_req_t req;
	uid_t uid;
	atomic_uint refs;
	atomic_bool answered;
	int64_t deadline; /* milliseconds on the monotonic clock */
	/* guarded by the mutex of the deadlines */
	struct line *line; /* where its limit is kept; NULL: nowhere (any more) */
	struct ask *prev;
	struct ask *next;
	/* guarded by fs->mu */
	struct ask *also;          /* that waits for the same answer */
	struct question *question; /* that counts on it as one who waits */
};

/* A fresh question; NULL when out of memory. */
struct ask *ask_new(fuse_req_t req);
void ask_free(struct ask *ask); /* one that was not sent */

/* Send it; ask->node and wanted are set. The question is consumed. */
void ask_send(struct ask *ask);

/*
 * Instead: the caller finds the answer himself, which may take long, and then claims the request
 * before he answers it. Until then it may be interrupted, or its limit pass, as of one that was
 * sent. ask->node is set. The caller's reference is left to him.
 */
void ask_watch(struct ask *ask);

/* Whether the request is still there to be answered; if so, by whoever asks, now. */
bool ask_claim(struct ask *ask);
void ask_unref(struct ask *ask);

/* The thread that keeps the limits. */
int ask_deadlines_new(struct deadlines **ret, struct err *err);
void ask_deadlines_free(struct deadlines *deadlines);

#endif
