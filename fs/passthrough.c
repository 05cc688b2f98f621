#include "fs/passthrough.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/handshake.h"
#include "fs/ops.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCKS 64 /* of nodes; a power of two */

/* ---- the kernel's interface of 7.40, for headers that are older: Linux' fuse.h ---- */

#define OPEN_PASSTHROUGH (UINT32_C(1) << 7)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
_Static_assert(sizeof(struct backing_map) == 16, "the kernel's struct fuse_backing_map");

#define BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define BACKING_CLOSE _IOW(229, 2, uint32_t)

struct open_reply {
	uint64_t fh;
	uint32_t open_flags;
	int32_t backing_id;
};
_Static_assert(sizeof(struct open_reply) == sizeof(struct fuse_open_out), "the same, named");

struct passthrough {
	const char *cache;
	const struct handshake *handshake;
	int device; /* descriptor of the session, or -1; changed while nobody is at work */
	atomic_bool on;
	atomic_bool tested;

	pthread_mutex_t mu;
	char why[ERR_TEXT_MAX]; /* guarded by mu */

	atomic_uint_fast64_t opens;
	atomic_uint_fast64_t fallbacks;
	atomic_uint_fast64_t files;

	/* Each guards node->passthrough of the nodes with its share of the ids; held across the
	 * ioctl() that registers a file, never across I/O. */
	pthread_mutex_t locks[LOCKS];
};

/* ---- the reply ---- */

#ifdef FUSE_CAP_PASSTHROUGH /* libfuse 3.17 */

int passthrough_reply(fuse_req_t req, struct fuse_file_info *fi, int32_t backing)
{
	fi->backing_id = backing;
	return fuse_reply_open(req, fi);
}

#else

int passthrough_reply(fuse_req_t req, struct fuse_file_info *fi, int32_t backing)
{
	struct open_reply reply = {
		.fh = fi->fh,
		.open_flags = OPEN_PASSTHROUGH | (fi->noflush ? FOPEN_NOFLUSH : 0),
		.backing_id = backing,
	};

	return backing ? fuse_reply_buf(req, (const char *)&reply, sizeof(reply))
		       : fuse_reply_open(req, fi);
}

#endif

/* ---- registering: the same with every libfuse, whose own call needs a request ---- */

/* The id, which is positive, or -errno. */
static int32_t backing_open(const struct passthrough *passthrough, int fd)
{
	struct backing_map map = {.fd = fd};
	int id =
		fault_hit("passthrough.open") ? -1 : ioctl(passthrough->device, BACKING_OPEN, &map);

	return id > 0 ? id : id < 0 ? -errno : -EPROTO;
}

static void backing_close(const struct passthrough *passthrough, int32_t id)
{
	uint32_t number = (uint32_t)id;

	if (passthrough->device >= 0)
		(void)ioctl(passthrough->device, BACKING_CLOSE, &number);
}

/* ---- whether it is on ---- */

/* Caller holds mu. */
static void switch_off(struct passthrough *passthrough, const char *why)
{
	atomic_store(&passthrough->on, false);
	str_fit(passthrough->why, sizeof(passthrough->why), why);
}

/* Caller holds mu. */
static void refused(struct passthrough *passthrough, int code)
{
	char text[ERR_TEXT_MAX];

	if (code == EPERM) {
		switch_off(passthrough, "no privilege: the kernel wants CAP_SYS_ADMIN for it");
	} else if (code == ELOOP) {
		switch_off(passthrough, "the cache is on a stacked file system, as overlayfs is");
	} else {
		snprintf(text, sizeof(text), "the kernel refuses the cache's files: %s",
			strerrordesc_np(code));
		switch_off(passthrough, text);
	}
}

/* Of other errors the next file may be free. */
static bool concerns_all_files(int code)
{
	return code == EPERM || code == ELOOP || code == EOPNOTSUPP || code == ENOTTY;
}

/* Caller holds mu. One file of the cache's file system, which has no name, tells of all. */
static void probe(struct passthrough *passthrough)
{
	CLEANUP(fd_closep)
	int fd = open(passthrough->cache, O_TMPFILE | O_RDWR | O_CLOEXEC, 0400);
	/* none to be had, since the disk is full, say: the first object will tell */
	int32_t id = fd >= 0 ? backing_open(passthrough, fd) : 0;

	if (id > 0)
		backing_close(passthrough, id);
	atomic_store(&passthrough->on, true);
	if (id < 0)
		refused(passthrough, -id);
}

void passthrough_test(struct passthrough *passthrough)
{
	if (atomic_load(&passthrough->tested))
		return;
	WITH_LOCK(&passthrough->mu);
	if (atomic_load(&passthrough->tested))
		return;
	if (!passthrough->handshake->wants_passthrough)
		switch_off(passthrough, "switched off by -o nopassthrough");
	else if (passthrough->device < 0)
		switch_off(passthrough, "this libfuse lets nobody see how a mount begins");
	else if (!handshake_has_passthrough(passthrough->handshake))
		switch_off(passthrough, "the kernel does not offer it (Linux 6.9 and later can)");
	else
		probe(passthrough);
	atomic_store(&passthrough->tested, true);
	log_info("passthrough: %s%s",
		atomic_load(&passthrough->on) ? "on" : "off: ", passthrough->why);
}

/* ---- nodes ---- */

static pthread_mutex_t *lock_of(struct passthrough *passthrough, const struct node *node)
{
	return &passthrough->locks[node->id & (LOCKS - 1)];
}

/* The first open of a node: its object's id, or 0. Caller holds the node's lock. */
static int32_t register_object(struct passthrough *passthrough, int fd)
{
	int32_t id;

	if (fd < 0 || !atomic_load(&passthrough->on))
		return 0;
	id = backing_open(passthrough, fd);
	if (id > 0) {
		atomic_fetch_add(&passthrough->files, 1);
		return id;
	}
	if (concerns_all_files(-id)) {
		WITH_LOCK(&passthrough->mu);
		refused(passthrough, -id);
	}
	return 0;
}

int32_t passthrough_enter(struct passthrough *passthrough, struct node *node, int fd)
{
	struct passthrough_node *mine = &node->passthrough;
	struct stat st;
	int32_t id;

	passthrough_test(passthrough);
	{
		WITH_LOCK(lock_of(passthrough, node));
		if (mine->opens++ == 0) {
			mine->backing = register_object(passthrough, fd);
			mine->inode = mine->backing && fstat(fd, &st) == 0 ? st.st_ino : 0;
		}
		id = mine->backing;
	}
	atomic_fetch_add(id ? &passthrough->opens : &passthrough->fallbacks, 1);
	return id;
}

bool passthrough_suits(struct passthrough *passthrough, struct node *node, int fd)
{
	const struct passthrough_node *mine = &node->passthrough;
	struct stat st;
	WITH_LOCK(lock_of(passthrough, node));

	return fd < 0 || !mine->backing || fstat(fd, &st) < 0 || st.st_ino == mine->inode;
}

void passthrough_leave(struct passthrough *passthrough, struct node *node)
{
	struct passthrough_node *mine = &node->passthrough;
	WITH_LOCK(lock_of(passthrough, node));

	if (--mine->opens > 0 || !mine->backing)
		return;
	backing_close(passthrough, mine->backing);
	atomic_fetch_sub(&passthrough->files, 1);
	mine->backing = 0;
}

/* ---- the whole ---- */

void passthrough_attach(
	struct passthrough *passthrough, struct fuse_session *session, bool is_heard)
{
	passthrough->device = is_heard ? fuse_session_fd(session) : -1;
}

int passthrough_new(const char *cache, const struct handshake *handshake, struct passthrough **ret,
	struct err *err)
{
	struct passthrough *passthrough = calloc(1, sizeof(*passthrough));

	if (!passthrough)
		return err_oom(err);
	passthrough->cache = cache;
	passthrough->handshake = handshake;
	passthrough->device = -1;
	pthread_mutex_init(&passthrough->mu, NULL);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&passthrough->locks[i], NULL);
	*ret = passthrough;
	return 0;
}

void passthrough_free(struct passthrough *passthrough)
{
	if (!passthrough)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&passthrough->locks[i]);
	pthread_mutex_destroy(&passthrough->mu);
	free(passthrough);
}

void passthrough_detach(struct passthrough *passthrough)
{
	if (passthrough)
		passthrough->device = -1;
}

void passthrough_status(struct passthrough *passthrough, struct passthrough_status *ret)
{
	passthrough_test(passthrough);
	WITH_LOCK(&passthrough->mu);
	*ret = (struct passthrough_status){
		.on = atomic_load(&passthrough->on),
		.opens = atomic_load(&passthrough->opens),
		.fallbacks = atomic_load(&passthrough->fallbacks),
		.files = atomic_load(&passthrough->files),
	};
	str_fit(ret->why, sizeof(ret->why), passthrough->why);
}
