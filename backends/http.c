/*
 * http and https (RFC 9110): one file by GET, HEAD and Range, redirects by hand.
 */
#include "backends/http.h"

#include "backends/answer.h"
#include "backends/builtin.h"
#include "backends/hops.h"
#include "backends/http_exchange.h"
#include "backends/http_list.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_MAX  10
#define DRAIN_MAX ((uint64_t)64 * 1024) /* of a body nobody wants, to keep the connection */

/* Those of a dialect open doors. */
static void forget_headers(struct exchange *exchange)
{
	question_releasep(&exchange->headers);
	for (size_t i = 0; i < HTTP_DIALECT_HEADERS; i++) {
		char *header = exchange->more_headers[i];

		if (header)
			explicit_bzero(header, strlen(header));
		str_freep(&exchange->more_headers[i]);
	}
}

static void exchange_releasep(struct exchange *exchange)
{
	forget_headers(exchange);
	uri_release(&exchange->target);
	free(exchange->location);
	free(exchange->said);
}

/* ---- the answer ---- */

static int keep_location(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	const char *location = transfer_header(transfer, "Location");

	if (!location)
		return err_set(err, ERR_REMOTE, EBADMSG, "%ld without a location",
			transfer_status(transfer));
	exchange->location = str_copy(location);
	return exchange->location ? 0 : err_oom(err);
}

/* A success is what it says, whatever the dialect. */
static bool may_have_moved(const struct exchange *exchange, const struct transfer *transfer)
{
	long status = transfer_status(transfer);

	return exchange->dialect && exchange->dialect->moved && status >= 300 && status != 304;
}

/* An error is kept rather than returned: the small body that explains it is read, and the
 * connection serves the next request. */
static int on_answer(struct transfer *transfer, void *arg, struct err *err)
{
	struct exchange *exchange = arg;

	exchange->transfer = transfer;
	exchange->status = transfer_status(transfer);
	if (may_have_moved(exchange, transfer) &&
		exchange->dialect->moved(exchange->dialect, transfer, exchange->at,
			&exchange->location, &exchange->verdict) < 0)
		return 0;
	if (exchange->location)
		return 0;
	if (answer_is_redirect(transfer)) {
		keep_location(exchange, transfer, &exchange->verdict);
		return 0;
	}
	if (http_judge(exchange, transfer, &exchange->verdict) < 0 || !exchange->sink)
		return 0;
	exchange->sink->from = exchange->at;
	return exchange->sink->begin(exchange->sink, &exchange->remote, err);
}

/* Not more than was asked for, though the server may send the whole file. */
static size_t cut(const struct exchange *exchange, size_t len)
{
	uint64_t wanted = exchange->request->length;
	uint64_t left = wanted - exchange->received;

	return wanted == 0 || len < left ? len : (size_t)left;
}

/* What a refusal says is the dialect's to understand. Without memory its status must do. */
static void keep_refusal(struct exchange *exchange, const void *buf, size_t len)
{
	size_t room = HTTP_REFUSAL_MAX - exchange->said_len;

	if (!exchange->dialect || !exchange->dialect->refused || !exchange->verdict.code)
		return;
	if (!exchange->said)
		exchange->said = calloc(1, HTTP_REFUSAL_MAX + 1);
	if (!exchange->said)
		return;
	len = len < room ? len : room;
	memcpy(exchange->said + exchange->said_len, buf, len);
	exchange->said_len += len;
}

static int on_body(const void *buf, size_t len, void *arg, struct err *err)
{
	struct exchange *exchange = arg;
	int r;

	if (!exchange->streaming) {
		keep_refusal(exchange, buf, len);
		exchange->drained += len;
		return exchange->drained > DRAIN_MAX ? -ECANCELED : 0;
	}
	if (exchange->promised >= 0 && len > (uint64_t)exchange->promised - exchange->received)
		return err_set(err, ERR_REMOTE, EBADMSG, "body longer than promised: %" PRId64,
			exchange->promised);
	len = cut(exchange, len);
	exchange->sink->window = transfer_window(exchange->transfer);
	exchange->sink->behind_ms = transfer_behind_ms(exchange->transfer);
	r = exchange->sink->write(exchange->sink, buf, len, err);
	if (r < 0)
		return r;
	transfer_want(exchange->transfer,
		exchange->sink->end ? exchange->sink->end - exchange->request->offset : 0);
	exchange->received += len;
	exchange->enough = exchange->received == exchange->request->length;
	if (exchange->enough && exchange->promised != (int64_t)exchange->received)
		return -ECANCELED; /* the rest of a file of which only the head was wanted */
	return 0;
}

static int on_poll(void *arg, struct err *err)
{
	struct exchange *exchange = arg;
	const struct backend_request *request = exchange->request;

	int r = 0;

	if (exchange->sink) {
		exchange->sink->queued = transfer_is_queued(exchange->asked);
		r = exchange->sink->poll(exchange->sink, err);
	} else if (request->poll) {
		r = request->poll(request->poll_arg, err);
	}
	exchange->stopped |= r < 0;
	return r;
}

/* ---- the hops ---- */

static int follow_redirect(struct exchange *exchange, struct err *err)
{
	struct uri next = {.text = NULL};
	int r = hops_next(exchange->at, exchange->location, &next, err);

	if (r < 0)
		return r;
	uri_release(&exchange->target);
	exchange->target = next;
	exchange->at = &exchange->target;
	str_freep(&exchange->location);
	return 0;
}

/* How a request ended, or how it does not matter: of a refusal and of a redirect the body is only
 * drained. */
static int end_of_hop(
	const struct exchange *exchange, int r, const struct err *why, struct err *err)
{
	if (exchange->verdict.code) {
		why = &exchange->verdict;
		r = -why->code;
	} else if (exchange->location && !exchange->stopped) {
		return 0;
	} else if (r == -ECANCELED && exchange->enough) {
		return 0;
	}
	if (r < 0 && err)
		*err = *why;
	return r;
}

/* The headers that say what is wanted, unless the URI does. */
static int ask_in_headers(struct exchange *exchange, struct err *err)
{
	struct backend_request whole = *exchange->request;

	if (!exchange->dialect || !exchange->dialect->judge)
		return question_headers(exchange->request, !exchange->head, exchange->headers, err);
	whole.offset = whole.length = 0;
	whole.known = NULL;
	return question_headers(&whole, !exchange->head, exchange->headers, err);
}

static int make_headers(struct exchange *exchange, struct err *err)
{
	size_t count = 0;
	int r;

	forget_headers(exchange);
	r = ask_in_headers(exchange, err);
	if (r == 0 && exchange->dialect && exchange->dialect->headers)
		r = exchange->dialect->headers(exchange->dialect, exchange->at, exchange->head,
			exchange->more_headers, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < QUESTION_HEADERS && exchange->headers[i]; i++)
		exchange->lines[count++] = exchange->headers[i];
	for (size_t i = 0; i < HTTP_DIALECT_HEADERS && exchange->more_headers[i]; i++)
		exchange->lines[count++] = exchange->more_headers[i];
	exchange->lines[count] = NULL;
	return 0;
}

/* Send one request. */
static int begin_hop(struct exchange *exchange, struct err *err)
{
	const struct backend_request *request = exchange->request;
	const struct guard *guard = request->guard;
	bool is_first = exchange->at == request->uri;
	int r = guard ? guard->uri(guard, exchange->at, err) : 0;

	if (r < 0)
		return r;
	r = make_headers(exchange, err);
	if (r < 0)
		return r;
	exchange->hop = (struct transfer_request){
		.uri = exchange->at,
		.headers = exchange->lines,
		.own_connection = request->own_connection,
		.no_body = exchange->head,
		.method = exchange->dialect ? exchange->dialect->method : NULL,
		.form = exchange->dialect ? exchange->dialect->form : NULL,
		.env = exchange->env,
		.guard = guard,
		.proxy = request->proxy,
		.access = request->access,
		.without_tls =
			is_first && exchange->dialect ? exchange->dialect->without_tls : NULL,
		.on_answer = on_answer,
		.on_body = on_body,
		.on_poll = on_poll,
		.arg = exchange,
		.on_ready = is_first ? request->on_ready : NULL,
		.ready_arg = request->ready_arg,
		.on_queued = is_first ? request->poll : NULL,
		.queued_arg = request->poll_arg,
	};
	exchange->drained = 0;
	exchange->said_len = 0;
	return transfer_start(exchange->env->transfers, &exchange->hop, &exchange->asked, err);
}

/* A server that refuses may say why; a proxy that does, or a change of the file, is no such thing.
 */
static void understand_refusal(struct exchange *exchange)
{
	struct err *verdict = &exchange->verdict;

	if (!exchange->dialect || !exchange->dialect->refused || exchange->status < 400 ||
		verdict->kind != ERR_REMOTE || verdict->code == ESTALE)
		return;
	if (exchange->said)
		exchange->said[exchange->said_len] = '\0';
	exchange->dialect->refused(exchange->dialect, exchange->status,
		exchange->said && exchange->said_len ? exchange->said : "", verdict);
}

/* Its answer. 0 with exchange->location set: there is another hop. */
static int end_hop(struct exchange *exchange, struct err *err)
{
	struct err why = ERR_INIT;
	int r = transfer_finish(exchange->asked, &why);

	exchange->asked = NULL;
	understand_refusal(exchange);
	return end_of_hop(exchange, r, &why, err);
}

static int whole_body(const struct exchange *exchange, struct err *err)
{
	if (!exchange->sink || exchange->enough || exchange->remote.unchanged)
		return 0;
	if (exchange->promised >= 0 && (int64_t)exchange->received != exchange->promised)
		return err_set_retry(err, ERR_NETWORK, EIO, 0,
			"body shorter than promised: %" PRIu64 " of %" PRId64 " bytes",
			exchange->received, exchange->promised);
	return 0;
}

/* Whose answer it was, if it was another one's than she knows of who asked. */
static int name_hop(const struct exchange *exchange, struct err *err)
{
	CLEANUP(str_freep) char *where = NULL;

	if (exchange->at == exchange->request->uri ||
		(err->kind != ERR_NETWORK && err->kind != ERR_REMOTE))
		return -err->code;
	where = uri_display(exchange->at);
	return where ? err_context(err, "redirected to %.200s", where) : -err->code;
}

static int run(struct exchange *exchange, struct err *err)
{
	struct err why = ERR_INIT;
	int r;

	for (int hops = 0;; hops++) {
		r = exchange->asked ? 0 : begin_hop(exchange, &why);
		if (r == 0)
			r = end_hop(exchange, &why);
		if (r == 0 && !exchange->location)
			r = whole_body(exchange, &why);
		if (r == 0 && !exchange->location)
			return 0;
		if (r < 0)
			break;
		if (hops == HOPS_MAX)
			return err_set(err, ERR_REMOTE, EIO, "more than %d redirects", HOPS_MAX);
		r = follow_redirect(exchange, err);
		if (r < 0)
			return r;
	}
	/* what a callback answered need not be in the text */
	if (why.code == -r)
		name_hop(exchange, &why);
	if (err)
		*err = why;
	return r;
}

int http_stat(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct remote *ret, struct err *err)
{
	CLEANUP(exchange_releasep)
	struct exchange exchange = {.env = env,
		.request = request,
		.dialect = dialect,
		.at = request->uri,
		.head = true};
	int r = run(&exchange, err);

	if (r < 0)
		return r;
	*ret = exchange.remote;
	return 0;
}

int http_fetch(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct sink *sink, struct err *err)
{
	CLEANUP(exchange_releasep)
	struct exchange exchange = {.env = env,
		.request = request,
		.dialect = dialect,
		.at = request->uri,
		.sink = sink};

	return run(&exchange, err);
}

struct http_call {
	struct exchange exchange;
};

static void call_freep(struct http_call **call)
{
	if (*call)
		exchange_releasep(&(*call)->exchange);
	free(*call);
}

int http_begin(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct http_call **ret, struct err *err)
{
	CLEANUP(call_freep) struct http_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return err_oom(err);
	call->exchange = (struct exchange){
		.env = env, .request = request, .dialect = dialect, .at = request->uri};
	/* who is told that it is ready may be quicker than we are */
	*ret = call;
	r = begin_hop(&call->exchange, err);
	if (r == 0)
		call = NULL;
	return r;
}

int http_finish(struct http_call *call, struct sink *sink, struct err *err)
{
	CLEANUP(call_freep) struct http_call *mine = call;

	call->exchange.sink = sink;
	return run(&call->exchange, err);
}

/* ---- the backend: HTTP without a dialect ---- */

static int plain_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	return http_stat(env, request, NULL, ret, err);
}

static int plain_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	return http_fetch(env, request, NULL, sink, err);
}

static int plain_begin(const struct backend_env *env, const struct backend_request *request,
	struct backend_call **ret, struct err *err)
{
	return http_begin(env, request, NULL, (struct http_call **)ret, err);
}

static int plain_finish(struct backend_call *call, struct sink *sink, struct err *err)
{
	return http_finish((struct http_call *)call, sink, err);
}

static const char *const schemes[] = {"http", "https", NULL};

const struct backend http_backend = {
	.name = "http",
	.schemes = schemes,
	.cheap_parts = true,
	.stat = plain_stat,
	.fetch = plain_fetch,
	.list = http_list,
	.begin = plain_begin,
	.finish = plain_finish,
};
