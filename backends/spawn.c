#include "backends/spawn.h"

#include "base/fault.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The new process, from here on: nothing but system calls. */
static _Noreturn void become(const char *program, char *const argv[], char *const environment[],
	const int fds[3], pid_t parent)
{
	sigset_t none;

	sigemptyset(&none);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	fault_hit("spawn.become");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it has ended before we said so */
		_exit(SPAWN_NOT_RUN);
	for (int i = 0; i < 3; i++)
		if (dup2(fds[i], i) < 0)
			_exit(SPAWN_NOT_RUN);
	execve(program, argv, environment);
	_exit(SPAWN_NOT_RUN);
}

/* By fork() and not posix_spawn(), which cannot make it end with us. */
pid_t spawn_begin(
	const char *program, char *const argv[], char *const environment[], const int fds[3])
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0)
		become(program, argv, environment, fds, parent);
	if (pid < 0)
		return -errno;
	setpgid(pid, pid); /* whoever of us comes first */
	return pid;
}

int spawn_end(pid_t pid)
{
	int status = -1;
	pid_t ended;

	kill(-pid, SIGKILL);
	do
		ended = waitpid(pid, &status, 0);
	while (ended < 0 && errno == EINTR);
	return ended < 0 ? -1 : status;
}
