/*
 * What is agreed upon in INIT, with kernels that offer much and with those that offer little: this
 * test is the kernel, at the other end of a socket.
 */
#include "fs/handshake.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "fs/ops.h"

#include <criterion/criterion.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define PASSTHROUGH2 (UINT32_C(1) << 5) /* in flags2 */
#define OLD_SIZE     16                 /* of the body of INIT, before Linux 5.17 */

static void init_op(void *userdata, struct fuse_conn_info *conn)
{
	struct fs *fs = userdata;

	handshake_init(&fs->handshake, conn);
}

/* The answer to an INIT of @size bytes, by a mount that @wants passthrough. */
static struct fuse_init_out answer(
	struct fs *fs, const struct fuse_init_in *init, size_t size, bool wants)
{
	static const struct fuse_lowlevel_ops ops = {.init = init_op};
	char *argv[] = {(char[]){"test"}, NULL};
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + size), .opcode = FUSE_INIT, .unique = 2};
	struct {
		struct fuse_out_header header;
		struct fuse_init_out init;
	} out = {0};
	char message[sizeof(header) + sizeof(*init)];
	struct fuse_buf buf = {0};
	char place[32];
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	fs->handshake.wants_passthrough = wants;
	fs->session = fuse_session_new(&args, &ops, sizeof(ops), fs);
	cr_assert_not_null(fs->session);
	snprintf(place, sizeof(place), "/dev/fd/%d", ends[0]); /* somebody has mounted already */
	cr_assert_eq(fuse_session_mount(fs->session, place), 0);
	cr_assert(handshake_attach(&fs->handshake, fs->session));

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), init, size);
	cr_assert_eq(send(ends[1], message, header.len, 0), (ssize_t)header.len);
	cr_assert_gt(fuse_session_receive_buf(fs->session, &buf), 0);
	fuse_session_process_buf(fs->session, &buf);
	cr_assert_eq(recv(ends[1], &out, sizeof(out), 0), (ssize_t)sizeof(out));
	cr_assert_eq(out.header.error, 0);

	free(buf.mem);
	fuse_session_destroy(fs->session);
	fuse_opt_free_args(&args);
	fd_close(&ends[1]);
	return out.init;
}

Test(handshake, kernel_that_offers_passthrough)
{
	const struct fuse_init_in init = {.major = 7,
		.minor = 41,
		.flags = FUSE_INIT_EXT | FUSE_PARALLEL_DIROPS,
		.flags2 = PASSTHROUGH2};
	struct fs fs = {0};
	struct fuse_init_out out = answer(&fs, &init, sizeof(init), true);

	cr_assert(handshake_has_passthrough(&fs.handshake));
	cr_assert(out.flags & FUSE_PARALLEL_DIROPS);
	cr_assert(out.flags & FUSE_INIT_EXT);
	cr_assert(out.flags2 & PASSTHROUGH2);
}

Test(handshake, passthrough_that_nobody_wants)
{
	const struct fuse_init_in init = {.major = 7,
		.minor = 41,
		.flags = FUSE_INIT_EXT | FUSE_PARALLEL_DIROPS,
		.flags2 = PASSTHROUGH2};
	struct fs fs = {0};
	struct fuse_init_out out = answer(&fs, &init, sizeof(init), false);

	cr_assert_not(handshake_has_passthrough(&fs.handshake));
	cr_assert(out.flags & FUSE_PARALLEL_DIROPS);
	cr_assert_not(out.flags2 & PASSTHROUGH2);
}

/* What is behind its shorter message is nothing that it has said. */
Test(handshake, kernel_before_5_17)
{
	const struct fuse_init_in init = {.major = 7, .minor = 34, .flags = FUSE_PARALLEL_DIROPS};
	struct fs fs = {0};
	struct fuse_init_out out = answer(&fs, &init, OLD_SIZE, true);

	cr_assert_not(handshake_has_passthrough(&fs.handshake));
	cr_assert(out.flags & FUSE_PARALLEL_DIROPS, "lookups of one folder wait for each other");
	cr_assert_not(out.flags & FUSE_INIT_EXT);
	cr_assert_eq(out.flags2, 0);
}

Test(handshake, kernel_that_offers_nothing)
{
	const struct fuse_init_in init = {.major = 7, .minor = 41, .flags = FUSE_INIT_EXT};
	struct fs fs = {0};
	struct fuse_init_out out = answer(&fs, &init, sizeof(init), true);

	cr_assert_not(handshake_has_passthrough(&fs.handshake));
	cr_assert_not(out.flags & FUSE_PARALLEL_DIROPS);
	cr_assert_eq(out.flags2 & PASSTHROUGH2, 0);
}
