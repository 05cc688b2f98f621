/* Keys that are lent: by whom, for how long, and what of them is believed. */
#include "tests/unit/backends/fixture.h"

#include "backends/s3_lender.h"
#include "base/fd.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
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

static bool request_is_there(const struct lender *lender)
{
	struct stat st;

	return stat(lender->trace, &st) == 0 && st.st_size > 0;
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

/* Of the instance @l, which has a role. */
static void put_role(struct lender *lender, const char *below, time_t seconds)
{
	CLEANUP(str_freep) char *token = str_printf("%slatest/api/token", below);
	CLEANUP(str_freep) char *roles = str_printf("%s" ROLES "/index.html", below);
	CLEANUP(str_freep) char *role = str_printf("%s" ROLES "/role", below);

	put(lender, token, "session");
	put(lender, roles, "role\n");
	put_json(lender, role, "ID", seconds);
}

Test(s3_wallet, an_instance_that_is_silent_or_broken_is_no_reason_to_ask_as_nobody_for_long)
{
	WITH_LENDER(l);
	CLEANUP(s3_keys_release) struct s3_keys silent, broken, is, late;
	struct access_s3 access = from(&l, S3_SOURCE_INSTANCE, "/hang/");
	struct err err = ERR_INIT;

	/* there may be none here at all */
	cr_assert_eq(get(&l, &access, true, &silent, &err), 0, "%s", err.msg);
	cr_assert_null(silent.id);
	cr_assert_leq(silent.expires - time(NULL), 5 * 60 + 60);
	/* here one is */
	access = from(&l, S3_SOURCE_INSTANCE, "/status/503/");
	cr_assert_eq(get(&l, &access, true, &broken, &err), -EIO, "%s", err.msg);
	cr_assert(err.retry);
	/* and here one was */
	put_role(&l, "", 1);
	access = from(&l, S3_SOURCE_INSTANCE, "/first/0/hang/");
	cr_assert_eq(get(&l, &access, true, &is, &err), 0, "%s", err.msg);
	cr_assert_str_eq(is.id, "ID");
	while (time(NULL) <= is.expires)
		poll(NULL, 0, 50);
	cr_assert_gt(origin_requests(&l.f.origin, ""), 0); /* which ends the server */
	cr_assert_eq(get(&l, &access, true, &late, &err), -EHOSTUNREACH, "%s", err.msg);
}

/* Several that want the same keys at the same moment. */
#define CROWD 8

struct wanting {
	struct lender *lender;
	const struct access_s3 *access;
	struct s3_keys keys;
	struct err err;
	int r;
	pthread_t thread;
};

static void *want(void *arg)
{
	struct wanting *wanting = arg;

	wanting->err = ERR_INIT;
	wanting->r = get(wanting->lender, wanting->access, true, &wanting->keys, &wanting->err);
	return NULL;
}

static void want_all(struct lender *lender, const struct access_s3 *access, struct wanting *crowd)
{
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = (struct wanting){.lender = lender, .access = access};
		cr_assert_eq(pthread_create(&crowd[i].thread, NULL, want, &crowd[i]), 0);
	}
	for (size_t i = 0; i < CROWD; i++)
		pthread_join(crowd[i].thread, NULL);
}

Test(s3_wallet, many_ask_once)
{
	WITH_LENDER(l);
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/latency/1000/keys");
	struct wanting crowd[CROWD];

	put_json(&l, "keys", "ID", 3600);
	want_all(&l, &access, crowd);
	for (size_t i = 0; i < CROWD; i++) {
		cr_assert_eq(crowd[i].r, 0, "%s", crowd[i].err.msg);
		cr_assert_str_eq(crowd[i].keys.id, "ID");
		s3_keys_release(&crowd[i].keys);
	}
	cr_assert_null(request_of(&l, 1));
}

Test(s3_wallet, a_failure_is_for_all_who_waited_for_it)
{
	WITH_LENDER(l);
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/latency/1000/status/503/keys");
	struct wanting crowd[CROWD];

	want_all(&l, &access, crowd);
	for (size_t i = 0; i < CROWD; i++) {
		cr_assert_eq(crowd[i].r, -EIO, "%s", crowd[i].err.msg);
		cr_assert(crowd[i].err.retry);
	}
	cr_assert_null(request_of(&l, 1));
}

/* Who asks has a limit of his own, once he has asked: it says nothing of the lender. */
static int give_up(void *arg, struct err *err)
{
	atomic_int *looks = arg;

	return atomic_fetch_add(looks, 1) > 0 ? err_set(err, ERR_NETWORK, ETIMEDOUT, "enough") : 0;
}

static void *want_in_vain(void *arg)
{
	struct wanting *wanting = arg;
	atomic_int looks = 0;
	struct backend_request request = {.uri = NULL, .poll = give_up, .poll_arg = &looks};

	wanting->err = ERR_INIT;
	wanting->r = s3_wallet_get(wanting->lender->f.env, &request, wanting->access, true,
		&wanting->keys, &wanting->err);
	return NULL;
}

Test(s3_wallet, who_gives_up_leaves_it_to_the_others)
{
	WITH_LENDER(l);
	struct access_s3 access = from(&l, S3_SOURCE_CONTAINER, "/first/1/hang/keys");
	struct wanting first = {.lender = &l, .access = &access};
	struct wanting other = {.lender = &l, .access = &access};

	put_json(&l, "keys", "ID", 3600);
	cr_assert_eq(pthread_create(&first.thread, NULL, want_in_vain, &first), 0);
	while (!request_is_there(&l))
		poll(NULL, 0, 10);
	want(&other);
	pthread_join(first.thread, NULL);
	cr_assert_eq(first.r, -ETIMEDOUT, "%s", first.err.msg);
	cr_assert_str_eq(first.err.msg, "enough");
	cr_assert_eq(other.r, 0, "%s", other.err.msg);
	cr_assert_str_eq(other.keys.id ? other.keys.id : "(none)", "ID");
	s3_keys_release(&other.keys);
}

Test(s3_wallet, who_gives_up_has_not_heard_that_there_is_no_instance)
{
	WITH_LENDER(l);
	struct access_s3 access = from(&l, S3_SOURCE_INSTANCE, "/hang/");
	struct wanting first = {.lender = &l, .access = &access};
	struct s3_keys none;

	want_in_vain(&first);
	cr_assert_eq(first.r, -ETIMEDOUT, "%s", first.err.msg);
	cr_assert_eq(get(&l, &access, false, &none, NULL), -EAGAIN);
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
