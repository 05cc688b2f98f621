/*
 * Opens the trees of archives, as anybody who uses the library would:
 *
 *	opentree [-w] CACHE CONFIGURATION FILE…
 *
 * For each FILE a line: "archive PATH", "single PATH" (of the tree's folder in the cache), or
 * "ERRNO: text". -w: all stay open until its input ends. What unpacks is $FETCHFS.
 */
#include "base/err.h"
#include "fetch/fetchfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 1024

static int complain(const struct err *err)
{
	/* (one of two names of a number) */
	const char *name = err->code == ENOTSUP ? "ENOTSUP" : strerrorname_np(err->code);

	printf("%s: %s\n", name, err->msg);
	fflush(stdout);
	return EXIT_FAILURE;
}

static void show(const struct fetchfs_tree *tree)
{
	char link[64];
	char path[4096];
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fetchfs_tree_fd(tree));
	len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	printf("%s %s\n", fetchfs_tree_is_single(tree) ? "single" : "archive", path);
	fflush(stdout);
}

static int open_one(
	struct fetchfs *fetchfs, const char *name, struct fetchfs_tree **ret, struct err *err)
{
	struct fetchfs_request request = {.uid = geteuid()};
	struct fetchfs_file *file;
	char uri[4096];
	int r;

	snprintf(uri, sizeof(uri), "file://%s", name);
	request.uri = uri;
	r = fetchfs_get(fetchfs, &request, &file, err);
	if (r < 0)
		return r;
	r = fetchfs_tree_open(file, -1, ret, err);
	fetchfs_file_free(file);
	return r;
}

int main(int argc, char **argv)
{
	bool wait = argc > 1 && strcmp(argv[1], "-w") == 0;
	char **words = argv + 1 + wait;
	struct fetchfs_tree *trees[FILES_MAX] = {NULL};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int status = EXIT_SUCCESS;
	int count = argc - 3 - wait;

	if (count < 1 || count > FILES_MAX) {
		fprintf(stderr, "usage: opentree [-w] CACHE CONFIGURATION FILE…\n");
		return 2;
	}
	struct fetchfs_options options = {.cache = words[0],
		.config = words[1],
		.environment = (const char *const *)environ,
		.program = getenv("FETCHFS")};

	if (fetchfs_open(&options, &fetchfs, &err) < 0)
		return complain(&err);
	for (int i = 0; i < count; i++) {
		if (open_one(fetchfs, words[2 + i], &trees[i], &err) < 0)
			status = complain(&err);
		else
			show(trees[i]);
	}
	while (wait && getchar() != EOF)
		;
	for (int i = 0; i < count; i++)
		fetchfs_tree_free(trees[i]);
	fetchfs_close(fetchfs);
	return status;
}
