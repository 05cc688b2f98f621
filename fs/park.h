/*
 * Requests that wait for bytes on their way, without a thread.
 *
 * A parked request is carried on by its resume function, on a thread of the work queue, when the
 * wait is over: because it came true, because it failed, or because the caller was interrupted.
 */
#ifndef FETCHFS_FS_PARK_H
#define FETCHFS_FS_PARK_H

#include "fs/ops.h"

struct park {
	/* the operation's part */
	struct node *node;     /* its reference is the park's */
	struct handle *handle; /* READ: the file's; OPEN: owned until the reply */
	struct fuse_file_info fi;
	size_t size;
	uint64_t offset;
	unsigned int stage;
	/* Carries on; park->err says how the wait ended. */
	void (*resume)(struct park *park);
	struct err err;

	/* ours */
	struct fs *fs;
	fuse_req_t req;
	struct fuse_ctx caller;
	struct fetchfs_wait wait;
	atomic_uint refs;
	struct park *next; /* guarded by fs->mu */
	struct park *prev;
	pthread_mutex_t mu;
	/* guarded by mu */
	bool waiting;
	bool interrupted;
	unsigned int wakes; /* how many waits have ended by themselves */
};

/* NULL when out of memory. From now on an interrupt of @req is noticed. */
struct park *park_new(fuse_req_t req, struct node *node, struct handle *handle,
	void (*resume)(struct park *park));

/*
 * Interrupt what thread @pid has parked on @handle, and who is there no more. It is closing the
 * file, so it waits for none of it: these are reads ahead, which the kernel itself never
 * interrupts.
 */
void park_interrupt(struct fs *fs, const struct handle *handle, pid_t pid);

/* Carry on at once, on the work queue. */
void park_push(struct park *park);

/*
 * Wait. 0: parked, hands off until resume is called. 1: it is true already. -errno, also in
 * park->err: it will never be.
 */
int park_wait(struct park *park, enum fetchfs_until until, uint64_t offset, uint64_t length);

/* Stop noticing interrupts and give the request back, to be replied to. */
fuse_req_t park_end(struct park *park);
void park_free(struct park *park); /* after park_end() and the reply */

#endif
