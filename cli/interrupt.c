#include "cli/interrupt.h"

#include "base/str.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
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
	int signal, state;

	if (sigwait(&interrupt->signals, &signal) != 0)
		return NULL;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	atomic_store(&interrupt->caught, signal);
	pthread_sigmask(SIG_UNBLOCK, &interrupt->signals, NULL); /* the second one kills */
	interrupt->act(interrupt->arg);
	pthread_setcancelstate(state, NULL);
	for (;;)
		pause();
}

int interrupt_watch(struct interrupt *interrupt, void (*act)(void *arg), void *arg, struct err *err)
{
	int r;

	interrupt->act = act;
	interrupt->arg = arg;
	r = pthread_create(&interrupt->thread, NULL, watch, interrupt);
	if (r != 0)
		return err_set(err, ERR_SYSTEM, r, "start a thread: %m");
	interrupt->watching = true;
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
	pthread_cancel(interrupt->thread);
	pthread_join(interrupt->thread, NULL);
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
