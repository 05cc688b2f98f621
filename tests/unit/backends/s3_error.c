/* What S3 says when it refuses. */
#include "backends/s3_error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const none[] = {NULL};

static struct err told(long status, int code, bool retry, const char *body)
{
	struct err err = ERR_INIT;

	if (retry)
		err_set_retry(&err, ERR_REMOTE, code, 7, "%ld as HTTP says", status);
	else
		err_set(&err, ERR_REMOTE, code, "%ld as HTTP says", status);
	cr_assert_eq(s3_error(status, body, none, &err), -err.code);
	cr_assert_eq(err.kind, ERR_REMOTE);
	return err;
}

static char *body_of(const char *code, const char *message)
{
	return str_printf(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s"
		"</Message><RequestId>1</RequestId></Error>",
		code, message);
}

Test(s3_error, each_has_its_meaning)
{
	static const struct {
		long status;
		int http;
		const char *code;
		int is;
		bool retry;
		const char *text;
	} cases[] = {
		{403, EACCES, "AccessDenied", EACCES, false, "403 so it is (AccessDenied)"},
		{404, ENOENT, "NoSuchKey", ENOENT, false, "404 no such key (NoSuchKey)"},
		{404, ENOENT, "NoSuchBucket", ENOENT, false, "404 no such bucket (NoSuchBucket)"},
		{403, EACCES, "SignatureDoesNotMatch", EACCES, false,
			"403 the secret key is wrong (SignatureDoesNotMatch)"},
		{403, EACCES, "RequestTimeTooSkewed", EACCES, false,
			"403 the clock of this machine is wrong (RequestTimeTooSkewed)"},
		{400, EINVAL, "ExpiredToken", EACCES, false,
			"400 the session token has expired (ExpiredToken)"},
		{503, EIO, "SlowDown", EIO, true, "503 too many requests (SlowDown)"},
		{400, EINVAL, "RequestTimeout", ETIMEDOUT, true,
			"400 the request took too long (RequestTimeout)"},
		{405, EOPNOTSUPP, "MethodNotAllowed", ENOENT, false,
			"405 this version is a mark that it was deleted (MethodNotAllowed)"},
		{409, EIO, "OfItsOwn", EIO, false, "409 so it is (OfItsOwn)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(str_freep) char *body = body_of(cases[i].code, "so it is");
		struct err err = told(cases[i].status, cases[i].http, cases[i].retry, body);

		cr_assert_eq(err.code, cases[i].is, "%s", cases[i].code);
		cr_assert_eq(err.retry, cases[i].retry, "%s", cases[i].code);
		cr_assert_str_eq(err.msg, cases[i].text);
	}
}

Test(s3_error, when_to_come_back_stays)
{
	CLEANUP(str_freep) char *body = body_of("SlowDown", "");

	cr_assert_eq(told(503, EIO, true, body).retry_after, 7);
}

Test(s3_error, what_is_not_understood_is_as_http_has_it)
{
	static const char *const bodies[] = {"", "<html>404</html>", "{}", "<Error>",
		"<Error><Code></Code></Error>", "<Error><Code>a b</Code></Error>",
		"<!DOCTYPE Error [<!ENTITY x \"NoSuchKey\">]><Error><Code>&x;</Code></Error>",
		"<Other><Code>NoSuchKey</Code></Other>"};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct err err = told(404, ENOENT, false, bodies[i]);

		cr_assert_str_eq(err.msg, "404 as HTTP says", "%s", bodies[i]);
		cr_assert_eq(err.code, ENOENT);
	}
}

Test(s3_error, one_that_is_cut_off_has_said_its_code)
{
	struct err err = told(404, ENOENT, false, "<Error><Code>NoSuchBucket</Code><Mess");

	cr_assert_str_eq(err.msg, "404 no such bucket (NoSuchBucket)");
}

Test(s3_error, it_repeats_no_secret_and_moves_no_cursor)
{
	static const char *const secrets[] = {"AKID", "hunter2", NULL};
	CLEANUP(str_freep) char *with = body_of("AccessDenied", "AKID may not");
	CLEANUP(str_freep) char *escape = body_of("AccessDenied", "a&#x9b;31mb&#10;c");
	struct err err = ERR_INIT;

	err_set(&err, ERR_REMOTE, EACCES, "403 forbidden");
	s3_error(403, with, secrets, &err);
	cr_assert_str_eq(err.msg, "403 refused (AccessDenied)");
	s3_error(403, escape, secrets, &err);
	cr_assert_null(strpbrk(err.msg, "\n\x9b"), "%s", err.msg);
}
