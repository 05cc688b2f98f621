/* What keeps a cache open beside the jobs of its queues. */
#include "fetch/context.h"

#include "base/cleanup.h"

void context_enter(struct fetchfs *fetchfs)
{
	WITH_LOCK(&fetchfs->mu);

	fetchfs->under_way++;
}

void context_leave(struct fetchfs *fetchfs)
{
	WITH_LOCK(&fetchfs->mu);

	fetchfs->under_way--;
	context_look(fetchfs);
}

static bool is_quiet(const struct fetchfs *fetchfs)
{
	return fetchfs->under_way == 0 && fetchfs->turns.waiting == 0;
}

void context_look(struct fetchfs *fetchfs)
{
	if (is_quiet(fetchfs))
		pthread_cond_broadcast(&fetchfs->none);
}

void context_wait(struct fetchfs *fetchfs)
{
	WITH_LOCK(&fetchfs->mu);

	while (!is_quiet(fetchfs))
		pthread_cond_wait(&fetchfs->none, &fetchfs->mu);
}
