/*
 * What this mount and the kernel agree upon in INIT.
 *
 * libfuse before 3.17 knows nothing of passthrough, and forgets to say that lookups of one folder
 * may run side by side, although it has that capability: without it each waits for the one before,
 * as long as a slow origin is given. There the answer to INIT is completed on its way.
 */
#ifndef FETCHFS_FS_HANDSHAKE_H
#define FETCHFS_FS_HANDSHAKE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fuse_conn_info;
struct fuse_session;

struct handshake {
	bool wants_passthrough; /* set before handshake_attach() */

	/* ours */
	atomic_bool passthrough;          /* agreed upon */
	atomic_uint_fast64_t init;        /* unique of the INIT being answered, plus one; or 0 */
	atomic_uint_fast32_t flags, more; /* what the kernel offered in it */
};

/*
 * One thread, after fuse_session_mount(), before the loop. The session's user data is a struct fs
 * whose member handshake this is. false: this libfuse lets nobody see how a mount begins.
 */
bool handshake_attach(struct handshake *handshake, struct fuse_session *session);

/* In the INIT operation. */
void handshake_init(struct handshake *handshake, struct fuse_conn_info *conn);

/* Once INIT is answered. */
bool handshake_has_passthrough(const struct handshake *handshake);

#endif
