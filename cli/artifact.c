#include "cli/artifact.h"

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/mounted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK (1 << 20) /* bytes a read asks for */

enum { OPTION_MOUNT = 0x200, OPTION_DIGEST, OPTION_REFRESH };

static const struct argp_option options[] = {
	{"mount", OPTION_MOUNT, "DIR", 0, "read by way of this mount", 0},
	{"digest", OPTION_DIGEST, "KIND:HEX", 0,
		"what the bytes must hash to (sha256, sha512, sha1, md5)", 0},
	{"refresh", OPTION_REFRESH, 0, 0, "ask the origin even if the cache is fresh", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct artifact_request *request = state->input;
	struct checksum digest;
	struct err err = ERR_INIT;

	switch (key) {
	case OPTION_MOUNT:
		request->mount = arg;
		return 0;
	case OPTION_DIGEST:
		if (checksum_parse(arg, &digest, &err) < 0)
			argp_error(state, "--digest: %s", err.msg);
		request->digest = arg;
		return 0;
	case OPTION_REFRESH:
		request->refresh = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp artifact_argp = {.options = options, .parser = parse};

bool artifact_prepare(struct cli *cli, struct artifact_request *request)
{
	CLEANUP(str_freep) char *shown = cli_shown(request->uri);
	char fragment[FETCHFS_DIGEST_SIZE];

	request->mount = mounted_directory(cli, request->mount);
	if (request->mount && (request->digest || request->refresh)) {
		fprintf(stderr, "fetchfs: %s: --digest and --refresh need a cache, no mount\n",
			cli->command);
		return false;
	}
	cli_fragment(request->uri, fragment);
	cli_warn_weak(cli, request->digest ? request->digest : fragment, shown);
	return true;
}

int artifact_open(const struct cli *cli, const struct artifact_request *request,
	struct artifact *ret, bool *ret_of_cache, struct err *err)
{
	const struct fetchfs_request wanted = {
		.uri = request->uri,
		.uid = getuid(),
		.digest = request->digest,
		.refresh = request->refresh,
	};
	int r;

	*ret = (struct artifact){.mount = request->mount, .fd = -1};
	*ret_of_cache = false;
	if (request->mount)
		return mounted_open(request->mount, request->uri, &ret->fd, err);
	r = cli_open(cli, &ret->fetchfs, err);
	*ret_of_cache = r < 0;
	return r < 0 ? r : fetchfs_get(ret->fetchfs, &wanted, &ret->file, err);
}

static ssize_t read_some(struct artifact *artifact, char *buffer, struct err *err)
{
	ssize_t n;

	if (artifact->file) {
		n = fetchfs_file_read(artifact->file, buffer, CHUNK, artifact->offset, err);
	} else {
		n = pread(artifact->fd, buffer, CHUNK, (off_t)artifact->offset);
		if (n < 0)
			n = mounted_error(artifact->mount, artifact->fd, errno, "read", err);
	}
	if (n > 0)
		artifact->offset += (uint64_t)n;
	return n;
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

int artifact_write(struct artifact *artifact, int out, const char *name, struct err *err)
{
	CLEANUP(str_freep) char *buffer = malloc(CHUNK);
	ssize_t n;
	int r;

	if (!buffer)
		return err_oom(err);
	while ((n = read_some(artifact, buffer, err)) > 0) {
		r = fd_write_all(out, buffer, (size_t)n);
		if (r < 0)
			return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r,
				"write to %s: %m", name);
	}
	if (n < 0)
		return (int)n;
	return artifact->file ? wait_for_end(artifact->file, err) : 0;
}

int artifact_copy(struct artifact *artifact, int out, const char *name, struct err *err)
{
	int object = artifact->file ? fetchfs_file_fd(artifact->file) : -1;
	int r = object < 0 ? -EOPNOTSUPP : fd_clone(object, out);

	if (r == -EOPNOTSUPP && object >= 0)
		r = fd_copy(object, out);
	if (r == 0)
		return 0;
	if (object < 0)
		return artifact_write(artifact, out, name, err);
	return err_set(err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "write to %s: %m", name);
}

void artifact_warn_old(const struct cli *cli, const struct artifact *artifact, const char *subject)
{
	struct fetchfs_info info;

	if (!artifact->file || fetchfs_file_info(artifact->file, &info, NULL) < 0)
		return;
	cli_warn_old(cli, subject, info.stands_in);
	fetchfs_info_release(&info);
}

void artifact_close(struct artifact *artifact, bool done)
{
	if (done)
		fetchfs_file_free(artifact->file);
	else
		fetchfs_file_abandon(artifact->file);
	if (artifact->fetchfs)
		fetchfs_close(artifact->fetchfs);
	fd_close(&artifact->fd);
	*artifact = (struct artifact){.fd = -1};
}
