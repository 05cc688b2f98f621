/* A listing of digests, fetched like any other artifact, and what it says of a URI. */
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "fetch/digest_list.h"
#include "fetch/fetchfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(FETCHFS_DIGEST_SIZE == CHECKSUM_TEXT_SIZE, "the one is the other, in public");

#define READ_FIRST ((size_t)64 * 1024)

struct fetchfs_digests {
	struct uri uri;
	char *shown;
	char *path; /* decoded, up to the last '/' */
	struct digest_list *list;
};

void fetchfs_digests_free(struct fetchfs_digests *digests)
{
	if (!digests)
		return;
	uri_release(&digests->uri);
	free(digests->shown);
	free(digests->path);
	digest_list_free(digests->list);
	free(digests);
}

static void digests_freep(struct fetchfs_digests **digests)
{
	fetchfs_digests_free(*digests);
	*digests = NULL;
}

/* All bytes of @file with a NUL behind them; reading stops where it has become too long. */
static int read_text(struct fetchfs_file *file, char **ret, size_t *ret_len, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	size_t room = READ_FIRST;
	size_t len = 0;
	ssize_t n;

	do {
		char *more = realloc(text, room + 1);

		if (!more)
			return err_oom(err);
		text = more;
		n = fetchfs_file_read(file, text + len, room - len, len, err);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
		if (len > DIGEST_LIST_MAX)
			return err_set(err, ERR_USAGE, EFBIG,
				"longer than the %u bytes that a listing may have",
				DIGEST_LIST_MAX);
		room = len == room ? 2 * room : room;
	} while (n > 0);
	text[len] = '\0';
	*ret = str_steal(&text);
	*ret_len = len;
	return 0;
}

static int fetch_text(struct fetchfs *fetchfs, const struct fetchfs_request *request, char **ret,
	size_t *ret_len, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	struct fetchfs_file *file;
	int r = fetchfs_get(fetchfs, request, &file, err);

	if (r < 0)
		return r;
	r = read_text(file, &text, ret_len, err);
	/* what has been read may yet turn out to be wrong, or not all */
	if (r == 0)
		r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
	if (r < 0) {
		fetchfs_file_abandon(file);
		return r;
	}
	fetchfs_file_free(file);
	*ret = str_steal(&text);
	return 0;
}

static int fill(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_digests *digests, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int r = fetch_text(fetchfs, request, &text, &len, err);

	if (r == 0)
		r = digest_list_parse(text, len, &digests->list, err);
	if (r == 0)
		r = uri_file_path(&digests->uri, &digests->path, err);
	if (r == 0)
		strrchr(digests->path, '/')[1] = '\0';
	return r;
}

int fetchfs_digests_load(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_digests **ret, struct err *err)
{
	CLEANUP(digests_freep) struct fetchfs_digests *digests = calloc(1, sizeof(*digests));
	int r;

	if (!digests)
		return err_oom(err);
	r = uri_of_text(request->uri, &digests->uri, err);
	if (r < 0)
		return err_context(err, "digests");
	digests->shown = uri_display(&digests->uri);
	if (!digests->shown)
		return err_oom(err);
	r = fill(fetchfs, request, digests, err);
	if (r < 0)
		return err_context(err, "digests %s", digests->shown);
	*ret = digests;
	digests = NULL;
	return 0;
}

/* Whether @uri, whose decoded path is @path, lies below the folder of the listing. */
static bool is_below(const struct fetchfs_digests *digests, const struct uri *uri, const char *path)
{
	return str_equal(uri->scheme, digests->uri.scheme) &&
	       str_equal(uri->host, digests->uri.host) && str_equal(uri->port, digests->uri.port) &&
	       str_has_prefix(path, digests->path);
}

/* By the path from the listing on, which is exact, else by the last part of the name. */
static int look_up(const struct fetchfs_digests *digests, const struct uri *uri,
	struct checksum *ret, struct err *err)
{
	CLEANUP(str_freep) char *path = NULL;
	const char *slash;
	int r = uri_file_path(uri, &path, err);

	if (r < 0)
		return r;
	if (is_below(digests, uri, path)) {
		r = digest_list_find(digests->list, path + strlen(digests->path), ret, err);
		if (r != -ENOENT)
			return r;
	}
	slash = strrchr(path, '/');
	return digest_list_find(digests->list, slash ? slash + 1 : path, ret, err);
}

int fetchfs_digests_find(
	const struct fetchfs_digests *digests, const char *uri, char *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri parsed = {0};
	struct checksum checksum;
	int r = uri_of_text(uri, &parsed, err);

	if (r < 0)
		return r;
	r = look_up(digests, &parsed, &checksum, err);
	if (r == 0 && parsed.expected.kind == checksum.kind &&
		!checksum_equal(&parsed.expected, &checksum))
		r = err_set(err, ERR_USAGE, EINVAL, "another %s than in the URI's fragment",
			checksum_kind_name(checksum.kind));
	if (r < 0)
		return err_context(err, "digests %s", digests->shown);
	checksum_format(&checksum, ret);
	return 0;
}
