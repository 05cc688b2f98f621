#include "backends/webhdfs_active.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <pthread.h>
#include <stdlib.h>

#define NODES_MAX 64
#define NODE_SIZE 256 /* a longer one is not remembered */

struct webhdfs_active {
	pthread_mutex_t mu;
	char known[NODES_MAX][NODE_SIZE]; /* guarded by mu; that answered, the newest overwrite */
	size_t next;                      /* guarded by mu; the oldest */
};

struct webhdfs_active *webhdfs_active_new(void)
{
	struct webhdfs_active *active = calloc(1, sizeof(*active));

	if (active)
		pthread_mutex_init(&active->mu, NULL);
	return active;
}

void webhdfs_active_free(struct webhdfs_active *active)
{
	if (!active)
		return;
	pthread_mutex_destroy(&active->mu);
	free(active);
}

/* Under mu: how many others have answered since @node did; NODES_MAX: it is not known. */
static size_t age(const struct webhdfs_active *active, const char *node)
{
	for (size_t i = 0; i < NODES_MAX; i++) {
		size_t at = (active->next + NODES_MAX - 1 - i) % NODES_MAX;

		if (str_equal(active->known[at], node))
			return i;
	}
	return NODES_MAX;
}

size_t webhdfs_active_get(struct webhdfs_active *active, char *const *nodes, size_t count)
{
	size_t best = NODES_MAX;
	size_t ret = 0;
	WITH_LOCK(&active->mu);

	for (size_t i = 0; i < count; i++) {
		size_t mine = age(active, nodes[i]);

		if (mine < best) {
			best = mine;
			ret = i;
		}
	}
	return ret;
}

void webhdfs_active_note(struct webhdfs_active *active, const char *node)
{
	WITH_LOCK(&active->mu);

	if (age(active, node) == 0)
		return;
	str_fit(active->known[active->next], NODE_SIZE, node);
	active->next = (active->next + 1) % NODES_MAX;
}
