/* Flights that nobody leads for a while, because nobody reads of them, and their users' lines. */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/fetchfs.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LARGE   (64 << 20)
#define WAIT_MS 20000
#define ALICE   (geteuid() + 1)
#define BOB     (geteuid() + 2)

static char *dir;
static struct fetchfs *fetchfs;

static void put(const char *path, size_t len, bool stall)
{
	fake_backend_put(path,
		&(struct fake_file){.len = len, .etag = "\"1\"", .stall = stall, .block = 8192});
}

/* What is in the way is small, and fetched whole; the others are read in parts. */
static void setup(void)
{
	CLEANUP(str_freep) char *cache = str_printf("%s/cache", dir = tmpdir_make());
	CLEANUP(str_freep) char *config = str_printf("%s/conf", dir);
	struct fetchfs_options options = {
		.cache = cache, .config = config, .backends = fake_backends};
	struct err err = ERR_INIT;
	FILE *file;

	file = fopen(config, "w");
	cr_assert(file);
	fputs("[policy]\nallow = fake://h/\n[fetch]\nper_user = 1\nlazy = ranges\n", file);
	cr_assert_eq(fclose(file), 0);
	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
	put("/inway", 100, true);
	put("/parts", LARGE, false);
	put("/next", 100, true);
}

static void teardown(void)
{
	fetchfs_close(fetchfs);
	fake_backend_reset();
	tmpdir_remove(dir);
}

TestSuite(rests, .init = setup, .fini = teardown);

static struct fetchfs_file *get(const char *uri, uid_t uid)
{
	struct fetchfs_request request = {.uri = uri, .uid = uid};
	struct fetchfs_file *file = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	return file;
}

static void expect_byte(struct fetchfs_file *file, uint64_t offset)
{
	struct err err = ERR_INIT;
	unsigned char byte = 0;

	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_RANGE, offset, 1, WAIT_MS, &err),
		0, "%s", err.msg);
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, offset, &err), 1, "%s", err.msg);
	cr_assert_eq(byte, fake_backend_byte(offset));
}

Test(rests, what_nobody_has_open_any_more_ends_when_it_would_rest)
{
	struct fetchfs_file *in_way = get("fake://h/inway", ALICE);
	struct fetchfs_file *parts;
	struct fetchfs_file *next;

	fake_backend_wait_stalled("/inway", 1);
	parts = get("fake://h/parts", ALICE);
	next = get("fake://h/next", ALICE);
	fetchfs_file_free(parts); /* before it began */
	fake_backend_release("/inway");
	fake_backend_wait_stalled("/next", 1); /* its turn came as the other one's ended */

	parts = get("fake://h/parts", BOB);
	expect_byte(parts, 0);
	fake_backend_release("/next");
	expect_byte(next, 0);
	fetchfs_file_free(parts);
	fetchfs_file_free(next);
	fetchfs_file_free(in_way);
}

static void wake(struct fetchfs_wait *wait, const struct err *err)
{
	(void)wait;
	(void)err;
}

Test(rests, what_goes_on_in_one_users_line_goes_at_once_when_another_reads)
{
	struct fetchfs_file *alices = get("fake://h/parts", ALICE);
	struct fetchfs_file *bobs = get("fake://h/parts", BOB);
	struct fetchfs_file *in_way;
	struct fetchfs_wait wait = {
		.until = FETCHFS_UNTIL_RANGE, .offset = LARGE - 1, .length = 1, .wake = wake};
	struct err err = ERR_INIT;

	expect_byte(alices, 0);
	expect_byte(bobs, 0);
	in_way = get("fake://h/inway", ALICE);
	fake_backend_wait_stalled("/inway", 1); /* the other one rests */

	cr_assert_eq(fetchfs_file_wait(alices, &wait, &err), 0, "%s", err.msg);
	expect_byte(bobs, LARGE / 2);
	expect_byte(alices, LARGE - 1);
	fetchfs_wait_cancel(&wait);
	fake_backend_release("/inway");
	expect_byte(in_way, 0);
	fetchfs_file_free(alices);
	fetchfs_file_free(bobs);
	fetchfs_file_free(in_way);
}

Test(rests, what_was_asked_for_whole_is_taken_whole_when_who_needed_it_has_gone)
{
	struct fetchfs_file *in_way = get("fake://h/inway", ALICE);
	struct fetchfs_wait wait = {.until = FETCHFS_UNTIL_COMPLETE, .wake = wake};
	struct fetchfs_file *late;
	struct err err = ERR_INIT;

	fake_backend_wait_stalled("/inway", 1);
	fake_backend_put("/late", &(struct fake_file){.len = LARGE, .etag = "\"1\"", .late = true});
	late = get("fake://h/late", ALICE);
	cr_assert_eq(fetchfs_file_wait(late, &wait, &err), 0, "%s", err.msg);
	fake_backend_release("/inway");
	fake_backend_wait_stalled("/late", 1); /* asked for, without a thread */
	cr_assert(fetchfs_wait_cancel(&wait));
	fake_backend_release("/late");
	expect_byte(late, LARGE - 1);
	cr_assert_eq(fake_backend_counts("/late").stats, 0);
	cr_assert_eq(fake_backend_counts("/late").open, 0);
	fetchfs_file_free(late);
	fetchfs_file_free(in_way);
}

/* By then it has waited for a while. */
static bool release_in_way(void *arg)
{
	unsigned int *looks = arg;

	if (++*looks == 4)
		fake_backend_release("/inway");
	return true;
}

Test(rests, who_asked_what_is_in_line_for_long_is_told_of_no_error)
{
	struct fetchfs_file *in_way = get("fake://h/inway", ALICE);
	unsigned int looks = 0;
	struct fetchfs_request request = {.uri = "fake://h/unsaid",
		.uid = ALICE,
		.is_wanted = release_in_way,
		.wanted_arg = &looks};
	struct fetchfs_info info = {.size = -1};
	struct err err = ERR_INIT;

	fake_backend_wait_stalled("/inway", 1);
	fake_backend_put(
		"/unsaid", &(struct fake_file){.len = 100, .etag = "\"1\"", .no_stat = true});
	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), 0, "%s", err.msg);
	cr_assert_eq(info.size, 100);
	cr_assert_neq(err.code, ETIMEDOUT, "%s", err.msg);
	cr_assert_geq(looks, 4);
	fetchfs_info_release(&info);
	fetchfs_file_free(in_way);
}
