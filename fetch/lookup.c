#include "fetch/lookup.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/str.h"
#include "fetch/expected.h"
#include "fetch/freshness.h"
#include "fetch/twin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void entry_releasep(struct entry *entry)
{
	entry_release(entry);
}

static struct entry entry_steal(struct entry *entry)
{
	struct entry given = *entry;

	*entry = (struct entry){0};
	return given;
}

/* Content that is expected by its digest is never asked for again. */
static bool is_fresh(const struct target *target, const struct entry *entry, int64_t now)
{
	return target->has_expected || (!target->refresh && freshness_holds(entry, now));
}

/* Whether it is complete and what is expected, be it executable or not. */
static bool matches(struct fetchfs *fetchfs, const struct target *target, const struct entry *entry,
	enum expected_effort effort)
{
	return entry->state == ENTRY_COMPLETE && expected_holds(fetchfs, target, entry, effort);
}

/* Whether it may be handed out: it matches, and is executable if that was asked for. */
static bool accepts(struct fetchfs *fetchfs, const struct target *target, const struct entry *entry,
	enum expected_effort effort)
{
	return (entry->executable || !target->executable) &&
	       matches(fetchfs, target, entry, effort);
}

int lookup_check_absent(
	const struct target *target, const struct entry *entry, int64_t now, struct err *err)
{
	if (entry->state != ENTRY_ABSENT || target->refresh || !freshness_holds(entry, now))
		return 0;
	return err_set(err, ERR_REMOTE, ENOENT, "not found (the origin is asked again in %lld s)",
		(long long)(entry->expires - now));
}

int lookup_object(struct fetchfs *fetchfs, const struct entry *entry, enum expected_effort effort,
	struct object *ret, struct err *err)
{
	CLEANUP(object_release) struct object object = {.fd = -1};
	int r = store_open(&fetchfs->store, &entry->digest, entry->executable, &object, err);

	if (r < 0)
		return r;
	if (object_is_doubtful(&object, entry)) {
		if (effort == EXPECTED_BY_INDEX)
			return err_set(err, ERR_SYSTEM, ENOENT, "it has to be read first");
		r = store_examine(&fetchfs->store, &object, err);
		if (r < 0)
			return r == -EBADMSG ? -ENOENT : r;
	}
	*ret = object_steal(&object);
	return 0;
}

static bool has_mode(const struct target *target, const struct entry *entry)
{
	return entry->executable ? !target->plain : !target->executable;
}

/* The file of @entry that @target may have. An executable may have a twin that is none. */
static int open_object(struct fetchfs *fetchfs, const struct target *target,
	const struct entry *entry, enum expected_effort effort, struct object *ret, struct err *err)
{
	struct entry twin = *entry;
	struct catalog_file file;
	int r;

	if (!target->plain || !entry->executable)
		return lookup_object(fetchfs, entry, effort, ret, err);
	r = catalog_file(fetchfs->catalog, &entry->digest, false, &file, err);
	if (r < 0)
		return r;
	twin.executable = false;
	twin.lent = file.lent;
	twin.unsure = file.unsure;
	return lookup_object(fetchfs, &twin, effort, ret, err);
}

static int open_entry(struct fetchfs *fetchfs, const struct target *target, struct entry *entry,
	enum expected_effort effort, struct object *ret_object, struct entry *ret_entry,
	struct err *err)
{
	int r = open_object(fetchfs, target, entry, effort, ret_object, err);

	if (r < 0)
		return r;
	*ret_entry = entry_steal(entry);
	ret_entry->executable = ret_object->executable;
	return 0;
}

int lookup_cached(struct fetchfs *fetchfs, const struct target *target, struct object *ret_object,
	struct entry *ret_entry, struct flight_seen *ret_seen, struct err *err)
{
	CLEANUP(entry_releasep) struct entry entry = {0};
	int64_t now = clock_wall();
	int r = catalog_recall(fetchfs->catalog, &target->key, &entry, err);

	ret_seen->unknown = r == -ENOENT;
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	ret_seen->complete =
		entry.state == ENTRY_COMPLETE && !expected_fails(fetchfs, target, &entry);
	r = lookup_check_absent(target, &entry, now, err);
	if (r < 0)
		return r;
	if (!is_fresh(target, &entry, now) || !accepts(fetchfs, target, &entry, EXPECTED_BY_INDEX))
		return 0;

	r = open_entry(fetchfs, target, &entry, EXPECTED_BY_INDEX, ret_object, ret_entry, err);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	catalog_touch(fetchfs->catalog, &ret_object->digest, now);
	return 1;
}

int lookup_complete(struct fetchfs *fetchfs, const struct target *target, struct object *ret_object,
	struct entry *ret_entry, struct err *err)
{
	CLEANUP(entry_releasep) struct entry entry = {0};
	int r = catalog_find(fetchfs->catalog, &target->key, &entry, err);

	if (r < 0)
		return r;
	if (!accepts(fetchfs, target, &entry, EXPECTED_BY_HASHING))
		return err_set(err, ERR_SYSTEM, ENOENT, "not in the cache");
	return open_entry(fetchfs, target, &entry, EXPECTED_BY_HASHING, ret_object, ret_entry, err);
}

/* The same content under another name that this user may see: it only needs a row. */
static int adopt(
	struct flight *flight, struct object *ret_object, struct entry *ret_entry, struct err *err)
{
	struct fetchfs *fetchfs = flight->fetchfs;
	const struct target *target = flight->target;
	CLEANUP(entry_releasep) struct entry entry = {0};
	int r = expected_find(fetchfs, target, &entry, err);

	if (r == 0 && entry.executable != target->executable)
		return -ENOENT;
	if (r == 0)
		r = lookup_object(fetchfs, &entry, EXPECTED_BY_HASHING, ret_object, err);
	if (r < 0)
		return r;

	free(entry.scope);
	free(entry.uri);
	free(entry.etag);
	free(entry.type);
	entry.key = target->key;
	entry.scope = strdup(target->decision.scope);
	entry.uri = strdup(target->shown);
	entry.has_query = !target_is_listed(target);
	/* this origin was not asked: stale for whoever does not name the digest, and nothing to
	 * ask it about */
	entry.etag = NULL;
	entry.type = NULL;
	entry.modified = TIME_UNKNOWN;
	entry.must_ask = false;
	entry.pinned = false;
	entry.uid = target_share(target, fetchfs);
	entry.verified = entry.expires = clock_wall();
	if (!entry.scope || !entry.uri)
		r = err_oom(err);
	else
		r = catalog_record(fetchfs->catalog, &entry, 0, 0, NULL, err);
	if (r < 0) {
		object_release(ret_object);
		return r;
	}
	*ret_entry = entry_steal(&entry);
	return 0;
}

/* What is here but not good enough to be handed out unasked. 1, or 0 when it is after all. */
static int consider_old(struct flight *flight, struct entry *entry, struct object *ret_object,
	struct entry *ret_entry, struct entry *ret_old, struct err *err)
{
	const struct target *target = flight->target;
	bool matching = matches(flight->fetchfs, target, entry, EXPECTED_BY_HASHING);
	struct object object = {.fd = -1};

	if (lookup_object(flight->fetchfs, entry, EXPECTED_BY_HASHING, &object, NULL) < 0)
		return 1;

	if (matching && !has_mode(target, entry) && is_fresh(target, entry, clock_wall())) {
		int r = twin_make(flight, &object, entry, ret_object, ret_entry, err);

		object_release(&object);
		return r;
	}
	if (matching && (entry->executable || !target->executable)) {
		if (open_object(flight->fetchfs, target, entry, EXPECTED_BY_HASHING, ret_object,
			    NULL) < 0)
			*ret_object = object_steal(&object);
		*ret_old = entry_steal(entry);
	}
	object_release(&object);
	return 1;
}

/* Whoever leads moves the word before the lock is free. */
bool lookup_is_unchanged(const struct flight *flight)
{
	const struct target *target = flight->target;

	return flight->seen.unknown &&
	       cachedir_word(&flight->fetchfs->dir, &target->key) == flight->seen.word;
}

int lookup_again(struct flight *flight, struct object *ret_object, struct entry *ret_entry,
	struct entry *ret_old, struct err *err)
{
	struct fetchfs *fetchfs = flight->fetchfs;
	const struct target *target = flight->target;
	CLEANUP(entry_releasep) struct entry entry = {0};
	int64_t now = clock_wall();
	int r;

	if (lookup_is_unchanged(flight) && !target->has_expected)
		return 1;
	r = catalog_find(fetchfs->catalog, &target->key, &entry, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && is_fresh(target, &entry, now) &&
		accepts(fetchfs, target, &entry, EXPECTED_BY_HASHING) &&
		open_entry(fetchfs, target, &entry, EXPECTED_BY_HASHING, ret_object, ret_entry,
			NULL) == 0)
		return 0;
	if (target->has_expected && adopt(flight, ret_object, ret_entry, NULL) == 0)
		return 0;
	if (r == 0 && lookup_check_absent(target, &entry, now, err) < 0)
		return -err->code;
	if (r == 0 && entry.state == ENTRY_COMPLETE)
		return consider_old(flight, &entry, ret_object, ret_entry, ret_old, err);
	return 1;
}

static int remember(struct fetchfs *fetchfs, const struct target *target, struct entry *entry)
{
	int r;

	entry->key = target->key;
	entry->scope = strdup(target->decision.scope);
	entry->uri = strdup(target->shown);
	entry->has_query = !target_is_listed(target);
	r = entry->scope && entry->uri ? catalog_record(fetchfs->catalog, entry, 0, 0, NULL, NULL)
				       : -ENOMEM;
	entry_release(entry);
	return r;
}

void lookup_remember_absent(struct fetchfs *fetchfs, const struct target *target)
{
	int64_t now = clock_wall();
	struct entry entry = {
		.state = ENTRY_ABSENT,
		.size = SIZE_UNKNOWN,
		.modified = TIME_UNKNOWN,
		.verified = now,
		.expires = freshness_absent_until(&target->decision, &target->uri, now),
	};

	if (entry.expires > now)
		remember(fetchfs, target, &entry);
	else
		catalog_remove(fetchfs->catalog, &target->key, NULL);
}

/* @type: NULL when it does not matter, since somebody wants the bytes whatever they are. */
static void learned(struct fetchfs *fetchfs, const struct target *target,
	const struct remote *remote, const char *type, int64_t now, int64_t expires)
{
	CLEANUP(entry_releasep) struct entry present = {0};
	struct entry entry = {
		.state = ENTRY_KNOWN,
		.size = remote->size,
		.modified = remote->validators.modified,
		.verified = now,
		.expires = expires,
	};

	if (catalog_find(fetchfs->catalog, &target->key, &present, NULL) == 0 &&
		present.state == ENTRY_COMPLETE)
		return;
	if (remote->validators.etag[0])
		entry.etag = strdup(remote->validators.etag);
	entry.type = type && type[0] ? strdup(type) : NULL;
	remember(fetchfs, target, &entry);
}

void lookup_learned(struct fetchfs *fetchfs, const struct target *target,
	const struct remote *remote, int64_t now, int64_t expires)
{
	learned(fetchfs, target, remote, NULL, now, expires);
}

void lookup_remember_known(struct fetchfs *fetchfs, const struct target *target,
	const struct remote *remote, int64_t now, int64_t expires)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;

	/* under the key's lock, so that what a leader publishes now is not replaced by less */
	if (cachedir_lock_key(&fetchfs->dir, &target->key, &lock) == 0)
		learned(fetchfs, target, remote, remote->type, now, expires);
}

void lookup_remember_folder(struct fetchfs *fetchfs, const struct target *target)
{
	struct remote remote = {.size = SIZE_UNKNOWN,
		.validators = {.modified = TIME_UNKNOWN},
		.max_age = TIME_UNKNOWN,
		.type = CATALOG_FOLDER};
	int64_t now = clock_wall();

	/* to ask for a local folder costs nothing */
	if (!str_equal(target->uri.scheme, "file"))
		lookup_remember_known(fetchfs, target, &remote, now,
			freshness_until(&target->decision, &remote, now));
}

bool lookup_knows(struct fetchfs *fetchfs, const struct target *target,
	const struct ranges_version *version, int64_t now)
{
	CLEANUP(entry_releasep) struct entry entry = {0};

	return !target->refresh &&
	       catalog_find(fetchfs->catalog, &target->key, &entry, NULL) == 0 &&
	       entry.state == ENTRY_KNOWN && freshness_holds(&entry, now) &&
	       entry.size == version->size && entry.etag && strcmp(entry.etag, version->etag) == 0;
}
