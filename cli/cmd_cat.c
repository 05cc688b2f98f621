/* fetchfs cat: the bytes to stdout, as they arrive. */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (1 << 20) /* bytes a read asks for */

enum { OPTION_MOUNT = 1, OPTION_DIGEST };

static const struct argp_option options[] = {
	{"mount", OPTION_MOUNT, "DIR", 0, "read by way of this mount", 0},
	{"digest", OPTION_DIGEST, "KIND:HEX", 0,
		"what the bytes must hash to (sha256, sha512, sha1, md5)", 0},
	{0},
};

struct cat {
	const char *uri;
	const char *digest;
	const char *mount;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cat *cat = state->input;
	struct checksum digest;
	struct err err = ERR_INIT;

	switch (key) {
	case OPTION_MOUNT:
		cat->mount = arg;
		return 0;
	case OPTION_DIGEST:
		if (checksum_parse(arg, &digest, &err) < 0)
			argp_error(state, "--digest: %s", err.msg);
		cat->digest = arg;
		return 0;
	default:
		return cli_parse_only(key, arg, state, "URI", &cat->uri);
	}
}

/* Where the bytes come from: one of the two. */
struct source {
	struct fetchfs_file *file;
	int fd;
	const char *mount;
	uint64_t offset;
};

static ssize_t read_some(struct source *source, char *buffer, struct err *err)
{
	ssize_t n;

	if (source->file) {
		n = fetchfs_file_read(source->file, buffer, CHUNK, source->offset, err);
	} else {
		n = pread(source->fd, buffer, CHUNK, (off_t)source->offset);
		if (n < 0)
			n = mounted_error(source->mount, source->fd, errno, "read", err);
	}
	if (n > 0)
		source->offset += (uint64_t)n;
	return n;
}

/* 0 or -errno; -EPIPE, which is no failure of ours, when nobody reads any more. */
static int copy_out(struct source *source, struct err *err)
{
	CLEANUP(str_freep) char *buffer = malloc(CHUNK);
	ssize_t n;
	int r;

	if (!buffer)
		return err_oom(err);
	while ((n = read_some(source, buffer, err)) > 0) {
		r = fd_write_all(STDOUT_FILENO, buffer, (size_t)n);
		if (r < 0)
			return err_set(err, ERR_SYSTEM, -r, "write to stdout: %m");
	}
	return (int)n;
}

static int cat_mounted(const struct cat *cat, struct err *err)
{
	CLEANUP(fd_closep) int fd = -1;
	struct source source = {.mount = cat->mount};
	int r;

	r = mounted_open(cat->mount, cat->uri, &fd, err);
	source.fd = fd;
	return r < 0 ? r : copy_out(&source, err);
}

static void warn_old(const struct cli *cli, const char *subject, struct fetchfs_file *file)
{
	struct fetchfs_info info;

	if (fetchfs_file_info(file, &info, NULL) < 0)
		return;
	cli_warn_old(cli, subject, info.stands_in);
	fetchfs_info_release(&info);
}

/*
 * All bytes are out, but only now are they known to be right, and kept. But for what the cache
 * could never hold: what is right is up to its origin, which says that all parts are of one
 * version.
 */
static int wait_for_end(struct fetchfs_file *file, struct err *err)
{
	struct fetchfs_info info;
	bool windowed;
	int r = fetchfs_file_info(file, &info, err);

	if (r < 0)
		return r;
	windowed = info.windowed;
	fetchfs_info_release(&info);
	return windowed ? 0 : fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
}

static int cat_cached(
	struct cli *cli, const struct cat *cat, const char **ret_subject, struct err *err)
{
	const struct fetchfs_request request = {
		.uri = cat->uri, .uid = getuid(), .digest = cat->digest};
	const char *subject = *ret_subject;
	struct source source = {.fd = -1};
	struct fetchfs *fetchfs;
	int r;

	*ret_subject = NULL; /* a cache that cannot be opened is not the URI's fault */
	r = cli_open(cli, &fetchfs, err);
	if (r < 0)
		return r;
	*ret_subject = subject;
	r = fetchfs_get(fetchfs, &request, &source.file, err);
	if (r == 0)
		r = copy_out(&source, err);
	if (r == 0)
		r = wait_for_end(source.file, err);
	if (r < 0) {
		fetchfs_file_abandon(source.file);
	} else {
		warn_old(cli, subject, source.file);
		fetchfs_file_free(source.file);
	}
	fetchfs_close(fetchfs);
	return r;
}

int cmd_cat(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(str_freep) char *shown = NULL;
	char fragment[FETCHFS_DIGEST_SIZE];
	struct cat cat = {0};
	struct err err = ERR_INIT;
	const char *subject;
	int r;

	cli_parse(cli, &argp, argc, argv, &cat);
	cat.mount = mounted_directory(cli, cat.mount);
	shown = cli_shown(cat.uri);
	if (cat.mount && cat.digest) {
		fputs("fetchfs: cat: --digest needs a cache, no mount\n", stderr);
		return EXIT_USAGE;
	}
	cli_fragment(cat.uri, fragment);
	cli_warn_weak(cli, cat.digest ? cat.digest : fragment, shown);
	subject = shown;
	r = cat.mount ? cat_mounted(&cat, &err) : cat_cached(cli, &cat, &subject, &err);
	if (r == -EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	return r < 0 ? cli_fail(cli, subject, &err) : EXIT_DONE;
}
