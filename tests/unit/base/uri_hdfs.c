/* URIs of Hadoop: one name, one spelling. */
#include "base/uri.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>

static void check(const char *text, const char *canonical)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	struct err err = ERR_INIT;

	cr_assert_eq(uri_parse(text, &uri, &err), 0, "%s: %s", text, err.msg);
	cr_assert_str_eq(uri.text, canonical, "%s: %s", text, uri.text);
}

Test(uri_hdfs, a_name_is_what_the_path_decodes_to)
{
	static const char *const schemes[] = {"hdfs", "webhdfs", "swebhdfs"};

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		CLEANUP(str_freep)
		char *text = str_printf("%s://NN/a%%2Fb%%2bc%%3D d%%25e", schemes[i]);
		CLEANUP(str_freep) char *want = str_printf("%s://nn/a/b+c=%%20d%%25e", schemes[i]);

		check(text, want);
	}
	check("hdfs://nn/a%2F..%2Fb", "hdfs://nn/b");
	check("hdfs://nn/a%3Fb%23c", "hdfs://nn/a%3Fb%23c");
	check("http://h/a%2Bb", "http://h/a%2Bb");
}

Test(uri_hdfs, the_usual_port_is_none)
{
	check("hdfs://nn:8020/a", "hdfs://nn/a");
	check("hdfs://nn:9000/a", "hdfs://nn:9000/a");
	check("webhdfs://nn:9870/a", "webhdfs://nn/a");
	check("swebhdfs://nn:9871/a", "swebhdfs://nn/a");
	check("webhdfs://nn:8020/a", "webhdfs://nn:8020/a");
}
