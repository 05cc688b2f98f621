#include "cache/recall.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define SLOTS 8192 /* a power of two: about 4 MiB when all are in use */
#define LOCKS 16   /* a power of two */

struct slot {
	struct entry *entry; /* NULL: free */
	uint32_t changes;
};

/* One place an entry: whoever comes to it replaces what is there. Keys are hashes already. */
struct recall {
	pthread_mutex_t locks[LOCKS]; /* each guards every LOCKS-th slot */
	struct slot slots[SLOTS];
};

static void entry_free(struct entry *entry)
{
	entry_release(entry);
	free(entry);
}

static bool copy_entry(const struct entry *entry, struct entry *ret)
{
	struct entry copy = *entry;

	copy.scope = str_copy(entry->scope);
	copy.uri = str_copy(entry->uri);
	copy.etag = str_copy(entry->etag);
	copy.type = str_copy(entry->type);
	if (!copy.scope || !copy.uri || (entry->etag && !copy.etag) ||
		(entry->type && !copy.type)) {
		entry_release(&copy);
		return false;
	}
	*ret = copy;
	return true;
}

static size_t index_of(const struct entry_key *key)
{
	return ((size_t)key->bytes[0] << 8 | key->bytes[1]) & (SLOTS - 1);
}

bool recall_find(
	struct recall *recall, const struct entry_key *key, uint32_t changes, struct entry *ret)
{
	size_t i = index_of(key);
	const struct slot *slot = &recall->slots[i];
	WITH_LOCK(&recall->locks[i & (LOCKS - 1)]);

	return slot->entry && slot->changes == changes &&
	       memcmp(&slot->entry->key, key, sizeof(*key)) == 0 && copy_entry(slot->entry, ret);
}

/* Puts @entry there, and answers what was. */
static struct entry *replace(struct recall *recall, struct entry *entry, uint32_t changes)
{
	size_t i = index_of(&entry->key);
	struct slot *slot = &recall->slots[i];
	struct entry *old;
	WITH_LOCK(&recall->locks[i & (LOCKS - 1)]);

	old = slot->entry;
	slot->entry = entry;
	slot->changes = changes;
	return old;
}

void recall_keep(struct recall *recall, const struct entry *entry, uint32_t changes)
{
	struct entry *copy = calloc(1, sizeof(*copy));

	if (copy && copy_entry(entry, copy))
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
	for (size_t i = 0; i < SLOTS; i++)
		entry_free(recall->slots[i].entry);
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&recall->locks[i]);
	free(recall);
}
