#include "base/queue.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#define LIMIT_SECONDS 20

/* What the jobs of a test share. */
struct board {
	pthread_mutex_t mu;
	pthread_cond_t moved;
	/* guarded by mu */
	unsigned int running;
	unsigned int most;
	unsigned int done;
	unsigned int gate; /* jobs wait until so many run at once */
	unsigned int order[64];
};

struct numbered {
	struct board *board;
	unsigned int number;
};

static struct board board_of(unsigned int gate)
{
	return (struct board){
		.mu = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER, .gate = gate};
}

/* Wait until @value reaches @goal, or give up. With board->mu held. */
static void await(struct board *board, const unsigned int *value, unsigned int goal)
{
	struct timespec deadline;

	clock_gettime(CLOCK_REALTIME, &deadline);
	deadline.tv_sec += LIMIT_SECONDS;
	while (*value < goal)
		if (pthread_cond_timedwait(&board->moved, &board->mu, &deadline) == ETIMEDOUT)
			break;
}

static void meet(void *arg)
{
	struct board *board = arg;

	WITH_LOCK(&board->mu);
	board->running++;
	if (board->running > board->most)
		board->most = board->running;
	pthread_cond_broadcast(&board->moved);
	await(board, &board->most, board->gate);
	board->running--;
	board->done++;
	pthread_cond_broadcast(&board->moved);
}

static void note(void *arg)
{
	struct numbered *job = arg;

	WITH_LOCK(&job->board->mu);
	job->board->order[job->board->done++] = job->number;
}

static void note_signals(void *arg)
{
	sigset_t *mask = arg;

	pthread_sigmask(SIG_BLOCK, NULL, mask);
}

static struct queue *queue_of(unsigned int threads)
{
	struct queue *queue = NULL;
	struct err err = ERR_INIT;

	cr_assert_eq(queue_new("test", threads, &queue, &err), 0, "%s", err.msg);
	return queue;
}

Test(queue, nothing_to_do_is_no_problem)
{
	queue_free(queue_of(4));
	queue_free(NULL);
}

Test(queue, an_overlong_name_is_refused)
{
	struct queue *queue = NULL;

	cr_assert_eq(queue_new("sixteen_letters_", 1, &queue, NULL), -EINVAL);
	cr_assert_null(queue);
}

Test(queue, one_thread_keeps_the_order)
{
	struct board board = board_of(0);
	struct queue *queue = queue_of(1);
	struct numbered jobs[64];

	for (unsigned int i = 0; i < 64; i++) {
		jobs[i] = (struct numbered){&board, i};
		cr_assert_eq(queue_push(queue, note, &jobs[i], NULL), 0);
	}
	queue_free(queue);
	cr_assert_eq(board.done, 64);
	for (unsigned int i = 0; i < 64; i++)
		cr_assert_eq(board.order[i], i);
}

Test(queue, jobs_that_block_run_side_by_side)
{
	struct board board = board_of(4);
	struct queue *queue = queue_of(4);

	for (int i = 0; i < 4; i++)
		cr_assert_eq(queue_push(queue, meet, &board, NULL), 0);
	queue_free(queue);
	cr_assert_eq(board.most, 4);
	cr_assert_eq(board.done, 4);
}

Test(queue, the_limit_of_threads_holds)
{
	struct board board = board_of(3);
	struct queue *queue = queue_of(3);

	for (int i = 0; i < 30; i++)
		cr_assert_eq(queue_push(queue, meet, &board, NULL), 0);
	queue_free(queue);
	cr_assert_eq(board.most, 3);
	cr_assert_eq(board.done, 30);
}

Test(queue, what_others_wait_for_gets_a_thread_beyond_the_limit)
{
	struct board board = board_of(4);
	struct queue *queue = queue_of(3);

	for (int i = 0; i < 5; i++)
		cr_assert_eq(queue_push(queue, meet, &board, NULL), 0);
	cr_assert_eq(queue_push_first(queue, meet, &board, NULL), 0);
	queue_free(queue);
	cr_assert_eq(board.most, 4);
	cr_assert_eq(board.done, 6);
}

Test(queue, idle_threads_are_used_again_and_more_are_started)
{
	struct board board = board_of(1);
	struct queue *queue = queue_of(8);

	cr_assert_eq(queue_push(queue, meet, &board, NULL), 0);
	pthread_mutex_lock(&board.mu);
	await(&board, &board.done, 1);
	board.gate = 8;
	pthread_mutex_unlock(&board.mu);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(queue_push(queue, meet, &board, NULL), 0);
	queue_free(queue);
	cr_assert_eq(board.most, 8);
	cr_assert_eq(board.done, 9);
}

static void bump(void *arg)
{
	struct board *board = arg;

	WITH_LOCK(&board->mu);
	board->done++;
	pthread_cond_broadcast(&board->moved);
}

Test(queue, given_jobs_run_in_memory_of_the_giver_and_one_thread_stays_for_them)
{
	struct board board = board_of(0);
	struct queue *queue = queue_of(2);
	struct queue_job job = {.run = bump, .arg = &board};

	cr_assert_eq(queue_keep(queue, NULL), 0);
	for (unsigned int i = 1; i <= 100; i++) {
		queue_give(queue, &job); /* the same again: it is ours once it runs */
		WITH_LOCK(&board.mu);
		await(&board, &board.done, i);
		cr_assert_eq(board.done, i);
	}
	queue_free(queue);
}

Test(queue, signals_are_not_for_its_threads)
{
	struct queue *queue = queue_of(1);
	sigset_t mask;

	sigemptyset(&mask);
	cr_assert_eq(queue_push(queue, note_signals, &mask, NULL), 0);
	queue_free(queue);
	cr_assert(sigismember(&mask, SIGTERM));
	cr_assert(sigismember(&mask, SIGINT));
	cr_assert_not(sigismember(&mask, SIGSEGV));
}
