/* What Hadoop's client says when it fails. */
#include "backends/hadoop_error.h"

#include "base/str.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define EXITED(n) ((n) << 8)

static struct err told(const char *text, int status)
{
	struct err err = ERR_INIT;

	cr_assert_eq(hadoop_error(text, status, &err), -err.code);
	cr_assert_not(strstr(err.msg, "hunter2"), "%s", err.msg);
	return err;
}

Test(hadoop_error, each_has_its_meaning)
{
	static const struct {
		const char *text;
		int code;
		bool retry;
	} cases[] = {
		{"cat: `gs://b/x': No such file or directory\n", ENOENT, false},
		{"stat: `x': No such file or directory", ENOENT, false},
		{"cat: Permission denied: user=me, access=READ, inode=\"/x\":a:b:-rw-------\n",
			EACCES, false},
		{"cat: `/x': Is a directory\n", EISDIR, false},
		{"cat: Call From a/127.0.0.1 to localhost:1 failed on connection exception: "
		 "java.net.ConnectException: Connection refused; For more details see: …\n",
			EHOSTUNREACH, true},
		{"stat: java.net.UnknownHostException: nowhere\n", EHOSTUNREACH, true},
		{"stat: No FileSystem for scheme \"gs\"\n", EPROTONOSUPPORT, false},
		{"ERROR: JAVA_HOME is not set and could not be found.\n", EPROTONOSUPPORT, false},
		{"cat: org.apache.hadoop.net.ConnectTimeoutException: …\n", ETIMEDOUT, true},
		{"something of which nobody has heard: hunter2\n", EIO, true},
		{"", EIO, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = told(cases[i].text, EXITED(1));

		cr_assert_eq(err.code, cases[i].code, "%s: %s", cases[i].text, err.msg);
		cr_assert_eq(err.retry, cases[i].retry, "%s", cases[i].text);
	}
}

Test(hadoop_error, a_name_means_nothing)
{
	cr_assert_eq(told("cat: `gs://b/Permission denied': No such file or directory\n", EXITED(1))
			     .code,
		ENOENT);
	cr_assert_eq(told("cat: `gs://b/a': Permission denied: b': No such file or directory\n",
			     EXITED(1))
			     .code,
		ENOENT);
}

Test(hadoop_error, a_log_is_not_the_last_word)
{
	cr_assert_eq(told("WARN ipc.Client: java.net.ConnectException: Connection refused\n"
			  "cat: `/x': No such file or directory\n"
			  "WARN util.ShutdownHookManager: Permission denied\n",
			     EXITED(1))
			     .code,
		ENOENT);
	cr_assert_eq(
		told("WARN a\njava.net.ConnectException: Connection refused\n\tat b\n", EXITED(1))
			.code,
		EHOSTUNREACH);
}

Test(hadoop_error, how_it_died_is_told)
{
	struct err err = told("hunter2", 9);

	cr_assert_eq(err.code, EIO);
	cr_assert(strstr(err.msg, "Killed"), "%s", err.msg);
	cr_assert_eq(told("env: java: hunter2", EXITED(127)).code, EPROTONOSUPPORT);
	cr_assert(strstr(told("hunter2", EXITED(42)).msg, "status 42"));
}
