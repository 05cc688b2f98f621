/* The flow: cache, else one download, whoever asks; on the fake backend. */
#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/context.h"
#include "fetch/fetchfs.h"
#include "fetch/fetchfs_sandbox.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB     (1024 * 1024)
#define WAIT_MS 20000

static char *dir;

static void setup(void)
{
	dir = tmpdir_make();
}

static void teardown(void)
{
	fake_backend_reset();
	tmpdir_remove(dir);
}

TestSuite(flow, .init = setup, .fini = teardown);

static struct fetchfs *open_cache(void)
{
	struct fetchfs_options options = {.cache = dir, .backends = fake_backends};
	struct fetchfs *fetchfs = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
	return fetchfs;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static struct fetchfs_request ask(const char *uri)
{
	return (struct fetchfs_request){.uri = uri, .uid = geteuid()};
}

/* Open and read everything; 0 or -errno. */
static int read_all(struct fetchfs *fetchfs, const struct fetchfs_request *request, char **ret,
	size_t *ret_len, struct err *err)
{
	struct fetchfs_file *file;
	size_t cap = 4 * MIB;
	char *buf = malloc(cap);
	size_t len = 0;
	ssize_t n;
	int r = fetchfs_get(fetchfs, request, &file, err);

	if (r < 0) {
		free(buf);
		return r;
	}
	while ((n = fetchfs_file_read(file, buf + len, cap - len, len, err)) > 0)
		len += (size_t)n;
	if (n == 0) /* read is not yet published */
		n = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, err);
	fetchfs_file_free(file);
	*ret = buf;
	*ret_len = len;
	return (int)n;
}

static void expect_text(struct fetchfs *fetchfs, const char *uri, const char *text)
{
	struct fetchfs_request request = ask(uri);
	struct err err = ERR_INIT;
	char *buf = NULL;
	size_t len = 0;

	cr_assert_eq(read_all(fetchfs, &request, &buf, &len, &err), 0, "%s", err.msg);
	cr_assert_eq(len, strlen(text));
	cr_assert_eq(memcmp(buf, text, len), 0);
	free(buf);
}

static void expect_error(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, int code, const char *word)
{
	struct err err = ERR_INIT;
	char *buf = NULL;
	size_t len = 0;
	int r = read_all(fetchfs, request, &buf, &len, &err);

	cr_assert_eq(r, -code, "%d: %s", r, err.msg);
	cr_assert_eq(err.code, code);
	cr_assert(strstr(err.msg, word), "%s", err.msg);
	free(buf);
}

Test(flow, the_second_read_asks_nobody)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5, .etag = "\"1\""});
	expect_text(fetchfs, "fake://h/a", "hello");
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);

	fetchfs_close(fetchfs);
	fetchfs = open_cache();
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	fetchfs_close(fetchfs);
}

Test(flow, an_empty_file_and_one_of_a_chunk_and_one_of_unknown_size_are_read)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/chunk");
	struct err err = ERR_INIT;
	char *buf = NULL;
	size_t len = 0;

	fake_backend_put("/empty", &(struct fake_file){.content = "", .len = 0});
	expect_text(fetchfs, "fake://h/empty", "");

	fake_backend_put("/chunk", &(struct fake_file){.len = 262144});
	cr_assert_eq(read_all(fetchfs, &request, &buf, &len, &err), 0, "%s", err.msg);
	cr_assert_eq(len, 262144);
	for (size_t i = 0; i < len; i++)
		cr_assert_eq((unsigned char)buf[i], fake_backend_byte(i));
	free(buf);

	fake_backend_put(
		"/unknown", &(struct fake_file){.content = "some", .len = 4, .size_unknown = true});
	expect_text(fetchfs, "fake://h/unknown", "some");
	fetchfs_close(fetchfs);
}

struct reader {
	struct fetchfs *fetchfs;
	pthread_t thread;
	size_t len;
	int r;
	bool right;
};

static void *reader_run(void *arg)
{
	struct reader *reader = arg;
	struct fetchfs_request request = ask("fake://h/big");
	struct err err = ERR_INIT;
	char *buf = NULL;

	reader->r = read_all(reader->fetchfs, &request, &buf, &reader->len, &err);
	reader->right = reader->r == 0;
	for (size_t i = 0; reader->right && i < reader->len; i++)
		reader->right = (unsigned char)buf[i] == fake_backend_byte(i);
	free(buf);
	return NULL;
}

/* Threads of this process that bear @name. */
static unsigned int count_threads(const char *name)
{
	unsigned int count = 0;
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *item;

	while ((item = readdir(tasks))) {
		CLEANUP(str_freep) char *path = str_printf("/proc/self/task/%s/comm", item->d_name);
		CLEANUP(str_freep) char *comm = NULL;

		if (fd_read_file(AT_FDCWD, path, 64, &comm, NULL) == 0) {
			comm[strcspn(comm, "\n")] = '\0';
			count += str_equal(comm, name);
		}
	}
	closedir(tasks);
	return count;
}

Test(flow, small_files_on_their_way_need_no_thread_each)
{
	enum { COUNT = 60 };
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_file *files[COUNT];
	struct err err = ERR_INIT;

	for (int i = 0; i < COUNT; i++) {
		CLEANUP(str_freep) char *path = str_printf("/%d", i);
		CLEANUP(str_freep) char *uri = str_printf("fake://h%s", path);
		struct fetchfs_request request = ask(uri);

		fake_backend_put(path, &(struct fake_file){.content = uri, .len = strlen(uri)});
		cr_assert_eq(fetchfs_get(fetchfs, &request, &files[i], &err), 0, "%s", err.msg);
	}
	for (int i = 0; i < COUNT; i++) {
		cr_assert_eq(fetchfs_file_wait_until(
				     files[i], FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err),
			0, "%s", err.msg);
		fetchfs_file_free(files[i]);
	}
	/* some share a word (cachedir.h): who finds it moved looks again, on a thread */
	cr_assert_lt(count_threads("fetchfs-fetch"), COUNT / 10);
	fetchfs_close(fetchfs);
}

Test(flow, many_readers_share_one_download)
{
	struct fetchfs *fetchfs = open_cache();
	struct reader readers[16];

	fake_backend_put("/big",
		&(struct fake_file){
			.len = 3 * MIB + 17, .etag = "\"1\"", .stall = true, .stall_at = MIB});
	for (int i = 0; i < 16; i++) {
		readers[i] = (struct reader){.fetchfs = fetchfs};
		pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]);
	}
	fake_backend_wait_stalled("/big", 1);
	fake_backend_release("/big");
	for (int i = 0; i < 16; i++) {
		pthread_join(readers[i].thread, NULL);
		cr_assert(readers[i].right);
		cr_assert_eq(readers[i].len, 3 * MIB + 17);
	}
	cr_assert_leq(fake_backend_counts("/big").bytes, 3 * MIB + 17 + 2 * MIB);
	fetchfs_close(fetchfs);
}

/* @count that ask for a new answer, and then what they got. */
static void ask_afresh(struct fetchfs *fetchfs, struct fetchfs_file **ret, int count)
{
	struct fetchfs_request request = ask("fake://h/a");
	struct err err = ERR_INIT;

	request.refresh = true;
	for (int i = 0; i < count; i++)
		cr_assert_eq(fetchfs_get(fetchfs, &request, &ret[i], &err), 0, "%s", err.msg);
}

static void expect_answer(struct fetchfs_file *file, const char *text)
{
	char buf[16] = "";
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err), 0,
		"%s", err.msg);
	cr_assert_eq(fetchfs_file_read(file, buf, sizeof(buf) - 1, 0, &err), (ssize_t)strlen(text));
	cr_assert_str_eq(buf, text);
	fetchfs_file_free(file);
}

/* The next answer: it begins, and waits to be released. */
static void put_stalled(const char *text, const char *etag)
{
	fake_backend_put("/a", &(struct fake_file){.content = text,
				       .len = strlen(text),
				       .etag = etag,
				       .stall = true,
				       .stall_at = 1});
}

Test(flow, who_wants_a_new_answer_gets_that_to_a_question_sent_after_he_asked)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_file *old;
	struct fetchfs_file *files[4];
	struct err err = ERR_INIT;

	put_stalled("one", "\"1\"");
	cr_assert_eq(fetchfs_get(fetchfs, &request, &old, &err), 0);
	fake_backend_wait_stalled("/a", 1);
	put_stalled("two", "\"2\"");
	ask_afresh(fetchfs, files, 4);
	fake_backend_release("/a");
	expect_answer(old, "one");
	for (int i = 0; i < 4; i++)
		expect_answer(files[i], "two");
	cr_assert_eq(fake_backend_counts("/a").fetches, 2);

	put_stalled("three", "\"3\"");
	ask_afresh(fetchfs, files, 1);
	fake_backend_wait_stalled("/a", 1);
	put_stalled("three", "\"3\"");
	ask_afresh(fetchfs, files + 1, 3);
	fake_backend_release("/a");
	for (int i = 0; i < 4; i++)
		expect_answer(files[i], "three");
	cr_assert_eq(fake_backend_counts("/a").fetches, 4);
	cr_assert_eq(fake_backend_counts("/a").unchanged, 1);
	fetchfs_close(fetchfs);
}

Test(flow, bytes_are_read_while_the_rest_is_on_its_way)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	unsigned char byte;

	fake_backend_put(
		"/big", &(struct fake_file){
				.len = 3 * MIB, .no_ranges = true, .stall = true, .stall_at = MIB});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, 1000, &err), 1, "%s", err.msg);
	cr_assert_eq(byte, fake_backend_byte(1000));
	cr_assert_eq(fetchfs_file_read_now(file, &byte, 1, 2 * MIB, &err), -EAGAIN);
	cr_assert_eq(fetchfs_file_fd(file), -1);

	fake_backend_release("/big");
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, 2 * MIB, &err), 1);
	cr_assert_eq(byte, fake_backend_byte(2 * MIB));
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

Test(flow, a_far_read_does_not_wait_for_what_is_before_it)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	unsigned char byte;

	fake_backend_put(
		"/big", &(struct fake_file){
				.len = 64 * MIB, .etag = "\"1\"", .stall = true, .stall_at = MIB});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	fake_backend_wait_stalled("/big", 1);
	cr_assert_eq(
		fetchfs_file_wait_until(file, FETCHFS_UNTIL_RANGE, 64 * MIB - 1, 1, WAIT_MS, &err),
		0, "%s", err.msg);
	cr_assert_eq(fetchfs_file_read_now(file, &byte, 1, 64 * MIB - 1, &err), 1);
	cr_assert_eq(byte, fake_backend_byte(64 * MIB - 1));

	fake_backend_release("/big");
	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err), 0,
		"%s", err.msg);
	for (uint64_t at = 0; at < 64 * MIB; at += 77777) {
		cr_assert_eq(fetchfs_file_read(file, &byte, 1, at, &err), 1);
		cr_assert_eq(byte, fake_backend_byte(at));
	}
	/* what the helper brought was not fetched twice, but for what was passed over */
	cr_assert_leq(fake_backend_counts("/big").bytes, 66 * MIB);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

Test(flow, a_broken_connection_goes_on_where_it_broke)
{
	struct fetchfs *fetchfs = open_cache();
	struct reader reader = {.fetchfs = fetchfs};

	fake_backend_put("/big",
		&(struct fake_file){
			.len = 3 * MIB, .etag = "\"1\"", .cut_at = 2 * MIB, .cut_times = 1});
	reader_run(&reader);
	cr_assert(reader.right);
	cr_assert_eq(fake_backend_counts("/big").fetches, 2);
	cr_assert_leq(fake_backend_counts("/big").bytes, 3 * MIB + 262144);
	fetchfs_close(fetchfs);
}

Test(flow, an_error_that_may_pass_is_tried_again_and_one_that_may_not_is_not)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/denied");

	fake_backend_put("/flaky",
		&(struct fake_file){
			.content = "x", .len = 1, .error = EIO, .retry = true, .error_times = 2});
	expect_text(fetchfs, "fake://h/flaky", "x");
	cr_assert_eq(fake_backend_counts("/flaky").fetches, 3);

	fake_backend_put("/denied", &(struct fake_file){.error = EACCES});
	expect_error(fetchfs, &request, EACCES, "");
	cr_assert_eq(fake_backend_counts("/denied").fetches, 1);
	fetchfs_close(fetchfs);
}

Test(flow, a_missing_file_is_remembered_for_a_moment)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/none");
	struct fetchfs_info info;
	struct err err = ERR_INIT;

	fake_backend_put("/none", &(struct fake_file){.error = ENOENT});
	expect_error(fetchfs, &request, ENOENT, "");
	expect_error(fetchfs, &request, ENOENT, "not found");
	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), -ENOENT);
	cr_assert_eq(fake_backend_counts("/none").fetches, 1);
	cr_assert_eq(fake_backend_counts("/none").stats, 0);

	request.refresh = true;
	expect_error(fetchfs, &request, ENOENT, "");
	cr_assert_eq(fake_backend_counts("/none").fetches, 2);
	fetchfs_close(fetchfs);
}

Test(flow, a_wrong_digest_is_an_error_after_one_more_try_and_leaves_nothing)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;

	request.digest = "sha256:"
			 "0000000000000000000000000000000000000000000000000000000000000000";
	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	expect_error(fetchfs, &request, EBADMSG, "2cf24dba5fb0a30e");
	cr_assert_eq(fake_backend_counts("/a").fetches, 2);
	cr_assert_eq(fetchfs_usage(fetchfs, &usage, &err), 0);
	cr_assert_eq(usage.used, 0);
	cr_assert_eq(usage.objects, 0);
	fetchfs_close(fetchfs);
}

Test(flow, a_right_digest_by_fragment_is_never_asked_for_again)
{
	static const char uri[] =
		"fake://h/"
		"a#sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put(
		"/a", &(struct fake_file){.content = "hello", .len = 5, .has_max_age = true});
	expect_text(fetchfs, uri, "hello");
	fake_backend_put(
		"/a", &(struct fake_file){.content = "other", .len = 5, .has_max_age = true});
	expect_text(fetchfs, uri, "hello");
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	/* the same content under another name is here already */
	fake_backend_put("/b", &(struct fake_file){.error = EIO});
	expect_text(fetchfs,
		"fake://h/"
		"b#sha256=2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		"hello");
	expect_text(fetchfs, "fake://h/a", "other");
	fetchfs_close(fetchfs);
}

#define MD5_HELLO "5d41402abc4b2a76b9719d911017c592"
#define SHA512_HELLO                                                                               \
	"9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"                         \
	"2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043"

Test(flow, a_wrong_digest_of_another_kind_is_told_with_both_values)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;

	fake_backend_put("/a", &(struct fake_file){.content = "hallo", .len = 5});
	for (unsigned int i = 0; i < 2; i++) {
		struct fetchfs_request request =
			ask(i ? "fake://h/a#sha512=" SHA512_HELLO : "fake://h/a");

		request.digest = i ? NULL : "md5:" MD5_HELLO;
		expect_error(fetchfs, &request, EBADMSG, i ? SHA512_HELLO : MD5_HELLO);
		cr_assert_eq(fake_backend_counts("/a").fetches, 2 * (i + 1));
	}
	cr_assert_eq(fetchfs_usage(fetchfs, &usage, &err), 0);
	cr_assert_eq(usage.objects, 0);
	fetchfs_close(fetchfs);
}

Test(flow, content_is_found_by_the_sha512_that_it_was_seen_to_have)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put(
		"/a", &(struct fake_file){.content = "hello", .len = 5, .has_max_age = true});
	expect_text(fetchfs, "fake://h/a#sha512=" SHA512_HELLO, "hello");
	expect_text(fetchfs, "fake://h/a#sha512=" SHA512_HELLO, "hello");
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);

	fake_backend_put("/b", &(struct fake_file){.error = EIO});
	expect_text(fetchfs, "fake://h/b#sha512=" SHA512_HELLO, "hello");
	cr_assert_eq(fake_backend_counts("/b").fetches, 0);
	fetchfs_close(fetchfs);
}

Test(flow, what_is_here_is_hashed_once_for_a_digest_of_another_kind)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;

	fake_backend_put(
		"/a", &(struct fake_file){.content = "hello", .len = 5, .has_max_age = true});
	expect_text(fetchfs, "fake://h/a", "hello");
	for (int i = 0; i < 2; i++)
		expect_text(fetchfs, "fake://h/a#md5=" MD5_HELLO, "hello");
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	cr_assert_eq(fetchfs_usage(fetchfs, &usage, &err), 0);
	cr_assert_eq(usage.misses, 2, "the third was answered by the index");

	/* what is here is something else: the origin is asked, and sends the same again */
	request.digest = "md5:00000000000000000000000000000000";
	expect_error(fetchfs, &request, EBADMSG, MD5_HELLO);
	cr_assert_eq(fake_backend_counts("/a").fetches, 3);
	expect_text(fetchfs, "fake://h/a#md5=" MD5_HELLO, "hello");
	fetchfs_close(fetchfs);
}

Test(flow, a_weak_digest_finds_nothing_under_another_name)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	fake_backend_put("/b", &(struct fake_file){.content = "hello", .len = 5});
	expect_text(fetchfs, "fake://h/a#md5=" MD5_HELLO, "hello");
	expect_text(fetchfs, "fake://h/b#md5=" MD5_HELLO, "hello");
	cr_assert_eq(fake_backend_counts("/b").fetches, 1);
	fetchfs_close(fetchfs);
}

Test(flow, no_byte_is_shown_before_its_digest_is_checked)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char byte;

	request.digest = "sha1:0000000000000000000000000000000000000000";
	fake_backend_put(
		"/big", &(struct fake_file){.len = 2 * MIB, .stall = true, .stall_at = MIB});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	fake_backend_wait_stalled("/big", 1);
	cr_assert_eq(fetchfs_file_read_now(file, &byte, 1, 0, &err), -EAGAIN);
	fake_backend_release("/big");
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, 0, &err), -EBADMSG);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

Test(flow, a_stale_entry_is_confirmed_without_a_body)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put(
		"/a", &(struct fake_file){
			      .content = "hello", .len = 5, .etag = "\"1\"", .has_max_age = true});
	expect_text(fetchfs, "fake://h/a", "hello");
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fake_backend_counts("/a").unchanged, 1);
	cr_assert_eq(fake_backend_counts("/a").bytes, 5);
	fetchfs_close(fetchfs);
}

Test(flow, what_is_being_confirmed_is_not_evicted_meanwhile)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fake_file fake = {
		.content = "hello", .len = 5, .etag = "\"1\"", .has_max_age = true};
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char buf[5];

	fake_backend_put("/a", &fake);
	expect_text(fetchfs, "fake://h/a", "hello");

	fake.stall = true;
	fake.stall_at = 1;
	fake_backend_put("/a", &fake);
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	fake_backend_wait_stalled("/a", 1);
	cr_assert_eq(fetchfs_evict_to(fetchfs, 0, NULL, &err), 0, "%s", err.msg);
	fake_backend_release("/a");
	cr_assert_eq(fetchfs_file_read(file, buf, 5, 0, &err), 5, "%s", err.msg);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}

/* As who evicts does it, at the worst moment. */
static void drop_entry(struct fetchfs *fetchfs, const char *uri)
{
	struct entry_key key;
	struct err err = ERR_INIT;

	cr_assert_eq(entry_key_make("", uri, &key, &err), 0, "%s", err.msg);
	cr_assert_eq(catalog_remove(fetchfs->catalog, &key, &err), 0, "%s", err.msg);
}

Test(flow, what_is_let_go_while_it_is_confirmed_is_still_what_was_asked_for)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fake_file fake = {
		.content = "hello", .len = 5, .etag = "\"1\"", .has_max_age = true};
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char buf[5];

	fake_backend_put("/a", &fake);
	expect_text(fetchfs, "fake://h/a", "hello");

	fake.stall = true;
	fake.stall_at = 1;
	fake_backend_put("/a", &fake);
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	fake_backend_wait_stalled("/a", 1);
	drop_entry(fetchfs, request.uri);
	fake_backend_release("/a");
	cr_assert_eq(fetchfs_file_read(file, buf, 5, 0, &err), 5, "%s", err.msg);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	fetchfs_file_free(file);

	/* nor is it taken for something that the origin does not have */
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fake_backend_counts("/a").bytes, 10);
	fetchfs_close(fetchfs);
}

Test(flow, a_changed_artifact_is_a_new_object_and_old_opens_keep_theirs)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_file *old;
	struct err err = ERR_INIT;
	char buf[5];

	fake_backend_put(
		"/a", &(struct fake_file){
			      .content = "hello", .len = 5, .etag = "\"1\"", .has_max_age = true});
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fetchfs_get(fetchfs, &request, &old, &err), 0);
	cr_assert_eq(fetchfs_file_wait_until(old, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err), 0);

	fake_backend_put(
		"/a", &(struct fake_file){
			      .content = "olleh", .len = 5, .etag = "\"2\"", .has_max_age = true});
	expect_text(fetchfs, "fake://h/a", "olleh");
	cr_assert_eq(fetchfs_file_read(old, buf, 5, 0, &err), 5);
	cr_assert_eq(memcmp(buf, "hello", 5), 0);
	fetchfs_file_free(old);
	fetchfs_close(fetchfs);
}

Test(flow, a_reader_never_gets_bytes_of_two_versions)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char *buf = malloc(2 * MIB);

	fake_backend_put("/a", &(struct fake_file){.len = 2 * MIB,
				       .etag = "\"1\"",
				       .cut_at = MIB,
				       .stall = true,
				       .stall_at = MIB - 65536});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	cr_assert_eq(fetchfs_file_read(file, buf, 10, 0, &err), 10);
	fake_backend_wait_stalled("/a", 1);
	memset(buf, 'x', 2 * MIB);
	fake_backend_put(
		"/a", &(struct fake_file){.content = buf, .len = 2 * MIB, .etag = "\"2\""});
	fake_backend_release("/a");
	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err),
		-ESTALE, "%s", err.msg);
	fetchfs_file_free(file);
	free(buf);
	fetchfs_close(fetchfs);
}

Test(flow, an_abandoned_download_stops)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	struct fake_counts counts;

	fake_backend_put(
		"/big", &(struct fake_file){
				.len = 2 * MIB, .etag = "\"1\"", .stall = true, .stall_at = MIB});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	fake_backend_wait_stalled("/big", 1);
	fetchfs_file_abandon(file);
	for (int i = 0; i < 500 && fake_backend_counts("/big").stalled; i++)
		usleep(10000);
	counts = fake_backend_counts("/big");
	cr_assert_eq(counts.stalled, 0);
	fetchfs_close(fetchfs);
}

Test(flow, closing_ends_what_is_on_its_way_and_the_next_opening_resumes_it)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct reader reader;
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	fake_backend_put(
		"/big", &(struct fake_file){
				.len = 3 * MIB, .etag = "\"1\"", .stall = true, .stall_at = MIB});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	fake_backend_wait_stalled("/big", 1);
	fetchfs_cancel_all(fetchfs);
	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err),
		-ECANCELED);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);

	fake_backend_release("/big");
	fetchfs = open_cache();
	reader = (struct reader){.fetchfs = fetchfs};
	reader_run(&reader);
	cr_assert(reader.right);
	cr_assert_leq(fake_backend_counts("/big").bytes, 3 * MIB + 262144);
	fetchfs_close(fetchfs);
}

Test(flow, what_was_read_to_its_end_is_kept_by_a_close_at_once)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/big");
	struct fetchfs_file *file;
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;
	char byte;

	fake_backend_put("/big", &(struct fake_file){.len = MIB, .etag = "\"1\""});
	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0);
	cr_assert_eq(fetchfs_file_read(file, &byte, 1, MIB - 1, &err), 1, "%s", err.msg);
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);

	fetchfs = open_cache();
	cr_assert_eq(fetchfs_usage(fetchfs, &usage, &err), 0);
	cr_assert_eq(usage.objects, 1);
	fetchfs_close(fetchfs);
}

static int count_name(const char *name, enum fetchfs_name kind, void *arg)
{
	unsigned int *count = arg;

	(void)name;
	*count += kind == FETCHFS_NAME_FILE;
	return 0;
}

Test(flow, a_stat_asks_for_the_size_only_and_is_remembered)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("fake://h/a");
	struct fetchfs_info info;
	struct err err = ERR_INIT;
	char key[FETCHFS_KEY_HEX_SIZE];

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5, .etag = "\"1\""});
	cr_assert_eq(fetchfs_key(fetchfs, &request, key, &err), 0);
	info.key[0] = '\0';
	cr_assert_eq(fetchfs_find(fetchfs, &request, &info, &err), -ENOENT);
	cr_assert_str_eq(info.key, key);
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), 0, "%s", err.msg);
		cr_assert_eq(info.size, 5);
		cr_assert_eq(info.state, FETCHFS_KNOWN);
		cr_assert_str_eq(info.key, key);
		fetchfs_info_release(&info);
	}
	cr_assert_eq(fake_backend_counts("/a").stats, 1);
	cr_assert_eq(fake_backend_counts("/a").fetches, 0);
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(fetchfs_find(fetchfs, &request, &info, &err), 0);
	cr_assert_eq(info.state, FETCHFS_COMPLETE);
	fetchfs_info_release(&info);
	fetchfs_close(fetchfs);
}

Test(flow, what_the_origin_says_is_a_folder_or_a_page_is_remembered_as_that_and_not_listed)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request folder = ask("fake://h/folder");
	struct fetchfs_request page = ask("fake://h/page");
	struct fetchfs_info info;
	struct err err = ERR_INIT;
	unsigned int names = 0;

	fake_backend_put("/folder", &(struct fake_file){.error = EISDIR});
	fake_backend_put(
		"/page", &(struct fake_file){.content = "<p>", .len = 3, .type = "text/html"});
	for (int i = 0; i < 2; i++) {
		cr_assert_eq(fetchfs_stat(fetchfs, &folder, &info, &err), -EISDIR);
		cr_assert_eq(fetchfs_stat(fetchfs, &page, &info, &err), 0, "%s", err.msg);
		cr_assert_str_eq(info.type, "text/html");
		fetchfs_info_release(&info);
	}
	cr_assert_eq(fake_backend_counts("/folder").stats, 1);
	cr_assert_eq(fake_backend_counts("/page").stats, 1);
	cr_assert_eq(fetchfs_find(fetchfs, &folder, &info, &err), 0);
	cr_assert(info.is_folder && info.state == FETCHFS_KNOWN);
	fetchfs_info_release(&info);
	cr_assert_eq(fetchfs_children(fetchfs, "fake://h/", 0, count_name, &names, &err), 0);
	cr_assert_eq(names, 0);

	/* but who wants its bytes has made a file of the page */
	expect_text(fetchfs, "fake://h/page", "<p>");
	cr_assert_eq(fetchfs_children(fetchfs, "fake://h/", 0, count_name, &names, &err), 0);
	cr_assert_eq(names, 1);
	fetchfs_close(fetchfs);
}

/* How many files there are in the folder @name of the cache and those in it. */
static unsigned int files_below(const char *name)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, name);
	char *const paths[] = {path, NULL};
	FTS *walk = fts_open(paths, FTS_PHYSICAL, NULL);
	unsigned int count = 0;

	for (FTSENT *entry = fts_read(walk); entry; entry = fts_read(walk))
		count += entry->fts_info == FTS_F;
	fts_close(walk);
	return count;
}

enum wish { WISH_ANY, WISH_PLAIN, WISH_EXECUTABLE };

static struct fetchfs_request ask_for(const char *uri, enum wish wish)
{
	struct fetchfs_request request = ask(uri);

	request.plain = wish == WISH_PLAIN;
	request.executable = wish == WISH_EXECUTABLE;
	return request;
}

/* The mode of the whole @file, which is given back. */
static mode_t mode_of(struct fetchfs_file *file)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	struct err err = ERR_INIT;
	struct stat st;

	cr_assert_eq(fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, WAIT_MS, &err), 0,
		"%s", err.msg);
	cr_assert_eq(fstat(fetchfs_file_fd(file), &st), 0);
	cr_assert_eq(fetchfs_file_info(file, &info, &err), 0);
	cr_assert_eq(info.executable, (st.st_mode & 0111) != 0);
	fetchfs_file_free(file);
	return st.st_mode & 07777;
}

static mode_t mode_for(struct fetchfs *fetchfs, const char *uri, enum wish wish)
{
	const struct fetchfs_request request = ask_for(uri, wish);
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	return mode_of(file);
}

static bool is_shown_executable(struct fetchfs *fetchfs, const char *uri)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	const struct fetchfs_request request = ask(uri);
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), 0, "%s", err.msg);
	return info.executable;
}

Test(flow, an_executable_is_an_object_of_its_own)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	expect_text(fetchfs, "fake://h/a", "hello");
	cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_EXECUTABLE), 0555);
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	fetchfs_close(fetchfs);
}

Test(flow, who_wants_no_executable_gets_none_and_for_the_others_it_stays_one)
{
	struct fetchfs *fetchfs = open_cache();

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_EXECUTABLE), 0555);

	/* whoever does not care takes what there is, and makes nothing */
	cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_ANY), 0555);
	cr_assert_eq(files_below("objects"), 1);

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_PLAIN), 0444);
		cr_assert(is_shown_executable(fetchfs, "fake://h/a"));
		cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_EXECUTABLE), 0555);
		cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_ANY), 0555);
	}
	cr_assert_eq(files_below("objects"), 2);
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	fetchfs_close(fetchfs);
}

Test(flow, both_kinds_at_once_are_one_download)
{
	const char *uri = "fake://h/a";
	struct fetchfs *caches[] = {open_cache(), open_cache()};
	const enum wish wishes[] = {WISH_EXECUTABLE, WISH_PLAIN, WISH_ANY, WISH_PLAIN};
	struct fetchfs_file *files[ARRAY_SIZE(wishes)];
	struct err err = ERR_INIT;

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5, .stall = true});
	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		const struct fetchfs_request request = ask_for(uri, wishes[i]);

		cr_assert_eq(
			fetchfs_get(caches[i / 2], &request, &files[i], &err), 0, "%s", err.msg);
	}
	fake_backend_wait_stalled("/a", 1);
	fake_backend_release("/a");
	cr_assert_eq(mode_of(files[0]), 0555);
	cr_assert_eq(mode_of(files[1]), 0444);
	(void)mode_of(files[2]);
	cr_assert_eq(mode_of(files[3]), 0444);
	cr_assert(is_shown_executable(caches[1], uri));
	cr_assert_eq(fake_backend_counts("/a").fetches, 1);
	for (size_t i = 0; i < ARRAY_SIZE(caches); i++)
		fetchfs_close(caches[i]);
}

Test(flow, what_a_lease_keeps_is_had_though_there_is_only_an_executable)
{
	struct fetchfs *fetchfs = open_cache();
	const struct fetchfs_request request = ask_for("fake://h/a", WISH_EXECUTABLE);
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	char uri[] = "fake://h/a";
	struct fetchfs_lease lease = {.uri = uri};
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	fake_backend_put("/a", &(struct fake_file){.content = "hello", .len = 5});
	cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_EXECUTABLE), 0555);
	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), 0, "%s", err.msg);
	str_fit(lease.sha256, sizeof(lease.sha256), info.sha256);
	cr_assert_eq(fetchfs_get_leased(fetchfs, &lease, false, true, &file, NULL), -ENOENT);
	cr_assert_eq(
		fetchfs_get_leased(fetchfs, &lease, false, false, &file, &err), 0, "%s", err.msg);
	cr_assert_eq(mode_of(file), 0555);

	cr_assert_eq(mode_for(fetchfs, "fake://h/a", WISH_PLAIN), 0444);
	cr_assert_eq(
		fetchfs_get_leased(fetchfs, &lease, false, false, &file, &err), 0, "%s", err.msg);
	cr_assert_eq(mode_of(file), 0444);
	cr_assert_eq(
		fetchfs_get_leased(fetchfs, &lease, true, false, &file, &err), 0, "%s", err.msg);
	cr_assert_eq(mode_of(file), 0555);
	fetchfs_close(fetchfs);
}

Test(flow, an_unknown_scheme_and_a_malformed_uri_are_told_at_once)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request unknown = ask("gopher://h/a");
	struct fetchfs_request malformed = ask("no uri");

	expect_error(fetchfs, &unknown, EPROTONOSUPPORT, "gopher");
	expect_error(fetchfs, &malformed, EINVAL, "");
	fetchfs_close(fetchfs);
}

/* A cache that lets everybody have the files of @root, and one file in it, of @mode. */
static struct fetchfs *open_with_root(const char *root, const char *name, mode_t mode)
{
	CLEANUP(str_freep) char *config = str_printf("%s/test.conf", dir);
	CLEANUP(str_freep) char *text = str_printf("[policy]\nfile = %s\n", root);
	CLEANUP(str_freep) char *path = str_printf("%s/%s", root, name);
	CLEANUP(str_freep) char *cache = str_printf("%s/cache", dir);
	struct fetchfs_options options = {
		.cache = cache, .config = config, .backends = fake_backends};
	struct fetchfs *fetchfs = NULL;
	struct err err = ERR_INIT;

	write_file(config, text, 0644);
	write_file(path, "bytes", mode);
	cr_assert_eq(chmod(root, 0755), 0);
	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
	return fetchfs;
}

Test(flow, a_local_file_that_not_everybody_may_read_is_only_for_whom_the_cache_belongs_to)
{
	CLEANUP(tmpdir_removep) char *root = tmpdir_make();
	CLEANUP(str_freep) char *uri = str_printf("file://%s/secret", root);
	CLEANUP(str_freep) char *link_uri = str_printf("file://%s/link", root);
	CLEANUP(str_freep) char *link_path = str_printf("%s/link", root);
	CLEANUP(str_freep) char *path = str_printf("%s/secret", root);
	struct fetchfs *fetchfs = open_with_root(root, "secret", 0600);
	struct fetchfs_request request = {.uri = uri, .uid = geteuid() + 1, .through_mount = true};
	struct fetchfs_info info;
	struct err err = ERR_INIT;

	cr_assert_eq(symlink(path, link_path), 0);
	expect_error(fetchfs, &request, EACCES, "not everybody");
	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), -EACCES);
	request.uri = link_uri;
	expect_error(fetchfs, &request, EACCES, "not everybody");
	expect_text(fetchfs, uri, "bytes");
	request.uri = uri;
	expect_error(fetchfs, &request, EACCES, "not everybody");

	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(fetchfs_stat(fetchfs, &request, &info, &err), 0, "%s", err.msg);
	cr_assert(info.is_public);
	fetchfs_info_release(&info);
	fetchfs_close(fetchfs);
}

Test(flow, a_local_file_that_is_not_what_it_says_is_never_published)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request request = ask("file:///proc/self/status");

	/* its size is 0, its bytes are not: like a file that changes while it is read */
	expect_error(fetchfs, &request, ESTALE, "changed");
	fetchfs_close(fetchfs);
}

static int collect(const struct fetchfs_info *info, void *arg)
{
	strcat(arg, info->uri);
	strcat(arg, " ");
	return 0;
}

static int collect_name(const char *name, enum fetchfs_name kind, void *arg)
{
	strcat(arg, name);
	strcat(arg, kind == FETCHFS_NAME_FOLDER ? "/ " : " ");
	return 0;
}

Test(flow, listings_show_what_is_complete_and_what_is_on_its_way_but_no_query)
{
	struct fetchfs *fetchfs = open_cache();
	struct fetchfs_request big = ask("fake://h/d/big");
	struct fetchfs_file *file;
	struct err err = ERR_INIT;
	char text[512] = "";

	fake_backend_put("/d/a", &(struct fake_file){.content = "hello", .len = 5});
	fake_backend_put("/d/s", &(struct fake_file){.content = "hello", .len = 5});
	fake_backend_put(
		"/d/big", &(struct fake_file){.len = 2 * MIB, .stall = true, .stall_at = MIB});
	expect_text(fetchfs, "fake://h/d/a", "hello");
	expect_text(fetchfs, "fake://h/d/s?secret=1", "hello");
	cr_assert_eq(fetchfs_get(fetchfs, &big, &file, &err), 0);
	fake_backend_wait_stalled("/d/big", 1);

	cr_assert_eq(fetchfs_list(fetchfs, "fake://h/", geteuid(), collect, text, &err), 0);
	cr_assert(strstr(text, "fake://h/d/a ") && strstr(text, "fake://h/d/big "), "%s", text);
	cr_assert(!strstr(text, "secret"), "%s", text);
	text[0] = '\0';
	cr_assert_eq(
		fetchfs_children(fetchfs, "fake://h/d/", geteuid(), collect_name, text, &err), 0);
	cr_assert(strstr(text, "a ") && strstr(text, "big ") && !strstr(text, "s "), "%s", text);
	text[0] = '\0';
	cr_assert_eq(fetchfs_children(fetchfs, "fake://", geteuid(), collect_name, text, &err), 0);
	cr_assert_str_eq(text, "h/ ");
	cr_assert_eq(fetchfs_is_folder(fetchfs, "fake://h/d/", geteuid(), &err), 2);
	cr_assert_eq(fetchfs_is_folder(fetchfs, "fake://h/x/", geteuid(), &err), 0);

	fake_backend_release("/d/big");
	fetchfs_file_free(file);
	fetchfs_close(fetchfs);
}
