/* Filling the cache: nothing is handed out, and whoever does read shares the download. */
#include "base/cleanup.h"
#include "fetch/fetchfs.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#define URI     "fake://h/a"
#define WAIT_MS 20000

static char *dir;
static struct fetchfs *fetchfs;

static void setup(void)
{
	struct fetchfs_options options = {.backends = fake_backends};
	struct err err = ERR_INIT;

	dir = tmpdir_make();
	options.cache = dir;
	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
}

static void teardown(void)
{
	fetchfs_close(fetchfs);
	fake_backend_reset();
	tmpdir_remove(dir);
}

TestSuite(prefetch, .init = setup, .fini = teardown);

static struct fetchfs_file *get(bool prefetch)
{
	struct fetchfs_request request = {.uri = URI, .uid = geteuid(), .prefetch = prefetch};
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	return file;
}

static void wait_for(struct fetchfs_file *file)
{
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err), 0,
		"%s", err.msg);
}

static void expect_hello(struct fetchfs_file *file)
{
	struct err err = ERR_INIT;
	char text[6] = "";

	cr_assert_eq(fetchfs_file_read(file, text, 5, 0, &err), 5, "%s", err.msg);
	cr_assert_str_eq(text, "hello");
	cr_assert_geq(fetchfs_file_fd(file), 0);
}

Test(prefetch, the_bytes_are_in_the_cache_and_nothing_is_open)
{
	struct fetchfs_request request = {.uri = URI, .uid = geteuid()};
	struct fetchfs_info info = {.size = -1};
	struct err err = ERR_INIT;
	struct fetchfs_file *file;
	char byte;

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	file = get(true);
	wait_for(file);
	cr_assert_eq(fetchfs_file_info(file, &info, &err), 0);
	cr_assert_eq(info.state, FETCHFS_COMPLETE);
	cr_assert_eq(info.size, 5);
	fetchfs_info_release(&info);
	cr_assert_eq(fetchfs_file_fd(file), -1);
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, 0, &err), -EBADF);
	cr_assert_eq(fetchfs_evict(fetchfs, &request, &err), 0, "not open: %s", err.msg);
	fetchfs_file_free(file);

	file = get(true);
	wait_for(file);
	fetchfs_file_free(file);
	file = get(false);
	wait_for(file);
	expect_hello(file);
	fetchfs_file_free(file);
	cr_assert_eq(fake_backend_counts("/a").fetches, 2);
}

Test(prefetch, a_reader_who_joins_it_can_read)
{
	struct fetchfs_file *prefetched;
	struct fetchfs_file *read;

	fake_backend_put("/a",
		&(struct fake_file){.content = "hello", .len = 5, .stall = true, .stall_at = 2});
	prefetched = get(true);
	fake_backend_wait_stalled("/a", 1);
	read = get(false);
	fake_backend_release("/a");
	wait_for(prefetched);
	wait_for(read);
	expect_hello(read);
	fetchfs_file_free(prefetched);
	fetchfs_file_free(read);
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
}
