/*
 * Processes that read a file at random, in several ways, and know all versions that it may have.
 *
 *	verifyreads SEED PROCESSES OPERATIONS WHILE FILE VERSION…
 *
 * Each opens FILE anew, over and over. What one descriptor gives, its size, and a map of it, is of
 * one VERSION, whichever; with more than one of them, ESTALE may take its place. It ends after
 * OPERATIONS reads of each process, or as soon as the file WHILE is gone ("" is no such file).
 *
 * Exit status 0, and a line that counts; or 1, and lines that say what was wrong, and the seed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define VERSIONS_MAX  4
#define PROCESSES_MAX 16
#define SIZE_MAX_READ ((size_t)200000)
#define PER_OPEN_MAX  24   /* reads between two opens */
#define PAUSE_MAX_US  8000 /* when it is closed, so that somebody else may do something to it */
#define PAGE          ((size_t)4096)
#define AREA          ((size_t)262144) /* around the place where bytes arrive */

static struct version {
	const char *bytes;
	size_t size;
} versions[VERSIONS_MAX];
static unsigned int version_count;
static size_t longest;

/* What one process did; shared with who waits for it. */
struct counts {
	unsigned long operations;
	unsigned long opens;
	unsigned long in_flight; /* operations on what was on its way */
	unsigned long stale;
};

struct reader {
	const char *path;
	const char *until; /* a file whose end is ours */
	unsigned long limit;
	unsigned int number;
	uint64_t random;
	struct counts *counts;

	int fd;            /* -1: only the map is left */
	unsigned int fits; /* a bit for each version that all of it may be of */
	size_t size;       /* that fstat() told */
	const char *map;   /* NULL, or all of it */
	bool in_flight;
};

static char buf[SIZE_MAX_READ];
static sigjmp_buf no_page;

/* xorshift64*: the same for the same seed, on every machine */
static uint64_t pick(struct reader *reader, uint64_t below)
{
	uint64_t x = reader->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	reader->random = x;
	return (x * 0x2545F4914F6CDD1DULL >> 16) % below;
}

static void fault(int signal)
{
	(void)signal;
	siglongjmp(no_page, 1);
}

static _Noreturn void fail(const struct reader *reader, const char *what, size_t at, size_t size)
{
	fprintf(stderr, "verifyreads: process %u, operation %lu, open %lu: %s (%zu bytes at %zu)\n",
		reader->number, reader->counts->operations, reader->counts->opens, what, size, at);
	_exit(1);
}

/* ---- one read ---- */

/* An error ends a descriptor; it is one only where versions change. */
static bool stale(struct reader *reader, const char *what, size_t at, size_t size)
{
	if (errno != ESTALE || version_count == 1) {
		fprintf(stderr, "verifyreads: %s: %s\n", what, strerror(errno));
		fail(reader, what, at, size);
	}
	reader->counts->stale++;
	return false;
}

/* @count bytes came, from @at on, of the @wanted ones: of which version can they be? */
static void narrow(struct reader *reader, const char *what, const char *bytes, size_t count,
	size_t at, size_t wanted)
{
	unsigned int before = reader->fits;

	for (unsigned int i = 0; i < version_count; i++) {
		size_t left = at < versions[i].size ? versions[i].size - at : 0;

		if (count != (wanted < left ? wanted : left) ||
			(count > 0 && memcmp(bytes, versions[i].bytes + at, count) != 0))
			reader->fits &= ~(1U << i);
	}
	if (reader->fits)
		return;
	fprintf(stderr, "verifyreads: %s: %zu bytes, of none of the versions 0x%x; size %zu%s\n",
		what, count, before, reader->size, reader->in_flight ? ", on its way" : "");
	fail(reader, what, at, wanted);
}

/* @n bytes came of the @size wanted ones. Where the next page cannot be had, those before it may
 * come first; then they are all that was wanted. */
static bool take(struct reader *reader, const char *what, size_t n, size_t at, size_t size)
{
	char next;

	if (n > 0 && n < size && at + n < reader->size && (at + n) % PAGE == 0 &&
		pread(reader->fd, &next, 1, (off_t)(at + n)) < 0) {
		narrow(reader, what, buf, n, at, n);
		return stale(reader, what, at + n, 1);
	}
	narrow(reader, what, buf, n, at, size);
	return true;
}

static bool do_pread(struct reader *reader, size_t at, size_t size)
{
	ssize_t n = pread(reader->fd, buf, size, (off_t)at);

	return n < 0 ? stale(reader, "pread", at, size)
		     : take(reader, "pread", (size_t)n, at, size);
}

static bool do_read(struct reader *reader, size_t at, size_t size)
{
	ssize_t n;

	if (lseek(reader->fd, (off_t)at, SEEK_SET) != (off_t)at)
		fail(reader, "lseek", at, size);
	n = read(reader->fd, buf, size);
	return n < 0 ? stale(reader, "read", at, size) : take(reader, "read", (size_t)n, at, size);
}

/* A page that cannot be had is SIGBUS: as good, or bad, as ESTALE. */
static bool use_map(struct reader *reader, const char *bytes, size_t at, size_t size)
{
	if (sigsetjmp(no_page, 1)) {
		errno = version_count > 1 ? ESTALE : EFAULT;
		return stale(reader, "mmap", at, size);
	}
	memcpy(buf, bytes, size);
	narrow(reader, "mmap", buf, size, at, size);
	return true;
}

static bool do_map(struct reader *reader, size_t at, size_t size)
{
	size_t begin = at / PAGE * PAGE;
	char *bytes;
	bool ok;

	if (at >= reader->size)
		return true;
	if (size > reader->size - at)
		size = reader->size - at;
	bytes = mmap(NULL, at + size - begin, PROT_READ, pick(reader, 2) ? MAP_SHARED : MAP_PRIVATE,
		reader->fd, (off_t)begin);
	if (bytes == MAP_FAILED)
		fail(reader, "mmap", at, size);
	ok = use_map(reader, bytes + (at - begin), at, size);
	munmap(bytes, at + size - begin);
	return ok;
}

/* Of the map of the whole, which may be all that is left. */
static bool do_whole_map(struct reader *reader, size_t at, size_t size)
{
	if (at >= reader->size)
		return true;
	if (size > reader->size - at)
		size = reader->size - at;
	return use_map(reader, reader->map + at, at, size);
}

/* ---- where ---- */

static bool attribute(const struct reader *reader, const char *name, char ret[32])
{
	ssize_t n = reader->fd < 0 ? -1 : fgetxattr(reader->fd, name, ret, 31);

	ret[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/*
 * Anywhere, some of it behind the end. While bytes arrive, seldom where that takes long, and mostly
 * where they do.
 */
static void choose(struct reader *reader, size_t *ret_at, size_t *ret_size)
{
	static const size_t sizes[] = {1, 100, PAGE, 20000, SIZE_MAX_READ};
	char text[32];
	size_t there, first;

	*ret_at = pick(reader, longest + 100);
	*ret_size = 1 + pick(reader, sizes[pick(reader, 5)]);
	if (!reader->in_flight || pick(reader, 400) == 0 ||
		!attribute(reader, "user.fetchfs.cached_bytes", text))
		return;
	there = strtoul(text, NULL, 10);
	first = there > AREA ? there - AREA : 0;
	*ret_at = pick(reader, 4) ? pick(reader, there + 1)
				  : first + pick(reader, there - first + AREA / 8);
	if (pick(reader, 8))
		*ret_size = 1 + *ret_size % 20000;
}

static bool operate(struct reader *reader)
{
	char state[32];
	size_t at, size;

	if (reader->in_flight)
		reader->in_flight = attribute(reader, "user.fetchfs.state", state) &&
				    strcmp(state, "in-flight") == 0;
	choose(reader, &at, &size);
	reader->counts->operations++;
	reader->counts->in_flight += reader->in_flight;
	if (reader->fd < 0 || (reader->map && pick(reader, 3) == 0))
		return do_whole_map(reader, at, size);
	switch (pick(reader, 3)) {
	case 0:
		return do_pread(reader, at, size);
	case 1:
		return do_read(reader, at, size);
	default:
		return do_map(reader, at, size);
	}
}

/* ---- from open to close ---- */

static bool look(struct reader *reader)
{
	struct stat st;

	if (fstat(reader->fd, &st) < 0)
		return stale(reader, "fstat", 0, 0);
	reader->size = (size_t)st.st_size;
	for (unsigned int i = 0; i < version_count; i++)
		if (versions[i].size != reader->size)
			reader->fits &= ~(1U << i);
	if (!reader->fits)
		fail(reader, "fstat: the size of no version", 0, reader->size);
	return true;
}

static bool begin(struct reader *reader)
{
	reader->counts->opens++;
	reader->fits = (1U << version_count) - 1;
	reader->map = NULL;
	reader->in_flight = true;
	reader->fd = open(reader->path, O_RDONLY | O_CLOEXEC);
	if (reader->fd < 0)
		return stale(reader, "open", 0, 0);
	if (!look(reader))
		return false;
	if (pick(reader, 4)) /* page by page, then, with nothing read ahead */
		posix_fadvise(reader->fd, 0, 0, POSIX_FADV_RANDOM);
	if (pick(reader, 4) == 0) {
		reader->map = mmap(NULL, reader->size, PROT_READ, MAP_SHARED, reader->fd, 0);
		if (reader->map == MAP_FAILED)
			fail(reader, "mmap of all", 0, reader->size);
	}
	return true;
}

static void end(struct reader *reader)
{
	if (reader->map)
		munmap((void *)(uintptr_t)reader->map, reader->size);
	if (reader->fd >= 0)
		close(reader->fd);
}

static bool is_over(const struct reader *reader)
{
	return reader->counts->operations >= reader->limit ||
	       (*reader->until && access(reader->until, F_OK) < 0);
}

static void round_of(struct reader *reader)
{
	unsigned long left = 1 + pick(reader, PER_OPEN_MAX);
	bool ok = begin(reader);

	while (ok && left-- > 0 && !is_over(reader)) {
		ok = operate(reader);
		/* the map of what is closed is all there is of it */
		if (ok && reader->map && reader->fd >= 0 && pick(reader, 8) == 0) {
			close(reader->fd);
			reader->fd = -1;
			reader->in_flight = false;
		}
	}
	/* the size is that of the version, to the last */
	if (ok && reader->fd >= 0)
		look(reader);
	end(reader);
	if (*reader->until)
		usleep((useconds_t)pick(reader, PAUSE_MAX_US));
}

static void read_all(struct reader *reader)
{
	struct sigaction action = {.sa_handler = fault};

	sigaction(SIGBUS, &action, NULL);
	while (!is_over(reader))
		round_of(reader);
	_exit(0);
}

/* ---- the command ---- */

static bool load(const char *path)
{
	struct version *version = &versions[version_count++];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	version->size = (size_t)st.st_size;
	version->bytes = mmap(NULL, version->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (version->size > longest)
		longest = version->size;
	close(fd);
	return version->bytes != MAP_FAILED;
}

static bool wait_for_all(unsigned int count)
{
	bool ok = true;
	int status;

	while (count-- > 0)
		if (wait(&status) < 0 || status != 0)
			ok = false;
	return ok;
}

static void report(const struct counts *counts, unsigned int count)
{
	struct counts sum = {0};

	for (unsigned int i = 0; i < count; i++) {
		sum.operations += counts[i].operations;
		sum.opens += counts[i].opens;
		sum.in_flight += counts[i].in_flight;
		sum.stale += counts[i].stale;
	}
	printf("%lu operations, %lu of them in flight, %lu opens, %lu stale\n", sum.operations,
		sum.in_flight, sum.opens, sum.stale);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	unsigned int count = argc > 2 ? (unsigned int)strtoul(argv[2], NULL, 10) : 0;
	struct counts *counts = mmap(NULL, PROCESSES_MAX * sizeof(*counts), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool ok;

	if (argc < 7 || argc > 6 + VERSIONS_MAX || count > PROCESSES_MAX || counts == MAP_FAILED) {
		fprintf(stderr,
			"usage: verifyreads SEED PROCESSES OPERATIONS WHILE FILE VERSION…\n");
		return 2;
	}
	for (int i = 6; i < argc; i++)
		if (!load(argv[i])) {
			perror(argv[i]);
			return 2;
		}
	for (unsigned int i = 0; i < count; i++) {
		struct reader reader = {.path = argv[5],
			.until = argv[4],
			.limit = strtoul(argv[3], NULL, 10),
			.number = i,
			.random =
				(seed + 1) * 0x9E3779B97F4A7C15ULL + i * 0xBF58476D1CE4E5B9ULL + 1,
			.counts = &counts[i]};

		if (fork() == 0)
			read_all(&reader);
	}
	ok = wait_for_all(count);
	report(counts, count);
	if (!ok)
		fprintf(stderr, "verifyreads: the seed was %llu\n", (unsigned long long)seed);
	return ok ? 0 : 1;
}
