/*
 * Whether a file reads the same as another one, in every way there is.
 *
 *	readways ways FILE REFERENCE               read, pread, readv, mmap, sendfile, splice,
 *O_DIRECT … readways race THREADS ROUNDS FILE REFERENCE  all open it at the same moment, read and
 *close it readways hold FILE REFERENCE               open and map it, say "held", wait for a line,
 *compare
 *
 * Exit status 0, or 1 with one line that says what differs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define THREADS_MAX 64
#define ALIGNMENT   4096
#define PIPE_STEP   65536

static const char *reference; /* the bytes that are right … */
static size_t reference_size;

static void die(const char *what)
{
	fprintf(stderr, "readways: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void differs(const char *what)
{
	fprintf(stderr, "readways: %s: other bytes\n", what);
	_exit(1);
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);

	if (fd < 0)
		die("open");
	return fd;
}

static size_t size_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		die("fstat");
	return (size_t)st.st_size;
}

static char *map(int fd, size_t size, int flags)
{
	char *bytes = mmap(NULL, size, PROT_READ, flags, fd, 0);

	if (bytes == MAP_FAILED)
		die("mmap");
	return bytes;
}

static char *room(void)
{
	char *buf = NULL;

	if (posix_memalign((void **)&buf, ALIGNMENT, reference_size + 2 * (size_t)ALIGNMENT) != 0)
		die("memory");
	return buf;
}

static void compare(const char *what, const char *bytes, size_t size)
{
	if (size != reference_size || memcmp(bytes, reference, size) != 0)
		differs(what);
}

/* ---- the ways; each has a descriptor of its own ---- */

static void by_read(const char *path)
{
	int fd = open_file(path, 0);
	char *buf = room();
	size_t done = 0;
	ssize_t n;

	while ((n = read(fd, buf + done, 10007)) > 0)
		done += (size_t)n;
	if (n < 0)
		die("read");
	compare("read", buf, done);
	free(buf);
	close(fd);
}

static void by_preadv(const char *path)
{
	int fd = open_file(path, 0);
	char *buf = room();
	size_t half = reference_size / 2;
	struct iovec parts[] = {{buf, half}, {buf + half, reference_size - half + 1}};

	if (preadv(fd, parts, 2, 0) != (ssize_t)reference_size)
		die("preadv");
	compare("preadv", buf, reference_size);
	if (pread(fd, buf, 100, (off_t)reference_size) != 0)
		differs("pread at the end");
	if (lseek(fd, 0, SEEK_END) != (off_t)reference_size)
		differs("lseek");
	free(buf);
	close(fd);
}

static void by_direct(const char *path)
{
	int fd = open_file(path, O_DIRECT);
	char *buf = room();
	ssize_t n = pread(fd, buf, reference_size + ALIGNMENT - reference_size % ALIGNMENT, 0);

	if (n < 0)
		die("read past the page cache");
	compare("O_DIRECT", buf, (size_t)n);
	free(buf);
	close(fd);
}

/* The map is used after the descriptor is closed. */
static void by_mmap(const char *path, int flags, const char *what)
{
	int fd = open_file(path, 0);
	size_t size = size_of(fd);
	char *bytes = map(fd, size, flags);

	close(fd);
	compare(what, bytes, size);
	munmap(bytes, size);
}

static void by_sendfile(const char *path)
{
	int fd = open_file(path, 0);
	int out = memfd_create("readways", MFD_CLOEXEC);
	size_t done = 0;
	ssize_t n;
	char *bytes;

	while ((n = sendfile(out, fd, NULL, reference_size + 1)) > 0)
		done += (size_t)n;
	if (out < 0 || n < 0)
		die("sendfile");
	bytes = map(out, done, MAP_SHARED);
	compare("sendfile", bytes, done);
	munmap(bytes, done);
	close(out);
	close(fd);
}

static void by_splice(const char *path)
{
	int fd = open_file(path, 0);
	char *buf = room();
	size_t done = 0;
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("pipe");
	while ((n = splice(fd, NULL, ends[1], NULL, PIPE_STEP, 0)) > 0) {
		for (ssize_t left = n; left > 0;) {
			ssize_t got = read(ends[0], buf + done, (size_t)left);

			if (got <= 0)
				die("read from the pipe");
			done += (size_t)got;
			left -= got;
		}
	}
	if (n < 0)
		die("splice");
	compare("splice", buf, done);
	close(ends[0]);
	close(ends[1]);
	free(buf);
	close(fd);
}

static int ways(const char *path)
{
	by_read(path);
	by_preadv(path);
	by_direct(path);
	by_mmap(path, MAP_SHARED, "mmap, shared");
	by_mmap(path, MAP_PRIVATE, "mmap, private");
	by_sendfile(path);
	by_splice(path);
	return 0;
}

/* ---- many at once ---- */

struct race {
	pthread_barrier_t barrier;
	const char *path;
	unsigned int rounds;
};

static void *racer(void *arg)
{
	struct race *race = arg;
	char *buf = room();

	for (unsigned int i = 0; i < race->rounds; i++) {
		int fd;
		ssize_t n;

		pthread_barrier_wait(&race->barrier);
		fd = open_file(race->path, 0);
		n = pread(fd, buf, reference_size + 1, 0);
		if (n < 0)
			die("pread");
		compare("a racer", buf, (size_t)n);
		close(fd);
	}
	free(buf);
	return NULL;
}

static int race(unsigned int count, unsigned int rounds, const char *path)
{
	struct race shared = {.path = path, .rounds = rounds};
	pthread_t threads[THREADS_MAX];

	if (count == 0 || count > THREADS_MAX)
		return 1;
	pthread_barrier_init(&shared.barrier, NULL, count);
	for (unsigned int i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, racer, &shared) != 0)
			die("thread");
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&shared.barrier);
	return 0;
}

/* ---- one that stays ---- */

static int hold(const char *path)
{
	int fd = open_file(path, 0);
	size_t size = size_of(fd);
	char *bytes = map(fd, size, MAP_PRIVATE);
	char *buf = room();
	ssize_t n;

	if (bytes[0] != reference[0])
		differs("the first byte");
	if (puts("held") < 0 || fflush(stdout) != 0 || getchar() == EOF)
		die("standard input");
	compare("a map that was held", bytes, size);
	n = pread(fd, buf, reference_size + 1, 0);
	if (n < 0)
		die("pread");
	compare("a descriptor that was held", buf, (size_t)n);
	close(fd);
	munmap(bytes, size);
	free(buf);
	return 0;
}

static void load(const char *path)
{
	int fd = open_file(path, 0);

	reference_size = size_of(fd);
	reference = map(fd, reference_size, MAP_PRIVATE);
	close(fd);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc < 4) {
		fprintf(stderr, "usage: readways ways|hold|race [THREADS ROUNDS] FILE REFERENCE\n");
		return 2;
	}
	load(argv[argc - 1]);
	if (strcmp(what, "ways") == 0)
		return ways(argv[2]);
	if (strcmp(what, "hold") == 0)
		return hold(argv[2]);
	if (strcmp(what, "race") == 0 && argc == 6)
		return race((unsigned int)strtoul(argv[2], NULL, 10),
			(unsigned int)strtoul(argv[3], NULL, 10), argv[4]);
	return 2;
}
