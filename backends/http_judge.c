#include "backends/answer.h"
#include "backends/http_exchange.h"
#include "base/str.h"

#include <errno.h>

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
	if (status == 403 && !exchange->sink && exchange->at->query && !exchange->dialect)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "403 forbidden to HEAD");
	return r;
}

int http_judge(struct exchange *exchange, struct transfer *transfer, struct err *err)
{
	const struct validators *known = exchange->request->known;
	long status = transfer_status(transfer);
	int r;

	answer_remote(transfer, &exchange->remote);
	if (exchange->dialect && exchange->dialect->no_pages)
		exchange->remote.type[0] = '\0';
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
	if (exchange->dialect && exchange->dialect->judge) {
		if (r == 0 && status != 200)
			return answer_error(transfer, err);
		if (r == 0)
			r = exchange->dialect->judge(exchange->dialect, transfer, &exchange->remote,
				&exchange->promised, err);
		exchange->streaming = r == 0;
		return r;
	}
	if (r == 0 && known && question_wants_part(exchange->request))
		r = judge_version(known, &exchange->remote.validators, err);
	if (r < 0)
		return r;
	r = status == 206 ? judge_range(exchange, transfer, err) : judge_whole(exchange, err);
	if (r < 0)
		return r;
	if (status == 200 && exchange->dialect && exchange->dialect->answered)
		exchange->dialect->answered(exchange->dialect, transfer, &exchange->remote);
	if (exchange->dialect && exchange->dialect->told)
		r = exchange->dialect->told(exchange->dialect, transfer, &exchange->remote, err);
	exchange->streaming = r == 0;
	return r;
}
