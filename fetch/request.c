/* Asking for an artifact: fetchfs_key(), _find(), _stat(), _get(). */
#include "fetch/fetchfs.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/str.h"
#include "cache/transfers.h"
#include "fetch/ask.h"
#include "fetch/expected.h"
#include "fetch/fetcher.h"
#include "fetch/file.h"
#include "fetch/freshness.h"
#include "fetch/info.h"
#include "fetch/lookup.h"

#include <errno.h>

#define PATIENCE_MS 200 /* so often it is looked whether somebody still waits */

int fetchfs_key(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, char *ret, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	int r = target_new(fetchfs, request, &target, err);

	if (r < 0)
		return r;
	entry_key_hex(&target->key, ret);
	return 0;
}

/* 1: a flight of this process that knows its version tells it. 0: there is none. */
static int find_flight(struct fetchfs *fetchfs, const struct target *target,
	struct fetchfs_info *ret, struct err *err)
{
	struct flight *flight = flight_find(fetchfs, &target->key);
	int r;

	if (!flight)
		return 0;
	r = info_of_flight(flight, ret, err);
	flight_unref(flight, false);
	if (r < 0)
		return r;
	if (ret->state == FETCHFS_IN_FLIGHT || ret->state == FETCHFS_COMPLETE)
		return 1;
	fetchfs_info_release(ret);
	return 0;
}

static int find_entry(struct fetchfs *fetchfs, const struct target *target,
	struct fetchfs_info *ret, struct err *err)
{
	struct entry entry;
	int r = catalog_find(fetchfs->catalog, &target->key, &entry, err);

	if (r < 0)
		return r;
	r = info_of_entry(&entry, ret, err);
	if (r == 0 && entry.state == ENTRY_KNOWN && !ret->is_folder)
		(void)transfers_arrived(&fetchfs->store, &target->key, &ret->cached_bytes, NULL);
	entry_release(&entry);
	return r;
}

static int find_target(struct fetchfs *fetchfs, const struct target *target,
	struct fetchfs_info *ret, struct err *err)
{
	int r = find_flight(fetchfs, target, ret, err);

	if (r != 0)
		return r < 0 ? r : 0;
	return find_entry(fetchfs, target, ret, err);
}

int fetchfs_find(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	int r = target_new(fetchfs, request, &target, err);

	if (r < 0)
		return r;
	r = find_target(fetchfs, target, ret, err);
	if (r == 0 || r == -ENOENT)
		entry_key_hex(&target->key, ret->key);
	return r;
}

/* Its content, under this name or another; -ENOENT: it is not here. */
static int find_expected(struct fetchfs *fetchfs, const struct target *target,
	struct fetchfs_info *ret, struct err *err)
{
	struct entry entry;
	int r = catalog_find(fetchfs->catalog, &target->key, &entry, err);

	if (r == 0 && !(entry.state == ENTRY_COMPLETE &&
			      expected_holds(fetchfs, target, &entry, EXPECTED_BY_HASHING))) {
		entry_release(&entry);
		r = -ENOENT;
	}
	if (r == -ENOENT)
		r = expected_find(fetchfs, target, &entry, err);
	if (r < 0)
		return r;
	r = info_of_entry(&entry, ret, err);
	entry_release(&entry);
	return r;
}

/* What has another digest than the expected one is nothing. */
static int find_other(struct fetchfs *fetchfs, const struct target *target,
	struct fetchfs_info *ret, struct err *err)
{
	int r = find_target(fetchfs, target, ret, err);

	if (r < 0 || !target->has_expected || ret->state != FETCHFS_COMPLETE)
		return r;
	fetchfs_info_release(ret);
	return -ENOENT;
}

/* -ENOENT: fetchfs_get() would not ask for it again yet. */
static int check_remembered(struct fetchfs *fetchfs, const struct target *target, struct err *err)
{
	struct entry entry;
	int r = catalog_find(fetchfs->catalog, &target->key, &entry, NULL);

	if (r < 0)
		return 0; /* what comes next tells why */
	r = lookup_check_absent(target, &entry, clock_wall(), err);
	entry_release(&entry);
	return r;
}

int fetchfs_foresee(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	struct err why = ERR_INIT;
	int r = target_new(fetchfs, request, &target, err);

	if (r == 0)
		r = check_remembered(fetchfs, target, err);
	if (r < 0)
		return r;
	r = target->has_expected ? find_expected(fetchfs, target, ret, &why) : -ENOENT;
	if (r == -ENOENT)
		r = find_other(fetchfs, target, ret, &why);
	if (r == -ENOENT)
		r = info_of_nothing(target, ret, &why);
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}
	/* by another name it may be another's, too */
	entry_key_hex(&target->key, ret->key);
	ret->is_public = target->decision.scope[0] == '\0';
	return 0;
}

static bool has_failed(struct fetchfs_file *file)
{
	struct fetchfs_info info;

	if (fetchfs_file_info(file, &info, NULL) < 0)
		return true;
	fetchfs_info_release(&info);
	return info.state == FETCHFS_FAILED;
}

static int wait_for(struct fetchfs_file *file, int ms, struct err *err)
{
	return fetchfs_file_wait_until(file, FETCHFS_UNTIL_STARTED, 0, 0, ms, err);
}

/* Until the origin has answered, or the patience of @request is at its end. */
static int wait_for_start(struct fetchfs_file *file, struct patience *patience, struct err *err)
{
	for (;;) {
		struct err why = ERR_INIT;
		int r = wait_for(file, ask_slice(patience, PATIENCE_MS), &why);
		/* of the wait, or of the download: what has failed by now says which one */
		bool failed = r == -ETIMEDOUT && has_failed(file);

		if (failed)
			r = wait_for(file, 0, &why);
		if (r < 0 && (failed || r != -ETIMEDOUT) && err)
			*err = why;
		if (failed || r != -ETIMEDOUT)
			return r;
		r = ask_check(patience, err);
		if (r < 0)
			return r;
	}
}

/* The backend cannot tell without fetching: fetch, and tell what is known as soon as it begins. */
static int stat_by_fetching(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err)
{
	struct patience patience = ask_patience(fetchfs, request);
	struct fetchfs_file *file;
	int r = fetchfs_get(fetchfs, request, &file, err);

	if (r < 0)
		return r;
	r = wait_for_start(file, &patience, err);
	if (r == 0)
		r = fetchfs_file_info(file, ret, err);
	if (r == -ECANCELED)
		fetchfs_file_abandon(file);
	else
		fetchfs_file_free(file);
	return r;
}

/* Best effort: who leads a flight of it right now knows better. */
static void remember_absent(struct fetchfs *fetchfs, const struct target *target)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;

	if (cachedir_lock_key(&fetchfs->dir, &target->key, &lock) == 0)
		lookup_remember_absent(fetchfs, target);
}

static int ask_origin(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	const struct target *target, struct fetchfs_info *ret, struct err *err)
{
	struct remote remote = {0};
	int64_t now = clock_wall();
	int64_t expires;
	int r = ask_around(fetchfs, target, request, route_stat, &remote, err);

	if (r == -EOPNOTSUPP)
		return stat_by_fetching(fetchfs, request, ret, err);
	if (r == -ENOENT)
		remember_absent(fetchfs, target);
	if (r == -EISDIR)
		lookup_remember_folder(fetchfs, target);
	if (r == 0)
		r = target_check_remote(target, &remote, err);
	if (r < 0)
		return r;

	expires = freshness_until(&target->decision, &remote, now);
	lookup_remember_known(fetchfs, target, &remote, now, expires);
	return info_of_remote(target, &remote, now, expires, ret, err);
}

/* What is complete is told whatever its age: an open, not a stat, asks for a new version. */
static bool is_good_enough(const struct fetchfs_info *info, int64_t now)
{
	if (info->state == FETCHFS_COMPLETE || info->state == FETCHFS_IN_FLIGHT)
		return true;
	return info->verified <= now && now < info->expires;
}

int fetchfs_stat(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	struct fetchfs_info info;
	int r = refusals_target(fetchfs, request, &target, err);

	if (r < 0)
		return r;
	r = find_target(fetchfs, target, &info, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0 && !request->refresh && is_good_enough(&info, clock_wall())) {
		if (info.state == FETCHFS_ABSENT || info.is_folder) {
			r = info.is_folder ? EISDIR : ENOENT;
			fetchfs_info_release(&info);
			return err_set(err, ERR_REMOTE, r, "%s",
				r == EISDIR ? "the origin says that it is a folder" : "not found");
		}
		*ret = info;
		return 0;
	}
	if (r == 0)
		fetchfs_info_release(&info);
	return ask_origin(fetchfs, request, target, ret, err);
}

static int join_flight(struct fetchfs *fetchfs, struct target *target, bool prefetch,
	const struct flight_seen *seen, struct fetchfs_file **ret, struct err *err)
{
	struct flight *flight;
	bool start;
	int r = flight_join(fetchfs, target, prefetch, seen, &flight, &start, err);

	if (r < 0)
		return r;
	if (start)
		fetcher_start(flight);
	r = file_of_flight(target, flight, prefetch, ret, err);
	if (r < 0)
		flight_unref(flight, true);
	return r;
}

int fetchfs_get(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_file **ret, struct err *err)
{
	CLEANUP(target_unrefp) struct target *target = NULL;
	struct object object = {.fd = -1};
	struct entry entry = {0};
	struct flight_seen seen = {.word = 0};
	int r = refusals_target(fetchfs, request, &target, err);

	if (r < 0)
		return r;
	seen.word = cachedir_word(&fetchfs->dir, &target->key);
	r = lookup_cached(fetchfs, target, &object, &entry, &seen, err);
	if (r < 0)
		return r;
	if (r == 0) {
		atomic_fetch_add(&fetchfs->meter.misses, 1);
		return join_flight(fetchfs, target, request->prefetch, &seen, ret, err);
	}

	meter_hit(&fetchfs->meter, entry.size);
	r = file_of_object(fetchfs, target, &object, &entry, ret, err);
	if (r < 0) {
		object_release(&object);
		entry_release(&entry);
	}
	return r;
}

int fetchfs_get_digest(struct fetchfs *fetchfs, const char *sha256, uid_t uid,
	struct fetchfs_file **ret, struct err *err)
{
	struct object object = {.fd = -1};
	struct entry entry = {0};
	CLEANUP(str_freep) char *scopes = NULL;
	struct digest digest;
	int64_t size;
	int r = digest_parse(sha256, &digest, err);

	if (r < 0)
		return r;
	r = policy_scopes(&fetchfs->config, uid, fetchfs->owner, &scopes, err);
	if (r < 0)
		return r;
	r = catalog_find_digest(fetchfs->catalog, &digest, scopes, &entry, err);
	if (r < 0)
		return r;
	size = entry.size;
	r = lookup_object(fetchfs, &entry, EXPECTED_BY_HASHING, &object, err);
	if (r == 0)
		r = file_of_object(fetchfs, NULL, &object, &entry, ret, err);
	if (r < 0) {
		object_release(&object);
		entry_release(&entry);
		return r;
	}
	meter_hit(&fetchfs->meter, size);
	return 0;
}
