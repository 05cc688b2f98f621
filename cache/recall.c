#include "cache/recall.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define SETS  2048 /* a power of two */
#define WAYS  4    /* in all about 4 MiB when every slot is in use */
#define LOCKS 16   /* a power of two */

struct slot {
	struct entry *entry; /* NULL: free */
	uint32_t changes;
};

/* Where an entry may be: in one of a few slots. Keys are hashes already. */
struct set {
	struct slot slots[WAYS];
	unsigned int turn; /* the slot that is given up next */
};

struct recall {
	pthread_mutex_t locks[LOCKS]; /* each guards every LOCKS-th set */
	struct set sets[SETS];
};

static void entry_free(struct entry *entry)
{
	entry_release(entry);
	free(entry);
}

static size_t index_of(const struct entry_key *key)
{
	return ((size_t)key->bytes[0] << 8 | key->bytes[1]) & (SETS - 1);
}

static bool has_key(const struct slot *slot, const struct entry_key *key)
{
	return slot->entry && memcmp(&slot->entry->key, key, sizeof(*key)) == 0;
}

bool recall_find(
	struct recall *recall, const struct entry_key *key, uint32_t changes, struct entry *ret)
{
	size_t i = index_of(key);
	WITH_LOCK(&recall->locks[i & (LOCKS - 1)]);

	for (int way = 0; way < WAYS; way++) {
		const struct slot *slot = &recall->sets[i].slots[way];

		if (slot->changes == changes && has_key(slot, key))
			return entry_copy(slot->entry, ret);
	}
	return false;
}

/* The slot for @key: its own, or one that is free or out of date, or one whose turn it is. */
static struct slot *choose(struct set *set, const struct entry_key *key, uint32_t changes)
{
	struct slot *worthless = NULL;

	for (int way = 0; way < WAYS; way++) {
		struct slot *slot = &set->slots[way];

		if (has_key(slot, key))
			return slot;
		if (!slot->entry || slot->changes != changes)
			worthless = slot;
	}
	return worthless ? worthless : &set->slots[set->turn++ % WAYS];
}

/* Puts @entry there, and answers what was. */
static struct entry *replace(struct recall *recall, struct entry *entry, uint32_t changes)
{
	size_t i = index_of(&entry->key);
	struct entry *old;
	struct slot *slot;
	WITH_LOCK(&recall->locks[i & (LOCKS - 1)]);

	slot = choose(&recall->sets[i], &entry->key, changes);
	old = slot->entry;
	slot->entry = entry;
	slot->changes = changes;
	return old;
}

void recall_keep(struct recall *recall, const struct entry *entry, uint32_t changes)
{
	struct entry *copy = calloc(1, sizeof(*copy));

	if (copy && entry_copy(entry, copy))
		copy = replace(recall, copy, changes);
	entry_free(copy);
}

int recall_new(struct recall **ret, struct err *err)
{
	struct recall *recall = calloc(1, sizeof(*recall));

	if (!recall)
		return err_oom(err);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&recall->locks[i], NULL);
	*ret = recall;
	return 0;
}

void recall_free(struct recall *recall)
{
	if (!recall)
		return;
	for (size_t i = 0; i < SETS; i++)
		for (int way = 0; way < WAYS; way++)
			entry_free(recall->sets[i].slots[way].entry);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&recall->locks[i]);
	free(recall);
}
