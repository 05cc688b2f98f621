/*
 * ftp and ftps (RFC 959, RFC 3659; TLS from the first byte): binary, SIZE, MDTM, REST.
 */
#include "backends/builtin.h"

#include "backends/transfer.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct exchange {
	const struct backend_request *request;
	struct sink *sink; /* NULL: facts only */
	struct remote remote;
	int64_t promised; /* bytes from the offset on, or -1 */
	uint64_t received;
	bool unchanged; /* the body is not wanted */
};

static bool is_range(const struct backend_request *request)
{
	return request->offset > 0 || request->length > 0;
}

static void describe(
	const struct exchange *exchange, const struct transfer *transfer, struct remote *ret)
{
	const struct backend_request *request = exchange->request;
	int64_t length = transfer_length(transfer);
	int64_t modified = transfer_filetime(transfer);

	if (exchange->sink && request->length > 0) /* it is that of the part */
		length = SIZE_UNKNOWN;
	else if (exchange->sink && length >= 0)
		length += (int64_t)request->offset;
	*ret = (struct remote){
		.size = length,
		.validators.modified = modified,
		.ranges = true,
		.max_age = TIME_UNKNOWN,
	};
	if (modified != TIME_UNKNOWN && length >= 0)
		snprintf(ret->validators.etag, sizeof(ret->validators.etag),
			"\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)modified, (uint64_t)length);
}

/* Whether it is the known version, by all that this answer tells of it. */
static bool is_known(const struct backend_request *request, const struct remote *remote)
{
	const struct validators *known = request->known;

	if (!known || !known->etag[0] || remote->validators.modified == TIME_UNKNOWN)
		return false;
	if (remote->validators.etag[0])
		return str_equal(known->etag, remote->validators.etag);
	return known->modified == remote->validators.modified;
}

static int on_answer(struct transfer *transfer, void *arg, struct err *err)
{
	struct exchange *exchange = arg;
	const struct backend_request *request = exchange->request;
	bool same;
	int r;

	describe(exchange, transfer, &exchange->remote);
	same = is_known(request, &exchange->remote);
	exchange->remote.unchanged = same && !is_range(request);
	if (!exchange->sink)
		return 0;

	if (request->known && is_range(request)) {
		if (!same)
			return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
		exchange->remote.validators = *request->known;
	}
	exchange->promised = transfer_length(transfer);
	r = exchange->sink->begin(exchange->sink, &exchange->remote, err);
	if (r < 0)
		return r;
	exchange->unchanged = exchange->remote.unchanged;
	return exchange->unchanged ? -ECANCELED : 0;
}

static int on_body(const void *buf, size_t len, void *arg, struct err *err)
{
	struct exchange *exchange = arg;

	exchange->received += len;
	return exchange->sink->write(exchange->sink, buf, len, err);
}

static int on_poll(void *arg, struct err *err)
{
	struct exchange *exchange = arg;
	const struct backend_request *request = exchange->request;

	if (exchange->sink)
		return exchange->sink->poll(exchange->sink, err);
	return request->poll ? request->poll(request->poll_arg, err) : 0;
}

/* What libcurl would take for something else than a file to be read as it is. */
static int check_path(const struct uri *uri, struct err *err)
{
	const char *type = strstr(uri->path, ";type=");

	if (str_has_suffix(uri->path, "/"))
		return err_set(err, ERR_REMOTE, EISDIR, "it is a folder");
	if (type && !str_equal(type, ";type=i") && !str_equal(type, ";type=I"))
		return err_set(err, ERR_USAGE, EINVAL, "only files in binary form can be fetched");
	return 0;
}

static int run(const struct backend_env *env, struct exchange *exchange, struct err *err)
{
	const struct backend_request *request = exchange->request;
	const struct guard *guard = request->guard;
	struct transfer_request transfer = {
		.uri = request->uri,
		.no_body = !exchange->sink,
		.offset = exchange->sink ? request->offset : 0,
		.length = exchange->sink ? request->length : 0,
		.env = env,
		.guard = guard,
		.proxy = request->proxy,
		.access = request->access,
		.on_answer = on_answer,
		.on_body = on_body,
		.on_poll = on_poll,
		.arg = exchange,
	};
	int r = guard ? guard->uri(guard, request->uri, err) : 0;

	if (r == 0)
		r = transfer_run(env->transfers, &transfer, err);
	if (r == -ECANCELED && exchange->unchanged)
		return 0;
	if (r < 0)
		return r;
	if (exchange->sink && exchange->promised >= 0 &&
		(int64_t)exchange->received != exchange->promised)
		return err_set_retry(err, ERR_NETWORK, EIO, 0,
			"body shorter than promised: %" PRIu64 " of %" PRId64 " bytes",
			exchange->received, exchange->promised);
	return 0;
}

static int ftp_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	struct exchange exchange = {.request = request};
	int r = check_path(request->uri, err);

	if (r < 0)
		return r;
	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return http_backend.stat(env, request, ret, err);
	r = run(env, &exchange, err);

	if (r < 0)
		return r;
	*ret = exchange.remote;
	return 0;
}

static int poll_sink(void *arg, struct err *err)
{
	struct sink *sink = arg;

	return sink->poll(sink, err);
}

/* RETR knows no conditions, and breaking it off does not call back what is on its way: time and
 * size are asked for before. */
static int compare(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct remote *ret, struct err *err)
{
	struct backend_request ask = *request;

	ask.poll = poll_sink;
	ask.poll_arg = sink;
	return ftp_stat(env, &ask, ret, err);
}

static int ftp_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	struct exchange exchange = {.request = request, .sink = sink};
	struct remote remote = {.unchanged = false};
	int r = check_path(request->uri, err);

	if (r < 0)
		return r;
	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return http_backend.fetch(env, request, sink, err);
	if (request->known && !is_range(request))
		r = compare(env, request, sink, &remote, err);
	if (r < 0)
		return r;
	if (remote.unchanged)
		return sink->begin(sink, &remote, err);
	return run(env, &exchange, err);
}

static const char *const schemes[] = {"ftp", "ftps", NULL};

const struct backend ftp_backend = {
	.name = "ftp",
	.schemes = schemes,
	.stat = ftp_stat,
	.fetch = ftp_fetch,
};
