/*
 * A thread that nobody joins says that it is done, and ends after the process has begun to: it
 * leaves nothing behind, not even of OpenSSL, which has gone by then. What finds it out is the
 * sanitizer, at the very end. A program of its own: that of the unit tests has used OpenSSL before
 * us.
 */
#include "base/checksum.h"
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/queue.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void hash(void *arg)
{
	CLEANUP(checksum_stream_freep) struct checksum_stream *stream = NULL;

	*(bool *)arg = checksum_stream_new(CHECKSUM_SHA256, &stream, NULL) == 0;
}

static nlink_t count_threads(void)
{
	struct stat st;

	return stat("/proc/self/task", &st) == 0 ? st.st_nlink - 2 : 0;
}

/* Run after OpenSSL's end, for it comes before it; and before the sanitizer's. */
static void wait_for_threads(void)
{
#ifdef FETCHFS_FAULTS /* which makes it late */
	if (count_threads() < 2) {
		fprintf(stderr, "the thread was not late\n");
		_exit(EXIT_FAILURE);
	}
#endif
	for (int i = 0; i < 3000 && count_threads() > 1; i++)
		poll(NULL, 0, 10);
}

int main(void)
{
	struct queue *queue;
	bool done = false;

	if (atexit(wait_for_threads) != 0 || fault_setup("queue.ended:1:1000ms") < 0 ||
		queue_new("late", 1, &queue, NULL) < 0)
		return EXIT_FAILURE;
	if (queue_push(queue, hash, &done, NULL) < 0)
		return EXIT_FAILURE;
	queue_free(queue);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
