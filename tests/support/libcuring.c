/* The ways of libcways by io_uring: many reads under way at once, by one thread, in no order. */
#include "tests/support/libcways.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define PART  ((size_t)50021)
#define DEPTH 64U /* more than the parts that there are */

/* Where the kernel or its administrator has none. */
static bool begin(struct io_uring *ring)
{
	int r = io_uring_queue_init(DEPTH, ring, 0);

	if (r == -ENOSYS || r == -EPERM)
		return false;
	errno = -r;
	if (r < 0)
		ways_die("io_uring_queue_init");
	return true;
}

static struct io_uring_sqe *next(struct io_uring *ring)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

	if (!sqe)
		ways_wrong("more parts than the ring has room for");
	return sqe;
}

/* What the next one that has ended returned; ret_id tells which that is. */
static size_t end_one(struct io_uring *ring, size_t *ret_id)
{
	struct io_uring_cqe *cqe = NULL;
	int r = io_uring_wait_cqe(ring, &cqe);
	int res;

	errno = -r;
	if (r < 0)
		ways_die("io_uring_wait_cqe");
	res = cqe->res;
	*ret_id = cqe->user_data;
	io_uring_cqe_seen(ring, cqe);
	errno = -res;
	if (res < 0)
		ways_die("a request by io_uring");
	return (size_t)res;
}

static void submit(struct io_uring *ring)
{
	int r = io_uring_submit(ring);

	errno = -r;
	if (r < 0)
		ways_die("io_uring_submit");
}

/* All parts at once. @fixed: into memory, and of a descriptor, that the ring knows. */
static void read_parts(
	struct io_uring *ring, int fd, char *buf, const struct reference *right, bool fixed)
{
	size_t count = (right->size + PART - 1) / PART;
	size_t done = 0;
	size_t id;

	for (size_t i = 0; i < count; i++) {
		size_t at = (count - 1 - i) * PART; /* the end first */
		size_t size = right->size - at < PART ? right->size - at : PART;
		struct io_uring_sqe *sqe = next(ring);

		if (fixed)
			io_uring_prep_read_fixed(sqe, 0, buf + at, (unsigned int)size, at, 0);
		else
			io_uring_prep_read(sqe, fd, buf + at, (unsigned int)size, at);
		sqe->flags |= fixed ? IOSQE_FIXED_FILE : 0;
		sqe->user_data = at;
	}
	submit(ring);
	for (size_t i = 0; i < count; i++) {
		size_t n = end_one(ring, &id);
		size_t size = right->size - id < PART ? right->size - id : PART;

		if (n != size)
			ways_wrong("%zu bytes of %zu at %zu", n, size, id);
		done += n;
	}
	ways_compare(buf, done, right);
}

/* What is told to the ring beforehand: the descriptor, and the memory. */
static void make_known(struct io_uring *ring, int fd, char *buf, size_t size)
{
	struct iovec memory = {buf, size};
	int r = io_uring_register_files(ring, &fd, 1);

	if (r == 0)
		r = io_uring_register_buffers(ring, &memory, 1);
	errno = -r;
	if (r < 0)
		ways_die("io_uring_register");
}

static void by_parts(const char *path, const struct reference *right, bool fixed)
{
	int fd = ways_open(path, 0);
	char *buf = malloc(right->size);
	struct io_uring ring;

	if (!buf)
		ways_die("memory");
	if (begin(&ring)) {
		if (fixed)
			make_known(&ring, fd, buf, right->size);
		read_parts(&ring, fd, buf, right, fixed);
		io_uring_queue_exit(&ring);
	} else {
		ways_compare_fd(fd, right);
	}
	free(buf);
	close(fd);
}

static void by_uring(const char *path, const struct reference *right)
{
	by_parts(path, right, false);
}

static void by_uring_fixed(const char *path, const struct reference *right)
{
	by_parts(path, right, true);
}

/* The file is opened by the ring, too. */
static void by_uring_open(const char *path, const struct reference *right)
{
	struct io_uring ring;
	size_t id;
	int fd;

	close(ways_open(path, 0)); /* which tells its state */
	if (!begin(&ring)) {
		fd = ways_open(path, 0);
	} else {
		io_uring_prep_openat(next(&ring), AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		submit(&ring);
		fd = (int)end_one(&ring, &id);
		io_uring_queue_exit(&ring);
	}
	ways_compare_fd(fd, right);
	close(fd);
}

const struct way ways_of_uring[] = {
	{"uring", by_uring},
	{"uring_fixed", by_uring_fixed},
	{"uring_open", by_uring_open},
	{NULL, NULL},
};
