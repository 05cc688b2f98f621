/*
 * What the threads of one process share when they publish small objects: room, and transactions.
 *
 * Room is one reservation for all of them, filled in steps: a row like that of a partial, whose key
 * is a small number, and locked for as long as the process has the cache open. A killed process
 * thus leaves a row that the next one takes over, or that evictors drop, as they drop any partial
 * that nobody leads.
 *
 * Transactions are made by one thread, the publisher, which takes all that came while it was at the
 * one before. Nobody waits for it: each publication says what is to be done when it has ended.
 */
#ifndef FETCHFS_CACHE_GROUP_H
#define FETCHFS_CACHE_GROUP_H

#include "cache/store.h"

struct group;

/* Whether @key is what the room of a group goes by. */
bool group_is_key(const struct entry_key *key);

int group_new(const struct store *store, struct group **ret, struct err *err);
void group_free(struct group *group);

/* Publications are under way (or not any more) that will take room: it is kept for them. */
void group_expect(struct group *group, int change);

/* Take @bytes of the room, evicting others if need be. -ENOSPC. */
int group_take(struct group *group, uint64_t bytes, struct err *err);
void group_give_back(struct group *group, uint64_t bytes);

/* Whether partial/ is as it was when it was listed and found empty: @changed is its time of change,
 * in nanoseconds. And: so it was found. */
bool group_no_partials(const struct group *group, int64_t changed);
void group_found_no_partials(struct group *group, int64_t changed);

/* One publication. Its memory is the caller's, until done() is called. */
struct group_job {
	const struct entry *entry;
	struct catalog_object row;
	int fd;         /* of a complete file without a name; -1: its object is there */
	uint64_t taken; /* of the room: goes over to the row, or back */
	void (*done)(struct group_job *job); /* on the publisher's thread, under no lock */

	/* out */
	int result;
	struct err err;
	bool lost; /* somebody else's file of the same content has the name */

	struct group_job *next; /* the group's */
};

/*
 * Record the entry of @job and give its file the name, soon. First the row, then the name: a file
 * that was never named vanishes by itself when we die, and a row without a file is no more than a
 * miss. 0: job->done() will be called.
 */
int group_publish(struct group *group, struct group_job *job, struct err *err);

#endif
