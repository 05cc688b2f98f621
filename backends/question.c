#include "backends/question.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

bool question_wants_part(const struct backend_request *request)
{
	return request->offset > 0 || request->length > 0;
}

static bool is_strong(const char *etag)
{
	return etag[0] && !str_has_prefix(etag, "W/");
}

static char *header_date(const char *name, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm utc;
	char text[64];

	/* the program never leaves the C locale, which has RFC 9110's names of days and months */
	if (!gmtime_r(&when, &utc) ||
		!strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc))
		return NULL;
	return str_printf("%s: %s", name, text);
}

static char *header_range(const struct backend_request *request)
{
	if (request->length == 0)
		return str_printf("Range: bytes=%" PRIu64 "-", request->offset);
	return str_printf("Range: bytes=%" PRIu64 "-%" PRIu64, request->offset,
		request->offset + request->length - 1);
}

/* The condition by which the known version is told from others: a part must be of it, a whole
 * must not. */
static char *header_condition(const struct backend_request *request)
{
	const struct validators *known = request->known;
	bool range = question_wants_part(request);

	if (known->etag[0] && (!range || is_strong(known->etag)))
		return str_printf("%s: %s", range ? "If-Match" : "If-None-Match", known->etag);
	if (known->modified != TIME_UNKNOWN)
		return header_date(
			range ? "If-Unmodified-Since" : "If-Modified-Since", known->modified);
	return NULL;
}

/* To HTTP/1.1 and to HTTP/1.0 (RFC 9111, 5.2.1.4 and 5.4). */
static const char *const past_caches[] = {"Cache-Control: no-cache", "Pragma: no-cache"};

void question_releasep(char *(*headers)[QUESTION_HEADERS])
{
	for (size_t i = 0; i < QUESTION_HEADERS; i++)
		str_freep(&(*headers)[i]);
}

bool question_has_condition(const struct backend_request *request)
{
	const struct validators *known = request->known;

	return known && (known->etag[0] || known->modified != TIME_UNKNOWN);
}

int question_headers(const struct backend_request *request, bool body,
	char *headers[QUESTION_HEADERS], struct err *err)
{
	size_t count = 0;

	if (question_wants_part(request) && body) {
		headers[count] = header_range(request);
		if (!headers[count++])
			return err_oom(err);
	}
	if (request->no_cache)
		for (size_t i = 0; i < ARRAY_SIZE(past_caches); i++) {
			headers[count] = str_copy(past_caches[i]);
			if (!headers[count++])
				return err_oom(err);
		}
	if (question_has_condition(request))
		headers[count++] = header_condition(request);
	return 0;
}
