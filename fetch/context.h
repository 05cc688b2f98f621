/*
 * What one opened cache holds together; the inside of struct fetchfs, for fetch/ only.
 */
#ifndef FETCHFS_FETCH_CONTEXT_H
#define FETCHFS_FETCH_CONTEXT_H

#include "backends/registry.h"
#include "base/queue.h"
#include "cache/store.h"
#include "fetch/config.h"
#include "fetch/fetchfs.h"
#include "fetch/health.h"
#include "fetch/looks.h"
#include "fetch/machine.h"
#include "fetch/meter.h"
#include "fetch/refusals.h"
#include "fetch/turns.h"

#include <pthread.h>
#include <stdatomic.h>

struct fetchfs {
	struct config config;
	struct cachedir dir;
	struct catalog *catalog;
	struct store store;
	const struct backend *const *backends;
	struct backend_env *env;
	uid_t owner; /* whose cache this is: trusted by the policy */
	bool daemon; /* serves others: the environment's proxies count only if configured */
	struct health *health;
	struct folders *folders;
	struct machine machine;
	char **proxy_environment;   /* the variables that name proxies, NULL-terminated */
	char *program;              /* that unpacks */
	char **program_environment; /* NULL-terminated */
	struct trees *trees;        /* archives that could not be unpacked */
	unsigned int turn;          /* by chance: which member of a group of proxies comes first */

	struct settler *settler; /* of who serves, or NULL */

	struct queue *leaders; /* flights that wait for the network, for as long as they do */
	struct queue *brief;   /* steps of flights that wait for nobody */
	struct queue *helpers; /* ranges fetched ahead for readers; never waits for a leader */

	pthread_mutex_t mu;
	struct flight *flights; /* by key; guarded by mu */
	struct turns turns;     /* of flights; guarded by mu */
	unsigned int under_way; /* context_enter(); guarded by mu */
	pthread_cond_t none;    /* nothing is under way any more */
	atomic_bool closing;

	struct meter meter;
	struct refusals refusals;
	struct looks looks; /* of who comes by a mount, at local files */
};

/*
 * Something is under way that is no job of any queue, or it is so no more: the cache is not closed
 * before. Whoever leaves it does nothing with the cache afterwards but to end his job.
 */
void context_enter(struct fetchfs *fetchfs);
void context_leave(struct fetchfs *fetchfs);
void context_wait(struct fetchfs *fetchfs); /* until nothing is, nor waits for its turn */

/* Caller holds mu. Something that waited for its turn does so no more. */
void context_look(struct fetchfs *fetchfs);

#endif
