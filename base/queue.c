#include "base/queue.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#define IDLE_SECONDS    3 /* without a job for so long a thread ends */
#define THREAD_NAME_MAX 16

struct job {
	void (*run)(void *arg);
	void *arg;
	struct job *next;
};

/*
 * Threads are detached and counted: queue_free() waits for the count. A pushed job either has an
 * idle thread to take it, or a new thread was started for it, or all max threads are busy.
 */
struct queue {
	char name[THREAD_NAME_MAX];
	unsigned int max;
	pthread_attr_t attr;

	pthread_mutex_t mu;
	pthread_cond_t work;  /* a job came, or closing */
	pthread_cond_t ended; /* a thread ended */
	/* all below: guarded by mu */
	struct job *first;
	struct job **last; /* where the next one is hooked in */
	unsigned int pending;
	unsigned int idle;
	unsigned int threads;
	bool closing;
};

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
	pthread_condattr_t clock;

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
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->work, &clock);
	pthread_cond_init(&queue->ended, NULL);
	pthread_condattr_destroy(&clock);
	*ret = queue;
	return 0;
}

void queue_free(struct queue *queue)
{
	if (!queue)
		return;

	pthread_mutex_lock(&queue->mu);
	queue->closing = true;
	pthread_cond_broadcast(&queue->work);
	while (queue->threads > 0)
		pthread_cond_wait(&queue->ended, &queue->mu);
	pthread_mutex_unlock(&queue->mu);

	pthread_cond_destroy(&queue->ended);
	pthread_cond_destroy(&queue->work);
	pthread_mutex_destroy(&queue->mu);
	pthread_attr_destroy(&queue->attr);
	free(queue);
}

/* Wait for a job and take it off; NULL when the thread should end. With queue->mu held. */
static struct job *next_job(struct queue *queue)
{
	struct timespec deadline;
	struct job *job;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += IDLE_SECONDS;

	queue->idle++;
	while (!queue->first && !queue->closing)
		if (pthread_cond_timedwait(&queue->work, &queue->mu, &deadline) == ETIMEDOUT)
			break;
	queue->idle--;

	job = queue->first;
	if (!job)
		return NULL;
	queue->first = job->next;
	if (!queue->first)
		queue->last = &queue->first;
	queue->pending--;
	return job;
}

static void *run_jobs(void *arg)
{
	struct queue *queue = arg;
	struct job *job;

	pthread_setname_np(pthread_self(), queue->name);
	pthread_mutex_lock(&queue->mu);
	while ((job = next_job(queue))) {
		pthread_mutex_unlock(&queue->mu);
		job->run(job->arg);
		free(job);
		pthread_mutex_lock(&queue->mu);
	}
	queue->threads--;
	pthread_cond_signal(&queue->ended);
	pthread_mutex_unlock(&queue->mu);
	return NULL;
}

/* A thread for one more pending job, unless one is idle. With queue->mu held. */
static int start_thread(struct queue *queue, struct err *err)
{
	pthread_t thread;
	int code;

	assert(!queue->closing);
	if (queue->pending < queue->idle || queue->threads >= queue->max)
		return 0;
	code = pthread_create(&thread, &queue->attr, run_jobs, queue);
	if (code == 0)
		queue->threads++;
	else if (queue->threads == 0)
		return err_set(err, ERR_SYSTEM, EAGAIN, "start a thread %s: %m", queue->name);
	return 0;
}

int queue_push(struct queue *queue, void (*job)(void *arg), void *arg, struct err *err)
{
	struct job *new = malloc(sizeof(*new));
	int r;

	if (!new)
		return err_oom(err);
	*new = (struct job){.run = job, .arg = arg};

	pthread_mutex_lock(&queue->mu);
	r = start_thread(queue, err);
	if (r == 0) {
		*queue->last = new;
		queue->last = &new->next;
		queue->pending++;
		/* under the lock: once the job has run, the queue may be gone */
		if (queue->idle > 0)
			pthread_cond_signal(&queue->work);
	}
	pthread_mutex_unlock(&queue->mu);
	if (r < 0)
		free(new);
	return r;
}
