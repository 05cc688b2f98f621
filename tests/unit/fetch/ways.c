/* What becomes of a download when its way changes: bytes of one version, and no reader forgotten.
 */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/fetchfs.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB     (1024 * 1024)
#define WAIT_MS 20000
#define LEN     (4 * MIB)

static char *dir;
static char *config;

static void setup(void)
{
	dir = tmpdir_make();
	config = str_printf("%s/test.conf", dir);
}

static void teardown(void)
{
	fake_backend_reset();
	tmpdir_remove(dir);
	free(config);
}

TestSuite(ways, .init = setup, .fini = teardown, .timeout = 60);

static struct fetchfs *open_cache(const char *text)
{
	CLEANUP(fd_closep)
	int fd = open(config, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CLEANUP(str_freep) char *cache = str_printf("%s/cache", dir);
	struct fetchfs_options options = {
		.cache = cache, .config = config, .backends = fake_backends};
	struct fetchfs *fetchfs = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
	return fetchfs;
}

static struct fetchfs_file *get(struct fetchfs *fetchfs, const char *digest)
{
	struct fetchfs_request request = {.uri = "fake://h/f", .uid = geteuid(), .digest = digest};
	struct fetchfs_file *file = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	return file;
}

static char *bytes_of(char c)
{
	char *bytes = malloc(LEN);

	memset(bytes, c, LEN);
	return bytes;
}

/* A mirror that breaks off after a quarter, once, and an origin with other bytes that stalls after
 * three, when both have the same URI. */
static void put_two_versions(void)
{
	CLEANUP(str_freep) char *a = bytes_of('a');
	CLEANUP(str_freep) char *b = bytes_of('b');

	fake_backend_put("/mirror/f",
		&(struct fake_file){
			.content = a, .len = LEN, .etag = "\"a\"", .cut_at = MIB, .cut_times = 1});
	fake_backend_put("/f", &(struct fake_file){.content = b,
				       .len = LEN,
				       .etag = "\"b\"",
				       .stall = true,
				       .stall_at = 3 * MIB});
}

#define MIRRORED   "[origin \"fake://h/\"]\nmirrors = fake://m/mirror/\n"
#define ANY_DIGEST "sha256:0000000000000000000000000000000000000000000000000000000000000000"

Test(ways, what_was_put_together_for_a_digest_is_not_resumed_without_one)
{
	struct fetchfs *fetchfs = open_cache(MIRRORED);
	CLEANUP(str_freep) char *is = malloc(LEN);
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	put_two_versions();
	file = get(fetchfs, ANY_DIGEST);
	fake_backend_wait_stalled("/f", 1);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);

	fetchfs = open_cache(MIRRORED);
	fake_backend_release("/f");
	file = get(fetchfs, NULL);
	cr_assert_eq(fetchfs_file_read(file, is, LEN, 0, &err), LEN, "%s", err.msg);
	for (size_t i = 1; i < LEN; i++)
		cr_assert_eq(is[i], is[0], "another version at %zu", i);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

Test(ways, what_is_put_together_for_a_digest_is_shown_to_nobody_else)
{
	struct fetchfs *fetchfs = open_cache(MIRRORED);
	struct fetchfs_file *leader;
	struct fetchfs_file *other;
	struct err err = ERR_INIT;
	char first = 0;
	char middle = 0;

	put_two_versions();
	leader = get(fetchfs, ANY_DIGEST);
	fake_backend_wait_stalled("/f", 1);
	other = get(fetchfs, NULL);
	/* what follows is either not here, or of the version of what is */
	fetchfs_file_wait_until(other, FETCHFS_UNTIL_RANGE, 2 * MIB, 1, 1000, &err);
	if (fetchfs_file_read_now(other, &first, 1, 0, &err) == 1 &&
		fetchfs_file_read_now(other, &middle, 1, 2 * MIB, &err) == 1)
		cr_assert_eq(first, middle);
	fake_backend_release("/f");
	err = ERR_INIT;
	if (fetchfs_file_read(other, &first, 1, 0, &err) == 1 &&
		fetchfs_file_read(other, &middle, 1, 2 * MIB, &err) == 1)
		cr_assert_eq(first, middle);
	else
		cr_assert_eq(err.code, ESTALE, "%s", err.msg);
	fetchfs_file_free(other);
	fetchfs_file_free(leader);
	fetchfs_close(fetchfs);
}

Test(ways, a_mirror_without_ranges_does_not_end_what_another_place_can_go_on_with)
{
	struct fetchfs *fetchfs =
		open_cache("[origin \"fake://h/\"]\nmirrors = fake://m1/one/, fake://m2/two/\n");
	CLEANUP(str_freep) char *is = malloc(LEN);
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	fake_backend_put("/one/f", &(struct fake_file){.len = LEN,
					   .etag = "\"1\"",
					   .stall = true,
					   .stall_at = MIB,
					   .cut_at = MIB});
	fake_backend_put(
		"/two/f", &(struct fake_file){.len = LEN, .etag = "\"1\"", .no_ranges = true});
	fake_backend_put("/f", &(struct fake_file){.len = LEN, .etag = "\"1\""});
	file = get(fetchfs, NULL);
	cr_assert_eq(fetchfs_file_read(file, is, MIB, 0, &err), MIB, "%s", err.msg);
	fake_backend_release("/one/f");
	cr_assert_eq(fetchfs_file_read(file, is, LEN, 0, &err), LEN, "%s", err.msg);
	for (size_t i = 0; i < LEN; i++)
		cr_assert_eq((unsigned char)is[i], fake_backend_byte(i));
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

/* The origin tells nothing without a body at first, so that all is fetched; later it does. */
Test(ways, who_reads_where_a_leader_was_who_is_lazy_now_is_served)
{
	struct fetchfs *fetchfs = open_cache("[fetch]\nlazy = ranges\n");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	fake_backend_put("/f", &(struct fake_file){.len = LEN,
				       .etag = "\"1\"",
				       .no_stat = true,
				       .stall = true,
				       .stall_at = MIB,
				       .cut_at = MIB});
	file = get(fetchfs, NULL);
	fake_backend_wait_stalled("/f", 1);
	fake_backend_put("/f", &(struct fake_file){.len = LEN, .etag = "\"1\""});
	fake_backend_release("/f");
	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_RANGE, MIB, 4096, WAIT_MS, &err),
		0, "%s", err.msg);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

/* Without a digest nobody can tell whether other validators mean other bytes. */
Test(ways, where_a_version_was_begun_it_is_looked_for_again_though_others_have_another)
{
	struct fetchfs *fetchfs =
		open_cache("[origin \"fake://h/\"]\nmirrors = fake://m1/one/, fake://m2/two/\n");
	CLEANUP(str_freep) char *is = malloc(LEN);
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	fake_backend_put("/one/f", &(struct fake_file){.len = LEN,
					   .etag = "\"1\"",
					   .stall = true,
					   .stall_at = MIB,
					   .cut_at = MIB,
					   .cut_times = 1});
	fake_backend_put("/two/f", &(struct fake_file){.len = LEN, .etag = "\"2\""});
	fake_backend_put("/f", &(struct fake_file){.len = LEN, .etag = "\"3\""});
	file = get(fetchfs, NULL);
	cr_assert_eq(fetchfs_file_read(file, is, MIB, 0, &err), MIB, "%s", err.msg);
	fake_backend_release("/one/f");
	cr_assert_eq(fetchfs_file_read(file, is, LEN, 0, &err), LEN, "%s", err.msg);
	for (size_t i = 0; i < LEN; i++)
		cr_assert_eq((unsigned char)is[i], fake_backend_byte(i));
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

/* The reader of the old version hears of it; the next one gets what there is. */
Test(ways, a_version_that_does_not_come_back_is_given_up_for_another)
{
	struct fetchfs *fetchfs = open_cache(MIRRORED "[fetch]\nretries = 1\n");
	CLEANUP(str_freep) char *b = bytes_of('b');
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char first = 0;

	fake_backend_put("/mirror/f", &(struct fake_file){.len = LEN,
					      .etag = "\"a\"",
					      .stall = true,
					      .stall_at = MIB,
					      .cut_at = MIB});
	fake_backend_put("/f", &(struct fake_file){.content = b, .len = LEN, .etag = "\"b\""});
	file = get(fetchfs, NULL);
	cr_assert_eq(fetchfs_file_read(file, &first, 1, 0, &err), 1, "%s", err.msg);
	fake_backend_release("/mirror/f");
	cr_assert_eq(fetchfs_file_read(file, &first, 1, 2 * MIB, &err), -EIO, "%s", err.msg);
	fetchfs_file_free(file);

	file = get(fetchfs, NULL);
	cr_assert_eq(fetchfs_file_read(file, &first, 1, 2 * MIB, &err), 1, "%s", err.msg);
	cr_assert_eq(first, 'b');
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}
