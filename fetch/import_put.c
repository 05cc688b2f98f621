/* What of an archive is published, and what is not. */
#include "base/cleanup.h"
#include "fetch/import.h"

#include <errno.h>

void import_tick(struct import *import, uint64_t bytes)
{
	import->sum.seen += bytes;
	if (import->how->tick)
		import->how->tick(&import->sum, import->how->arg);
}

static int pin(struct import *import, const struct import_item *item, struct err *err)
{
	CLEANUP(entry_release) struct entry here = {.size = -1};
	struct catalog *catalog = import->fetchfs->catalog;
	int r = import->how->pin ? catalog_find(catalog, &item->entry.key, &here, err) : 0;

	if (r < 0 || !import->how->pin || here.pinned)
		return r;
	return catalog_pin(catalog, &item->entry.key, true, err);
}

void import_keep(
	struct import *import, struct import_item *item, enum fetchfs_import_outcome outcome)
{
	const struct entry *entry = &item->entry;
	struct err err = ERR_INIT;
	int r = 0;

	if (outcome == FETCHFS_IMPORT_PRESENT && item->confirms)
		r = catalog_confirm(import->fetchfs->catalog, &entry->key, entry->verified,
			entry->expires, entry->must_ask, &err);
	if (r == 0)
		r = pin(import, item, &err);
	import_tell(import, item, r == 0 ? outcome : FETCHFS_IMPORT_FAILED, &err);
}

/* Whether @item is wanted; else what there is instead, or what is wrong, is told. */
static bool is_wanted(struct import *import, struct import_item *item)
{
	enum fetchfs_import_outcome outcome;
	struct err err = ERR_INIT;
	int r = import_decide(import, item, &outcome, &err);

	if (r < 0)
		import_tell(import, item, FETCHFS_IMPORT_FAILED, &err);
	else if (r == 0)
		import_keep(import, item, outcome);
	return r > 0;
}

bool import_claim(struct import *import, struct import_item *item, struct lock *key)
{
	(void)cachedir_lock_key(&import->fetchfs->dir, &item->entry.key, key);
	if (is_wanted(import, item))
		return true;
	lock_release(key);
	return false;
}

void import_yield(const struct import *import, const struct import_item *item, struct lock *key)
{
	const struct cachedir *dir = &import->fetchfs->dir;

	cachedir_move(dir, &item->entry.key);
	lock_release(key);
	cachedir_bump(dir, &item->entry.key);
}

void import_end(struct import *import, struct import_item *item, const struct err *failure)
{
	struct err err = failure ? *failure : ERR_INIT;
	int r = failure ? -failure->code : 0;

	if (r == 0)
		r = pin(import, item, &err);
	import_tell(import, item, r < 0 ? FETCHFS_IMPORT_FAILED : FETCHFS_IMPORT_DONE, &err);
}

static bool fits(struct import *import, struct import_item *item, uint64_t size)
{
	struct err err = ERR_INIT;

	if ((uint64_t)item->entry.size == size)
		return true;
	err_set(&err, ERR_INTEGRITY, EBADMSG, "its bytes are %llu, and not %lld",
		(unsigned long long)size, (long long)item->entry.size);
	import_tell(import, item, FETCHFS_IMPORT_FAILED, &err);
	return false;
}

int import_put(struct import *import, struct import_item *items, size_t count, uint64_t size,
	struct err *err)
{
	uint64_t seen = import->sum.seen;
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < count; i++) {
		items[i].wanted = !items[i].told && fits(import, &items[i], size) &&
				  is_wanted(import, &items[i]);
		any |= items[i].wanted;
	}
	if (any && size <= CHUNK_SIZE)
		r = import_small(import, items, count, (size_t)size, err);
	else if (any)
		r = import_large(import, items, count, err);
	/* what was passed over counts, too */
	import_tick(import, size - (import->sum.seen - seen));
	return r;
}
