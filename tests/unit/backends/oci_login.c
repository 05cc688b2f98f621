/* Logging in to registries, at the scripted origin: to whom secrets and tokens go, and to whom not.
 */
#include "tests/unit/backends/registry_fixture.h"

#include "backends/oci_memory.h"

#include <pthread.h>

#define PASSWORD "hunter2-secret"

static const struct backend_request whole;

/* The endpoint refuses the first GET of each path, and names the realm that @realm is the path of,
 * or a whole URI. */
static void challenge(struct registry *reg, const char *first, const char *realm)
{
	CLEANUP(str_freep)
	char *uri = str_printf("%s%s", strstr(realm, "://") ? "" : reg->f.origin.base, realm);
	CLEANUP(str_freep)
	char *header = str_printf("Bearer realm=\"%s\",service=\"s&t\",scope=\"x y\"", uri);
	CLEANUP(str_freep) char *escaped = uri_escape(header, "");
	CLEANUP(str_freep)
	char *path = str_printf("/header/WWW-Authenticate/%s%s", escaped, first);

	registry_at(reg, path);
}

#define ONCE   "/first/1/status/401/"
#define ALWAYS "/status/401/"

static void put(struct registry *reg, const char *name, const char *text)
{
	origin_add_bytes(&reg->f.origin, name, text, strlen(text));
}

static void start(struct registry *reg)
{
	char digest[CHECKSUM_TEXT_SIZE];

	push_file(reg, "v1", 5000, digest);
	put(reg, "token", "{\"token\":\"T1.ok\",\"expires_in\":300}");
	challenge(reg, ONCE, "/token");
}

Test(oci_login, a_token_opens_what_is_refused)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	start(&reg);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	/* manifest, token, manifest, blob (refused once, too), token, blob */
	cr_assert_not(sent(&reg, 0, "Authorization"));
	cr_assert(sent(&reg, 1, "\tGET\t/token?service=s%26t&scope=x%20y\t") ||
		  sent(&reg, 1, "\tGET\t/token\t"));
	cr_assert(sent(&reg, 1, "\tAuthorization: Basic bWU6aHVudGVyMi1zZWNyZXQ=\t"));
	cr_assert(sent(&reg, 2, "\tAuthorization: Bearer T1.ok\t"));
	cr_assert(sent(&reg, 3, "\tAuthorization: Bearer T1.ok\t"));
	for (unsigned int i = 0; i < requests(&reg); i++)
		cr_assert_not(sent(&reg, i, PASSWORD));
}

Test(oci_login, a_token_is_kept_for_who_got_it)
{
	WITH_REGISTRY(reg);
	char blob[CHECKSUM_TEXT_SIZE];
	CLEANUP(str_freep) char *uri = NULL;
	struct remote remote;
	struct err err = ERR_INIT;

	start(&reg);
	push_blob(&reg, 5000, blob);
	uri = str_printf(URI "@%s", blob);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(requests(&reg), 3);
	cr_assert_eq(registry_stat(&reg, uri, &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(requests(&reg), 4);
	cr_assert(sent(&reg, 3, "\tHEAD\t"));
	cr_assert(sent(&reg, 3, "\tAuthorization: Bearer T1.ok\t"));
	/* another one is not let in by it */
	reg.oci.user = "you";
	cr_assert_eq(registry_stat(&reg, uri, &remote, &err), 0, "%s", err.msg);
	cr_assert_not(sent(&reg, 4, "Authorization"));
}

Test(oci_login, a_user_in_the_uri_asks_instead)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	start(&reg);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	cr_assert_eq(registry_fetch(&reg, "oci://ann:b%3Ac@reg/" REPO ":v1/a", whole, &got, &err),
		0, "%s", err.msg);
	cr_assert(sent(&reg, 1, "\tAuthorization: Basic YW5uOmI6Yw==\t"));
}

Test(oci_login, nobody_asks_as_nobody)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	start(&reg);
	put(&reg, "token", "{\"access_token\":\"T2\"}");
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert_not(sent(&reg, 1, "Authorization"));
	cr_assert(sent(&reg, 2, "\tAuthorization: Bearer T2\t"));
}

Test(oci_login, what_is_refused_with_a_token_is_refused)
{
	WITH_REGISTRY(reg);
	struct remote remote;
	struct err err = ERR_INIT;

	start(&reg);
	challenge(&reg, ALWAYS, "/token");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EACCES);
	cr_assert_eq(requests(&reg), 3);
}

static void check_token(struct registry *reg, const char *realm, int code, const char *why)
{
	struct remote remote;
	struct err err = ERR_INIT;

	challenge(reg, ALWAYS, realm);
	cr_assert_eq(
		registry_stat(reg, URI ":v1/a", &remote, &err), -code, "%s: %s", realm, err.msg);
	cr_assert(strstr(err.msg, why), "%s: %s", realm, err.msg);
	cr_assert_not(strstr(err.msg, PASSWORD));
}

Test(oci_login, a_token_server_that_makes_no_sense_is_told)
{
	WITH_REGISTRY(reg);
	CLEANUP(str_freep) char *large = NULL;

	start(&reg);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	put(&reg, "html", "<html>" PASSWORD "</html>");
	put(&reg, "empty", "");
	put(&reg, "none", "{\"token\":7}");
	put(&reg, "evil", "{\"token\":\"a\\r\\nX-Evil: 1\"}");
	origin_add_sparse(&reg.f.origin, "huge", (off_t)1 << 20);
	check_token(&reg, "/html", EBADMSG, "no token");
	check_token(&reg, "/empty", EBADMSG, "no token");
	check_token(&reg, "/none", EBADMSG, "no token");
	check_token(&reg, "/evil", EBADMSG, "no token");
	check_token(&reg, "/huge", EFBIG, "64 KiB");
	check_token(&reg, "/missing", ENOENT, "404");
	check_token(&reg, "/status/401/token", EACCES, "the credentials are refused");
	check_token(&reg, "/status/503/token", EIO, "503");
	check_token(&reg, "/redirect/1/token", EBADMSG, "302 where a token should be");
	check_token(&reg, "ftp://127.0.0.1/x", EBADMSG, "token server that is none");
	check_token(&reg, "http://u:p@127.0.0.1/x", EBADMSG, "token server that is none");
}

/* What is asked by https is told to nobody by http. */
Test(oci_login, no_secret_goes_over_plain_http)
{
	CLEANUP(registry_stop) struct registry reg = {.dir = NULL};
	struct remote remote;
	struct err err = ERR_INIT;

	reg.dir = tmpdir_make();
	reg.trace = str_printf("%s/trace", reg.dir);
	tls_make(&reg.f.tls);
	origin_start(&reg.f.origin, (const char *const[]){"--trace", reg.trace, "--tls-cert",
					    reg.f.tls.cert, "--tls-key", reg.f.tls.key, NULL});
	fixture_open(&reg.f);
	reg.access = (struct access){.prefix = "oci://reg/", .oci = &reg.oci};
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	challenge(&reg, ALWAYS, "http://127.0.0.1:1/token");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EACCES);
	cr_assert_eq(err.kind, ERR_POLICY);
	cr_assert(strstr(err.msg, "plain http"), "%s", err.msg);
	cr_assert_eq(requests(&reg), 1);
}

static int no_tokens(const struct guard *guard, const struct uri *uri, struct err *err)
{
	(void)guard;
	return strstr(uri->text, "/token") ? err_set(err, ERR_POLICY, EACCES, "forbidden") : 0;
}

static int any_address(const struct guard *guard, const struct uri *uri,
	const struct sockaddr *address, struct err *err)
{
	(void)guard;
	(void)uri;
	(void)address;
	(void)err;
	return 0;
}

Test(oci_login, policy_is_asked_for_the_token_server)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	const struct guard guard = {.uri = no_tokens, .address = any_address};
	struct err err = ERR_INIT;

	start(&reg);
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", (struct backend_request){.guard = &guard},
			     &got, &err),
		-EACCES);
	cr_assert_eq(err.kind, ERR_POLICY);
	cr_assert_eq(requests(&reg), 1);
}

Test(oci_login, where_a_blob_is_stored_hears_of_no_token)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	CLEANUP(str_freep) char *store = NULL;
	CLEANUP(str_freep) char *escaped = NULL;
	CLEANUP(str_freep) char *first = NULL;
	CLEANUP(str_freep) char *uri = NULL;
	char blob[CHECKSUM_TEXT_SIZE];
	struct err err = ERR_INIT;

	start(&reg);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	push_blob(&reg, 5000, blob);
	uri = str_printf(URI "@%s", blob);
	/* the same server by another name is another one */
	store = str_printf(
		"http://localhost%s/v2/" REPO "/blobs/%s", strrchr(reg.f.origin.base, ':'), blob);
	escaped = uri_escape(store, "");
	first = str_printf("/header/Location/%s/status/302" ONCE, escaped);
	challenge(&reg, first, "/token");
	cr_assert_eq(registry_fetch(&reg, uri, whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert_eq(requests(&reg), 4);
	cr_assert(sent(&reg, 2, "\tAuthorization: Bearer T1.ok\t"));
	cr_assert(sent(&reg, 3, "\tHost: localhost:"));
	cr_assert_not(sent(&reg, 3, "\tAuthorization:"));
}

Test(oci_login, basic_is_only_told_where_it_is_wanted)
{
	WITH_REGISTRY(reg);
	WITH_COLLECT(got);
	struct remote remote;
	struct err err = ERR_INIT;

	start(&reg);
	reg.oci.user = "me";
	reg.oci.password = PASSWORD;
	registry_at(&reg, "/header/WWW-Authenticate/Basic%20realm%3Dx/first/1/status/401/");
	cr_assert_eq(registry_fetch(&reg, URI ":v1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert_not(sent(&reg, 0, "Authorization"));
	cr_assert(sent(&reg, 1, "\tAuthorization: Basic bWU6aHVudGVyMi1zZWNyZXQ=\t"));
	cr_assert(sent(&reg, 2, "\tAuthorization: Basic bWU6aHVudGVyMi1zZWNyZXQ=\t"));
	reg.oci.user = reg.oci.password = NULL;
	registry_at(&reg, "/header/WWW-Authenticate/Basic%20realm%3Dx/status/401/");
	cr_assert_eq(registry_stat(&reg, URI ":v1/a", &remote, &err), -EACCES);
	cr_assert(strstr(err.msg, "wants a user and a password"), "%s", err.msg);
}

struct one {
	struct registry *reg;
	pthread_t thread;
	int r;
};

static void *stat_one(void *arg)
{
	struct one *one = arg;
	struct remote remote;

	one->r = registry_stat(one->reg, URI ":v1/a", &remote, NULL);
	return NULL;
}

Test(oci_login, many_who_ask_at_once_get_one_token)
{
	WITH_REGISTRY(reg);
	struct one ones[8];
	unsigned int tokens = 0;

	start(&reg);
	challenge(&reg, ONCE, "/latency/300/token");
	for (size_t i = 0; i < ARRAY_SIZE(ones); i++) {
		ones[i] = (struct one){.reg = &reg};
		pthread_create(&ones[i].thread, NULL, stat_one, &ones[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ones); i++) {
		pthread_join(ones[i].thread, NULL);
		cr_assert_eq(ones[i].r, 0);
	}
	for (unsigned int i = 0; i < requests(&reg); i++)
		tokens += sent(&reg, i, "/latency/300/token");
	cr_assert_eq(tokens, 1);
}
