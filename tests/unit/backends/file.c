#include "backends/builtin.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/user.h"
#include "tests/support/collect.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WITH_COLLECT(name)                                                                         \
	CLEANUP(collect_release) struct collect name;                                              \
	collect_init(&name)

/* The path of @name below @dir, with @text in it. */
static char *put(const char *dir, const char *name, const char *text)
{
	char *path = str_printf("%s/%s", dir, name);
	FILE *f = fopen(path, "we");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static struct uri uri_of(const char *path)
{
	CLEANUP(str_freep) char *text = str_printf("file://%s", path);
	struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s", err.msg);
	return uri;
}

static int fetch(
	const char *path, struct backend_request request, struct collect *got, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = uri_of(path);

	request.uri = &uri;
	return file_backend.fetch(NULL, &request, &got->sink, err);
}

static int look(const char *path, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = uri_of(path);

	return file_backend.stat(NULL, &(struct backend_request){.uri = &uri}, ret, err);
}

Test(file, arrives_whole_and_in_parts)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = put(dir, "a", "0123456789");
	WITH_COLLECT(whole);
	WITH_COLLECT(part);
	WITH_COLLECT(tail);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(path, (struct backend_request){.offset = 0}, &whole, &err), 0);
	cr_assert_eq(whole.len, 10);
	cr_assert_eq(memcmp(whole.bytes, "0123456789", 10), 0);
	cr_assert_eq(whole.remote.size, 10);
	cr_assert(whole.remote.ranges);

	cr_assert_eq(
		fetch(path, (struct backend_request){.offset = 3, .length = 2}, &part, &err), 0);
	cr_assert_eq(part.len, 2);
	cr_assert_eq(memcmp(part.bytes, "34", 2), 0);

	cr_assert_eq(
		fetch(path, (struct backend_request){.offset = 8, .length = 99}, &tail, &err), 0);
	cr_assert_eq(memcmp(tail.bytes, "89", 2), 0);
	cr_assert_eq(tail.len, 2);
}

Test(file, known_version_is_unchanged_until_it_is_written)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = put(dir, "a", "hello");
	WITH_COLLECT(same);
	WITH_COLLECT(other);
	WITH_COLLECT(part);
	struct err err = ERR_INIT;
	struct remote remote;

	cr_assert_eq(look(path, &remote, &err), 0);
	cr_assert_eq(
		fetch(path, (struct backend_request){.known = &remote.validators}, &same, &err), 0);
	cr_assert(same.remote.unchanged);
	cr_assert_eq(same.len, 0);

	free(put(dir, "a", "other text"));
	cr_assert_eq(
		fetch(path, (struct backend_request){.known = &remote.validators}, &other, &err),
		0);
	cr_assert_not(other.remote.unchanged);
	cr_assert_eq(other.len, 10);
	cr_assert_eq(fetch(path, (struct backend_request){.offset = 1, .known = &remote.validators},
			     &part, &err),
		-ESTALE);
}

Test(file, only_regular_files_are_fetched)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *fifo = str_printf("%s/fifo", dir);
	CLEANUP(str_freep) char *missing = str_printf("%s/missing", dir);
	CLEANUP(str_freep) char *through = str_printf("%s/a/b", dir);
	struct err err = ERR_INIT;
	struct remote remote;

	free(put(dir, "a", ""));
	cr_assert_eq(mkfifo(fifo, 0666), 0);
	cr_assert_eq(look(dir, &remote, &err), -EISDIR);
	cr_assert_str_eq(err.msg, "it is a folder");
	cr_assert_eq(look(fifo, &remote, &err), -EINVAL);
	cr_assert_eq(look("/dev/zero", &remote, &err), -EINVAL);
	cr_assert_eq(look(missing, &remote, &err), -ENOENT);
	cr_assert_eq(look(through, &remote, &err), -ENOENT);
}

Test(file, that_lies_about_its_size_is_refused)
{
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch("/proc/self/status", (struct backend_request){.offset = 0}, &got, &err),
		-ESTALE);
}

Test(file, is_world_readable_only_along_its_whole_path)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = put(dir, "a", "x");
	struct err err = ERR_INIT;
	struct remote remote;

	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(look(path, &remote, &err), 0);
	cr_assert(remote.world_readable);
	cr_assert_eq(chmod(dir, 0700), 0);
	cr_assert_eq(look(path, &remote, &err), 0);
	cr_assert_not(remote.world_readable);
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(look(path, &remote, &err), 0);
	cr_assert_not(remote.world_readable);
}

/* A sink that writes to the file it is fed from. */
struct meddler {
	struct sink sink;
	const char *path;
};

static int meddle_begin(struct sink *sink, const struct remote *remote, struct err *err)
{
	struct meddler *meddler = (struct meddler *)sink;

	(void)remote;
	(void)err;
	cr_assert_eq(truncate(meddler->path, 3), 0);
	return 0;
}

static int meddle_write(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	(void)sink;
	(void)buf;
	(void)len;
	(void)err;
	return 0;
}

static int meddle_poll(struct sink *sink, struct err *err)
{
	(void)sink;
	(void)err;
	return 0;
}

Test(file, that_changes_while_it_is_read_is_an_error)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = put(dir, "a", "hello");
	CLEANUP(uri_release) struct uri uri = uri_of(path);
	struct meddler meddler = {
		{.begin = meddle_begin, .write = meddle_write, .poll = meddle_poll}, path};
	struct backend_request request = {.uri = &uri};
	struct err err = ERR_INIT;

	cr_assert_eq(file_backend.fetch(NULL, &request, &meddler.sink, &err), -ESTALE);
	cr_assert(err.retry);
	cr_assert_str_eq(err.msg, "the file changed while it was read");
}

static int append_and_end(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct meddler *meddler = (struct meddler *)sink;
	int fd = open(meddler->path, O_WRONLY | O_APPEND);

	(void)buf;
	(void)len;
	cr_assert_eq(write(fd, "!", 1), 1);
	close(fd);
	return err_set(err, ERR_CANCELLED, ECANCELED, "the rest is here");
}

static int begin_anyhow(struct sink *sink, const struct remote *remote, struct err *err)
{
	(void)sink;
	(void)remote;
	(void)err;
	return 0;
}

Test(file, that_has_changed_when_the_sink_ends_it_is_an_error)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *path = put(dir, "a", "hello");
	CLEANUP(uri_release) struct uri uri = uri_of(path);
	struct meddler meddler = {
		{.begin = begin_anyhow, .write = append_and_end, .poll = meddle_poll}, path};
	struct backend_request request = {.uri = &uri};
	struct err err = ERR_INIT;

	cr_assert_eq(file_backend.fetch(NULL, &request, &meddler.sink, &err), -ESTALE);
	cr_assert_str_eq(err.msg, "the file changed while it was read");
}

/* A sink that takes a picture of the file, and meddles with it afterwards, or before. */
struct painter {
	struct collect collect; /* first */
	int (*write)(struct sink *sink, const void *buf, size_t len, struct err *err);
	const char *path;
	int picture;
	bool before;
	bool meanwhile;
};

static int take_picture(struct sink *sink, int fd, int *ret_fd)
{
	struct painter *painter = (struct painter *)sink;
	char buf[65536];
	ssize_t n;

	if (painter->before)
		cr_assert_eq(truncate(painter->path, 3000000), 0);
	painter->picture = memfd_create("picture", MFD_CLOEXEC);
	cr_assert_geq(painter->picture, 0);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		cr_assert_eq(write(painter->picture, buf, (size_t)n), n);
	*ret_fd = painter->picture;
	return 0;
}

/* Like collect's, but what comes next is no longer what was there. */
static int write_and_meddle(struct sink *sink, const void *buf, size_t len, struct err *err)
{
	struct painter *painter = (struct painter *)sink;

	cr_assert_eq(truncate(painter->path, 3), 0);
	return painter->write(sink, buf, len, err);
}

static int refuse_picture(struct sink *sink, int fd, int *ret_fd)
{
	(void)sink;
	(void)fd;
	(void)ret_fd;
	return -EOPNOTSUPP;
}

/* Fetch 2 MB of 'x' by a sink with @clone. */
static int paint(struct painter *painter, const char *dir,
	int (*clone)(struct sink *sink, int fd, int *ret_fd), struct err *err)
{
	CLEANUP(str_freep) char *text = malloc(2000001);
	CLEANUP(str_freep) char *path = NULL;
	int r;

	cr_assert_not_null(text);
	memset(text, 'x', 2000000);
	text[2000000] = '\0';
	path = put(dir, "a", text);
	collect_init(&painter->collect);
	painter->collect.sink.clone = clone;
	painter->write = painter->collect.sink.write;
	if (painter->meanwhile)
		painter->collect.sink.write = write_and_meddle;
	painter->path = path;
	painter->picture = -1;
	r = fetch(path, (struct backend_request){.offset = 0}, &painter->collect, err);
	if (painter->picture >= 0)
		close(painter->picture);
	return r;
}

static bool is_all_x(const struct collect *collect)
{
	for (size_t i = 0; i < collect->len; i++)
		if (collect->bytes[i] != 'x')
			return false;
	return collect->len == 2000000;
}

Test(file, of_which_there_is_a_picture_is_read_from_that)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	struct painter painter = {.meanwhile = true};
	struct err err = ERR_INIT;

	cr_assert_eq(paint(&painter, dir, take_picture, &err), 0, "%s", err.msg);
	cr_assert(is_all_x(&painter.collect));
	collect_release(&painter.collect);

	cr_assert_eq(paint(&painter, dir, refuse_picture, &err), -ESTALE);
	collect_release(&painter.collect);

	painter.meanwhile = false;
	cr_assert_eq(paint(&painter, dir, refuse_picture, &err), 0, "%s", err.msg);
	cr_assert(is_all_x(&painter.collect));
	collect_release(&painter.collect);
}

Test(file, that_changed_before_its_picture_is_an_error)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	struct painter painter = {.before = true};
	struct err err = ERR_INIT;

	cr_assert_eq(paint(&painter, dir, take_picture, &err), -ESTALE);
	cr_assert_eq(painter.collect.len, 0);
	collect_release(&painter.collect);
}

enum { ALICE = 4001, BOB = 4002, STAFF = 4003 };

static int look_as(const struct user *user, const char *path, struct remote *ret)
{
	CLEANUP(uri_release) struct uri uri = uri_of(path);

	return file_backend.stat(
		NULL, &(struct backend_request){.uri = &uri, .user = user}, ret, NULL);
}

static void give(const char *path, uid_t uid, gid_t gid, mode_t mode)
{
	cr_assert_eq(chown(path, uid, gid), 0);
	cr_assert_eq(chmod(path, mode), 0);
}

Test(file, is_opened_with_the_rights_of_the_user_and_no_others)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *own = put(dir, "own", "a");
	CLEANUP(str_freep) char *shared = put(dir, "shared", "b");
	CLEANUP(str_freep) char *roots = put(dir, "roots", "c");
	CLEANUP(str_freep) char *link = str_printf("%s/link", dir);
	gid_t groups[] = {STAFF};
	const struct user alice = {
		.uid = ALICE, .gid = ALICE, .groups = groups, .group_count = 1, .other = true};
	const struct user bob = {.uid = BOB, .gid = BOB, .other = true};
	struct remote remote;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(chmod(dir, 0755), 0);
	give(own, ALICE, ALICE, 0600);
	give(shared, 0, STAFF, 0640);
	give(roots, 0, 0, 0600);
	cr_assert_eq(symlink(roots, link), 0);

	cr_assert_eq(look_as(&alice, own, &remote), 0);
	cr_assert_not(remote.world_readable);
	cr_assert_eq(look_as(&bob, own, &remote), -EACCES);
	cr_assert_eq(look_as(&alice, shared, &remote), 0);
	cr_assert_eq(look_as(&bob, shared, &remote), -EACCES);
	cr_assert_eq(look_as(&alice, roots, &remote), -EACCES);
	cr_assert_eq(look_as(&alice, link, &remote), -EACCES);
	cr_assert_eq(look_as(NULL, roots, &remote), 0, "the rights of others were kept");
}

/* What this process has open is reached by no name that the user could use. */
Test(file, of_another_user_is_not_found_among_the_descriptors_of_this_process)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *hidden = str_printf("%s/hidden", dir);
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(str_freep) char *magic = NULL;
	const struct user alice = {.uid = ALICE, .gid = ALICE, .other = true};
	struct remote remote;
	int fd;

	if (geteuid() != 0)
		cr_skip_test("needs root");
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_assert_eq(mkdir(hidden, 0700), 0);
	path = put(hidden, "a", "x");
	cr_assert_eq(chmod(path, 0644), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	magic = str_printf("/proc/self/fd/%d", fd);
	cr_assert_eq(look_as(NULL, magic, &remote), 0);
	cr_assert_lt(look_as(&alice, magic, &remote), 0);
	cr_assert_eq(look_as(&alice, "/dev/zero", &remote), -EINVAL);
	cr_assert_eq(look_as(&alice, dir, &remote), -EISDIR);
	close(fd);
}
