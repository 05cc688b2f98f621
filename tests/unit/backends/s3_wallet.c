/* Keys that are lent: by whom, for how long, and what of them is believed. */
#include "tests/unit/backends/fixture.h"

#include "backends/s3_lender.h"
#include "base/fd.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ROLES "latest/meta-data/iam/security-credentials"

/* An origin that lends, and tells what it was asked. */
struct lender {
	struct fixture f;
	char *dir;
	char *trace;
	char *uri;
};

static void lender_stop(struct lender *lender)
{
	fixture_stop(&lender->f);
	tmpdir_removep(&lender->dir);
	free(lender->trace);
	free(lender->uri);
}

static void lender_start(struct lender *lender)
{
	lender->dir = tmpdir_make();
	lender->trace = str_printf("%s/trace", lender->dir);
	origin_start(&lender->f.origin, (const char *const[]){"--trace", lender->trace, NULL});
	fixture_open(&lender->f);
}

#define WITH_LENDER(name)                                                                          \
	CLEANUP(lender_stop) struct lender name = {.dir = NULL};                                   \
	lender_start(&name)

static struct access_s3 from(struct lender *lender, enum s3_source source, const char *path)
{
	free(lender->uri);
	lender->uri = str_printf("%s%s", lender->f.origin.base, path);
	return (struct access_s3){.source = source, .source_uri = lender->uri};
}

static void put(struct lender *lender, const char *name, const char *text)
{
	for (size_t i = 0; name[i]; i++) {
		CLEANUP(str_freep)
		char *folder = str_printf("%s/%.*s", lender->f.origin.dir, (int)i, name);

		if (name[i] == '/')
			mkdir(folder, 0755);
	}
	origin_add_bytes(&lender->f.origin, name, text, strlen(text));
}

/* Keys that are good for @seconds from now. */
static void put_json(struct lender *lender, const char *name, const char *id, time_t seconds)
{
	CLEANUP(str_freep) char *text = NULL;
	time_t when = time(NULL) + seconds;
	char expires[32];
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(expires, sizeof(expires), "%Y-%m-%dT%H:%M:%SZ", &utc);
	text = str_printf(
		"{\"Code\": \"Success\", \"AccessKeyId\": \"%s\", \"SecretAccessKey\": \"SECRET\", "
		"\"Token\": \"TOKEN\", \"Expiration\": \"%s\"}",
		id, expires);
	put(lender, name, text);
}

static int get(struct lender *lender, const struct access_s3 *access, bool may_wait,
	struct s3_keys *ret, struct err *err)
{
	struct backend_request request = {.uri = NULL};

	*ret = (struct s3_keys){.id = NULL};
	return s3_wallet_get(lender->f.env, &request, access, may_wait, ret, err);
}

/* The n-th request, from 0, with a tab in front of each header and at the end; NULL: not so many.
 */
static char *request_of(const struct lender *lender, unsigned int n)
{
	CLEANUP(str_freep) char *text = NULL;
	char *rest;
	char *line;

	cr_assert_eq(fd_read_file(AT_FDCWD, lender->trace, 1024 * 1024, &text, NULL), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) && n-- > 0)
		;
	return line && *line ? str_printf("%s\t", line) : NULL;
}

static bool sent(const struct lender *lender, unsigned int n, const char *part)
{
	CLEANUP(str_freep) char *request = request_of(lender, n);

	cr_assert_not_null(request, "no request %u", n);
	return strstr(request, part);
}

Test(s3_wallet, a_container_lends_for_a_while)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys first, second;
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/keys");
	struct err err = ERR_INIT;

	access.source_token = "Bearer hunter2";
	put_json(&l, "keys", "ID1", 3600);
	cr_assert_eq(get(&l, &access, false, &first, &err), -EAGAIN);
	cr_assert(err.retry);
	cr_assert_eq(get(&l, &access, true, &first, &err), 0, "%s", err.msg);
	cr_assert_str_eq(first.id, "ID1");
	cr_assert_str_eq(first.secret, "SECRET");
	cr_assert_str_eq(first.token, "TOKEN");
	cr_assert(sent(&l, 0, "\tAuthorization: Bearer hunter2\t"));
	put_json(&l, "keys", "ID2", 3600);
	cr_assert_eq(get(&l, &access, false, &second, &err), 0, "%s", err.msg);
	cr_assert_str_eq(second.id, "ID1");
	cr_assert_null(request_of(&l, 1));
}

Test(s3_wallet, what_expires_is_asked_for_again)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys first, second, last;
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/keys");
	struct err err = ERR_INIT;

	put_json(&l, "keys", "ID1", 60);
	cr_assert_eq(get(&l, &access, true, &first, &err), 0, "%s", err.msg);
	put_json(&l, "keys", "ID2", 60);
	cr_assert_eq(get(&l, &access, true, &second, &err), 0, "%s", err.msg);
	cr_assert_str_eq(second.id, "ID2");
	/* and is better than nothing as long as it has not */
	put(&l, "keys", "no");
	cr_assert_eq(get(&l, &access, true, &last, &err), 0, "%s", err.msg);
	cr_assert_str_eq(last.id, "ID2");
}

Test(s3_wallet, an_instance_lends_in_a_session)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys is;
	struct access_s3 access = from(&l, S3_SOURCE_INSTANCE, "/");
	struct err err = ERR_INIT;

	put(&l, "latest/api/token", "session");
	put(&l, ROLES "/index.html", "role\nother\n");
	put_json(&l, ROLES "/role", "ID", 3600);
	cr_assert_eq(get(&l, &access, true, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(is.id ? is.id : "(none)", "ID");
	cr_assert(sent(&l, 0, "\tPUT\t/latest/api/token\t"));
	cr_assert(sent(&l, 0, "\tX-aws-ec2-metadata-token-ttl-seconds: 300\t"));
	cr_assert(sent(&l, 1, "\tGET\t/" ROLES "/\t"));
	cr_assert(sent(&l, 1, "\tX-aws-ec2-metadata-token: session\t"));
	cr_assert(sent(&l, 2, "\tGET\t/" ROLES "/role\t"));
}

Test(s3_wallet, a_machine_without_a_role_is_nobody)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys is, again;
	struct access_s3 access = from(&l, S3_SOURCE_INSTANCE, "/");
	struct err err = ERR_INIT;

	cr_assert_eq(get(&l, &access, true, &is, &err), 0, "%s", err.msg);
	cr_assert_null(is.id);
	cr_assert_eq(get(&l, &access, false, &again, &err), 0, "%s", err.msg);
	cr_assert_null(again.id);
	cr_assert_null(request_of(&l, 1));
}

#define LOAN(text)                                                                                 \
	"<AssumeRoleWithWebIdentityResponse xmlns=\"x\"><AssumeRoleWithWebIdentityResult>"         \
	"<Credentials>" text "</Credentials></AssumeRoleWithWebIdentityResult>"                    \
	"</AssumeRoleWithWebIdentityResponse>"

Test(s3_wallet, a_service_lends_to_another_identity)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys is;
	struct access_s3 access = from(&l, S3_SOURCE_WEB_IDENTITY, "/?WebIdentityToken=hunter2");
	struct err err = ERR_INIT;

	put(&l, "index.html",
		LOAN("<AccessKeyId>ID</AccessKeyId><SecretAccessKey>S</"
		     "SecretAccessKey><SessionToken>T"
		     "</SessionToken><Expiration>2100-01-01T00:00:00.123Z</Expiration>"));
	cr_assert_eq(get(&l, &access, true, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(is.id, "ID");
	cr_assert_str_eq(is.secret, "S");
	cr_assert_str_eq(is.token, "T");
	cr_assert_eq(is.expires, 4102444800);
}

Test(s3_wallet, what_has_no_keys_is_an_error_that_tells_no_secret)
{
	static const char *const answers[] = {"", "no", "{}", "[]", "{\"AccessKeyId\": 1}",
		"{\"AccessKeyId\": \"a\", \"SecretAccessKey\": \"b\", \"Token\": \"c\", "
		"\"Expiration\": "
		"\"soon\"}",
		"{\"AccessKeyId\": \"a\\r\\nX: y\", \"SecretAccessKey\": \"b\", \"Token\": \"c\", "
		"\"Expiration\": \"2100-01-01T00:00:00Z\"}"};
	static const char *const loans[] = {
		"", "<a/>", LOAN(""), LOAN("<AccessKeyId>ID</AccessKeyId>"), "<!DOCTYPE a><a/>"};
	WITH_LENDER(l);

	for (size_t i = 0; i < ARRAY_SIZE(answers) + ARRAY_SIZE(loans); i++) {
		bool is_json = i < ARRAY_SIZE(answers);
		CLEANUP(s3_keys_release) struct s3_keys is;
		struct access_s3 access =
			from(&l, is_json ? S3_SOURCE_CONTAINER : S3_SOURCE_WEB_IDENTITY,
				is_json ? "/keys" : "/?WebIdentityToken=hunter2");
		struct err err = ERR_INIT;

		put(&l, is_json ? "keys" : "index.html",
			is_json ? answers[i] : loans[i - ARRAY_SIZE(answers)]);
		cr_assert_eq(get(&l, &access, true, &is, &err), -EBADMSG, "%zu: %s", i, err.msg);
		cr_assert(str_has_prefix(err.msg, "keys of s3: "), "%s", err.msg);
		cr_assert_null(strstr(err.msg, "hunter2"), "%s", err.msg);
		cr_assert_null(is.id);
	}
}

Test(s3_wallet, who_lends_sends_nobody_elsewhere)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys is;
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/redirect/1/keys");
	struct err err = ERR_INIT;

	access.source_token = "Bearer hunter2";
	put_json(&l, "keys", "ID", 3600);
	cr_assert_eq(get(&l, &access, true, &is, &err), -EBADMSG);
	cr_assert_null(request_of(&l, 1));
}

Test(s3_wallet, a_time_is_one_of_this_form)
{
	cr_assert_eq(s3_lender_time("1970-01-02T00:00:00Z"), 86400);
	cr_assert_eq(s3_lender_time("1970-01-02T00:00:00.5Z"), 86400);
	cr_assert_eq(s3_lender_time("1970-01-02T00:00:00"), TIME_UNKNOWN);
	cr_assert_eq(s3_lender_time("1970-01-02T00:00:00+01:00"), TIME_UNKNOWN);
	cr_assert_eq(s3_lender_time(""), TIME_UNKNOWN);
}
