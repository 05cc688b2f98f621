/*
 * http and https (RFC 9110): one file by GET, HEAD and Range, redirects by hand.
 */
#include "backends/builtin.h"

#include "backends/answer.h"
#include "backends/hops.h"
#include "backends/http_list.h"
#include "backends/question.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOPS_MAX  10
#define DRAIN_MAX ((uint64_t)64 * 1024) /* of a body nobody wants, to keep the connection */

/* One file asked for, over all its hops. */
struct exchange {
	const struct backend_env *env;
	const struct backend_request *request;
	bool head;
	struct sink *sink; /* NULL: HEAD, or not here yet */

	const struct uri *at; /* of this hop: the request's, or @target */
	struct uri target;    /* of the last redirect */
	char *location;       /* of the next one */
	char *headers[QUESTION_HEADERS];
	struct transfer_request hop;
	struct transfer *asked; /* by begin_hop(), to be finished; NULL: none */

	struct transfer *transfer; /* of this hop, once it has answered */
	struct remote remote;      /* once the last hop has answered */
	bool streaming;            /* the body is what was asked for */
	bool enough;               /* all of it is here, though the server sends more */
	int64_t promised;          /* bytes, or -1 */
	uint64_t received;
	uint64_t drained;
	bool stopped;       /* whoever asked wants it no more */
	struct err verdict; /* what the answer means, kept until its body is drained */
};

static void exchange_releasep(struct exchange *exchange)
{
	question_releasep(&exchange->headers);
	uri_release(&exchange->target);
	free(exchange->location);
}

/* ---- the answer ---- */

static int judge_range(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	int64_t size;
	int r;

	if (!question_wants_part(exchange->request))
		return err_set(err, ERR_REMOTE, EBADMSG, "206 without having asked for a part");
	r = answer_range(transfer, exchange->request, &size, &exchange->promised, err);
	if (r < 0)
		return r;
	exchange->remote.size = size;
	return 0;
}

/* Whether the part is of the version that is known. */
static int judge_version(
	const struct validators *known, const struct validators *now, struct err *err)
{
	if (answer_same_version(known, now))
		return 0;
	if (!now->etag[0] && now->modified == TIME_UNKNOWN)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP,
			"the server does not say of what version its parts are");
	return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
}

/* 200: the whole file, whatever was asked for. */
static int judge_whole(struct exchange *exchange, struct err *err)
{
	if (exchange->request->offset > 0 && exchange->sink)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "the server ignores ranges");
	exchange->promised = exchange->remote.size;
	if (question_wants_part(exchange->request) && exchange->sink)
		exchange->remote.ranges = false;
	return 0;
}

/* What a proxy itself answers when it cannot reach the origin, or may not: another one perhaps can.
 * Squid signs what it says itself; what it is not to bring, it forbids as an origin would. */
static bool is_proxys(const struct exchange *exchange, const struct transfer *transfer)
{
	long status = transfer_status(transfer);

	if (!exchange->request->proxy || str_equal(exchange->at->scheme, "https"))
		return false;
	return status == 502 || status == 504 ||
	       ((status == 503 || status == 403) && transfer_header(transfer, "X-Squid-Error"));
}

static int judge_error(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	long status = transfer_status(transfer);
	int r = answer_error(transfer, err);

	if (status == 407 && exchange->request->proxy)
		return err_set(err, ERR_PROXY, EACCES, "407 proxy authentication required");
	if (err && is_proxys(exchange, transfer))
		err->kind = ERR_PROXY;
	if (status == 416 && exchange->request->known)
		return err_set(err, ERR_REMOTE, ESTALE,
			"the file is shorter than it was: 416 range not satisfiable");
	if (status == 412 && exchange->request->known)
		return err_set(
			err, ERR_REMOTE, ESTALE, "the file has changed: 412 precondition failed");
	/* a presigned query is signed for one method: only GET can tell */
	if (status == 403 && !exchange->sink && exchange->at->query)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "403 forbidden to HEAD");
	return r;
}

static int judge(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	const struct validators *known = exchange->request->known;
	long status = transfer_status(transfer);
	int r;

	answer_remote(transfer, &exchange->remote);
	exchange->promised = -1;
	if (status == 304 && question_has_condition(exchange->request) &&
		!question_wants_part(exchange->request)) {
		exchange->remote.unchanged = true;
		exchange->remote.size = SIZE_UNKNOWN;
		return 0;
	}
	if (status != 200 && status != 203 && status != 206)
		return judge_error(exchange, transfer, err);
	r = answer_check_body(transfer, err);
	if (r == 0 && known && question_wants_part(exchange->request))
		r = judge_version(known, &exchange->remote.validators, err);
	if (r < 0)
		return r;
	r = status == 206 ? judge_range(exchange, transfer, err) : judge_whole(exchange, err);
	if (r < 0)
		return r;
	exchange->streaming = true;
	return 0;
}

static int keep_location(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	const char *location = transfer_header(transfer, "Location");

	if (!location)
		return err_set(err, ERR_REMOTE, EBADMSG, "%ld without a location",
			transfer_status(transfer));
	exchange->location = str_copy(location);
	return exchange->location ? 0 : err_oom(err);
}

/* An error is kept rather than returned: the small body that explains it is read, and the
 * connection serves the next request. */
static int on_answer(struct transfer *transfer, void *arg, struct err *err)
{
	struct exchange *exchange = arg;

	exchange->transfer = transfer;
	if (answer_is_redirect(transfer)) {
		keep_location(exchange, transfer, &exchange->verdict);
		return 0;
	}
	if (judge(exchange, transfer, &exchange->verdict) < 0 || !exchange->sink)
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

static int on_body(const void *buf, size_t len, void *arg, struct err *err)
{
	struct exchange *exchange = arg;
	int r;

	if (!exchange->streaming) {
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

/* Send one request. */
static int begin_hop(struct exchange *exchange, struct err *err)
{
	const struct backend_request *request = exchange->request;
	const struct guard *guard = request->guard;
	bool is_first = exchange->at == request->uri;
	int r = guard ? guard->uri(guard, exchange->at, err) : 0;

	if (r < 0)
		return r;
	question_releasep(&exchange->headers);
	r = question_headers(request, !exchange->head, exchange->headers, err);
	if (r < 0)
		return r;
	exchange->hop = (struct transfer_request){
		.uri = exchange->at,
		.headers = (const char *const *)exchange->headers,
		.own_connection = request->own_connection,
		.no_body = exchange->head,
		.env = exchange->env,
		.guard = guard,
		.proxy = request->proxy,
		.access = request->access,
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
	return transfer_start(exchange->env->transfers, &exchange->hop, &exchange->asked, err);
}

/* Its answer. 0 with exchange->location set: there is another hop. */
static int end_hop(struct exchange *exchange, struct err *err)
{
	struct err why = ERR_INIT;
	int r = transfer_finish(exchange->asked, &why);

	exchange->asked = NULL;
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

static int http_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(exchange_releasep)
	struct exchange exchange = {
		.env = env, .request = request, .at = request->uri, .head = true};
	int r = run(&exchange, err);

	if (r < 0)
		return r;
	*ret = exchange.remote;
	return 0;
}

static int http_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(exchange_releasep)
	struct exchange exchange = {
		.env = env, .request = request, .at = request->uri, .sink = sink};

	return run(&exchange, err);
}

struct backend_call {
	struct exchange exchange;
};

static void call_freep(struct backend_call **call)
{
	if (*call)
		exchange_releasep(&(*call)->exchange);
	free(*call);
}

static int http_begin(const struct backend_env *env, const struct backend_request *request,
	struct backend_call **ret, struct err *err)
{
	CLEANUP(call_freep) struct backend_call *call = calloc(1, sizeof(*call));
	int r;

	if (!call)
		return err_oom(err);
	call->exchange = (struct exchange){.env = env, .request = request, .at = request->uri};
	/* who is told that it is ready may be quicker than we are */
	*ret = call;
	r = begin_hop(&call->exchange, err);
	if (r == 0)
		call = NULL;
	return r;
}

static int http_finish(struct backend_call *call, struct sink *sink, struct err *err)
{
	CLEANUP(call_freep) struct backend_call *mine = call;

	call->exchange.sink = sink;
	return run(&call->exchange, err);
}

static const char *const schemes[] = {"http", "https", NULL};

const struct backend http_backend = {
	.name = "http",
	.schemes = schemes,
	.cheap_parts = true,
	.stat = http_stat,
	.fetch = http_fetch,
	.list = http_list,
	.begin = http_begin,
	.finish = http_finish,
};
