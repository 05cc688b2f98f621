#include "backends/hadoop_run.h"

#include "backends/hadoop_client.h"
#include "backends/hadoop_error.h"
#include "backends/spawn.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define POLL_MS   50
#define READ_SIZE ((size_t)256 * 1024)
#define SAID_MAX  ((size_t)16 * 1024) /* of stderr: its end */
#define DRAIN_MAX 64                  /* reads; more than a pipe holds */
#define ARGS_MAX  8

enum { OUT, SAID, END, ENDS };

struct child {
	const struct hadoop_run *run;
	bool entered;             /* it has its turn */
	pid_t pid;                /* 0: none; that of the group, too */
	struct pollfd ends[ENDS]; /* its stdout, its stderr, and itself */
	char *buf;
	char *said;
	size_t said_len;
	bool spoken;       /* a byte of stdout has come */
	int64_t waited_ms; /* without so many bytes as there should be */
	uint64_t bytes;    /* meanwhile */
};

/* ---- its beginning ---- */

/* The end of a new pipe that we read goes to *ret, the other one to *ret_theirs. */
static int make_pipe(struct pollfd *ret, int *ret_theirs, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make a pipe: %m");
	*ret = (struct pollfd){.fd = ends[0], .events = POLLIN};
	*ret_theirs = fcntl(ends[1], F_DUPFD_CLOEXEC, SPAWN_FD);
	close(ends[1]);
	if (*ret_theirs < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make a pipe: %m");
	return 0;
}

static int spawn_with(struct child *child, const char *program, int out, int said)
{
	const struct hadoop_client *client = child->run->env->hadoop;
	CLEANUP(fd_closep) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int fds[] = {null, out, said};
	char *argv[ARGS_MAX + 2] = {NULL};
	pid_t pid;

	if (null < 0)
		return -errno;
	argv[0] = (char *)(uintptr_t)program;
	for (size_t i = 0; i < ARGS_MAX && child->run->args[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)child->run->args[i];
	pid = spawn_begin(program, argv, hadoop_client_environment(client), fds);
	if (pid < 0)
		return pid;
	child->pid = pid;
	return 0;
}

/* Each takes some hundred megabytes. */
static int wait_for_turn(struct child *child, struct err *err)
{
	const struct hadoop_run *run = child->run;
	int r = 0;

	child->entered = hadoop_client_enter(run->env->hadoop, run->brief, 0);
	*run->ret_queued = !child->entered;
	while (r == 0 && !child->entered) {
		r = run->on_poll(run->arg, err);
		if (r == 0)
			child->entered = hadoop_client_enter(run->env->hadoop, run->brief, POLL_MS);
	}
	*run->ret_queued = false;
	return r;
}

static int start(struct child *child, struct err *err)
{
	CLEANUP(str_freep) char *program = NULL;
	CLEANUP(fd_closep) int out = -1;
	CLEANUP(fd_closep) int said = -1;
	int r = hadoop_client_find(child->run->env->hadoop, &program, err);

	if (r == 0)
		r = wait_for_turn(child, err);
	if (r == 0)
		r = make_pipe(&child->ends[OUT], &out, err);
	if (r == 0)
		r = make_pipe(&child->ends[SAID], &said, err);
	if (r < 0)
		return r;
	child->buf = malloc(READ_SIZE);
	child->said = calloc(1, SAID_MAX + 1);
	if (!child->buf || !child->said)
		return err_oom(err);
	r = spawn_with(child, program, out, said);
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "start Hadoop's client %s: %m", program);
	child->ends[END] = (struct pollfd){
		.fd = (int)syscall(SYS_pidfd_open, child->pid, 0), .events = POLLIN};
	if (child->ends[END].fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "watch Hadoop's client: %m");
	return 0;
}

/* ---- its end ---- */

/* End it with all that it has started. Returns how it ended, or -1. */
static int stop(struct child *child)
{
	pid_t pid = child->pid;

	child->pid = 0;
	return pid ? spawn_end(pid) : -1;
}

static void child_release(struct child *child)
{
	stop(child);
	if (child->entered)
		hadoop_client_leave(child->run->env->hadoop);
	for (size_t i = 0; i < ENDS; i++)
		fd_close(&child->ends[i].fd);
	free(child->buf);
	if (child->said)
		explicit_bzero(child->said, SAID_MAX);
	free(child->said);
}

/* ---- what it says ---- */

static void keep_said(struct child *child, const char *text, size_t len)
{
	if (len >= SAID_MAX) {
		text += len - SAID_MAX;
		len = SAID_MAX;
	}
	if (child->said_len + len > SAID_MAX) {
		size_t over = child->said_len + len - SAID_MAX;

		memmove(child->said, child->said + over, child->said_len - over);
		child->said_len -= over;
	}
	memcpy(child->said + child->said_len, text, len);
	child->said_len += len;
}

/* 1: something came, 0: there is nothing now, or never again. */
static int read_end(struct child *child, size_t end, struct err *err)
{
	ssize_t n = child->ends[end].fd < 0 ? 0 : read(child->ends[end].fd, child->buf, READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_set(err, ERR_SYSTEM, errno, "read from Hadoop's client: %m");
	if (n == 0) {
		fd_close(&child->ends[end].fd);
		return 0;
	}
	if (end == SAID) {
		keep_said(child, child->buf, (size_t)n);
		return 1;
	}
	child->spoken = true;
	child->bytes += (uint64_t)n;
	if (child->run->on_bytes) {
		int r = child->run->on_bytes(child->run->arg, child->buf, (size_t)n, err);

		if (r < 0)
			return r;
	}
	return 1;
}

/* Waiting for the sink counts against nobody: only what poll() took is given here. */
static int check_patience(struct child *child, int64_t waited_ms, struct err *err)
{
	const struct backend_env *env = child->run->env;
	int64_t limit = child->spoken ? env->stall_ms : env->first_byte_ms;

	child->waited_ms += waited_ms;
	if (child->spoken && child->bytes * 1000 >= env->stall_rate * env->stall_ms)
		child->waited_ms = 0;
	if (child->waited_ms == 0)
		child->bytes = 0;
	if (child->waited_ms < limit)
		return 0;
	return err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0, "Hadoop's client brings %s in %lld s",
		child->spoken ? "too little" : "nothing", (long long)limit / 1000);
}

/* What it has written before it ended. Others may hold its pipes still, and write. */
static int drain(struct child *child, struct err *err)
{
	kill(-child->pid, SIGKILL);
	for (size_t end = OUT; end <= SAID; end++) {
		int r = 1;

		for (int i = 0; r > 0 && i < DRAIN_MAX; i++)
			r = read_end(child, end, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* 1: it has ended. */
static int step(struct child *child, struct err *err)
{
	int64_t before = clock_monotonic_ms();
	int r = poll(child->ends, ENDS, POLL_MS);
	int64_t waited = clock_monotonic_ms() - before;

	if (r < 0 && errno != EINTR)
		return err_set(err, ERR_SYSTEM, errno, "wait for Hadoop's client: %m");
	if (r > 0 && child->ends[END].revents)
		return 1;
	for (size_t end = OUT; r > 0 && end <= SAID; end++) {
		if (child->ends[end].fd >= 0 && child->ends[end].revents) {
			int n = read_end(child, end, err);

			if (n < 0)
				return n;
		}
	}
	r = child->run->on_poll(child->run->arg, err);
	return r < 0 ? r : check_patience(child, waited, err);
}

int hadoop_run(const struct hadoop_run *run, struct err *err)
{
	CLEANUP(child_release)
	struct child child = {.run = run, .ends = {{.fd = -1}, {.fd = -1}, {.fd = -1}}};
	int status;
	int r = start(&child, err);

	while (r == 0)
		r = step(&child, err);
	if (r > 0)
		r = drain(&child, err);
	if (r < 0)
		return r;
	status = stop(&child);
	if (status == 0)
		return 0;
	if (strlen(child.said) < child.said_len) /* a NUL in what is meant for people */
		for (size_t i = 0; i < child.said_len; i++)
			if (!child.said[i])
				child.said[i] = ' ';
	return hadoop_error(child.said, status, err);
}
