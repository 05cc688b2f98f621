/* What WebHDFS says when it refuses. */
#include "backends/webhdfs_error.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool standby;

/* As the status alone says it. */
static struct err told(long status, int code, const char *body)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_REMOTE, code, "%ld as HTTP says", status);
	cr_assert_eq(webhdfs_error(status, body, &standby, &err), -err.code);
	cr_assert_eq(err.kind, ERR_REMOTE);
	return err;
}

static struct err exception(long status, int code, const char *name)
{
	CLEANUP(str_freep)
	char *body = str_printf("{\"RemoteException\":{\"exception\":\"%s\",\"javaClassName\":"
				"\"org.apache.hadoop.%s\",\"message\":\"secret words\"}}",
		name, name);
	struct err err = told(status, code, body);

	cr_assert_not(strstr(err.msg, "secret"), "%s", err.msg);
	return err;
}

Test(webhdfs_error, each_has_its_meaning)
{
	static const struct {
		long status;
		int http;
		const char *name;
		int code;
		bool retry;
	} cases[] = {
		{404, ENOENT, "FileNotFoundException", ENOENT, false},
		{403, EACCES, "AccessControlException", EACCES, false},
		{403, EACCES, "IOException", EIO, true},
		{403, EACCES, "RemoteIOException", EIO, true},
		{403, EACCES, "RetriableException", EIO, true},
		{403, EACCES, "StandbyException", EIO, true},
		{400, EINVAL, "IllegalArgumentException", EINVAL, false},
		{400, EINVAL, "InvalidPathException", ENOENT, false},
		{403, EACCES, "SecretManager$InvalidToken", EACCES, false},
		{401, EACCES, "SecurityException", EACCES, false},
		{400, EINVAL, "UnsupportedOperationException", EOPNOTSUPP, false},
		{403, EACCES, "NobodyKnowsException", EACCES, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = exception(cases[i].status, cases[i].http, cases[i].name);
		const char *inner = strrchr(cases[i].name, '$');

		cr_assert_eq(err.code, cases[i].code, "%s: %s", cases[i].name, err.msg);
		cr_assert_eq(err.retry, cases[i].retry, "%s", cases[i].name);
		cr_assert(strstr(err.msg, inner ? inner + 1 : cases[i].name), "%s", err.msg);
		cr_assert_eq(standby, i == 5, "%s", cases[i].name);
	}
}

Test(webhdfs_error, what_is_no_exception_leaves_the_status)
{
	static const char *const bodies[] = {"", "<html>", "{", "[]", "{\"RemoteException\":1}",
		"{\"RemoteException\":{\"exception\":7}}",
		"{\"RemoteException\":{\"exception\":\"\"}}",
		"{\"RemoteException\":{\"exception\":\"a b\\u001b[1m\"}}"};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct err err = told(404, ENOENT, bodies[i]);

		cr_assert_str_eq(err.msg, "404 as HTTP says", "%s", bodies[i]);
	}
	cr_assert(strstr(told(401, EACCES, "<html>").msg, "delegation token"));
}

Test(webhdfs_error, a_name_without_end_is_none)
{
	CLEANUP(str_freep) char *name = malloc(1000);
	struct err err;

	memset(name, 'a', 999);
	name[999] = '\0';
	err = exception(404, ENOENT, name);
	cr_assert_str_eq(err.msg, "404 as HTTP says");
}
