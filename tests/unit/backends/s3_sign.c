/* Signatures: those of Amazon's examples ("Authenticating Requests: Using the Authorization Header"
 * in the S3 API reference), and how what is signed is spelt. */
#include "backends/s3_sign.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST   "host:examplebucket.s3.amazonaws.com"
#define DATE   "x-amz-date:20130524T000000Z"
#define HASH   "x-amz-content-sha256:"
#define MOMENT 1369353600 /* 2013-05-24T00:00:00Z */
#define KEY_ID "AKIAIOSFODNN7EXAMPLE"

static struct s3_signing request(
	const char *method, const char *path, const char *query, const char *const *headers)
{
	return (struct s3_signing){
		.method = method,
		.path = path,
		.query = query,
		.headers = headers,
		.body = S3_NO_BODY,
		.key_id = KEY_ID,
		.secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		.region = "us-east-1",
		.now = MOMENT,
	};
}

static char *signed_(const struct s3_signing *signing)
{
	struct err err = ERR_INIT;
	char *ret = NULL;

	cr_assert_eq(s3_sign(signing, &ret, &err), 0, "%s", err.msg);
	return ret;
}

static void check(const struct s3_signing *signing, const char *names, const char *signature)
{
	CLEANUP(str_freep) char *is = signed_(signing);
	CLEANUP(str_freep)
	char *want = str_printf("AWS4-HMAC-SHA256 Credential=" KEY_ID
				"/20130524/us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s",
		names, signature);

	cr_assert_str_eq(is, want);
}

Test(s3_sign, get_object)
{
	static const char *const headers[] = {HOST, "range:bytes=0-9", HASH S3_NO_BODY, DATE, NULL};
	struct s3_signing signing = request("GET", "/test.txt", NULL, headers);

	check(&signing, "host;range;x-amz-content-sha256;x-amz-date",
		"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

Test(s3_sign, put_object)
{
#define BODY "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
	static const char *const headers[] = {"date:Fri, 24 May 2013 00:00:00 GMT", HOST, HASH BODY,
		DATE, "x-amz-storage-class:REDUCED_REDUNDANCY", NULL};
	struct s3_signing signing = request("PUT", "/test%24file.text", NULL, headers);

	signing.body = BODY;
	check(&signing, "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
		"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

Test(s3_sign, get_bucket_lifecycle)
{
	static const char *const headers[] = {HOST, HASH S3_NO_BODY, DATE, NULL};
	struct s3_signing signing = request("GET", "/", "lifecycle", headers);

	check(&signing, "host;x-amz-content-sha256;x-amz-date",
		"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

Test(s3_sign, list_objects)
{
	static const char *const headers[] = {HOST, HASH S3_NO_BODY, DATE, NULL};
	static const char *const queries[] = {"max-keys=2&prefix=J", "prefix=J&max-keys=2"};

	for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
		struct s3_signing signing = request("GET", "/", queries[i], headers);

		check(&signing, "host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
	}
}

/* Names are ordered by themselves: '-' is less than '=', and "a" comes before "a-b" all the same.
 */
Test(s3_sign, parameters_are_ordered_by_name)
{
	static const char *const headers[] = {HOST, DATE, NULL};
	struct s3_signing sorted = request("GET", "/", "a=2&a-b=1&c=", headers);
	struct s3_signing other = request("GET", "/", "c&a-b=1&a=2", headers);
	CLEANUP(str_freep) char *want = signed_(&sorted);
	CLEANUP(str_freep) char *is = signed_(&other);

	cr_assert_str_eq(is, want);
}

Test(s3_sign, all_that_is_in_a_request_matters)
{
	static const char *const headers[] = {HOST, DATE, NULL};
	static const char *const others[] = {HOST "x", DATE, NULL};
	struct s3_signing base = request("GET", "/a", "b=c", headers);
	struct s3_signing changed[8] = {base, base, base, base, base, base, base, base};
	CLEANUP(str_freep) char *original = signed_(&base);

	changed[0].method = "HEAD";
	changed[1].path = "/b";
	changed[2].query = "b=d";
	changed[3].headers = others;
	changed[4].body = "UNSIGNED-PAYLOAD";
	changed[5].secret = "hunter2";
	changed[6].region = "eu-west-1";
	changed[7].now++;
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
		CLEANUP(str_freep) char *is = signed_(&changed[i]);

		cr_assert_str_neq(
			strstr(is, "Signature="), strstr(original, "Signature="), "%zu", i);
		cr_assert_null(strstr(is, changed[i].secret), "%zu", i);
	}
}

Test(s3_sign, a_query_has_a_limit)
{
	static const char *const headers[] = {HOST, NULL};
	char query[256] = "a";
	struct s3_signing signing = request("GET", "/", query, headers);
	char *ret = NULL;

	for (size_t i = 1; i + 2 < sizeof(query); i += 2)
		memcpy(query + i, "&a", 3);
	cr_assert_eq(s3_sign(&signing, &ret, NULL), -EINVAL);
	cr_assert_null(ret);
}

static void check_encoded(const char *text, bool is_path, const char *want)
{
	CLEANUP(str_freep) char *is = s3_sign_encode(text, is_path);

	cr_assert_str_eq(is, want);
}

Test(s3_sign, all_but_unreserved_characters_is_escaped_once)
{
	check_encoded("/a b", true, "/a%20b"); /* which a canonical URI would not hold */
	check_encoded("/a%20b", true, "/a%20b");
	check_encoded("/a+b", true, "/a%2Bb");
	check_encoded("/a%2Bb", true, "/a%2Bb");
	check_encoded("/%25/%3F/%23", true, "/%25/%3F/%23");
	check_encoded("/%C3%A4", true, "/%C3%A4");
	check_encoded("/!$&'()*,;=:@", true, "/%21%24%26%27%28%29%2A%2C%3B%3D%3A%40");
	check_encoded("/-._~", true, "/-._~");
	check_encoded("a/b=c", false, "a%2Fb%3Dc");
}

Test(s3_sign, a_moment_that_is_no_date_is_none)
{
	char date[S3_DATE_SIZE];

	s3_sign_date(MOMENT, date);
	cr_assert_str_eq(date, "20130524T000000Z");
	s3_sign_date(INT64_MAX, date);
	cr_assert_str_eq(date, "00000000T000000Z");
}
