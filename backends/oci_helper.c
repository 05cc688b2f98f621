#include "backends/oci_helper.h"

#include "backends/hadoop_client.h"
#include "backends/spawn.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS    50
#define LIMIT_MS   30000 /* it may have to ask somebody */
#define ANSWER_MAX ((size_t)64 * 1024)
#define SERVER_MAX 1024 /* much less than a pipe holds */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

struct helper {
	const char *name; /* "docker-credential-…" */
	pid_t pid;        /* 0: none */
	int out;
	int end;      /* a pidfd */
	char *answer; /* with room for ANSWER_MAX and a NUL */
	size_t len;
};

void oci_credentials_release(struct oci_credentials *credentials)
{
	str_free_secret(credentials->user);
	str_free_secret(credentials->password);
	str_free_secret(credentials->identity);
	*credentials = (struct oci_credentials){.user = NULL};
}

static void helper_release(struct helper *helper)
{
	if (helper->pid)
		spawn_end(helper->pid);
	fd_close(&helper->out);
	fd_close(&helper->end);
	if (helper->answer)
		explicit_bzero(helper->answer, ANSWER_MAX);
	free(helper->answer);
}

static int failed(const struct helper *helper, int error, const char *what, struct err *err)
{
	return err_set(err, ERR_SYSTEM, error, "%s %s: %m", what, helper->name);
}

/* Both ends above those that a child has. */
static int make_pipe(int *ret_read, int *ret_write)
{
	int ends[2];
	int r = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = fcntl(ends[0], F_DUPFD_CLOEXEC, SPAWN_FD);
	*ret_write = fcntl(ends[1], F_DUPFD_CLOEXEC, SPAWN_FD);
	if (*ret_read < 0 || *ret_write < 0)
		r = -errno;
	close(ends[0]);
	close(ends[1]);
	return r;
}

/* What it is asked is in its pipe before it is there to read it: nobody has to wait for that. */
static int start(struct helper *helper, const char *program, const char *server,
	char *const environment[], struct err *err)
{
	char *const argv[] = {(char *)(uintptr_t)helper->name, (char *)(uintptr_t) "get", NULL};
	CLEANUP(fd_closep) int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int in = -1;
	CLEANUP(fd_closep) int question = -1;
	CLEANUP(fd_closep) int out = -1;
	pid_t pid;
	int r = null < 0 ? -errno : make_pipe(&in, &question);

	if (r == 0)
		r = make_pipe(&helper->out, &out);
	if (r == 0 && fcntl(helper->out, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0 && write(question, server, strlen(server)) != (ssize_t)strlen(server))
		r = -EIO;
	if (r < 0)
		return failed(helper, -r, "make pipes for", err);
	fd_close(&question);
	pid = spawn_begin(program, argv, environment, (const int[]){in, out, null});
	if (pid < 0)
		return failed(helper, -pid, "start", err);
	helper->pid = pid;
	helper->end = (int)syscall(SYS_pidfd_open, pid, 0);
	return helper->end < 0 ? failed(helper, errno, "watch", err) : 0;
}

/* 1: there may be more. 0: not now. */
static int read_some(struct helper *helper, struct err *err)
{
	size_t room = ANSWER_MAX - helper->len;
	ssize_t n = read(helper->out, helper->answer + helper->len, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return failed(helper, errno, "read from", err);
	helper->len += (size_t)n;
	if (helper->len == ANSWER_MAX)
		return err_set(err, ERR_POLICY, EACCES, "%s says more than 64 KiB", helper->name);
	return n > 0;
}

/* Until it has ended, and all that it has said is read. Its status, or -errno. */
static int listen_to(
	struct helper *helper, int (*ask)(void *arg, struct err *err), void *arg, struct err *err)
{
	int64_t until = clock_monotonic_ms() + LIMIT_MS;
	bool ended = false;
	int r;

	while (!ended) {
		struct pollfd ends[] = {{.fd = helper->out, .events = POLLIN},
			{.fd = helper->end, .events = POLLIN}};

		if (poll(ends, ARRAY_SIZE(ends), POLL_MS) < 0 && errno != EINTR)
			return failed(helper, errno, "wait for", err);
		ended = ends[1].revents;
		do
			r = read_some(helper, err);
		while (r > 0);
		if (r == 0)
			r = ask(arg, err);
		if (r < 0)
			return r;
		if (clock_monotonic_ms() >= until)
			return err_set_retry(err, ERR_SYSTEM, ETIMEDOUT, 0,
				"%s takes more than %d s", helper->name, LIMIT_MS / 1000);
		/* it has closed its end, and goes on */
		if (!ended && (ends[0].revents & POLLHUP))
			poll(&ends[1], 1, POLL_MS);
	}
	r = spawn_end(helper->pid);
	helper->pid = 0;
	return r < 0 ? failed(helper, ECHILD, "wait for", err) : r;
}

static void json_freep(json_t **json)
{
	json_decref(*json);
}

static int read_answer(const struct helper *helper, struct oci_credentials *ret, struct err *err)
{
	CLEANUP(json_freep) json_t *json = json_loads(helper->answer, JSON_REJECT_DUPLICATES, NULL);
	const char *user = json_string_value(json_object_get(json, "Username"));
	const char *secret = json_string_value(json_object_get(json, "Secret"));
	struct oci_credentials credentials = {.user = NULL};

	if (!user || !secret)
		return err_set(err, ERR_POLICY, EACCES, "what %s says is no answer", helper->name);
	if (str_equal(user, "<token>")) {
		credentials.identity = str_copy(secret);
	} else {
		credentials.user = str_copy(user);
		credentials.password = str_copy(secret);
	}
	if (!credentials.identity && (!credentials.user || !credentials.password)) {
		oci_credentials_release(&credentials);
		return err_oom(err);
	}
	*ret = credentials;
	return 0;
}

/* Who has nothing for a registry fails, too. What it says otherwise may hold a secret. */
static int refused(const struct helper *helper, int status, struct err *err)
{
	if (strstr(helper->answer, "credentials not found"))
		return 0;
	return err_set(err, ERR_POLICY, EACCES, "%s failed (%s %d)", helper->name,
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static int find(const struct backend_env *env, const char *name, char **ret, struct err *err)
{
	int r;

	if (name[strspn(name, NAME_CHARS)])
		return err_set(err, ERR_POLICY, EACCES, "no program can be called %s", name);
	r = hadoop_client_search(env->hadoop, name, ret, err);
	if (r == 0 && !*ret)
		return err_set(err, ERR_POLICY, EACCES,
			"there is no program %s in PATH, which Docker's configuration wants", name);
	return r;
}

int oci_helper_get(const struct backend_env *env, const char *name, const char *server,
	int (*ask)(void *arg, struct err *err), void *arg, struct oci_credentials *ret,
	struct err *err)
{
	CLEANUP(str_freep) char *full = str_printf("docker-credential-%s", name);
	CLEANUP(str_freep) char *program = NULL;
	CLEANUP(helper_release)
	struct helper helper = {
		.name = full, .out = -1, .end = -1, .answer = calloc(1, ANSWER_MAX + 1)};
	int r;

	*ret = (struct oci_credentials){.user = NULL};
	if (!full || !helper.answer)
		return err_oom(err);
	r = strlen(server) > SERVER_MAX ? err_set(err, ERR_USAGE, ENAMETOOLONG, "%s", server)
					: find(env, full, &program, err);
	if (r == 0)
		r = start(&helper, program, server, hadoop_client_environment(env->hadoop), err);
	if (r == 0)
		r = listen_to(&helper, ask, arg, err);
	if (r > 0)
		return refused(&helper, r, err);
	return r < 0 ? r : read_answer(&helper, ret, err);
}
