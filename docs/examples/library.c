/*
 * Print what is behind a URI, while it arrives: what `fetchfs cat` does, by the library.
 *
 *	cc -o library library.c $(pkg-config --cflags --libs fetchfs)
 *	./library https://example.org/tool.tar.gz >tool.tar.gz
 *
 * The second time nothing is downloaded, whoever asked the first, in whatever way: all share the
 * cache. $FETCHFS_CACHE names another one.
 */
#include <errno.h>
#include <fetchfs.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

extern char **environ;

/* The origin has answered, or the cache knew: how large it is, and how much of it is here. */
static int describe(struct fetchfs_file *file, struct err *err)
{
	struct fetchfs_info info;
	int r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_STARTED, 0, 0, -1, err);

	if (r < 0 || (r = fetchfs_file_info(file, &info, err)) < 0)
		return r;
	fprintf(stderr, "%s: %s, %" PRIu64 " bytes of %" PRId64 " are here\n", info.uri,
		fetchfs_state_name(info.state), info.cached_bytes, info.size);
	fetchfs_info_release(&info);
	return 0;
}

/* Each read waits for just its own bytes. Fewer than asked for are the last. */
static int copy(struct fetchfs_file *file, struct err *err)
{
	static char buf[1 << 17];
	uint64_t offset = 0;
	ssize_t n;

	do {
		n = fetchfs_file_read(file, buf, sizeof(buf), offset, err);
		if (n < 0)
			return (int)n;
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return err_set(err, ERR_SYSTEM, errno, "write: %m");
		offset += (uint64_t)n;
	} while (n == sizeof(buf));
	if (fflush(stdout))
		return err_set(err, ERR_SYSTEM, errno, "write: %m");
	/* All is read; once it is verified, too, the cache keeps it. */
	return fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
}

static int print(struct fetchfs *fetchfs, const char *uri, struct err *err)
{
	const struct fetchfs_request request = {.uri = uri, .uid = getuid()};
	struct fetchfs_file *file;
	int r = fetchfs_get(fetchfs, &request, &file, err); /* does not wait for the origin */

	if (r < 0)
		return r;
	r = describe(file, err);
	if (r == 0)
		r = copy(file, err);
	fetchfs_file_free(file);
	return r;
}

int main(int argc, char **argv)
{
	const struct fetchfs_options options = {
		.environment = (const char *const *)environ, /* $FETCHFS_CACHE, proxies … */
	};
	struct err err = ERR_INIT;
	struct fetchfs *fetchfs;
	int r;

	if (argc != 2)
		return fprintf(stderr, "usage: library URI\n"), 2;
	r = fetchfs_open(&options, &fetchfs, &err);
	if (r == 0) {
		r = print(fetchfs, argv[1], &err);
		fetchfs_close(fetchfs);
	}
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[1], err.msg);
	return r < 0;
}
