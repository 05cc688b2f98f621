#include "cli/crew.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "cli/fetch_job.h"

#include <errno.h>
#include <sys/eventfd.h>

int crew_init(struct crew *ret, struct fetchfs *fetchfs, const char *mount, unsigned int readers,
	struct err *err)
{
	CLEANUP(fd_closep) int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct queue *queue = NULL;

	if (event < 0)
		return err_set(err, ERR_SYSTEM, errno, "make an eventfd: %m");
	if (!fetchfs) {
		int r = queue_new("mount-reader", readers, &queue, err);

		if (r < 0)
			return r;
	}
	*ret = (struct crew){
		.fetchfs = fetchfs,
		.mount = mount,
		.queue = queue,
		.event = fd_steal(&event),
		.mu = PTHREAD_MUTEX_INITIALIZER,
	};
	return 0;
}

void crew_release(struct crew *crew)
{
	if (crew->queue)
		queue_free(crew->queue);
	crew->queue = NULL;
	fd_close(&crew->event);
	pthread_mutex_destroy(&crew->mu);
}

struct fetch_job *crew_reap(struct crew *crew)
{
	struct fetch_job *job;
	eventfd_t count;

	WITH_LOCK(&crew->mu);
	job = crew->finished;
	if (job)
		crew->finished = job->next;
	else
		(void)!eventfd_read(crew->event, &count);
	return job;
}

/* The write happens under the lock: who reaps the last job may release the crew right after. */
void crew_hand_in(struct crew *crew, struct fetch_job *job)
{
	WITH_LOCK(&crew->mu);
	bool first = !crew->finished;

	job->next = crew->finished;
	crew->finished = job;
	/* who reaps one reaps all, and clears the event only then */
	if (first)
		(void)!eventfd_write(crew->event, 1);
}
