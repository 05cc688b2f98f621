/* S3 at the scripted origin: what is asked there, by whom, and what of its answers is believed. */
#include "tests/unit/backends/fixture.h"

#include "base/fd.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRACE_MAX (1024 * 1024)
#define SECRET    "wJalrXUtnFEMI"
#define TOKEN     "session-hunter2"

/* An origin that tells all headers that it gets, and a bucket at it, whose answers begin with the
 * behaviours of a path. */
struct bucket {
	struct fixture f;
	char *dir;
	char *trace;
	char *endpoint;
	struct access_s3 s3;
	struct access access;
};

static void bucket_stop(struct bucket *bucket)
{
	fixture_stop(&bucket->f);
	tmpdir_removep(&bucket->dir);
	free(bucket->trace);
	free(bucket->endpoint);
}

/* From here on the endpoint is below @path. */
static void bucket_at(struct bucket *bucket, const char *path)
{
	free(bucket->endpoint);
	bucket->endpoint = str_printf("%s%s", bucket->f.origin.base, path);
	bucket->s3.endpoint = bucket->endpoint;
}

static void bucket_start(struct bucket *bucket)
{
	char *folder;

	bucket->dir = tmpdir_make();
	bucket->trace = str_printf("%s/trace", bucket->dir);
	origin_start(&bucket->f.origin, (const char *const[]){"--trace", bucket->trace, NULL});
	fixture_open(&bucket->f);
	folder = str_printf("%s/b1", bucket->f.origin.dir);
	cr_assert_eq(mkdir(folder, 0755), 0);
	free(folder);
	origin_add(&bucket->f.origin, "b1/a", 5000);
	bucket->s3 = (struct access_s3){.key_id = "AKID", .secret = SECRET, .token = TOKEN};
	bucket->access = (struct access){.prefix = "s3://b1/", .s3 = &bucket->s3};
	bucket_at(bucket, "/");
}

#define WITH_BUCKET(name)                                                                          \
	CLEANUP(bucket_stop) struct bucket name = {.dir = NULL};                                   \
	bucket_start(&name)

static int fetch(struct bucket *bucket, const char *text, struct backend_request request,
	struct collect *collect, struct err *err)
{
	request.access = &bucket->access;
	return fixture_fetch(&bucket->f, text, request, collect, err);
}

static int ask(struct bucket *bucket, const char *text, struct remote *ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(&bucket->f, text);
	struct backend_request request = {.uri = &uri, .access = &bucket->access};

	return s3_backend.stat(bucket->f.env, &request, ret, err);
}

/* The n-th request, from 0, with a tab in front of each header and at the end; NULL: not so many.
 */
static char *request_of(const struct bucket *bucket, unsigned int n)
{
	CLEANUP(str_freep) char *text = NULL;
	char *rest;
	char *line;

	cr_assert_eq(fd_read_file(AT_FDCWD, bucket->trace, TRACE_MAX, &text, NULL), 0);
	rest = text;
	while ((line = strsep(&rest, "\n")) && n-- > 0)
		;
	return line && *line ? str_printf("%s\t", line) : NULL;
}

static bool sent(const struct bucket *bucket, unsigned int n, const char *part)
{
	CLEANUP(str_freep) char *request = request_of(bucket, n);

	cr_assert_not_null(request, "no request %u", n);
	return strstr(request, part);
}

static const struct backend_request whole;

Test(s3, an_object_is_asked_for_with_a_signature)
{
	WITH_BUCKET(b);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&b, "s3://b1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert(sent(&b, 0, "\tGET\t/b1/a\t"));
	cr_assert(sent(&b, 0, "\tAuthorization: AWS4-HMAC-SHA256 Credential=AKID/"));
	cr_assert(sent(&b, 0,
		"/us-east-1/s3/"
		"aws4_request,SignedHeaders=host;x-amz-checksum-mode;x-amz-content-sha256;"
		"x-amz-date;x-amz-security-token,Signature="));
	cr_assert(sent(&b, 0, "\tx-amz-security-token: " TOKEN "\t"));
	cr_assert(sent(&b, 0, "\tx-amz-date: 20"));
	cr_assert_not(sent(&b, 0, SECRET));
}

Test(s3, nobody_signs_what_nobody_asks)
{
	WITH_BUCKET(b);
	WITH_COLLECT(anonymous);
	WITH_COLLECT(elsewhere);
	struct err err = ERR_INIT;

	b.s3.key_id = NULL;
	cr_assert_eq(fetch(&b, "s3://b1/a", whole, &anonymous, &err), 0, "%s", err.msg);
	cr_assert_not(sent(&b, 0, "Authorization"));
	cr_assert_not(sent(&b, 0, "x-amz-date"));
	cr_assert_not(sent(&b, 0, TOKEN));
	/* a section for another prefix says nothing of this URI, not even where it is */
	b.s3.key_id = "AKID";
	b.access.prefix = "s3://b1/other/";
	fetch(&b, "s3://b1/a", (struct backend_request){.proxy = b.f.origin.base}, &elsewhere,
		&err);
	for (unsigned int i = 1; i < 4; i++) {
		CLEANUP(str_freep) char *request = request_of(&b, i);

		cr_assert(!request || (!strstr(request, "AKID") && !strstr(request, TOKEN)));
	}
}

Test(s3, a_user_in_the_uri_asks_instead)
{
	WITH_BUCKET(b);
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&b, "s3://ID:se%2Fcret@b1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(sent(&b, 0, "Credential=ID/"));
	cr_assert_not(sent(&b, 0, TOKEN));
	cr_assert_not(sent(&b, 0, "cret"));
}

Test(s3, keys_are_escaped_on_the_wire)
{
	WITH_BUCKET(b);
	struct remote remote;

	ask(&b, "s3://b1/d/a b+c%2Bd%25e%3Ff%23g\xc3\xa4!", &remote, NULL);
	cr_assert(sent(&b, 0, "\tHEAD\t/b1/d/a%20b%2Bc%2Bd%25e%3Ff%23g%C3%A4%21\t"));
	ask(&b, "s3://b1/d?versionId=a/b+", &remote, NULL);
	cr_assert(sent(&b, 1, "\tHEAD\t/b1/d?versionId=a%2Fb%2B\t") ||
		  sent(&b, 1, "\tHEAD\t/b1/d\t"));
}

Test(s3, what_is_no_object_is_not_asked_for)
{
	WITH_BUCKET(b);
	static const struct {
		const char *uri;
		int r;
	} cases[] = {{"s3://b1", -EISDIR}, {"s3://b1/", -EISDIR}, {"s3://b1/a/..", -EISDIR},
		{"s3://b1/a?acl", -EINVAL}, {"s3://b1/a?versionId=1&acl", -EINVAL},
		{"s3://b1/a?X-Amz-Signature=x", -EINVAL}, {"s3://b..1/a", -EINVAL}};

	b.access.prefix = "s3://";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct remote remote;

		cr_assert_eq(ask(&b, cases[i].uri, &remote, NULL), cases[i].r, "%s", cases[i].uri);
	}
	cr_assert_eq(origin_requests(&b.f.origin, ""), 0);
}

Test(s3, parts_are_of_one_version)
{
	WITH_BUCKET(b);
	WITH_COLLECT(part);
	WITH_COLLECT(other);
	struct remote remote;
	struct validators known;
	struct err err = ERR_INIT;

	cr_assert_eq(ask(&b, "s3://b1/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(remote.size, 5000);
	known = remote.validators;
	cr_assert_eq(
		fetch(&b, "s3://b1/a",
			(struct backend_request){.offset = 1000, .length = 10, .known = &known},
			&part, &err),
		0, "%s", err.msg);
	cr_assert(fixture_right(&part, 1000, 10));
	cr_assert(sent(&b, 1, "\tRange: bytes=1000-1009\t"));
	cr_assert(sent(&b, 1, "\tIf-Match: \""));
	strcpy(known.etag, "\"another\"");
	cr_assert_eq(
		fetch(&b, "s3://b1/a",
			(struct backend_request){.offset = 1000, .length = 10, .known = &known},
			&other, &err),
		-ESTALE);
}

#define OF_NOTHING "47DEQpj8HBSa%2B%2FTImW%2B5JCeuQeRkm5NMpJWZG3hSuFU%3D"

Test(s3, a_checksum_of_the_whole_is_told)
{
	WITH_BUCKET(b);
	struct digest nothing;
	struct checksum want;
	struct remote remote;
	struct err err = ERR_INIT;

	digest_buffer("", 0, &nothing);
	want = checksum_of_digest(&nothing);
	bucket_at(&b, "/header/x-amz-checksum-sha256/" OF_NOTHING "/");
	cr_assert_eq(ask(&b, "s3://b1/a", &remote, &err), 0, "%s", err.msg);
	cr_assert(checksum_equal(&remote.checksum, &want));
	/* of the checksums of parts */
	bucket_at(&b, "/header/x-amz-checksum-sha256/" OF_NOTHING "-3/");
	cr_assert_eq(ask(&b, "s3://b1/a", &remote, &err), 0, "%s", err.msg);
	cr_assert_eq(remote.checksum.kind, CHECKSUM_NONE);
}

Test(s3, the_region_that_the_server_names_is_tried_once)
{
	WITH_BUCKET(b);
	WITH_COLLECT(got);
	WITH_COLLECT(never);
	struct err err = ERR_INIT;

	bucket_at(&b, "/header/x-amz-bucket-region/eu-west-1/first/1/status/301/");
	cr_assert_eq(fetch(&b, "s3://b1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert(sent(&b, 0, "/us-east-1/s3/"));
	cr_assert(sent(&b, 1, "/eu-west-1/s3/"));
	/* who goes on sending elsewhere is not followed in circles */
	bucket_at(&b, "/header/x-amz-bucket-region/eu-west-1/status/301/");
	cr_assert_eq(fetch(&b, "s3://b1/a", whole, &never, &err), -EBADMSG);
	cr_assert_eq(never.begun, 0);
	cr_assert_null(request_of(&b, 4));
}

Test(s3, a_redirect_to_another_host_carries_nothing_there)
{
	WITH_BUCKET(b);
	WITH_COLLECT(got);
	/* the same server by another name */
	CLEANUP(str_freep)
	char *to = str_printf(
		"/goto/http:%%2F%%2Flocalhost:%s%%2Fb1%%2Fa/", strrchr(b.f.origin.base, ':') + 1);
	struct err err = ERR_INIT;

	bucket_at(&b, to);
	cr_assert_eq(fetch(&b, "s3://b1/a", whole, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, 5000));
	cr_assert(sent(&b, 0, "Authorization"));
	cr_assert(sent(&b, 1, "\tGET\t/b1/a\t"));
	cr_assert_not(sent(&b, 1, "Authorization"));
	cr_assert_not(sent(&b, 1, "x-amz-"));
}

Test(s3, head_without_a_word_is_followed_by_a_question_why)
{
	WITH_BUCKET(b);
	struct remote remote;
	struct err err = ERR_INIT;

	bucket_at(&b, "/status/403/");
	cr_assert_eq(ask(&b, "s3://b1/a", &remote, &err), -EACCES);
	cr_assert(sent(&b, 0, "\tHEAD\t"));
	cr_assert(sent(&b, 1, "\tGET\t"));
	cr_assert(sent(&b, 1, "\tRange: bytes=0-0\t"));
	bucket_at(&b, "/status/404/");
	cr_assert_eq(ask(&b, "s3://b1/a", &remote, &err), -ENOENT);
	cr_assert_null(request_of(&b, 3));
}

/* ---- listings ---- */

struct names {
	char text[4096];
};

static int on_name(const char *segment, bool is_folder, void *arg, struct err *err)
{
	struct names *names = arg;
	size_t len = strlen(names->text);

	(void)err;
	snprintf(names->text + len, sizeof(names->text) - len, "%s%s ", segment,
		is_folder ? "/" : "");
	return 0;
}

static int list(struct bucket *bucket, const char *text, struct names *names, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = fixture_uri(&bucket->f, text);
	struct backend_request request = {.uri = &uri, .access = &bucket->access};
	struct remote remote;

	names->text[0] = '\0';
	return s3_backend.list(bucket->f.env, &request, &remote, on_name, names, err);
}

static void answer(struct bucket *bucket, const char *text)
{
	origin_add_bytes(&bucket->f.origin, "b1/index.html", text, strlen(text));
}

#define LISTING(text)                                                                              \
	"<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\">" text "</ListBucketResult>"
#define KEY(key)    "<Contents><Key>" key "</Key><Size>1</Size></Contents>"
#define PREFIX(key) "<CommonPrefixes><Prefix>" key "</Prefix></CommonPrefixes>"

Test(s3_list, shows_names_up_to_the_next_slash)
{
	WITH_BUCKET(b);
	struct names names;
	struct err err = ERR_INIT;

	answer(&b, LISTING("<Prefix>d/</Prefix>" KEY("d/") KEY("d/x") PREFIX("d/sub/")));
	cr_assert_eq(list(&b, "s3://b1/d/", &names, &err), 0, "%s", err.msg);
	cr_assert_str_eq(names.text, "x sub/ ");
	cr_assert(sent(&b, 0, "Authorization"));
}

Test(s3_list, names_are_those_of_uris)
{
	WITH_BUCKET(b);
	struct names names;
	struct err err = ERR_INIT;

	answer(&b, LISTING("<EncodingType>url</EncodingType>" KEY("a+b") KEY("a%2Bb") KEY("a%25b")
				   KEY("%C3%A4") KEY("a%3Fb%23") PREFIX("c%20d%2F")));
	cr_assert_eq(list(&b, "s3://b1/", &names, &err), 0, "%s", err.msg);
	cr_assert_str_eq(names.text, "a%20b a+b a%25b %C3%A4 a%3Fb%23 c%20d/ ");
	/* who does not encode them means what stands there */
	answer(&b, LISTING(KEY("a+b") KEY("a%2Bb")));
	cr_assert_eq(list(&b, "s3://b1/", &names, &err), 0, "%s", err.msg);
	cr_assert_str_eq(names.text, "a+b a%252Bb ");
}

Test(s3_list, what_cannot_be_in_a_tree_is_left_out)
{
	WITH_BUCKET(b);
	struct names names;
	struct err err = ERR_INIT;

	answer(&b, LISTING("<EncodingType>url</EncodingType>" KEY("d/..") KEY("d/.") PREFIX("d//")
				   PREFIX("d/../") KEY("other") KEY("d/a%00b") KEY("d/x/y") KEY("")
					   KEY("d/z")));
	cr_assert_eq(list(&b, "s3://b1/d/", &names, &err), 0, "%s", err.msg);
	cr_assert_str_eq(names.text, "z ");
}

Test(s3_list, a_bucket_may_be_empty_and_a_folder_not)
{
	WITH_BUCKET(b);
	struct names names;
	struct err err = ERR_INIT;

	answer(&b, LISTING("<KeyCount>0</KeyCount>"));
	cr_assert_eq(list(&b, "s3://b1/", &names, &err), 0, "%s", err.msg);
	cr_assert_eq(list(&b, "s3://b1/d/", &names, &err), -ENOENT);
}

Test(s3_list, what_is_no_listing_is_refused)
{
	WITH_BUCKET(b);
	static const struct {
		const char *text;
		int r;
	} cases[] = {
		{"<html></html>", -EBADMSG},
		{"no", -EBADMSG},
		{"<ListBucketResult>", -EBADMSG},
		{"<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;\">]>"
		 "<ListBucketResult>&b;</ListBucketResult>",
			-EBADMSG},
		{LISTING("<IsTruncated>true</IsTruncated>"), -EBADMSG},
		{LISTING("<IsTruncated>true</IsTruncated><NextContinuationToken>t"
			 "</NextContinuationToken>" KEY("a")),
			-EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct names names;
		struct err err = ERR_INIT;

		answer(&b, cases[i].text);
		cr_assert_eq(list(&b, "s3://b1/", &names, &err), cases[i].r, "%zu: %s", i, err.msg);
	}
}

Test(s3_list, where_it_may_be_asked_what_is_no_object_may_be_a_folder)
{
	WITH_BUCKET(b);
	struct remote remote;
	struct err err = ERR_INIT;

	answer(&b, LISTING(KEY("d/x")));
	cr_assert_eq(ask(&b, "s3://b1/d", &remote, &err), -ENOENT);
	b.s3.folders = true;
	cr_assert_eq(ask(&b, "s3://b1/d", &remote, &err), -EISDIR, "%s", err.msg);
	cr_assert_eq(ask(&b, "s3://b1/d?versionId=1", &remote, &err), -ENOENT);
	answer(&b, LISTING(""));
	cr_assert_eq(ask(&b, "s3://b1/d", &remote, &err), -ENOENT);
	answer(&b, "no");
	cr_assert_eq(ask(&b, "s3://b1/d", &remote, &err), -ENOENT);
	cr_assert_str_eq(err.msg, "404 not found");
}
