/*
 * All other schemes of Hadoop (gs, abfs, ofs …) by its own client: size and time by `hadoop fs
 * -stat`, the bytes by `hadoop fs -cat`, and size and time once more, since the client opens what
 * has the name by then. Each is a JVM that starts, a second or so, as one run takes one command;
 * and there are no parts of a file.
 *
 * Which schemes, the configuration says: registry.c gives this table others than the usual ones.
 */
#include "backends/builtin.h"

#include "backends/confirm.h"
#include "backends/hadoop_run.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT   "%b %Y %F" /* bytes, milliseconds since 1970, kind */
#define LINE_MAX 4096

/* ---- what it is called ---- */

/* The byte of a canonical path at *@p, which is moved behind it. */
static unsigned char next_byte(const char **p)
{
	unsigned char c = (unsigned char)*(*p)++;

	if (c == '%') { /* canonical: two digits follow */
		const char pair[3] = {(*p)[0], (*p)[1], '\0'};

		if (str_from_hex(pair, 1, &c))
			*p += 2;
	}
	return c;
}

/* The path as the client wants it: not as a URI has it, and without patterns. -EINVAL. */
static int spell_path(const char *path, char **ret, struct err *err)
{
	char *text = malloc(2 * strlen(path) + 1);
	char *out = text;

	if (!text)
		return err_oom(err);
	while (*path) {
		unsigned char c = next_byte(&path);

		if (c < ' ' || c == 0x7f) {
			free(text);
			return err_set(err, ERR_USAGE, EINVAL,
				"a name with control characters is none for Hadoop's client");
		}
		if (strchr("*?[]{}\\", c))
			*out++ = '\\';
		*out++ = (char)c;
	}
	*out = '\0';
	*ret = text;
	return 0;
}

static int check_uri(const struct backend_request *request, struct err *err)
{
	const struct uri *uri = request->uri;
	const struct guard *guard = request->guard;
	int r = guard ? guard->uri(guard, uri, err) : 0;

	if (r < 0)
		return r;
	if (uri->query)
		return err_set(err, ERR_USAGE, EINVAL,
			"a URI for Hadoop's client has no query: '?' in a name is %%3F");
	/* it would be another name for what another section, or rule, is for */
	if (strstr(uri->path, "//") || strstr(uri->path, "%2F"))
		return err_set(err, ERR_USAGE, EINVAL,
			"no name for Hadoop's client is empty, or has a slash in it");
	if (uri->password) /* everybody on this machine may read arguments */
		return err_set(err, ERR_USAGE, EINVAL, "a URI for Hadoop's client has no password");
	if (uri->user && uri->user[strspn(uri->user, "abcdefghijklmnopqrstuvwxyz"
						     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._$")])
		return err_set(err, ERR_USAGE, EINVAL, "bad character in front of the '@'");
	if (str_has_suffix(uri->path, "/"))
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	return 0;
}

/* The argument, which begins with the scheme, and so is no option. For some schemes what stands in
 * front of the '@' is no user, but a part of the place. */
static int argument(const struct backend_request *request, char **ret, struct err *err)
{
	const struct uri *uri = request->uri;
	CLEANUP(str_freep) char *path = NULL;
	int r = check_uri(request, err);

	if (r == 0)
		r = spell_path(uri->path, &path, err);
	if (r < 0)
		return r;
	*ret = str_printf("%s://%s%s%s%s%s%s", uri->scheme, uri->user ? uri->user : "",
		uri->user ? "@" : "", uri->host, uri->port ? ":" : "", uri->port ? uri->port : "",
		path);
	return *ret ? 0 : err_oom(err);
}

/* ---- size and time ---- */

struct look {
	const struct backend_request *request;
	struct sink *sink; /* or NULL */
	bool queued;
	char line[LINE_MAX];
	size_t len;
};

static int poll_look(void *arg, struct err *err)
{
	const struct look *look = arg;
	const struct backend_request *request = look->request;

	if (look->sink) {
		look->sink->queued = look->queued;
		return look->sink->poll(look->sink, err);
	}
	return request->poll ? request->poll(request->poll_arg, err) : 0;
}

static int nonsense(struct err *err)
{
	return err_set(err, ERR_REMOTE, EBADMSG,
		"Hadoop's client answers something else than what 'hadoop fs -stat' says");
}

static int take_look(void *arg, const void *buf, size_t len, struct err *err)
{
	struct look *look = arg;

	if (len >= sizeof(look->line) - look->len)
		return nonsense(err);
	memcpy(look->line + look->len, buf, len);
	look->len += len;
	return 0;
}

/* The number at *@text, which is moved behind it and a blank; -1: there is none. */
static int64_t next_number(const char **text)
{
	char *end;
	intmax_t value;

	errno = 0;
	value = strtoimax(*text, &end, 10);
	if (errno || end == *text || *end != ' ' || value < 0)
		return -1;
	*text = end + 1;
	return value;
}

/* "5 1700000000000 regular file", on the last line. */
static int read_look(struct look *look, struct remote *ret, struct err *err)
{
	const char *line = look->line;
	int64_t size, modified_ms;
	char *end;

	look->line[look->len] = '\0';
	while (look->len > 0 && strchr("\r\n", look->line[look->len - 1]))
		look->line[--look->len] = '\0';
	end = strrchr(look->line, '\n');
	if (end)
		line = end + 1;
	size = next_number(&line);
	modified_ms = size < 0 ? -1 : next_number(&line);
	if (modified_ms < 0)
		return nonsense(err);
	if (*line == 'd')
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	*ret = (struct remote){
		.size = size,
		.validators.modified = modified_ms / 1000,
		.max_age = TIME_UNKNOWN,
	};
	snprintf(ret->validators.etag, sizeof(ret->validators.etag),
		"W/\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)modified_ms, (uint64_t)size);
	ret->unchanged =
		look->request->known && str_equal(look->request->known->etag, ret->validators.etag);
	return 0;
}

static int look_at(const struct backend_env *env, const struct backend_request *request,
	const char *name, struct sink *sink, struct remote *ret, struct err *err)
{
	const char *const args[] = {"fs", "-stat", FORMAT, name, NULL};
	struct look look = {.request = request, .sink = sink};
	const struct hadoop_run run = {
		.env = env,
		.brief = true,
		.args = args,
		.on_bytes = take_look,
		.on_poll = poll_look,
		.arg = &look,
		.ret_queued = &look.queued,
	};
	int r = hadoop_run(&run, err);

	return r < 0 ? r : read_look(&look, ret, err);
}

static int hadoop_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	int r = argument(request, &name, err);

	return r < 0 ? r : look_at(env, request, name, NULL, ret, err);
}

static int hadoop_confirm(const struct backend_env *env, const struct backend_request *request,
	const struct remote *told, struct err *err)
{
	struct remote now;
	int r = hadoop_stat(env, request, &now, err);

	return r < 0 ? r : confirm_same(told, &now, err);
}

/* ---- the bytes ---- */

struct stream {
	struct sink *sink;
	bool queued;
	int64_t size;
	int64_t received;
};

static int poll_stream(void *arg, struct err *err)
{
	const struct stream *stream = arg;

	stream->sink->queued = stream->queued;
	return stream->sink->poll(stream->sink, err);
}

/* Of another length: it was changed since its size was asked for. */
static int changed(const struct stream *stream, struct err *err)
{
	return err_set_retry(err, ERR_REMOTE, ESTALE, 0,
		"the file has changed: %s bytes come than the %" PRId64 " that there were",
		stream->received > stream->size ? "more" : "fewer", stream->size);
}

static int take_stream(void *arg, const void *buf, size_t len, struct err *err)
{
	struct stream *stream = arg;

	stream->received += (int64_t)len;
	if (stream->received > stream->size)
		return changed(stream, err);
	return stream->sink->write(stream->sink, buf, len, err);
}

static int hadoop_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(str_freep) char *name = NULL;
	struct stream stream = {.sink = sink};
	struct remote remote;
	int r = argument(request, &name, err);

	if (r == 0 && (request->offset > 0 || request->length > 0))
		return err_set(
			err, ERR_REMOTE, EOPNOTSUPP, "Hadoop's client has no parts of files");
	if (r == 0)
		r = look_at(env, request, name, sink, &remote, err);
	if (r == 0)
		r = sink->begin(sink, &remote, err);
	if (r < 0 || remote.unchanged || remote.size == 0)
		return r;
	stream.size = remote.size;

	const char *const args[] = {"fs", "-cat", name, NULL};
	const struct hadoop_run run = {
		.env = env,
		.args = args,
		.on_bytes = take_stream,
		.on_poll = poll_stream,
		.arg = &stream,
		.ret_queued = &stream.queued,
	};

	r = hadoop_run(&run, err);
	if (r == 0 && stream.received != stream.size)
		return changed(&stream, err);
	return r;
}

static const char *const schemes[] = {
	"hftp", "viewfs", "wasb", "wasbs", "abfs", "abfss", "gs", "o3fs", "ofs", "har", NULL};

const struct backend hadoop_backend = {
	.name = "hadoop",
	.schemes = schemes,
	.stat = hadoop_stat,
	.fetch = hadoop_fetch,
	.confirm = hadoop_confirm,
};
