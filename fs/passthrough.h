/*
 * Passthrough: the kernel reads a complete artifact from its object itself (Linux 6.9 and later),
 * so that reads and mmap cost what they cost on the disk below, and never reach this process.
 *
 *	passthrough_attach(passthrough, session, heard);    mounted, nothing read yet
 *	passthrough_test(passthrough);                      the mount answers: is it on?
 *	backing = passthrough_enter(passthrough, node, fd); at OPEN; then exactly one of
 *	passthrough_reply(req, fi, backing);                … a reply that arrives, and its RELEASE,
 *	passthrough_leave(passthrough, node);               … or one that does not: here both end
 *
 * The kernel answers EIO when one node id is open both ways at once, or by two backing files. So a
 * node has a mode, decided by its first open, which holds until the last RELEASE. Opens whose reply
 * is on its way count, and whoever cannot be registered is served by this process, silently.
 * Only complete nodes come here. All functions are thread-safe unless they say otherwise.
 */
#ifndef FETCHFS_FS_PASSTHROUGH_H
#define FETCHFS_FS_PASSTHROUGH_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct fuse_file_info;
struct fuse_req;
struct fuse_session;
struct handshake;
struct node;

/* What a node holds for this file, which guards it. */
struct passthrough_node {
	uint32_t opens;
	int32_t backing; /* the kernel's id of the object; 0: this process serves */
	uint64_t inode;  /* of the object's file, while there is a backing */
};

struct passthrough;

/* @cache is the folder whose file system is tested. It and @handshake must outlive it. */
int passthrough_new(const char *cache, const struct handshake *handshake, struct passthrough **ret,
	struct err *err);
void passthrough_free(struct passthrough *passthrough);

/* After fuse_session_mount(), before the loop; @is_heard is handshake_attach()'s word. */
void passthrough_attach(
	struct passthrough *passthrough, struct fuse_session *session, bool is_heard);

/* Decides whether it is on, by registering one file; only the first call does. INIT was answered.
 */
void passthrough_test(struct passthrough *passthrough);

/* The session ends: what is registered goes with it. No other thread is at work. */
void passthrough_detach(struct passthrough *passthrough);

/*
 * @node is being opened, @fd is its object, or -1. The backing id to reply with, or 0. A positive
 * one shows the bytes that @node stands for, whatever @fd is.
 */
int32_t passthrough_enter(struct passthrough *passthrough, struct node *node, int fd);

/* false: what the kernel reads for those who have @node open is another file than @fd. Its object
 * was damaged, and has come anew. */
bool passthrough_suits(struct passthrough *passthrough, struct node *node, int fd);
void passthrough_leave(struct passthrough *passthrough, struct node *node);

/* fuse_reply_open(), with the id @backing if that is not 0. */
int passthrough_reply(struct fuse_req *req, struct fuse_file_info *fi, int32_t backing);

struct passthrough_status {
	bool on;
	char why[ERR_TEXT_MAX]; /* it is not; else "" */
	uint64_t opens;         /* passed on to the kernel */
	uint64_t fallbacks;     /* opens of complete artifacts that were not */
	uint64_t files;         /* registered now */
};
void passthrough_status(struct passthrough *passthrough, struct passthrough_status *ret);

#endif
