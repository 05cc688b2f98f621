#include "fetch/tar.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file(void)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	cr_assert_geq(fd, 0);
	return fd;
}

static void write_file(struct tar_writer *writer, const char *name, const char *text)
{
	struct err err = ERR_INIT;

	cr_assert_eq(tar_writer_file(writer, name, strlen(text), &err), 0, "%s", err.msg);
	cr_assert_eq(tar_writer_bytes(writer, text, strlen(text), &err), 0, "%s", err.msg);
}

static int two_files(void)
{
	struct tar_writer *writer;
	int fd = file();

	cr_assert_eq(tar_writer_new(fd, &writer, NULL), 0);
	write_file(writer, "one", "1");
	write_file(writer, "two", "");
	cr_assert_eq(tar_writer_finish(writer, NULL), 0);
	tar_writer_free(writer);
	return fd;
}

static void expect(struct tar_reader *reader, const char *name, const char *text)
{
	const char *is;
	const void *bytes;
	struct err err = ERR_INIT;
	uint64_t size;
	size_t len;
	int r;

	cr_assert_eq(tar_reader_next(reader, &is, &size, &err), 1, "%s", err.msg);
	cr_assert_str_eq(is, name);
	cr_assert_eq(size, strlen(text));
	while ((r = tar_reader_bytes(reader, &bytes, &len, &err)) > 0) {
		cr_assert_eq(memcmp(bytes, text, len), 0);
		text += len;
	}
	cr_assert_eq(r, 0, "%s", err.msg);
	cr_assert_eq(*text, '\0');
}

Test(tar, reads_what_it_writes)
{
	CLEANUP(fd_closep) int fd = two_files();
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	const char *name;
	uint64_t size;

	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(tar_reader_new(fd, &reader, NULL), 0);
	expect(reader, "one", "1");
	expect(reader, "two", "");
	cr_assert_eq(tar_reader_next(reader, &name, &size, NULL), 0);
}

Test(tar, passes_over_what_is_not_read)
{
	CLEANUP(fd_closep) int fd = two_files();
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	const char *name;
	uint64_t size;

	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(tar_reader_new(fd, &reader, NULL), 0);
	cr_assert_eq(tar_reader_next(reader, &name, &size, NULL), 1);
	expect(reader, "two", "");
}

Test(tar, holds_files_of_more_than_8_GiB)
{
	CLEANUP(fd_closep) int fd = file();
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	const uint64_t large = UINT64_C(20) << 30;
	struct tar_writer *writer;
	struct err err = ERR_INIT;
	const char *name;
	uint64_t size;

	cr_assert_eq(tar_writer_new(fd, &writer, NULL), 0);
	cr_assert_eq(tar_writer_file(writer, "large", large, &err), 0, "%s", err.msg);
	/* as much as goes out of the buffer with it */
	for (int i = 0; i < 1024; i++)
		cr_assert_eq(tar_writer_bytes(writer, (const char[1024]){0}, 1024, &err), 0);
	tar_writer_free(writer);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(tar_reader_new(fd, &reader, NULL), 0);
	cr_assert_eq(tar_reader_next(reader, &name, &size, &err), 1, "%s", err.msg);
	cr_assert_str_eq(name, "large");
	cr_assert_eq(size, large);
	/* … and is seen to be cut off, though nobody reads it */
	cr_assert_eq(tar_reader_next(reader, &name, &size, &err), -EBADMSG);
}

Test(tar, has_no_end_without_finish)
{
	CLEANUP(fd_closep) int fd = file();
	struct tar_writer *writer;
	struct err err = ERR_INIT;

	cr_assert_eq(tar_writer_new(fd, &writer, NULL), 0);
	cr_assert_eq(tar_writer_file(writer, "cut", 100000000, &err), 0, "%s", err.msg);
	cr_assert_eq(tar_writer_bytes(writer, "x", 1, &err), 0);
	tar_writer_free(writer);
	cr_assert_leq(lseek(fd, 0, SEEK_END), 1 << 20);
}

Test(tar, tells_why_it_cannot_be_written)
{
	CLEANUP(fd_closep) int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct tar_writer *writer;
	struct err err = ERR_INIT;

	cr_assert_eq(tar_writer_new(fd, &writer, NULL), 0);
	write_file(writer, "one", "1");
	cr_assert_eq(tar_writer_finish(writer, &err), -ENOSPC);
	cr_assert_eq(err.kind, ERR_SPACE);
	tar_writer_free(writer);
}

/* Read to the end, whatever comes. */
static int read_all(int fd)
{
	CLEANUP(tar_reader_freep) struct tar_reader *reader = NULL;
	struct err err = ERR_INIT;
	const char *name;
	const void *bytes;
	uint64_t size;
	size_t len;
	int r;

	lseek(fd, 0, SEEK_SET);
	r = tar_reader_new(fd, &reader, &err);
	while (r == 0 && (r = tar_reader_next(reader, &name, &size, &err)) > 0) {
		uint64_t sum = 0;

		while ((r = tar_reader_bytes(reader, &bytes, &len, &err)) > 0)
			sum += len;
		cr_assert(r < 0 || sum == size);
	}
	cr_assert(r == 0 || *err.msg);
	return r;
}

Test(tar, with_any_bytes_changed_never_has_more_or_less_than_it_says)
{
	CLEANUP(fd_closep) int fd = two_files();
	CLEANUP(fd_closep) int other = file();
	char good[8192], text[8192];
	ssize_t len = fd_pread_full(fd, good, sizeof(good), 0);
	unsigned int seed = 1;

	cr_assert_gt(len, 2000);
	for (int n = 0; n < 3000; n++) {
		memcpy(text, good, (size_t)len);
		for (int i = 0; i <= n % 8; i++)
			text[(size_t)rand_r(&seed) % 1600] = (char)rand_r(&seed);
		cr_assert_eq(fd_pwrite_all(other, text, (size_t)len, 0), 0);
		(void)read_all(other);
	}
}

Test(tar, cut_off_inside_of_a_member_is_broken)
{
	CLEANUP(fd_closep) int fd = two_files();

	cr_assert_eq(read_all(fd), 0);
	cr_assert_eq(ftruncate(fd, 800), 0);
	cr_assert_eq(read_all(fd), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 512), 0);
	cr_assert_eq(read_all(fd), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 100), 0);
	cr_assert_eq(read_all(fd), -EBADMSG);
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(read_all(fd), -EBADMSG);
}
