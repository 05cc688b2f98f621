#include "base/fd.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

Test(fd, closing_keeps_errno_and_forgets_the_number)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	int number = fd;

	errno = EXDEV;
	fd_close(&fd);
	cr_assert_eq(errno, EXDEV);
	cr_assert_eq(fd, -1);
	cr_assert_eq(fcntl(number, F_GETFD), -1);
	fd_close(&fd);
}

Test(fd, a_stolen_descriptor_stays_open)
{
	CLEANUP(fd_closep) int stolen = -1;
	{
		CLEANUP(fd_closep) int fd = memfd_create("test", MFD_CLOEXEC);

		stolen = fd_steal(&fd);
		cr_assert_eq(fd, -1);
	}
	cr_assert_neq(fcntl(stolen, F_GETFD), -1);
}

Test(fd, reads_and_writes_are_whole)
{
	CLEANUP(fd_closep) int fd = memfd_create("test", MFD_CLOEXEC);
	char buf[16] = "";

	cr_assert_eq(fd_write_all(fd, "hello", 5), 0);
	cr_assert_eq(fd_pwrite_all(fd, "world", 5, 5), 0);
	cr_assert_eq(fd_pread_full(fd, buf, sizeof(buf), 3), 7);
	cr_assert_str_eq(buf, "loworld");
	cr_assert_eq(fd_pread_full(fd, buf, sizeof(buf), 10), 0);
	cr_assert_eq(fd_write_all(-1, "x", 1), -EBADF);
	cr_assert_eq(fd_pread_full(-1, buf, 1, 0), -EBADF);
}

Test(fd, a_small_file_is_read_whole_or_not_at_all)
{
	CLEANUP(fd_closep) int fd = memfd_create("test", MFD_CLOEXEC);
	CLEANUP(str_freep) char *path = str_printf("/proc/self/fd/%d", fd);
	CLEANUP(str_freep) char *text = NULL;
	static char block[10000];
	char *none = NULL;
	size_t len = 0;

	memset(block, 'a', sizeof(block));
	cr_assert_eq(fd_write_all(fd, block, sizeof(block)), 0);
	cr_assert_eq(fd_read_file(AT_FDCWD, path, sizeof(block), &text, &len), 0);
	cr_assert_eq(len, sizeof(block));
	cr_assert_eq(text[len], '\0');
	cr_assert_arr_eq(text, block, len);
	cr_assert_eq(fd_read_file(AT_FDCWD, path, sizeof(block) - 1, &none, NULL), -EFBIG);
	cr_assert_eq(fd_read_file(AT_FDCWD, "/nonexistent/a", 1, &none, NULL), -ENOENT);
	cr_assert_null(none);
}

static unsigned int table_size(void)
{
	CLEANUP(str_freep) char *status = NULL;
	const char *line;
	int r = fd_read_file(AT_FDCWD, "/proc/self/status", 1 << 16, &status, NULL);

	cr_assert_eq(r, 0);
	line = strstr(status, "FDSize:");
	cr_assert_not_null(line);
	return (unsigned int)strtoul(line + strlen("FDSize:"), NULL, 10);
}

Test(fd, the_table_is_large_before_there_are_many)
{
	cr_assert_lt(table_size(), 1000);
	fd_expect(1000);
	cr_assert_geq(table_size(), 1000);
}

Test(fd, the_table_is_no_larger_than_the_limit)
{
	const struct rlimit limit = {.rlim_cur = 100, .rlim_max = 200};

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fd_expect(100000);
	cr_assert_geq(table_size(), 200);
	cr_assert_lt(table_size(), 1000);
}
