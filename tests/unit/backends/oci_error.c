/* What a registry's refusals mean. */
#include "backends/oci_error.h"

#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct err judged(long status, int error, bool retry, const char *body)
{
	struct err err = ERR_INIT;

	if (retry)
		err_set_retry(&err, ERR_REMOTE, error, 7, "%ld", status);
	else
		err_set(&err, ERR_REMOTE, error, "%ld", status);
	cr_assert_eq(oci_error(status, body, &err), -err.code);
	return err;
}

#define BODY(code) "{\"errors\":[{\"code\":\"" code "\",\"message\":\"m\",\"detail\":{}}]}"

Test(oci_error, each_has_its_meaning)
{
	static const struct {
		const char *body;
		int error;
	} cases[] = {
		{BODY("MANIFEST_UNKNOWN"), ENOENT},
		{BODY("NAME_UNKNOWN"), ENOENT},
		{BODY("BLOB_UNKNOWN"), ENOENT},
		{BODY("DENIED"), EACCES},
		{BODY("UNAUTHORIZED"), EACCES},
		{BODY("TOOMANYREQUESTS"), EIO},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = judged(418, EINVAL, false, cases[i].body);

		cr_assert_eq(err.code, cases[i].error, "%s", cases[i].body);
		cr_assert_eq(err.retry, cases[i].error == EIO);
		cr_assert(strstr(err.msg, "418 "), "%s", err.msg);
	}
}

Test(oci_error, what_may_pass_may_pass)
{
	struct err err = judged(429, EIO, true, BODY("TOOMANYREQUESTS"));

	cr_assert(err.retry);
	cr_assert_eq(err.retry_after, 7);
	err = judged(503, EIO, true, BODY("DENIED"));
	cr_assert(err.retry);
	cr_assert_eq(err.code, EIO);
	cr_assert_eq(err.retry_after, 7);
}

Test(oci_error, what_is_no_such_text_leaves_the_status)
{
	static const char *const bodies[] = {"", "<html>", "{}", "{\"errors\":{}}",
		"{\"errors\":[]}", "{\"errors\":[1]}", "{\"errors\":[{\"code\":1}]}",
		BODY("secret lower case"), BODY("")};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct err err = judged(404, ENOENT, false, bodies[i]);

		cr_assert_eq(err.code, ENOENT);
		cr_assert_str_eq(err.msg, "404");
	}
	cr_assert(strstr(judged(400, EINVAL, false, BODY("SOMETHING_NEW")).msg, "SOMETHING_NEW"));
}
