#include "base/cleanup.h"
#include "cache/evict.h"
#include "cache/group_private.h"
#include "cache/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Processes that may publish small objects at the same time. */
#define NAMES 65536

/* What is reserved beyond what is needed now, where the cache has so much to spare. */
#define STEP     (UINT64_C(4) << 20)
#define STEP_PER 64 /* of the room */

int group_new(const struct store *store, struct group **ret, struct err *err)
{
	struct group *group = calloc(1, sizeof(*group));

	if (!group)
		return err_oom(err);
	group->store = store;
	group->key = LOCK_INIT;
	group->end = &group->jobs;
	pthread_mutex_init(&group->mu, NULL);
	pthread_cond_init(&group->changed, NULL);
	pthread_cond_init(&group->work, NULL);
	*ret = group;
	return 0;
}

void group_free(struct group *group)
{
	if (!group)
		return;
	group_stop(group);
	/* or an evictor does it, once the key is free */
	if (group->reserved > 0)
		catalog_unreserve(group->store->catalog, group->name, NULL);
	lock_release(&group->key);
	pthread_cond_destroy(&group->work);
	pthread_cond_destroy(&group->changed);
	pthread_mutex_destroy(&group->mu);
	free(group);
}

bool group_no_partials(const struct group *group, int64_t changed)
{
	return atomic_load(&group->no_partials) == changed;
}

void group_found_no_partials(struct group *group, int64_t changed)
{
	atomic_store(&group->no_partials, changed);
}

/* Caller holds mu, as for all of these; it is given up while waiting. */
static void wait_for_change(struct group *group)
{
	group->waiters++;
	pthread_cond_wait(&group->changed, &group->mu);
	group->waiters--;
}

void group_become_busy(struct group *group)
{
	while (group->busy)
		wait_for_change(group);
	group->busy = true;
}

void group_end_busy(struct group *group)
{
	group->busy = false;
	if (group->waiters > 0)
		pthread_cond_broadcast(&group->changed);
}

/* ---- room ---- */

bool group_is_key(const struct entry_key *key)
{
	static const struct entry_key zeros;
	unsigned int number;

	memcpy(&number, key->bytes, sizeof(number));
	return number < NAMES && memcmp(key->bytes + sizeof(number), zeros.bytes,
					 sizeof(key->bytes) - sizeof(number)) == 0;
}

/*
 * A name for the reservation, locked, so that it lives as long as we do. The first one that is
 * free: what a process that was killed left under it becomes ours.
 */
static int lock_name(struct group *group, struct err *err)
{
	int r = lock_held(&group->key) ? 0 : -EAGAIN;

	for (unsigned int i = 0; r == -EAGAIN && i < NAMES; i++) {
		struct entry_key key = {{0}};

		memcpy(key.bytes, &i, sizeof(i));
		partial_name(&key, 1, group->name);
		r = cachedir_lock_key(group->store->dir, &key, &group->key);
	}
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock a reservation: %m") : 0;
}

/* Reserve @bytes if nothing has to go for it. */
static int reserve_free(struct group *group, uint64_t bytes, uint64_t room)
{
	const struct store *store = group->store;
	const struct room_wish wish = {.partial = group->name,
		.bytes = bytes,
		.limit = room,
		.keep_free = room_keep_free(store)};
	struct room_lacking lacking;

	return catalog_reserve(store->catalog, &wish, &lacking, NULL);
}

/* @least bytes, better @all, best some more. */
static int reserve(
	struct group *group, uint64_t least, uint64_t all, uint64_t *ret, struct err *err)
{
	const struct store *store = group->store;
	uint64_t room = room_within(store);
	int r = lock_name(group, err);

	if (r < 0)
		return r;
	if (room / STEP_PER >= STEP && reserve_free(group, all + STEP, room) == 0) {
		*ret = all + STEP;
		return 0;
	}
	*ret = all;
	r = evict_reserve(store, group->name, 0, all, err);
	if (r == -ENOSPC && least < all) {
		*ret = least;
		r = evict_reserve(store, group->name, 0, least, err);
	}
	return r;
}

static int refill(struct group *group, uint64_t bytes, struct err *err)
{
	uint64_t least = group->taken + bytes;
	uint64_t all = group->taken + group->wanting;
	uint64_t reserved;
	int r;

	group_become_busy(group);
	pthread_mutex_unlock(&group->mu);
	r = reserve(group, least, all, &reserved, err);
	pthread_mutex_lock(&group->mu);
	if (r == 0)
		group->reserved = reserved;
	group_end_busy(group);
	return r;
}

int group_take(struct group *group, uint64_t bytes, struct err *err)
{
	int r = 0;
	WITH_LOCK(&group->mu);

	group->wanting += bytes;
	while (r == 0 && group->reserved - group->taken < bytes) {
		if (group->busy)
			wait_for_change(group);
		else
			r = refill(group, bytes, err);
	}
	group->wanting -= bytes;
	if (r == 0)
		group->taken += bytes;
	return r;
}

void group_give_back(struct group *group, uint64_t bytes)
{
	WITH_LOCK(&group->mu);

	group->taken -= bytes;
}

void group_expect(struct group *group, int change)
{
	WITH_LOCK(&group->mu);

	group->expected += (unsigned int)change;
	if (group->expected > 0 || group->wanting > 0 || group->reserved == group->taken)
		return;
	group_become_busy(group);
	if (group->expected == 0 && group->taken == 0 && group->reserved > 0) {
		group->reserved = 0;
		pthread_mutex_unlock(&group->mu);
		/* a row that stays is replaced by the next one */
		catalog_unreserve(group->store->catalog, group->name, NULL);
		pthread_mutex_lock(&group->mu);
	}
	group_end_busy(group);
}
