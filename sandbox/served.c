/*
 * Asking may never end, and who asks may not even be killed then, nor end: so a process does, which
 * is left alone with the question when it takes too long, and holds nothing of ours.
 */
#include "sandbox/served.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MS 5000

/* The child's: nothing but system calls, for this program has threads. */
static _Noreturn void ask(int fd, int to)
{
	struct statfs about;
	int32_t outcome = 0;

	/* all else goes, locks above all, and who reads what we print shall not wait for it */
	if (dup2(fd, 0) < 0 || dup2(to, 1) < 0 || syscall(SYS_close_range, 2, ~0U, 0) < 0)
		_exit(1);
	if (fstatfs(0, &about) < 0)
		outcome = -errno;
	_exit(write(1, &outcome, sizeof(outcome)) != sizeof(outcome));
}

/* Above the places that the child has for them. */
static int raise_fd(int *fd)
{
	int raised = fcntl(*fd, F_DUPFD_CLOEXEC, 2);

	if (raised < 0)
		return -errno;
	fd_close(fd);
	*fd = raised;
	return 0;
}

/* What it answers, 0 or -errno; -ETIMEDOUT: nothing, in time. */
static int wait_for(pid_t child, int from, int patience_ms)
{
	struct pollfd answer = {.fd = from, .events = POLLIN};
	int32_t outcome = -ETIMEDOUT;
	int r;

	do
		r = poll(&answer, 1, patience_ms);
	while (r < 0 && errno == EINTR);
	if (r > 0 && read(from, &outcome, sizeof(outcome)) == sizeof(outcome)) {
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
		return outcome;
	}
	kill(child, SIGKILL); /* it ends when the kernel lets it */
	return -ETIMEDOUT;
}

/* Likewise, of the file @fd, which is O_PATH. */
static int question(int *fd, int patience_ms)
{
	CLEANUP(fd_closep) int from = -1;
	CLEANUP(fd_closep) int to = -1;
	int ends[2];
	pid_t child;
	int r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	from = ends[0];
	to = ends[1];
	r = raise_fd(&to);
	if (r == 0)
		r = raise_fd(fd);
	if (r < 0)
		return r;
	child = fork();
	if (child == 0)
		ask(*fd, to);
	fd_close(&to);
	return child < 0 ? -errno : wait_for(child, from, patience_ms);
}

int served_check(int parent, const char *last, int timeout_ms, struct err *err)
{
	CLEANUP(fd_closep) int fd = openat(parent, last, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int patience_ms = timeout_ms < 0 || timeout_ms > PATIENCE_MS ? PATIENCE_MS : timeout_ms;
	int r = fd < 0 ? -errno : question(&fd, patience_ms);

	switch (r) {
	case -ETIMEDOUT:
		return err_set(err, ERR_SYSTEM, ETIMEDOUT,
			"%s is lazy, and the mount that serves it does not answer: release first",
			last);
	case -ENOTCONN:
		return err_set(err, ERR_SYSTEM, ENOTCONN,
			"%s is lazy, and the mount that served it has ended: release first", last);
	default: /* what else it says is about the artifact, and for who reads it */
		return 0;
	}
}
