#include "backends/answer.h"

#include "backends/lifetime.h"
#include "base/clock.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RETRY_MAX (7 * 24 * 3600) /* seconds; who asks for more is told this */
#define DIGITS    "0123456789"

static const struct {
	long status;
	int error;
	bool retry;
	const char *reason;
} statuses[] = {
	{400, EINVAL, false, "bad request"},
	{401, EACCES, false, "unauthorized"},
	{403, EACCES, false, "forbidden"},
	{404, ENOENT, false, "not found"},
	{405, EOPNOTSUPP, false, "method not allowed"},
	{407, EACCES, false, "proxy authentication required"},
	{408, ETIMEDOUT, true, "request timeout"},
	{410, ENOENT, false, "gone"},
	{412, ESTALE, false, "precondition failed"},
	{414, EINVAL, false, "uri too long"},
	{416, EINVAL, false, "range not satisfiable"},
	{425, EIO, true, "too early"},
	{429, EIO, true, "too many requests"},
	{451, EACCES, false, "unavailable for legal reasons"},
	{500, EIO, true, "internal server error"},
	{501, EOPNOTSUPP, false, "not implemented"},
	{502, EIO, true, "bad gateway"},
	{503, EIO, true, "service unavailable"},
	{504, EIO, true, "gateway timeout"},
};

bool answer_is_redirect(const struct transfer *transfer)
{
	switch (transfer_status(transfer)) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

/* A decimal number that ends at a character of @stop or at the end of the text; or -1. */
static int64_t number(const char *text, const char *stop, const char **ret_end)
{
	char *end;
	intmax_t value;

	if (!isdigit((unsigned char)*text))
		return -1;
	errno = 0;
	value = strtoimax(text, &end, 10);
	if (errno || (*end && !strchr(stop, *end)))
		return -1;
	if (ret_end)
		*ret_end = end;
	return value;
}

/* Seconds, or a date, which is measured by the clock of the origin if it has one. */
static unsigned int retry_after(const struct transfer *transfer)
{
	const char *text = transfer_header(transfer, "Retry-After");
	const char *date = transfer_header(transfer, "Date");
	int64_t now = date ? transfer_date(date) : TIME_UNKNOWN;
	int64_t seconds = text ? number(text, "", NULL) : 0;

	if (seconds < 0 && text[strspn(text, DIGITS)] == '\0')
		return RETRY_MAX; /* more than can be counted */
	if (seconds < 0) {
		seconds = transfer_date(text);
		if (seconds != TIME_UNKNOWN)
			seconds -= now == TIME_UNKNOWN ? clock_wall() : now;
	}
	if (seconds < 0)
		return 0;
	return seconds > RETRY_MAX ? RETRY_MAX : (unsigned int)seconds;
}

/* A status that may pass; when, if the origin said so. */
static int try_later(
	const struct transfer *transfer, int error, const char *reason, struct err *err)
{
	long status = transfer_status(transfer);
	unsigned int after = retry_after(transfer);

	if (after == 0)
		return err_set_retry(err, ERR_REMOTE, error, 0, "%ld %s", status, reason);
	return err_set_retry(
		err, ERR_REMOTE, error, after, "%ld %s, retry after %u s", status, reason, after);
}

int answer_error(const struct transfer *transfer, struct err *err)
{
	long status = transfer_status(transfer);

	if (status < 400 || status > 599)
		return err_set(err, ERR_REMOTE, EBADMSG, "unexpected answer %ld", status);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		if (statuses[i].status != status)
			continue;
		if (statuses[i].retry)
			return try_later(transfer, statuses[i].error, statuses[i].reason, err);
		return err_set(
			err, ERR_REMOTE, statuses[i].error, "%ld %s", status, statuses[i].reason);
	}
	if (status >= 500)
		return try_later(transfer, EIO, "server error", err);
	return err_set(err, ERR_REMOTE, EIO, "%ld refused", status);
}

static void media_type(const char *text, char ret[MIME_MAX])
{
	size_t len = text ? strcspn(text, "; \t") : 0;

	if (len >= MIME_MAX)
		len = 0;
	for (size_t i = 0; i < len; i++)
		ret[i] = (char)tolower((unsigned char)text[i]);
	ret[len] = '\0';
}

void answer_remote(const struct transfer *transfer, struct remote *ret)
{
	/* which of two tags is the version's nobody can tell */
	bool tagged = !headers_disagree(transfer_headers(transfer), "ETag");
	const char *etag = tagged ? transfer_header(transfer, "ETag") : NULL;
	const char *ranges = transfer_header(transfer, "Accept-Ranges");
	struct lifetime lifetime = lifetime_read(transfer_headers(transfer), clock_wall());

	*ret = (struct remote){
		.size = transfer_length(transfer),
		.validators.modified = transfer_filetime(transfer),
		.ranges = transfer_status(transfer) == 206 ||
			  (ranges && strcasecmp(ranges, "bytes") == 0),
		.max_age = lifetime.seconds,
		.must_ask = lifetime.must_ask,
	};
	/* one that is too long is none: cut, it could be taken for another */
	str_fit(ret->validators.etag, sizeof(ret->validators.etag), etag ? etag : "");
	media_type(transfer_header(transfer, "Content-Type"), ret->type);
}

int answer_check_body(const struct transfer *transfer, struct err *err)
{
	const char *coding = transfer_header(transfer, "Transfer-Encoding");
	const char *length = transfer_header(transfer, "Content-Length");

	/* decoding is off, so that another one would be taken for the content */
	if (coding && strcasecmp(coding, "chunked") != 0 && strcasecmp(coding, "identity") != 0)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"transfer-encoding %.80s was not asked for", coding);
	if (length && !coding && number(length, "", NULL) < 0)
		return err_set(
			err, ERR_REMOTE, EBADMSG, "content-length %.80s makes no sense", length);
	return 0;
}

int answer_range(const struct transfer *transfer, const struct backend_request *request,
	int64_t *ret_size, int64_t *ret_length, struct err *err)
{
	const char *text = transfer_header(transfer, "Content-Range");
	const char *at = text;
	int64_t wanted = (int64_t)request->length;
	int64_t first = -1;
	int64_t last = -1;
	int64_t size = SIZE_UNKNOWN;
	int64_t length;

	if (!text)
		return err_set(err, ERR_REMOTE, EBADMSG, "206 without a content-range");
	if (strncasecmp(at, "bytes ", 6) == 0)
		first = number(at + 6, "-", &at);
	if (first >= 0 && *at == '-')
		last = number(at + 1, "/", &at);
	/* the last byte of the largest file is the one before INT64_MAX */
	if (last < first || last < 0 || last == INT64_MAX || *at != '/')
		return err_set(
			err, ERR_REMOTE, EBADMSG, "content-range %.80s makes no sense", text);
	if (!str_equal(at, "/*"))
		size = number(at + 1, "", NULL);

	if ((size < 0 && !str_equal(at, "/*")) || (size >= 0 && last >= size))
		return err_set(
			err, ERR_REMOTE, EBADMSG, "content-range %.80s makes no sense", text);
	length = last - first + 1;
	if (wanted > 0 && size >= 0 && wanted > size - first)
		wanted = size - first;
	else if (wanted == 0)
		wanted = size >= 0 ? size - first : length;
	if ((uint64_t)first != request->offset || length > wanted)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"content-range %.80s is not what was asked for", text);
	if (transfer_length(transfer) >= 0 && transfer_length(transfer) != length)
		return err_set(err, ERR_REMOTE, EBADMSG,
			"content-range %.80s with a body of %" PRId64 " bytes", text,
			transfer_length(transfer));
	*ret_size = size;
	*ret_length = length;
	return 0;
}

/* An entity tag without its mark of weakness (RFC 9110, 8.8.3.2). */
static const char *opaque(const char *etag)
{
	return str_has_prefix(etag, "W/") ? etag + 2 : etag;
}

bool answer_same_version(const struct validators *known, const struct validators *now)
{
	if (known->etag[0] && now->etag[0])
		return str_equal(opaque(known->etag), opaque(now->etag));
	if (known->modified != TIME_UNKNOWN && now->modified != TIME_UNKNOWN)
		return known->modified == now->modified;
	return !known->etag[0] && known->modified == TIME_UNKNOWN;
}
