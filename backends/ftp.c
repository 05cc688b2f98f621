/*
 * ftp and ftps (RFC 959, RFC 3659, RFC 4217; ftps: TLS from the first byte): files in binary form
 * by SIZE, MDTM, REST and RETR; folders by MLSD, else LIST.
 */
#include "backends/builtin.h"

#include "backends/confirm.h"
#include "backends/ftp_ask.h"
#include "backends/ftp_folder.h"
#include "backends/ftp_talk.h"
#include "backends/transfer.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct exchange {
	const struct backend_request *request;
	struct sink *sink; /* NULL: facts only */
	bool queued;
	struct remote remote;
	int64_t promised; /* bytes from the offset on, or -1 */
	uint64_t received;
	bool unchanged; /* the body is not wanted */
};

static bool is_range(const struct backend_request *request)
{
	return request->offset > 0 || request->length > 0;
}

/* Of the whole file. SIZE says it, else what RETR says of that which follows. */
static int64_t size_of(const struct exchange *exchange, const struct transfer *transfer)
{
	const struct backend_request *request = exchange->request;
	int64_t size = transfer_talk(transfer)->size;
	int64_t length = transfer_length(transfer);

	if (size != FTP_UNKNOWN || !exchange->sink)
		return size != FTP_UNKNOWN ? size : length;
	if (length < 0 || request->length > 0) /* it is that of the part */
		return SIZE_UNKNOWN;
	return length + (int64_t)request->offset;
}

static void describe(
	const struct exchange *exchange, const struct transfer *transfer, struct remote *ret)
{
	int64_t size = size_of(exchange, transfer);
	int64_t modified = transfer_filetime(transfer);

	*ret = (struct remote){
		.size = size,
		.validators.modified = modified,
		.ranges = !transfer_talk(transfer)->no_rest,
		.max_age = TIME_UNKNOWN,
	};
	if (modified != TIME_UNKNOWN && size >= 0)
		snprintf(ret->validators.etag, sizeof(ret->validators.etag),
			"\"%" PRIx64 "-%" PRIx64 "\"", (uint64_t)modified, (uint64_t)size);
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

	if (exchange->sink) {
		exchange->sink->queued = exchange->queued;
		return exchange->sink->poll(exchange->sink, err);
	}
	return request->poll ? request->poll(request->poll_arg, err) : 0;
}

static int run(const struct backend_env *env, struct exchange *exchange, struct err *err)
{
	const struct backend_request *request = exchange->request;
	struct transfer_request transfer = ftp_ask_transfer(env, request);
	int r;

	transfer.no_body = !exchange->sink;
	transfer.offset = exchange->sink ? request->offset : 0;
	transfer.length = exchange->sink ? request->length : 0;
	transfer.on_answer = on_answer;
	transfer.on_body = on_body;
	transfer.on_poll = on_poll;
	transfer.arg = exchange;
	transfer.ret_queued = &exchange->queued;
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

/* There is no such file, says the server, with @err: of a folder it says the same. -EISDIR when it
 * is one, else -ENOENT. */
static int look_for_folder(
	const struct backend_env *env, struct exchange *exchange, struct err *err)
{
	const struct backend_request *request = exchange->request;
	CLEANUP(str_freep) char *text = str_printf("%s/", request->uri->text);
	struct uri folder = *request->uri; /* of which only the text is another */
	struct transfer_request transfer = ftp_ask_transfer(env, request);

	if (!text)
		return err_oom(err);
	folder.text = text;
	transfer.uri = &folder;
	transfer.ftp = TRANSFER_ENTER;
	transfer.no_body = true;
	transfer.on_answer = ftp_ask_ignore;
	transfer.on_poll = on_poll;
	transfer.arg = exchange;
	transfer.ret_queued = &exchange->queued;
	return transfer_run(env->transfers, &transfer, NULL) == 0
		       ? err_set(err, ERR_REMOTE, EISDIR, "it is a folder")
		       : -ENOENT;
}

static int run_or_look(const struct backend_env *env, struct exchange *exchange, struct err *err)
{
	struct err why = ERR_INIT;
	int r = run(env, exchange, &why);

	if (r == -ENOENT && why.kind == ERR_REMOTE)
		r = look_for_folder(env, exchange, &why);
	if (r < 0 && err)
		*err = why;
	return r;
}

static int ftp_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	struct exchange exchange = {.request = request};
	int r = ftp_ask_check(request, false, err);

	if (r < 0)
		return r;
	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return http_backend.stat(env, request, ret, err);
	r = run_or_look(env, &exchange, err);
	if (r < 0)
		return r;
	if (exchange.remote.size == SIZE_UNKNOWN)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "the server knows no SIZE");
	*ret = exchange.remote;
	return 0;
}

static int ftp_confirm(const struct backend_env *env, const struct backend_request *request,
	const struct remote *told, struct err *err)
{
	struct exchange exchange = {.request = request};
	int r;

	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return 0;
	r = run_or_look(env, &exchange, err);
	return r < 0 ? r : confirm_same(told, &exchange.remote, err);
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
	int r = ftp_ask_check(request, false, err);

	if (r < 0)
		return r;
	if (transfer_is_proxied_ftp(request->uri, request->proxy))
		return http_backend.fetch(env, request, sink, err);
	if (request->known && !is_range(request))
		r = compare(env, request, sink, &remote, err);
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	if (remote.unchanged)
		return sink->begin(sink, &remote, err);
	return run_or_look(env, &exchange, err);
}

static const char *const schemes[] = {"ftp", "ftps", NULL};

const struct backend ftp_backend = {
	.name = "ftp",
	.schemes = schemes,
	.stat = ftp_stat,
	.fetch = ftp_fetch,
	.confirm = ftp_confirm,
	.list = ftp_folder_list,
};
