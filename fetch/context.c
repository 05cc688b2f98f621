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

	if (--fetchfs->under_way == 0)
		pthread_cond_broadcast(&fetchfs->none);
}

void context_wait(struct fetchfs *fetchfs)
{
	WITH_LOCK(&fetchfs->mu);

	while (fetchfs->under_way > 0)
		pthread_cond_wait(&fetchfs->none, &fetchfs->mu);
}
