/* Programs that keep credentials: how they are started, and what of their answers is believed. */
#include "backends/oci_helper.h"

#include "backends/registry.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct bench {
	char *dir;
	char *path; /* "PATH=…" */
	struct backend_env *env;
};

static void bench_stop(struct bench *bench)
{
	registry_close(bench->env);
	tmpdir_removep(&bench->dir);
	free(bench->path);
}

static void bench_start(struct bench *bench)
{
	const char *environment[] = {NULL, "MARK=here", NULL};
	struct registry_options options = {.environment = environment,
		.connections = 1,
		.per_host = 1,
		.connect_ms = 1000,
		.first_byte_ms = 1000,
		.stall_ms = 1000,
		.stall_rate = 1};

	bench->dir = tmpdir_make();
	bench->path = str_printf("PATH=.:%s:/bin:/usr/bin", bench->dir);
	environment[0] = bench->path;
	cr_assert_eq(registry_open(&options, &bench->env, NULL), 0);
}

#define WITH_BENCH(name)                                                                           \
	CLEANUP(bench_stop) struct bench name = {.dir = NULL};                                     \
	bench_start(&name)

static void put(const struct bench *bench, const char *name, const char *script)
{
	CLEANUP(str_freep) char *path = str_printf("%s/docker-credential-%s", bench->dir, name);
	CLEANUP(str_freep) char *text = str_printf("#!/bin/sh\n%s\n", script);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static int patient(void *arg, struct err *err)
{
	(void)arg;
	(void)err;
	return 0;
}

static int get(
	const struct bench *bench, const char *name, struct oci_credentials *ret, struct err *err)
{
	return oci_helper_get(bench->env, name, "r.example:5000", patient, NULL, ret, err);
}

static void check_refused(struct bench *bench, const char *script, const char *why)
{
	struct oci_credentials got;
	struct err err = ERR_INIT;

	put(bench, "bad", script);
	cr_assert_eq(get(bench, "bad", &got, &err), -EACCES, "%s: %s", script, err.msg);
	cr_assert(strstr(err.msg, why), "%s: %s", script, err.msg);
	cr_assert_null(got.user);
}

Test(oci_helper, it_is_told_the_registry_and_answers)
{
	WITH_BENCH(bench);
	CLEANUP(oci_credentials_release) struct oci_credentials got;
	CLEANUP(oci_credentials_release) struct oci_credentials token;
	struct err err = ERR_INIT;

	put(&bench, "good",
		"[ \"$*\" = get ] && printf '{\"ServerURL\":\"x\",\"Username\":\"%s\","
		"\"Secret\":\"%s\"}\\n' \"$(cat)\" \"$MARK\"");
	cr_assert_eq(get(&bench, "good", &got, &err), 0, "%s", err.msg);
	cr_assert_str_eq(got.user, "r.example:5000");
	cr_assert_str_eq(got.password, "here");
	cr_assert_null(got.identity);
	put(&bench, "token", "echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'");
	cr_assert_eq(get(&bench, "token", &token, &err), 0, "%s", err.msg);
	cr_assert_null(token.user);
	cr_assert_str_eq(token.identity, "t");
}

Test(oci_helper, who_has_nothing_is_no_error)
{
	WITH_BENCH(bench);
	struct oci_credentials got;
	struct err err = ERR_INIT;

	put(&bench, "none", "echo 'credentials not found in native keychain'; exit 1");
	cr_assert_eq(get(&bench, "none", &got, &err), 0, "%s", err.msg);
	cr_assert_null(got.user);
	cr_assert_null(got.identity);
}

Test(oci_helper, what_fails_is_told)
{
	WITH_BENCH(bench);
	struct oci_credentials got;
	struct err err = ERR_INIT;

	check_refused(&bench, "echo 'keychain is locked'; exit 3", "-bad failed (status 3)");
	check_refused(&bench, "kill -9 $$", "(signal 9)");
	check_refused(&bench, "echo '<html>'", "no answer");
	check_refused(&bench, "", "no answer");
	check_refused(&bench, "echo '{\"Username\":1,\"Secret\":\"x\"}'", "no answer");
	check_refused(&bench, "head -c 100000 /dev/zero", "64 KiB");
	cr_assert_eq(get(&bench, "absent", &got, &err), -EACCES);
	cr_assert(strstr(err.msg, "no program docker-credential-absent in PATH"), "%s", err.msg);
	cr_assert_eq(get(&bench, "../evil", &got, &err), -EACCES);
	cr_assert_eq(get(&bench, "a b", &got, &err), -EACCES);
}

static int soon(void *arg, struct err *err)
{
	int64_t *until = arg;

	return clock_monotonic_ms() < *until ? 0 : err_set(err, ERR_CANCELLED, EINTR, "enough");
}

static bool is_alive(const char *file)
{
	CLEANUP(str_freep) char *text = NULL;
	pid_t pid;

	if (fd_read_file(AT_FDCWD, file, 100, &text, NULL) < 0 || !*text)
		return false;
	pid = (pid_t)atoi(text);
	return pid > 0 && kill(pid, 0) == 0;
}

/* With all that it has started, so that nothing of it is left. */
Test(oci_helper, who_waits_for_it_can_stop)
{
	WITH_BENCH(bench);
	CLEANUP(str_freep) char *file = str_printf("%s/pid", bench.dir);
	CLEANUP(str_freep)
	char *script =
		str_printf("sleep 1000 & echo $! >%s.new; mv %s.new %s; wait", file, file, file);
	struct oci_credentials got;
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();
	int64_t until;

	put(&bench, "slow", script);
	do {
		until = clock_monotonic_ms() + 300;
		cr_assert_eq(oci_helper_get(bench.env, "slow", "r", soon, &until, &got, &err),
			-EINTR, "%s", err.msg);
		cr_assert_lt(clock_monotonic_ms() - began, 20000);
	} while (access(file, F_OK) < 0);
	/* it is nobody's child that we could wait for */
	while (is_alive(file) && clock_monotonic_ms() - began < 20000)
		usleep(1000);
	cr_assert_not(is_alive(file));
}

/* What goes on in the background with its stdout open keeps nobody. */
Test(oci_helper, it_ends_when_it_has_ended)
{
	WITH_BENCH(bench);
	CLEANUP(oci_credentials_release) struct oci_credentials got;
	struct err err = ERR_INIT;
	int64_t began = clock_monotonic_ms();

	put(&bench, "leaves", "sleep 1000 & echo '{\"Username\":\"u\",\"Secret\":\"s\"}'");
	cr_assert_eq(get(&bench, "leaves", &got, &err), 0, "%s", err.msg);
	cr_assert_str_eq(got.user, "u");
	cr_assert_lt(clock_monotonic_ms() - began, 20000);
}
