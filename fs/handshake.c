#include "fs/handshake.h"

#include "fs/ops.h"

#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

bool handshake_has_passthrough(const struct handshake *handshake)
{
	return atomic_load(&handshake->passthrough);
}

#ifdef FUSE_CAP_PASSTHROUGH /* libfuse 3.17 */

bool handshake_attach(struct handshake *handshake, struct fuse_session *session)
{
	(void)handshake, (void)session;
	return true;
}

void handshake_init(struct handshake *handshake, struct fuse_conn_info *conn)
{
	/* A node is one version of its bytes: nothing to guess from its time or size. */
	fuse_unset_feature_flag(conn, FUSE_CAP_AUTO_INVAL_DATA);
	(void)fuse_set_feature_flag(conn, FUSE_CAP_PARALLEL_DIROPS);
	if (!handshake->wants_passthrough || !fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH))
		return;
	conn->max_backing_stack_depth = FUSE_BACKING_STACKED_UNDER;
	atomic_store(&handshake->passthrough, true);
}

#else

/* ---- the kernel's interface of 7.40, for headers that are older: Linux' fuse.h ---- */

#define MORE_PASSTHROUGH (UINT32_C(1) << 5) /* bit 37 of the flags of INIT */
#define STACK_DEPTH_AT   (offsetof(struct fuse_init_out, flags2) + sizeof(uint32_t))

/* What kernels before 5.17 send: they have neither FUSE_INIT_EXT nor flags2. */
#define INIT_SIZE        (sizeof(struct fuse_in_header) + offsetof(struct fuse_init_in, flags2))

/* Objects may lie on a plain file system only; one overlayfs may be stacked on this mount. */
#define STACK_DEPTH      1

static struct handshake *handshake_of(void *userdata)
{
	return &((struct fs *)userdata)->handshake;
}

static ssize_t read_hook(int fd, void *buf, size_t len, void *userdata)
{
	struct handshake *handshake = handshake_of(userdata);
	ssize_t n = read(fd, buf, len);
	const struct fuse_in_header *header = buf;
	const struct fuse_init_in *init = (const void *)(header + 1);

	if (n < (ssize_t)INIT_SIZE || header->opcode != FUSE_INIT)
		return n;
	atomic_store(&handshake->flags, init->flags);
	atomic_store(&handshake->more,
		n >= (ssize_t)(INIT_SIZE + sizeof(init->flags2)) && init->flags & FUSE_INIT_EXT
			? init->flags2
			: 0);
	atomic_store(&handshake->init, header->unique + 1);
	return n;
}

/* Whether these are the header and the whole body of the answer to INIT. */
static bool is_answer(struct handshake *handshake, const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;

	return count == 2 && iov[0].iov_len == sizeof(*header) &&
	       header->unique + 1 == atomic_load(&handshake->init) && header->error == 0 &&
	       iov[1].iov_len == sizeof(struct fuse_init_out);
}

static void complete(struct handshake *handshake, struct fuse_init_out *init)
{
	const uint32_t depth = STACK_DEPTH;

	atomic_store(&handshake->init, 0);
	init->flags |= atomic_load(&handshake->flags) & FUSE_PARALLEL_DIROPS;
	if (!handshake->wants_passthrough || !(atomic_load(&handshake->more) & MORE_PASSTHROUGH))
		return;
	init->flags |= FUSE_INIT_EXT;
	init->flags2 |= MORE_PASSTHROUGH;
	memcpy((char *)init + STACK_DEPTH_AT, &depth, sizeof(depth));
	atomic_store(&handshake->passthrough, true);
}

static ssize_t writev_hook(int fd, struct iovec *iov, int count, void *userdata)
{
	struct handshake *handshake = handshake_of(userdata);

	if (atomic_load_explicit(&handshake->init, memory_order_relaxed) &&
		is_answer(handshake, iov, count))
		complete(handshake, iov[1].iov_base);
	return writev(fd, iov, count);
}

bool handshake_attach(struct handshake *handshake, struct fuse_session *session)
{
	static const struct fuse_custom_io io = {.read = read_hook, .writev = writev_hook};

	(void)handshake;
	return fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0;
}

void handshake_init(struct handshake *handshake, struct fuse_conn_info *conn)
{
	(void)handshake;
	/* A node is one version of its bytes: nothing to guess from its time or size. */
	conn->want &= ~(unsigned int)FUSE_CAP_AUTO_INVAL_DATA;
	/* from 3.15 on it is passed on */
	conn->want |= conn->capable & FUSE_CAP_PARALLEL_DIROPS;
}

#endif
