#include "cli/interrupt.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

void interrupt_block(struct interrupt *ret)
{
	memset(ret, 0, sizeof(*ret));
	sigemptyset(&ret->signals);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
		struct sigaction now;

		/* nohup: who ignored it before us wants it ignored */
		if (sigaction(ending[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN)
			sigaddset(&ret->signals, ending[i]);
	}
	pthread_sigmask(SIG_BLOCK, &ret->signals, &ret->before);
}

static void *watch(void *arg)
{
	struct interrupt *interrupt = arg;
	struct signalfd_siginfo info;
	struct pollfd fds[] = {
		{.fd = interrupt->signals_fd, .events = POLLIN},
		{.fd = interrupt->end_fd, .events = POLLIN},
	};

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		;
	if (!(fds[0].revents & POLLIN) ||
		read(interrupt->signals_fd, &info, sizeof(info)) != sizeof(info))
		return NULL;
	atomic_store(&interrupt->caught, (int)info.ssi_signo);
	/* a second signal finds this thread, wherever it is now, and kills */
	pthread_sigmask(SIG_UNBLOCK, &interrupt->signals, NULL);
	interrupt->act(interrupt->arg);
	poll(&fds[1], 1, -1);
	return NULL;
}

int interrupt_watch(struct interrupt *interrupt, void (*act)(void *arg), void *arg, struct err *err)
{
	CLEANUP(fd_closep) int signals_fd = signalfd(-1, &interrupt->signals, SFD_CLOEXEC);
	CLEANUP(fd_closep) int end_fd = eventfd(0, EFD_CLOEXEC);
	int r;

	if (signals_fd < 0 || end_fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "watch for signals: %m");
	interrupt->signals_fd = signals_fd;
	interrupt->end_fd = end_fd;
	interrupt->act = act;
	interrupt->arg = arg;
	r = pthread_create(&interrupt->thread, NULL, watch, interrupt);
	if (r != 0)
		return err_set(err, ERR_SYSTEM, r, "start a thread: %m");
	interrupt->watching = true;
	fd_steal(&signals_fd);
	fd_steal(&end_fd);
	return 0;
}

int interrupt_caught(struct interrupt *interrupt)
{
	return atomic_load(&interrupt->caught);
}

void interrupt_unwatch(struct interrupt *interrupt)
{
	if (!interrupt->watching)
		return;
	(void)!eventfd_write(interrupt->end_fd, 1);
	pthread_join(interrupt->thread, NULL);
	fd_close(&interrupt->signals_fd);
	fd_close(&interrupt->end_fd);
	interrupt->watching = false;
}

void interrupt_release(struct interrupt *interrupt)
{
	int caught;

	interrupt_unwatch(interrupt);
	caught = atomic_load(&interrupt->caught);
	if (caught) {
		signal(caught, SIG_DFL);
		raise(caught);
	}
	pthread_sigmask(SIG_SETMASK, &interrupt->before, NULL);
}
