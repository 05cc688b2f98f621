/* Where buckets are, and who is told who asks. */
#include "backends/s3_place.h"

#include "backends/s3_regions.h"
#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct s3_place place_of(const char *bucket, const char *endpoint, enum s3_style style)
{
	struct s3_place place = {.bucket = bucket, .endpoint = endpoint, .style = style};

	cr_assert(s3_place_move(&place, S3_REGION_DEFAULT));
	return place;
}

static void check(const struct s3_place *place, const char *want)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	cr_assert_eq(s3_place_uri(place, "/a/%2B", "b=c", &uri, &err), 0, "%s", err.msg);
	cr_assert_str_eq(uri.text, want);
}

Test(s3_place, amazon_has_a_host_for_each_bucket)
{
	struct s3_place place = place_of("bucket", NULL, S3_STYLE_AUTO);

	check(&place, "https://bucket.s3.us-east-1.amazonaws.com/a/%2B?b=c");
	cr_assert(s3_place_move(&place, "cn-north-1"));
	check(&place, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a/%2B?b=c");
	place.style = S3_STYLE_PATH;
	check(&place, "https://s3.cn-north-1.amazonaws.com.cn/bucket/a/%2B?b=c");
}

Test(s3_place, a_bucket_that_no_certificate_is_for_is_in_the_path)
{
	struct s3_place place = place_of("my.bucket", NULL, S3_STYLE_AUTO);

	check(&place, "https://s3.us-east-1.amazonaws.com/my.bucket/a/%2B?b=c");
	place.style = S3_STYLE_VIRTUAL;
	check(&place, "https://my.bucket.s3.us-east-1.amazonaws.com/a/%2B?b=c");
}

Test(s3_place, others_have_it_in_the_path)
{
	struct s3_place place = place_of("bucket", "http://h:9000/", S3_STYLE_AUTO);

	check(&place, "http://h:9000/bucket/a/%2B?b=c");
	place.style = S3_STYLE_VIRTUAL;
	check(&place, "http://bucket.h:9000/a/%2B?b=c");
	place.style = S3_STYLE_PATH;
	place.endpoint = "https://h/base/";
	check(&place, "https://h/base/bucket/a/%2B?b=c");
}

Test(s3_place, what_is_no_bucket_is_refused)
{
	static const char *const names[] = {"", ".", "..", "-a", "a-", ".a", "a.", "a..b", "A",
		"a/b", "a%2fb", "a@b", "a:1", "[::1]",
		"0123456789012345678901234567890123456789012345678901234567890123"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct s3_place place = place_of(names[i], NULL, S3_STYLE_AUTO);
		struct uri uri = {.text = NULL};

		cr_assert_eq(s3_place_uri(&place, "/a", NULL, &uri, NULL), -EINVAL, "%s", names[i]);
		cr_assert_null(uri.text);
	}
}

static bool owns(const struct s3_place *place, const char *text)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};

	cr_assert_eq(uri_parse(text, &uri, NULL), 0, "%s", text);
	return s3_place_owns(place, &uri);
}

Test(s3_place, amazons_servers_are_told_who_asks)
{
	struct s3_place place = place_of("bucket", NULL, S3_STYLE_AUTO);

	cr_assert(owns(&place, "https://bucket.s3.us-east-1.amazonaws.com/a"));
	cr_assert(owns(&place, "https://bucket.s3.eu-west-1.amazonaws.com/a"));
	cr_assert(owns(&place, "https://bucket.s3-us-west-2.amazonaws.com/a"));
	cr_assert(owns(&place, "https://s3.eu-west-1.amazonaws.com/bucket/a"));
	cr_assert(owns(&place, "https://bucket.s3.cn-north-1.amazonaws.com.cn/a"));
}

Test(s3_place, nobody_else_is)
{
	struct s3_place place = place_of("bucket", NULL, S3_STYLE_AUTO);
	struct s3_place own = place_of("bucket", "http://h:9000/", S3_STYLE_AUTO);

	cr_assert_not(owns(&place, "http://bucket.s3.us-east-1.amazonaws.com/a"));
	cr_assert_not(owns(&place, "https://bucket.s3.us-east-1.amazonaws.com:8443/a"));
	cr_assert_not(owns(&place, "https://other.s3.us-east-1.amazonaws.com/a"));
	cr_assert_not(owns(&place, "https://bucket.s3.us-east-1.amazonaws.com.example.org/a"));
	cr_assert_not(owns(&place, "https://x.execute-api.us-east-1.amazonaws.com/a"));
	cr_assert_not(owns(&place, "https://example.org/bucket/a"));
	cr_assert(owns(&own, "http://h:9000/bucket/b"));
	cr_assert_not(owns(&own, "http://h:9000/other/b"));
	cr_assert_not(owns(&own, "http://h:9001/bucket/b"));
	cr_assert_not(owns(&own, "https://h:9000/bucket/b"));
	cr_assert_not(owns(&own, "https://bucket.s3.us-east-1.amazonaws.com/a"));
}

Test(s3_place, a_region_is_a_name)
{
	static const char *const names[] = {"", "-", "a.b", "a/b", "EU", "us-east-1", "a\nb",
		"0123456789012345678901234567890123456789"};
	struct s3_place place = place_of("bucket", NULL, S3_STYLE_AUTO);

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_assert_not(s3_place_move(&place, names[i]), "%s", names[i]);
	cr_assert_str_eq(place.region, "us-east-1");
	cr_assert(s3_place_move(&place, "eu-central-1"));
	cr_assert_str_eq(place.region, "eu-central-1");
}

Test(s3_regions, what_was_learned_is_known)
{
	struct s3_regions *regions = s3_regions_new();
	struct s3_place here = place_of("here", NULL, S3_STYLE_AUTO);
	struct s3_place there = place_of("there", NULL, S3_STYLE_AUTO);

	s3_regions_apply(regions, &here);
	cr_assert_str_eq(here.region, S3_REGION_DEFAULT);
	cr_assert(s3_place_move(&here, "eu-west-1"));
	s3_regions_note(regions, &here);
	here = place_of("here", NULL, S3_STYLE_AUTO);
	s3_regions_apply(regions, &here);
	s3_regions_apply(regions, &there);
	cr_assert_str_eq(here.region, "eu-west-1");
	cr_assert_str_eq(there.region, S3_REGION_DEFAULT);
	s3_regions_free(regions);
}

Test(s3_regions, not_all_is_remembered)
{
	struct s3_regions *regions = s3_regions_new();
	struct s3_place first = place_of("bucket-0", NULL, S3_STYLE_AUTO);
	struct s3_place last = place_of("bucket-999", NULL, S3_STYLE_AUTO);

	for (int i = 0; i < 1000; i++) {
		CLEANUP(str_freep) char *name = str_printf("bucket-%d", i);
		struct s3_place place = place_of(name, NULL, S3_STYLE_AUTO);

		cr_assert(s3_place_move(&place, "eu-west-1"));
		s3_regions_note(regions, &place);
	}
	s3_regions_apply(regions, &first);
	s3_regions_apply(regions, &last);
	cr_assert_str_eq(first.region, S3_REGION_DEFAULT);
	cr_assert_str_eq(last.region, "eu-west-1");
	s3_regions_free(regions);
}
