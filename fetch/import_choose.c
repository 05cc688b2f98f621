/* What of an archive is wanted here. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/units.h"
#include "cache/room.h"
#include "fetch/import.h"
#include "fetch/lookup.h"
#include "fetch/target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an object may occupy beside its bytes: a folder, and its rows. */
#define BESIDE 8192

/* ---- what may come in ---- */

/* The entry's URI, as it must be for somebody to ask for it. */
static int check_uri(const char *text, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	int r = uri_parse(text, &uri, err);

	if (r < 0)
		return r;
	if (uri.user || uri.password)
		return err_set(err, ERR_USAGE, EINVAL, "it has credentials");
	if (str_equal(uri.scheme, "file"))
		return err_set(err, ERR_POLICY, EACCES,
			"it is a file of the machine that it was exported on");
	if (!str_equal(uri.text, text))
		return err_set(err, ERR_USAGE, EINVAL, "its canonical form is another one");
	return 0;
}

/* Whose it is, and what it is called, is decided here: as if its owner fetched it. */
static int adapt(struct fetchfs *fetchfs, struct entry *entry, struct err *err)
{
	const struct fetchfs_request request = {.uri = entry->uri, .uid = getuid()};
	CLEANUP(target_unrefp) struct target *target = NULL;
	char *scope, *shown;
	int r = check_uri(entry->uri, err);

	if (r == 0)
		r = target_new(fetchfs, &request, &target, err);
	if (r < 0)
		return r;
	scope = str_copy(target->decision.scope);
	shown = str_copy(target->shown);
	if (!scope || !shown) {
		free(scope);
		free(shown);
		return err_oom(err);
	}
	free(entry->scope);
	free(entry->uri);
	entry->scope = scope;
	entry->uri = shown;
	entry->key = target->key;
	entry->has_query = !target_is_listed(target);
	return 0;
}

/* What came from the future would be newer than all that will be fetched before. */
static void bound_times(struct entry *entry, int64_t now, bool pin)
{
	if (entry->fetched > now)
		entry->fetched = now;
	/* nor is it fresh any longer than it was to be */
	if (entry->verified > now) {
		entry->expires -= entry->verified - now;
		entry->verified = now;
	}
	entry->pinned |= pin;
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = &((const struct import_item *)a)->entry;
	const struct entry *y = &((const struct import_item *)b)->entry;
	int r = memcmp(x->digest.bytes, y->digest.bytes, DIGEST_SIZE);

	return r ? r : strcmp(x->uri, y->uri);
}

/* For people: it was never parsed, or in vain. */
static void show(struct entry *entry)
{
	CLEANUP(uri_release) struct uri uri = {.text = NULL};
	char *shown;

	if (uri_parse(entry->uri, &uri, NULL) < 0) {
		str_make_plain(entry->uri);
		return;
	}
	shown = uri_display(&uri);
	if (!shown)
		return;
	free(entry->uri);
	entry->uri = shown;
}

int import_admit(struct import *import, struct manifest *manifest, struct err *err)
{
	int64_t now = clock_wall();

	import->sum.entries = manifest->count;
	import->items = calloc(manifest->count + 1, sizeof(*import->items));
	if (!import->items)
		return err_oom(err);
	for (size_t i = 0; i < manifest->count; i++) {
		struct import_item *item = &import->items[import->count++];
		struct err failure = ERR_INIT;

		item->entry = manifest->entries[i];
		manifest->entries[i] = (struct entry){.size = -1};
		bound_times(&item->entry, now, import->how->pin);
		if (adapt(import->fetchfs, &item->entry, &failure) < 0) {
			show(&item->entry);
			import_tell(import, item, FETCHFS_IMPORT_FAILED, &failure);
		}
	}
	qsort(import->items, import->count, sizeof(*import->items), compare);
	for (size_t i = 0; i < import->count; i += import_alike(import, i))
		import->sum.total_bytes += (uint64_t)import->items[i].entry.size;
	return 0;
}

size_t import_alike(const struct import *import, size_t i)
{
	size_t n = 1;

	while (i + n < import->count &&
		digest_equal(&import->items[i].entry.digest, &import->items[i + n].entry.digest))
		n++;
	return n;
}

/* ---- what is wanted ---- */

/* Whether what is here is to stay; @same: it has the same content. */
static bool stays(const struct entry *here, const struct entry *there, bool same)
{
	if (same)
		return here->executable || !there->executable;
	return here->fetched >= there->fetched;
}

/* The same content, confirmed by its origin at another time: the later one counts. */
static void join(const struct entry *here, struct import_item *item)
{
	struct entry *there = &item->entry;

	item->confirms = here->verified < there->verified;
	if (!item->confirms) {
		there->verified = here->verified;
		there->expires = here->expires;
	}
	there->must_ask |= here->must_ask;
}

int import_decide(struct import *import, struct import_item *item, enum fetchfs_import_outcome *ret,
	struct err *err)
{
	CLEANUP(entry_release) struct entry here = {.size = -1};
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct fetchfs *fetchfs = import->fetchfs;
	bool same, kept;
	int r = catalog_find(fetchfs->catalog, &item->entry.key, &here, err);

	if (r == -ENOENT || (r == 0 && here.state != ENTRY_COMPLETE))
		return 1;
	if (r == 0)
		r = lookup_object(fetchfs, &here, EXPECTED_BY_HASHING, &object, err);
	if (r < 0)
		return r == -ENOENT ? 1 : r;
	same = digest_equal(&here.digest, &item->entry.digest);
	kept = stays(&here, &item->entry, same);
	if (same)
		join(&here, item);
	if (!kept)
		return 1;
	*ret = same ? FETCHFS_IMPORT_PRESENT : FETCHFS_IMPORT_NEWER;
	return 0;
}

/* ---- whether there is room ---- */

/* Whether the object of @entry would be new: 1, 0 or -errno. */
static int brings_bytes(struct import *import, struct import_item *item, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	enum fetchfs_import_outcome outcome;
	int r = item->told ? 0 : import_decide(import, item, &outcome, err);

	if (r <= 0)
		return r;
	r = store_open(
		&import->fetchfs->store, &item->entry.digest, item->entry.executable, &object, err);
	return r == 0 ? 0 : r == -ENOENT ? 1 : r;
}

static int sum_up(struct import *import, uint64_t *ret, struct err *err)
{
	*ret = 0;
	for (size_t i = 0; i < import->count;) {
		size_t next = i + import_alike(import, i);
		bool modes[2] = {false, false};

		for (; i < next; i++) {
			struct import_item *item = &import->items[i];
			int r = brings_bytes(import, item, err);

			if (r < 0)
				return r;
			if (r == 0 || modes[item->entry.executable])
				continue;
			modes[item->entry.executable] = true;
			if (__builtin_add_overflow(*ret, (uint64_t)item->entry.size + BESIDE, ret))
				*ret = UINT64_MAX;
		}
	}
	return 0;
}

/*
 * Without this the first to come would be evicted for the last. What others fetch meanwhile may
 * still make some go, as it does at any other time.
 */
int import_check_room(struct import *import, struct err *err)
{
	const struct store *store = &import->fetchfs->store;
	char needed_text[UNITS_SIZE_TEXT], room_text[UNITS_SIZE_TEXT];
	struct holdings holdings = {0};
	struct usage usage = {0};
	uint64_t needed, missing = 0, room = room_within(store), evictable;
	int r = sum_up(import, &needed, err);

	if (r == 0)
		r = catalog_holdings(store->catalog, &holdings, err);
	if (r == 0)
		r = catalog_usage(store->catalog, &usage, err);
	if (r == 0)
		r = room_missing_on_disk(store, needed, &missing, err);
	if (r < 0 || needed == 0)
		return r;
	evictable = usage.objects > holdings.held ? usage.objects - holdings.held : 0;
	room = room > holdings.held ? room - holdings.held : 0;
	units_format_size(needed, needed_text);
	units_format_size(room, room_text);
	if (needed > room)
		return err_set(err, ERR_SPACE, ENOSPC,
			"the archive brings %s, and the cache has room for %s beside what is "
			"pinned or leased: raise 'size' in [cache]",
			needed_text, room_text);
	if (missing > evictable)
		return err_set(err, ERR_SPACE, ENOSPC,
			"the archive brings %s, more than the disk of the cache has room for",
			needed_text);
	return 0;
}
