#include "base/queue.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/libcrypto.h"
#include "base/str.h"
#include "base/waker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_SECONDS    3 /* without a job for so long a thread ends */
#define THREAD_NAME_MAX 16

/* A thread without a job, on its own stack. */
struct idler {
	struct waker waker;
	struct queue_job *job; /* what it shall do; NULL: nothing yet, or end */
	struct idler *next;
};

/*
 * Threads are detached and counted: queue_free() waits for the count. A pushed job is given to an
 * idle thread, or a new thread was started for it, or all max threads are busy: there are never
 * both idle threads and jobs in the list.
 */
struct queue {
	char name[THREAD_NAME_MAX];
	unsigned int max;
	pthread_attr_t attr;

	pthread_mutex_t mu;
	pthread_cond_t ended; /* a thread ended */
	/* all below: guarded by mu */
	struct queue_job *first;
	struct queue_job **last; /* where the next one is hooked in */
	struct idler *idle;      /* who came last goes first: its memory is still near */
	unsigned int threads;
	bool kept; /* one thread stays */
	bool closing;
};

/* What becomes of a job while all threads are busy. */
typedef int queue_busy(struct queue *queue, struct queue_job *job, struct err *err);

/* Signals are for the program's first thread, apart from those that a thread causes itself. */
static int init_attr(pthread_attr_t *attr)
{
	static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
	sigset_t blocked;

	sigfillset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		sigdelset(&blocked, own[i]);
	if (pthread_attr_init(attr) != 0)
		return -ENOMEM;
	pthread_attr_setdetachstate(attr, PTHREAD_CREATE_DETACHED);
	return pthread_attr_setsigmask_np(attr, &blocked) == 0 ? 0 : -ENOMEM;
}

int queue_new(const char *name, unsigned int max_threads, struct queue **ret, struct err *err)
{
	struct queue *queue = calloc(1, sizeof(*queue));

	assert(max_threads > 0);
	if (!queue)
		return err_oom(err);
	if (!str_fit(queue->name, sizeof(queue->name), name)) {
		free(queue);
		return err_set(err, ERR_USAGE, EINVAL, "thread name '%s' is too long", name);
	}
	if (init_attr(&queue->attr) < 0) {
		free(queue);
		return err_oom(err);
	}

	queue->max = max_threads;
	queue->last = &queue->first;
	pthread_mutex_init(&queue->mu, NULL);
	pthread_cond_init(&queue->ended, NULL);
	*ret = queue;
	return 0;
}

void queue_free(struct queue *queue)
{
	struct idler *next;

	if (!queue)
		return;

	pthread_mutex_lock(&queue->mu);
	queue->closing = true;
	for (struct idler *idler = queue->idle; idler; idler = next) {
		next = idler->next;
		if (waker_take(&idler->waker))
			waker_wake(&idler->waker);
	}
	while (queue->threads > 0)
		pthread_cond_wait(&queue->ended, &queue->mu);
	pthread_mutex_unlock(&queue->mu);

	pthread_cond_destroy(&queue->ended);
	pthread_mutex_destroy(&queue->mu);
	pthread_attr_destroy(&queue->attr);
	free(queue);
}

/* With queue->mu held. */
static struct queue_job *take_first(struct queue *queue)
{
	struct queue_job *job = queue->first;

	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	return job;
}

/* With queue->mu held. */
static void stop_idling(struct queue *queue, const struct idler *idler)
{
	for (struct idler **at = &queue->idle; *at; at = &(*at)->next) {
		if (*at == idler) {
			*at = idler->next;
			return;
		}
	}
}

/* Until a job is given; NULL when the thread should end. With queue->mu held. */
static struct queue_job *await_job(struct queue *queue, struct idler *idler)
{
	struct timespec deadline;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += IDLE_SECONDS;

	idler->job = NULL;
	idler->next = queue->idle;
	queue->idle = idler;
	while (!idler->job && !queue->closing && r == 0)
		r = waker_wait(&idler->waker, &queue->mu, &deadline);
	if (!idler->job)
		stop_idling(queue, idler);
	return idler->job;
}

/* NULL when the thread should end. With queue->mu held. */
static struct queue_job *next_job(struct queue *queue, struct idler *idler)
{
	struct queue_job *job = take_first(queue);

	while (!job && !queue->closing) {
		job = await_job(queue, idler);
		if (!job && !(queue->kept && queue->threads == 1))
			break;
	}
	return job;
}

static void *run_jobs(void *arg)
{
	struct queue *queue = arg;
	struct idler idler;
	struct queue_job *job;

	pthread_setname_np(pthread_self(), queue->name);
	waker_init(&idler.waker);
	pthread_mutex_lock(&queue->mu);
	while ((job = next_job(queue, &idler))) {
		struct queue_job *ours = job->pushed ? job : NULL;

		pthread_mutex_unlock(&queue->mu);
		job->run(job->arg); /* one that was given may be gone afterwards */
		free(ours);
		pthread_mutex_lock(&queue->mu);
	}
	libcrypto_end_thread();
	queue->threads--;
	pthread_cond_signal(&queue->ended);
	pthread_mutex_unlock(&queue->mu);
	waker_release(&idler.waker);
	(void)fault_hit("queue.ended"); /* the process may end before the thread does */
	return NULL;
}

/* With queue->mu held. */
static int start_thread(struct queue *queue, struct err *err)
{
	pthread_t thread;
	int code = pthread_create(&thread, &queue->attr, run_jobs, queue);

	if (code != 0)
		return err_set(err, ERR_SYSTEM, EAGAIN, "start a thread %s: %m", queue->name);
	queue->threads++;
	return 0;
}

/* With queue->mu held. */
static void add_last(struct queue *queue, struct queue_job *job)
{
	job->next = NULL;
	*queue->last = job;
	queue->last = &job->next;
}

/* With queue->mu held. */
static void add_first(struct queue *queue, struct queue_job *job)
{
	job->next = queue->first;
	if (!queue->first)
		queue->last = &job->next;
	queue->first = job;
}

/* By a new thread, or one that is at work. With queue->mu held. */
static int let_wait(struct queue *queue, struct queue_job *job, struct err *err)
{
	int r = 0;

	if (queue->threads < queue->max)
		r = start_thread(queue, queue->threads == 0 ? err : NULL);
	if (r < 0 && queue->threads == 0)
		return r;
	add_last(queue, job);
	return 0;
}

/* By a new thread, however many there are. With queue->mu held. */
static int put_first(struct queue *queue, struct queue_job *job, struct err *err)
{
	int r = start_thread(queue, err);

	if (r == 0)
		add_first(queue, job);
	return r;
}

/*
 * To an idle thread, or as @busy says what is to be done if there is none. With queue->mu held.
 * *ret_wake: the thread that has got it, and sleeps.
 */
static int give(struct queue *queue, struct queue_job *job, queue_busy *busy,
	struct idler **ret_wake, struct err *err)
{
	struct idler *idler = queue->idle;

	assert(!queue->closing);
	if (!idler)
		return busy(queue, job, err);
	queue->idle = idler->next;
	idler->job = job;
	if (waker_take(&idler->waker))
		*ret_wake = idler;
	return 0;
}

static int give_and_wake(
	struct queue *queue, struct queue_job *job, queue_busy *busy, struct err *err)
{
	struct idler *wake = NULL;
	int r;

	pthread_mutex_lock(&queue->mu);
	r = give(queue, job, busy, &wake, err);
	pthread_mutex_unlock(&queue->mu);
	/* from here on the queue may be gone: once the job has run. Its thread waits for this. */
	if (wake)
		waker_wake(&wake->waker);
	return r;
}

static int push(
	struct queue *queue, void (*job)(void *arg), void *arg, queue_busy *busy, struct err *err)
{
	struct queue_job *new = malloc(sizeof(*new));
	int r;

	if (!new)
		return err_oom(err);
	*new = (struct queue_job){.run = job, .arg = arg, .pushed = true};
	r = give_and_wake(queue, new, busy, err);
	if (r < 0)
		free(new);
	return r;
}

int queue_push(struct queue *queue, void (*job)(void *arg), void *arg, struct err *err)
{
	return push(queue, job, arg, let_wait, err);
}

int queue_push_first(struct queue *queue, void (*job)(void *arg), void *arg, struct err *err)
{
	return push(queue, job, arg, put_first, err);
}

int queue_keep(struct queue *queue, struct err *err)
{
	WITH_LOCK(&queue->mu);
	int r = queue->threads > 0 ? 0 : start_thread(queue, err);

	queue->kept = queue->kept || r == 0;
	return r;
}

void queue_give(struct queue *queue, struct queue_job *job)
{
	int r = give_and_wake(queue, job, let_wait, NULL);

	assert(r == 0);
	(void)r;
}
