/* Trees, as who asks for them sees it: whoever unpacks, and however that ends. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/fetchfs.h"
#include "tests/support/tinytar.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;
static char *uri;
static struct fetchfs *fetchfs;

/* A script that stands in for fetchfs; the caller's to free(). */
static char *make_program(const char *text)
{
	char *path = str_printf("%s/program", dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
	return path;
}

static void open_with(const char *program)
{
	CLEANUP(str_freep) char *cache = str_printf("%s/cache", dir);
	const struct fetchfs_options options = {
		.cache = cache, .config = "/dev/null", .program = program};
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_open(&options, &fetchfs, &err), 0, "%s", err.msg);
}

static struct fetchfs_file *get(bool prefetch)
{
	struct fetchfs_request request = {.uri = uri, .uid = geteuid(), .prefetch = prefetch};
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	cr_assert_eq(fetchfs_get(fetchfs, &request, &file, &err), 0, "%s", err.msg);
	return file;
}

static int open_tree(struct fetchfs_tree **ret, struct err *err)
{
	struct fetchfs_file *file = get(false);
	int r = fetchfs_tree_open(file, -1, ret, err);

	fetchfs_file_free(file);
	return r;
}

static void setup(void)
{
	CLEANUP(str_freep) char *tar = NULL;

	dir = tmpdir_make();
	tar = str_printf("%s/a.tar", dir);
	uri = str_printf("file://%s", tar);
	tinytar_make(tar);
}

static void teardown(void)
{
	fetchfs_close(fetchfs);
	str_freep(&uri);
	tmpdir_remove(dir);
}

TestSuite(trees, .init = setup, .fini = teardown, .timeout = 60);

Test(trees, hold_what_the_archive_does)
{
	struct fetchfs_tree *tree = NULL;
	struct fetchfs_tree *other = NULL;
	struct err err = ERR_INIT;
	char buf[8] = "";
	int fd;

	open_with(PROGRAM);
	cr_assert_eq(open_tree(&tree, &err), 0, "%s", err.msg);
	cr_assert_not(fetchfs_tree_is_single(tree));
	fd = openat(fetchfs_tree_fd(tree), "file", O_RDONLY);
	cr_assert_eq(read(fd, buf, sizeof(buf)), 5);
	cr_assert_str_eq(buf, "bytes");
	close(fd);
	cr_assert_eq(open_tree(&other, &err), 0, "%s", err.msg);
	fetchfs_tree_free(other);
	fetchfs_tree_free(tree);
	fetchfs_tree_free(NULL);
}

Test(trees, need_the_file_itself)
{
	struct fetchfs_tree *tree;
	struct fetchfs_file *file;
	struct err err = ERR_INIT;

	open_with(PROGRAM);
	file = get(true);
	cr_assert_eq(fetchfs_tree_open(file, -1, &tree, &err), -EBADF);
	fetchfs_file_free(file);
}

Test(trees, need_the_program)
{
	struct fetchfs_tree *tree;
	struct err err = ERR_INIT;

	open_with("/nonexistent/fetchfs");
	cr_assert_eq(open_tree(&tree, &err), -ENOENT);
	cr_assert(strstr(err.msg, "/nonexistent/fetchfs"), "%s", err.msg);
}

/* How unpacking ends with a program that is only a script. */
static int ends_with(const char *script, struct err *err)
{
	CLEANUP(str_freep) char *program = make_program(script);
	struct fetchfs_tree *tree;

	open_with(program);
	return open_tree(&tree, err);
}

static void expect_nothing_left(void)
{
	CLEANUP(str_freep) char *trees = str_printf("%s/cache/trees", dir);
	struct fetchfs_usage usage;

	cr_assert_eq(fetchfs_usage(fetchfs, &usage, NULL), 0);
	cr_assert_eq(usage.reserved, 0);
	cr_assert_eq(rmdir(trees), 0, "not empty");
}

Test(trees, end_with_a_process_that_only_ends)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ends_with("#!/bin/sh\nexit 3\n", &err), -EIO);
	cr_assert(strstr(err.msg, "status 3"), "%s", err.msg);
	expect_nothing_left();
}

Test(trees, end_with_a_process_that_dies)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ends_with("#!/bin/sh\nkill -SEGV $$\n", &err), -EIO);
	cr_assert(strstr(err.msg, "Segmentation"), "%s", err.msg);
	expect_nothing_left();
}

Test(trees, end_with_a_process_that_talks_nonsense)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ends_with("#!/bin/sh\necho nonsense >&5; exec sleep 100\n", &err), -EIO);
	expect_nothing_left();
}

/* Reads what it is to do, and says what it likes (struct unpack_message). */
#define LIES                                                                                       \
	"#!/usr/bin/env python3\n"                                                                 \
	"import os, socket, struct\n"                                                              \
	"parent = socket.socket(fileno=5)\n"                                                       \
	"parent.recv(4096)\n"                                                                      \
	"def tell(what, bytes=0):\n"                                                               \
	"    parent.send(struct.pack('IIIIQQ512s', what, 0, 0, 0, bytes, bytes, b''))\n"

Test(trees, are_checked_whatever_the_process_says)
{
	struct err err = ERR_INIT;

	cr_assert_eq(
		ends_with(LIES "os.symlink('/etc', 'out', dir_fd=4)\ntell(1)\n", &err), -EBADMSG);
	cr_assert(strstr(err.msg, "entry out: it leads outside"), "%s", err.msg);
	expect_nothing_left();
}

Test(trees, get_no_more_room_than_there_is)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ends_with(LIES "tell(0, 1 << 60)\nparent.recv(8)\n", &err), -ENOSPC);
	expect_nothing_left();
}

Test(trees, fail_when_the_process_says_that_it_is_to_be_tried_again)
{
	struct err err = ERR_INIT;

	cr_assert_eq(ends_with(LIES "parent.send(struct.pack('IIIIQQ512s', 2, 11, 1, 0, 0, 0, "
				    "b'again'))\n",
			     &err),
		-EIO);
	expect_nothing_left();
}

static void *cancel_soon(void *arg)
{
	CLEANUP(str_freep) char *begun = str_printf("%s/begun", dir);

	(void)arg;
	while (access(begun, F_OK) < 0)
		usleep(10000);
	fetchfs_cancel_all(fetchfs);
	return NULL;
}

Test(trees, are_given_up_when_all_is_cancelled)
{
	CLEANUP(str_freep)
	char *script = str_printf("#!/bin/sh\n: >%s/begun; exec sleep 1000\n", dir);
	CLEANUP(str_freep) char *program = make_program(script);
	struct fetchfs_tree *tree;
	struct err err = ERR_INIT;
	pthread_t thread;

	open_with(program);
	cr_assert_eq(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
	cr_assert_eq(open_tree(&tree, &err), -ECANCELED);
	pthread_join(thread, NULL);
	expect_nothing_left();
}

Test(trees, are_not_tried_again_where_that_is_in_vain)
{
	CLEANUP(str_freep) char *plain = str_printf("%s/plain", dir);
	CLEANUP(str_freep) char *program = str_printf("%s/fetchfs", dir);
	CLEANUP(fd_closep) int fd = open(plain, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct fetchfs_tree *tree;
	struct err err = ERR_INIT;

	cr_assert_eq(fd_write_all(fd, "no archive", 10), 0);
	str_freep(&uri);
	uri = str_printf("file://%s", plain);
	cr_assert_eq(symlink(PROGRAM, program), 0);
	open_with(program);
	cr_assert_eq(open_tree(&tree, &err), -ENOTSUP, "%s", err.msg);
	cr_assert_eq(unlink(program), 0);
	cr_assert_eq(open_tree(&tree, &err), -ENOTSUP, "nobody was asked");
}
