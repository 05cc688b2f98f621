#include "backends/registry.h"

#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>

Test(registry, knows_all_schemes_of_the_program)
{
	static const char *const schemes[] = {"http", "https", "ftp", "ftps", "file", "s3"};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		cr_expect(registry_find(registry_all, schemes[i], &err), "%s", schemes[i]);
}

Test(registry, names_the_schemes_there_are)
{
	struct err err = ERR_INIT;

	cr_assert_null(registry_find(registry_all, "gopher", &err));
	cr_assert_eq(err.code, EPROTONOSUPPORT);
	cr_assert_str_eq(err.msg,
		"unknown scheme gopher (there are: http, https, ftp, ftps, file, s3, hdfs, "
		"webhdfs, "
		"swebhdfs, oci, hftp, viewfs, wasb, wasbs, abfs, abfss, gs, o3fs, ofs, har)");
	cr_assert_not(err.retry);
}

Test(registry, opens_and_closes)
{
	const struct registry_options options = {
		.ca_file = "/ca.pem", .connect_ms = 1, .connections = 1, .per_host = 1};
	struct backend_env *env = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(registry_open(&options, &env, &err), 0, "%s", err.msg);
	cr_assert_str_eq(env->ca_file, "/ca.pem");
	cr_assert_neq(env->ca_file, options.ca_file);
	registry_close(env);
	registry_close(NULL);
}
