#include "backends/s3_sign.h"

#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ALGORITHM    "AWS4-HMAC-SHA256"
#define DAY_SIZE     8 /* characters of a date that are its day */
#define PARAMETERS   64
#define SIGNED_MAX   512 /* bytes of the names of all headers */
#define SECRET_START "AWS4"

void s3_sign_date(int64_t now, char ret[S3_DATE_SIZE])
{
	time_t when = (time_t)now;
	struct tm utc;

	/* what is no date is refused by the server, as is any that is not about now */
	if (!gmtime_r(&when, &utc) || !strftime(ret, S3_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc))
		memcpy(ret, "00000000T000000Z", S3_DATE_SIZE);
}

char *s3_sign_encode(const char *text, bool is_path)
{
	/* canonical: a '%' is the beginning of an escape */
	return uri_escape(text, is_path ? "%/" : "%");
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted, each with its '='. A name that begins as another one comes after it: '=' must not count.
 */
static int canonical_query(const char *query, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *copy = str_copy(query ? query : "");
	CLEANUP(str_freep) char *sorted = calloc(1, copy ? strlen(copy) + PARAMETERS + 1 : 1);
	char *items[PARAMETERS];
	size_t count = 0;
	char *rest = copy;
	char *out = sorted;
	char *item;

	if (!copy || !sorted)
		return err_oom(err);
	while (rest && *rest) {
		item = strsep(&rest, "&");
		if (count == PARAMETERS)
			return err_set(err, ERR_USAGE, EINVAL, "a query of more than %d parameters",
				PARAMETERS);
		/* below all that a name can have */
		if (strchr(item, '='))
			*strchr(item, '=') = '\1';
		items[count++] = item;
	}
	qsort(items, count, sizeof(items[0]), compare);
	for (size_t i = 0; i < count; i++) {
		bool has_value = strchr(items[i], '\1');

		if (has_value)
			*strchr(items[i], '\1') = '=';
		if (i > 0)
			*out++ = '&';
		out = stpcpy(stpcpy(out, items[i]), has_value ? "" : "=");
	}
	*ret = str_steal(&sorted);
	return 0;
}

/* "host;x-amz-date" */
static void names_of(const char *const *headers, char ret[SIGNED_MAX])
{
	size_t len = 0;

	for (; *headers; headers++) {
		size_t name = strcspn(*headers, ":");

		if (len + name + 2 > SIGNED_MAX)
			break;
		if (len > 0)
			ret[len++] = ';';
		memcpy(ret + len, *headers, name);
		len += name;
	}
	ret[len] = '\0';
}

/* The request in its one spelling, hashed. */
static int hash_request(const struct s3_signing *signing, const char *names,
	char hex[DIGEST_HEX_SIZE], struct err *err)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;
	CLEANUP(str_freep) char *query = NULL;
	struct digest digest;
	int r = canonical_query(signing->query, &query, err);

	if (r == 0)
		r = checksum_stream_new(CHECKSUM_SHA256, &stream, err);
	if (r < 0)
		return r;

	const char *const before[] = {signing->method, "\n", signing->path, "\n", query, "\n"};
	const char *const after[] = {"\n", names, "\n", signing->body};

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(before); i++)
		r = checksum_stream_update(stream, before[i], strlen(before[i]), err);
	for (const char *const *header = signing->headers; r == 0 && *header; header++) {
		r = checksum_stream_update(stream, *header, strlen(*header), err);
		if (r == 0)
			r = checksum_stream_update(stream, "\n", 1, err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(after); i++)
		r = checksum_stream_update(stream, after[i], strlen(after[i]), err);
	if (r == 0)
		r = checksum_stream_digest(stream, &digest, err);
	if (r == 0)
		digest_hex(&digest, hex);
	return r;
}

/* The key of one day, region and service, which the secret cannot be told from. */
static int derive(
	const struct s3_signing *signing, const char *day, struct digest *ret, struct err *err)
{
	CLEANUP(str_freep) char *start = str_printf(SECRET_START "%s", signing->secret);
	const char *const steps[] = {day, signing->region, "s3", "aws4_request"};
	const void *key = start;
	size_t len = start ? strlen(start) : 0;

	if (!start)
		return err_oom(err);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		digest_hmac(key, len, steps[i], strlen(steps[i]), ret);
		key = ret->bytes;
		len = sizeof(ret->bytes);
	}
	explicit_bzero(start, strlen(start));
	return 0;
}

int s3_sign(const struct s3_signing *signing, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *scope = NULL;
	CLEANUP(str_freep) char *text = NULL;
	char date[S3_DATE_SIZE];
	char day[DAY_SIZE + 1] = "";
	char names[SIGNED_MAX];
	char request[DIGEST_HEX_SIZE];
	char signature[DIGEST_HEX_SIZE];
	struct digest key;
	struct digest digest;
	int r;

	s3_sign_date(signing->now, date);
	memcpy(day, date, DAY_SIZE);
	names_of(signing->headers, names);
	r = hash_request(signing, names, request, err);
	if (r < 0)
		return r;
	scope = str_printf("%s/%s/s3/aws4_request", day, signing->region);
	if (scope)
		text = str_printf(ALGORITHM "\n%s\n%s\n%s", date, scope, request);
	if (!text)
		return err_oom(err);
	r = derive(signing, day, &key, err);
	if (r < 0)
		return r;
	digest_hmac(key.bytes, sizeof(key.bytes), text, strlen(text), &digest);
	explicit_bzero(&key, sizeof(key));
	digest_hex(&digest, signature);
	*ret = str_printf(ALGORITHM " Credential=%s/%s,SignedHeaders=%s,Signature=%s",
		signing->key_id, scope, names, signature);
	return *ret ? 0 : err_oom(err);
}
