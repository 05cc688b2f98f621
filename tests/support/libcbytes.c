/* The ways of libcways to the bytes of a file; each has a descriptor of its own. */
#include "tests/support/libcways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#define ALIGNMENT ((size_t)4096)

static char *room(const struct reference *right)
{
	char *buf = NULL;

	if (posix_memalign((void **)&buf, ALIGNMENT, right->size + 2 * ALIGNMENT) != 0)
		ways_die("memory");
	return buf;
}

static void by_read(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);
	char *buf = room(right);
	size_t done = 0;
	ssize_t n;

	while ((n = read(fd, buf + done, 10007)) > 0)
		done += (size_t)n;
	if (n < 0)
		ways_die("read");
	ways_compare(buf, done, right);
	if (lseek(fd, 0, SEEK_CUR) != (off_t)right->size)
		ways_wrong("another offset at the end");
	free(buf);
	close(fd);
}

/* From the end to the beginning: nothing is read ahead, and the last bytes are waited for first. */
static void by_pread(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);
	char *buf = room(right);
	size_t part = 70001;

	for (size_t left = right->size; left > 0;) {
		size_t size = left < part ? left : part;

		left -= size;
		if (pread(fd, buf + left, size, (off_t)left) != (ssize_t)size)
			ways_die("pread");
	}
	ways_compare(buf, right->size, right);
	if (pread(fd, buf, 100, (off_t)right->size) != 0)
		ways_wrong("bytes after the end");
	free(buf);
	close(fd);
}

static void by_vector(const char *path, const struct reference *right, bool with_offset)
{
	int fd = ways_open(path, 0);
	char *buf = room(right);
	size_t third = right->size / 3;
	struct iovec parts[] = {{buf, 1}, {buf + 1, third}, {buf + 1 + third, right->size}};
	ssize_t n = with_offset ? preadv(fd, parts, 3, 0) : readv(fd, parts, 3);

	if (n < 0)
		ways_die("vector");
	ways_compare(buf, (size_t)n, right);
	if (lseek(fd, 0, SEEK_CUR) != (with_offset ? 0 : n))
		ways_wrong("another offset afterwards");
	free(buf);
	close(fd);
}

static void by_readv(const char *path, const struct reference *right)
{
	by_vector(path, right, false);
}

static void by_preadv(const char *path, const struct reference *right)
{
	by_vector(path, right, true);
}

static void by_direct(const char *path, const struct reference *right)
{
	int fd = ways_open(path, O_DIRECT);
	char *buf = room(right);
	size_t done = 0;
	ssize_t n;

	while ((n = pread(fd, buf + done, 16 * ALIGNMENT, (off_t)done)) > 0) {
		done += (size_t)n;
		if (done > right->size || (done < right->size && done % ALIGNMENT))
			ways_wrong("a short read up to %zu", done);
		if (done == right->size)
			break;
	}
	if (n < 0)
		ways_die("pread");
	ways_compare(buf, done, right);
	free(buf);
	close(fd);
}

static void by_stdio(const char *path, const struct reference *right)
{
	FILE *file = fdopen(ways_open(path, 0), "r");
	char *buf = room(right);
	size_t done;

	if (!file)
		ways_die("fdopen");
	done = fread(buf, 1, right->size + 1, file);
	ways_compare(buf, done, right);
	if (!feof(file) || fseek(file, (long)right->size / 2, SEEK_SET) < 0 ||
		getc(file) != (unsigned char)right->bytes[right->size / 2])
		ways_wrong("after fseek()");
	free(buf);
	fclose(file);
}

/* The map is used after the descriptor is closed; behind the end of the file it has zeros. */
static void by_map(const char *path, const struct reference *right, int flags)
{
	int fd = ways_open(path, 0);
	size_t end = (right->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	char *bytes = mmap(NULL, end, PROT_READ, flags, fd, 0);

	if (bytes == MAP_FAILED)
		ways_die("mmap");
	close(fd);
	if (bytes[right->size - 1] != right->bytes[right->size - 1])
		ways_wrong("another last byte");
	ways_compare(bytes, right->size, right);
	for (size_t i = right->size; i < end; i++)
		if (bytes[i])
			ways_wrong("a byte at %zu, behind the end", i);
	munmap(bytes, end);
}

static void by_mmap_private(const char *path, const struct reference *right)
{
	by_map(path, right, MAP_PRIVATE);
}

static void by_mmap_shared(const char *path, const struct reference *right)
{
	by_map(path, right, MAP_SHARED);
}

static int new_file(void)
{
	int fd = memfd_create("libcways", MFD_CLOEXEC);

	if (fd < 0)
		ways_die("memfd_create");
	return fd;
}

static void by_sendfile(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);
	int out = new_file();
	ssize_t n;

	while ((n = sendfile(out, fd, NULL, right->size)) > 0)
		;
	if (n < 0)
		ways_die("sendfile");
	ways_compare_fd(out, right);
	close(out);
	close(fd);
}

static void by_splice(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);
	int out = new_file();
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC) < 0)
		ways_die("pipe");
	while ((n = splice(fd, NULL, ends[1], NULL, 65536, 0)) > 0)
		for (ssize_t left = n, got; left > 0; left -= got) {
			got = splice(ends[0], NULL, out, NULL, (size_t)left, 0);
			if (got <= 0)
				ways_die("splice from the pipe");
		}
	if (n < 0)
		ways_die("splice");
	ways_compare_fd(out, right);
	close(ends[0]);
	close(ends[1]);
	close(out);
	close(fd);
}

/* Into @out, by the kernel or, where it does not do that between two file systems, as cp does. */
static void copy_range(const char *path, const struct reference *right, int out)
{
	int fd = ways_open(path, 0);
	ssize_t n;

	while ((n = copy_file_range(fd, NULL, out, NULL, right->size, 0)) > 0)
		;
	if (n < 0 && errno != EXDEV)
		ways_die("copy_file_range");
	if (n < 0)
		while ((n = sendfile(out, fd, NULL, right->size)) > 0)
			;
	if (n < 0)
		ways_die("sendfile, since copy_file_range does not");
	ways_compare_fd(out, right);
	close(out);
	close(fd);
}

static void by_copy_to_memory(const char *path, const struct reference *right)
{
	copy_range(path, right, new_file());
}

static void by_copy_to_disk(const char *path, const struct reference *right)
{
	FILE *file = tmpfile();

	if (!file)
		ways_die("tmpfile");
	copy_range(path, right, dup(fileno(file)));
	fclose(file);
}

static void by_readahead(const char *path, const struct reference *right)
{
	int fd = ways_open(path, 0);

	if (readahead(fd, 0, right->size) < 0 || readahead(fd, (off_t)right->size, 4096) < 0)
		ways_die("readahead");
	ways_compare_fd(fd, right);
	close(fd);
}

static void by_fadvise(const char *path, const struct reference *right)
{
	static const int advice[] = {POSIX_FADV_WILLNEED, POSIX_FADV_SEQUENTIAL, POSIX_FADV_RANDOM,
		POSIX_FADV_NOREUSE, POSIX_FADV_DONTNEED, POSIX_FADV_NORMAL};
	int fd = ways_open(path, 0);

	for (size_t i = 0; i < sizeof(advice) / sizeof(advice[0]); i++) {
		errno = posix_fadvise(fd, 0, 0, advice[i]);
		if (errno)
			ways_die("posix_fadvise");
		ways_compare_fd(fd, right);
	}
	close(fd);
}

const struct way ways_of_bytes[] = {
	{"read", by_read},
	{"pread", by_pread},
	{"readv", by_readv},
	{"preadv", by_preadv},
	{"direct", by_direct},
	{"stdio", by_stdio},
	{"mmap_private", by_mmap_private},
	{"mmap_shared", by_mmap_shared},
	{"sendfile", by_sendfile},
	{"splice", by_splice},
	{"copy_to_memory", by_copy_to_memory},
	{"copy_to_disk", by_copy_to_disk},
	{"readahead", by_readahead},
	{"fadvise", by_fadvise},
	{NULL, NULL},
};
