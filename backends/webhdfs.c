/*
 * hdfs, webhdfs, swebhdfs: files of a Hadoop cluster, over HTTP (WebHDFS), with nothing of Java.
 *
 * The version of a file is its inode's number, its time of change and its length, which cost one
 * question that is asked anyhow; the checksum that HDFS can make would cost reading all blocks'
 * checksums at the datanodes. The bytes are then asked for by that inode's number rather than by
 * name: another file that has taken the name meanwhile is not what comes. What is written to HDFS
 * can be added to or be cut, but not changed, and the datanode's count tells of either.
 */
#include "backends/builtin.h"

#include "backends/answer.h"
#include "backends/confirm.h"
#include "backends/webhdfs_ask.h"
#include "backends/webhdfs_list.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INODES "/.reserved/.inodes/"

static void describe(const struct webhdfs_status *status, bool by_inode, struct remote *ret)
{
	*ret = (struct remote){
		.size = status->length,
		.validators.modified = status->modified_ms / 1000,
		.ranges = by_inode,
		.max_age = TIME_UNKNOWN,
	};
	snprintf(ret->validators.etag, sizeof(ret->validators.etag),
		"%s\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"", by_inode ? "" : "W/",
		(uint64_t)status->file_id, (uint64_t)status->modified_ms, (uint64_t)status->length);
}

static bool is_part(const struct backend_request *request)
{
	return request->offset > 0 || request->length > 0;
}

/* What there is, and whether it is what was known. */
static int look(const struct webhdfs *webhdfs, struct webhdfs_status *status, struct remote *ret,
	struct err *err)
{
	const struct backend_request *request = webhdfs->request;
	const struct validators *known = request->known;
	bool same;
	int r;

	if (str_has_suffix(request->uri->path, "/"))
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	r = webhdfs_ask_status(webhdfs, status, err);
	if (r < 0)
		return r;
	if (status->is_folder)
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	describe(status, status->file_id > 0, ret);
	same = known && known->etag[0] && answer_same_version(known, &ret->validators);
	if (known && !same && is_part(request))
		return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
	ret->unchanged = same && !is_part(request);
	return 0;
}

static int webhdfs_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(webhdfs_release) struct webhdfs webhdfs;
	struct webhdfs_status status;
	int r = webhdfs_init(&webhdfs, env, request, NULL, err);

	return r < 0 ? r : look(&webhdfs, &status, ret, err);
}

static int open_at(const struct webhdfs *webhdfs, const char *path, const struct remote *remote,
	uint64_t length, struct err *err)
{
	const struct backend_request *request = webhdfs->request;
	CLEANUP(str_freep)
	char *query =
		str_printf("op=OPEN&offset=%" PRIu64 "&length=%" PRIu64, request->offset, length);
	const struct webhdfs_operation operation = {
		.path = path,
		.query = query,
		.length = (int64_t)length,
		.remote = remote,
	};

	return query ? webhdfs_ask(webhdfs, &operation, webhdfs->sink, err) : err_oom(err);
}

/* Not every cluster knows files by their inodes: then a whole file is still to be had by its name,
 * which, however, may be another one's by now: webhdfs_confirm() looks. */
static int may_be_unknown(const struct backend_request *request, const struct err *why)
{
	return !is_part(request) && why->kind == ERR_REMOTE &&
	       (why->code == ENOENT || why->code == EACCES || why->code == EINVAL);
}

static int open_file(const struct webhdfs *webhdfs, const struct webhdfs_status *status,
	struct remote *remote, uint64_t length, struct err *err)
{
	const struct backend_request *request = webhdfs->request;
	char inode[sizeof(INODES) + 20];
	struct err why = ERR_INIT;
	int r;

	if (status->file_id > 0) {
		snprintf(inode, sizeof(inode), INODES "%" PRId64, status->file_id);
		r = open_at(webhdfs, inode, remote, length, &why);
		if (r == -ENOENT && is_part(request))
			return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
		if (r == 0 || !may_be_unknown(request, &why)) {
			if (r < 0 && err)
				*err = why;
			return r;
		}
		describe(status, false, remote);
	}
	return open_at(webhdfs, webhdfs->path, remote, length, err);
}

static int webhdfs_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(webhdfs_release) struct webhdfs webhdfs;
	struct webhdfs_status status;
	struct remote remote;
	uint64_t length;
	int r = webhdfs_init(&webhdfs, env, request, sink, err);

	if (r == 0)
		r = look(&webhdfs, &status, &remote, err);
	if (r < 0)
		return r;
	if (remote.unchanged)
		return sink->begin(sink, &remote, err);
	if (request->offset > (uint64_t)status.length)
		return err_set(err, ERR_REMOTE, EINVAL,
			"offset %" PRIu64 " is behind the end at %" PRId64, request->offset,
			status.length);
	length = (uint64_t)status.length - request->offset;
	if (request->length > 0 && request->length < length)
		length = request->length;
	if (length == 0)
		return sink->begin(sink, &remote, err);
	return open_file(&webhdfs, &status, &remote, length, err);
}

/* Only what came by the name: an inode's bytes are its own. */
static int webhdfs_confirm(const struct backend_env *env, const struct backend_request *request,
	const struct remote *told, struct err *err)
{
	struct remote now;
	int r;

	if (!str_has_prefix(told->validators.etag, "W/"))
		return 0;
	r = webhdfs_stat(env, request, &now, err);
	return r < 0 ? r : confirm_same(told, &now, err);
}

static const char *const schemes[] = {"hdfs", "webhdfs", "swebhdfs", NULL};

const struct backend webhdfs_backend = {
	.name = "hdfs",
	.schemes = schemes,
	.stat = webhdfs_stat,
	.fetch = webhdfs_fetch,
	.confirm = webhdfs_confirm,
	.list = webhdfs_list,
};
