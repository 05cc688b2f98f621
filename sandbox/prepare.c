#include "sandbox/prepare.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "sandbox/folder.h"
#include "sandbox/leases.h"
#include "sandbox/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define AHEAD 32 /* downloads under way at a time */

struct prepare {
	struct fetchfs *fetchfs;
	const struct plan *plan;
	const struct user *user;
	struct folder folder;
	struct prepared *results;
	struct fetchfs_file **files;
	struct fetchfs_digests *digests; /* of the plan's listing, or NULL */
	struct leases before;            /* of earlier calls */
	struct leases ours;              /* of this one; without their ids */
	bool hardlink; /* "auto" may hardlink, as far as configuration and user go */
	bool failed;
};

static void fail(struct prepare *prepare, size_t i, const struct err *err)
{
	prepare->results[i].err = *err;
	prepare->failed = true;
}

/* ---- before ---- */

/* A task that owns the cached inode, or is root, could change the bytes through a hardlink. */
static int decide_hardlink(struct prepare *prepare, struct err *err)
{
	const char *cache = fetchfs_cache_path(prepare->fetchfs);
	struct stat st;

	if (stat(cache, &st) < 0)
		return err_set(err, ERR_SYSTEM, errno, "stat %s: %m", cache);
	prepare->hardlink = fetchfs_hardlink_allowed(prepare->fetchfs) && prepare->user->other &&
			    prepare->user->uid != 0 && prepare->user->uid != st.st_uid;
	return 0;
}

static bool may_hardlink(const struct prepare *prepare, const struct plan_item *item)
{
	if (item->method == PLAN_AUTO)
		return prepare->hardlink && item->mode < 0;
	return item->method == PLAN_HARDLINK;
}

/* The inode that has the item's name now: 1; 0 when there is none; or -errno. */
static int look(const struct prepare *prepare, int parent, const struct plan_item *item,
	uint64_t *ret_inode, struct err *err)
{
	struct stat st;

	if (fstatat(parent, folder_last(item->name), &st, AT_SYMLINK_NOFOLLOW) == 0) {
		*ret_inode = st.st_ino;
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	return err_set(err, ERR_SYSTEM, errno, "stat %s/%s: %m", prepare->folder.path, item->name);
}

/*
 * Whether the item's file is there, from an earlier call: 1 or 0. -EEXIST when something else has
 * its name, or, unless @sha256 is NULL, when it is of other content.
 */
static int check_there(const struct prepare *prepare, int parent, const struct plan_item *item,
	const char *sha256, struct err *err)
{
	const struct fetchfs_lease *lease = leases_find(&prepare->before, item->name);
	uint64_t inode = 0;
	int r;

	r = look(prepare, parent, item, &inode, err);
	if (r <= 0)
		return r;
	if (!lease || lease->file_inode != inode)
		return err_set(err, ERR_USAGE, EEXIST, "%s/%s exists and was not placed by prepare",
			prepare->folder.path, item->name);
	if (sha256 && !str_equal(lease->sha256, sha256))
		return err_set(err, ERR_USAGE, EEXIST,
			"%s/%s is what prepare placed before it changed: release first",
			prepare->folder.path, item->name);
	return 1;
}

/* Find what is in the way before anything is downloaded. */
static void check_names(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count; i++) {
		const struct plan_item *item = &prepare->plan->items[i];
		CLEANUP(fd_closep) int parent = -1;
		struct err err = ERR_INIT;
		int r;

		r = folder_parent(&prepare->folder, item->name, &parent, &err);
		if (r == -ENOENT)
			continue;
		if (r == 0)
			r = check_there(prepare, parent, item, NULL, &err);
		if (r < 0)
			fail(prepare, i, &err);
	}
}

/* ---- fetch ---- */

/* The item's own digest, else the listing's, goes into its result. */
static int find_digest(struct prepare *prepare, size_t i, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct prepared *result = &prepare->results[i];

	if (!item->digest && prepare->digests)
		return fetchfs_digests_find(prepare->digests, item->uri, result->digest, err);
	if (item->digest && !str_fit(result->digest, sizeof(result->digest), item->digest))
		return err_set(err, ERR_USAGE, EINVAL, "the digest is too long");
	return 0;
}

static void start(struct prepare *prepare, size_t i)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct fetchfs_request request = {
		.uri = item->uri,
		.uid = prepare->user->uid,
		.executable = item->executable && may_hardlink(prepare, item),
	};
	struct err err = ERR_INIT;
	int r = find_digest(prepare, i, &err);

	if (*prepare->results[i].digest)
		request.digest = prepare->results[i].digest;
	if (r == 0)
		r = fetchfs_get(prepare->fetchfs, &request, &prepare->files[i], &err);
	if (r < 0)
		fail(prepare, i, &err);
}

static int load_digests(struct prepare *prepare, struct err *err)
{
	const struct fetchfs_request request = {
		.uri = prepare->plan->digests, .uid = prepare->user->uid};

	if (!request.uri)
		return 0;
	return fetchfs_digests_load(prepare->fetchfs, &request, &prepare->digests, err);
}

static void finish(struct prepare *prepare, size_t i)
{
	struct err err = ERR_INIT;

	if (!prepare->files[i])
		return;
	if (fetchfs_file_wait_until(prepare->files[i], FETCHFS_UNTIL_COMPLETE, 0, 0, -1, &err) < 0)
		fail(prepare, i, &err);
}

/* Transfers run by themselves: waiting for the first ones first keeps all of them going. */
static void fetch_all(struct prepare *prepare)
{
	size_t count = prepare->plan->count;

	for (size_t i = 0; i < count && i < AHEAD; i++)
		start(prepare, i);
	for (size_t i = 0; i < count; i++) {
		finish(prepare, i);
		if (i + AHEAD < count)
			start(prepare, i + AHEAD);
	}
}

/* ---- place ---- */

/* Write the lease down, here and in the cache, before there is anything of it to be seen. */
static int lease(struct prepare *prepare, const char *name, const char *method, uint64_t inode,
	const char *sha256, struct err *err)
{
	CLEANUP(str_freep) char *own_name = str_copy(name);
	CLEANUP(str_freep) char *own_method = str_copy(method);
	struct fetchfs_lease row = {
		.directory = prepare->folder.path,
		.device = prepare->folder.device,
		.inode = prepare->folder.inode,
		.name = own_name,
		.method = own_method,
		.file_inode = inode,
		.since = clock_wall(),
	};
	int r;

	if (!own_name || !own_method)
		return err_oom(err);
	memcpy(row.sha256, sha256, sizeof(row.sha256));
	r = leases_add(&prepare->ours, &row, err);
	if (r < 0)
		return r;
	return fetchfs_lease_add(prepare->fetchfs, &row, err);
}

struct made {
	struct prepare *prepare;
	const char *sha256;
};

static int folder_was_made(const char *name, uint64_t inode, void *arg, struct err *err)
{
	const struct made *made = arg;

	return lease(made->prepare, name, LEASES_FOLDER, inode, made->sha256, err);
}

/* Place it by one method, under a lease. */
static int place_by(
	struct prepare *prepare, size_t i, int parent, enum plan_method method, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct prepared *result = &prepare->results[i];
	CLEANUP(place_release) struct placement placement = PLACEMENT_INIT;
	int mode = item->mode >= 0 ? item->mode : item->executable ? 0755 : 0644;
	int r;

	r = place_begin(&prepare->folder, parent, item->name, fetchfs_file_fd(prepare->files[i]),
		method, (mode_t)mode, &placement, err);
	if (r == 0)
		r = lease(prepare, item->name, plan_method_name(method), placement.inode,
			result->sha256, err);
	if (r == 0)
		r = place_commit(&placement, err);
	if (r == 0)
		result->method = method;
	return r;
}

/* A lease of an earlier call whose file is gone stands in the way of the new one. */
static int drop_stale(struct prepare *prepare, const char *name, struct err *err)
{
	const struct fetchfs_lease *stale = leases_find(&prepare->before, name);

	return stale ? fetchfs_lease_drop(prepare->fetchfs, stale->id, err) : 0;
}

static int learn(struct prepare *prepare, size_t i, bool *ret_public, struct err *err)
{
	struct prepared *result = &prepare->results[i];
	struct fetchfs_info info;
	int r;

	r = fetchfs_file_info(prepare->files[i], &info, err);
	if (r < 0)
		return r;
	result->size = info.size > 0 ? (uint64_t)info.size : 0;
	memcpy(result->sha256, info.sha256, sizeof(result->sha256));
	*ret_public = info.is_public;
	fetchfs_info_release(&info);
	return 0;
}

static int place_one(struct prepare *prepare, size_t i, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct prepared *result = &prepare->results[i];
	struct made made = {.prepare = prepare, .sha256 = result->sha256};
	CLEANUP(fd_closep) int parent = -1;
	bool is_public = false;
	int r;

	r = learn(prepare, i, &is_public, err);
	if (r == 0)
		r = folder_make_parent(
			&prepare->folder, item->name, folder_was_made, &made, &parent, err);
	if (r == 0)
		r = check_there(prepare, parent, item, result->sha256, err);
	if (r == 1) {
		const char *how = leases_find(&prepare->before, item->name)->method;

		result->was_there = true;
		return plan_method_parse(how, &result->method, err);
	}
	if (r == 0)
		r = drop_stale(prepare, item->name, err);
	if (r < 0)
		return r;
	if (item->method == PLAN_HARDLINK)
		return place_by(prepare, i, parent, PLAN_HARDLINK, err);
	if (may_hardlink(prepare, item) && is_public) {
		r = place_by(prepare, i, parent, PLAN_HARDLINK, err);
		if (r != -EXDEV && r != -EMLINK && r != -EPERM)
			return r;
	}
	return place_by(prepare, i, parent, PLAN_COPY, err);
}

static void place_all(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count && !prepare->failed; i++) {
		struct err err = ERR_INIT;

		if (place_one(prepare, i, &err) < 0)
			fail(prepare, i, &err);
	}
}

/* ---- undo ---- */

static bool is_ours(const struct prepare *prepare, const struct fetchfs_lease *lease)
{
	for (size_t i = 0; i < prepare->ours.count; i++) {
		const struct fetchfs_lease *own = &prepare->ours.items[i];

		if (own->file_inode == lease->file_inode && str_equal(own->name, lease->name) &&
			str_equal(own->method, lease->method))
			return true;
	}
	return false;
}

/* The cache gave our leases their ids: read them back, and take back what is ours. */
static int roll_back(struct prepare *prepare, struct err *err)
{
	CLEANUP(leases_release) struct leases now = {0};
	CLEANUP(leases_release) struct leases ours = {0};
	int r;

	if (prepare->ours.count == 0)
		return 0;
	r = leases_load(prepare->fetchfs, prepare->folder.device, prepare->folder.inode, &now, err);
	for (size_t i = 0; i < now.count && r == 0; i++)
		if (is_ours(prepare, &now.items[i]))
			r = leases_add(&ours, &now.items[i], err);
	if (r == 0)
		r = leases_take_back(prepare->fetchfs, &prepare->folder, &ours, NULL, NULL, err);
	return r < 0 ? err_context(err, "take back what was placed in %s", prepare->folder.path)
		     : 0;
}

static int run(struct prepare *prepare, struct err *err)
{
	int r;

	r = folder_check_owner(&prepare->folder, err);
	if (r == 0)
		r = decide_hardlink(prepare, err);
	if (r == 0)
		r = leases_load(prepare->fetchfs, prepare->folder.device, prepare->folder.inode,
			&prepare->before, err);
	if (r < 0)
		return r;
	check_names(prepare);
	if (!prepare->failed && (r = load_digests(prepare, err)) < 0)
		return r;
	if (!prepare->failed)
		fetch_all(prepare);
	if (!prepare->failed)
		place_all(prepare);
	if (!prepare->failed)
		return 0;
	r = roll_back(prepare, err);
	if (r == 0)
		*err = ERR_INIT; /* the items say it all */
	return r < 0 ? r : -EIO;
}

int prepare_run(struct fetchfs *fetchfs, const char *directory, const struct plan *plan,
	const struct user *user, struct prepared *ret, struct err *err)
{
	struct prepare prepare = {
		.fetchfs = fetchfs,
		.plan = plan,
		.user = user,
		.results = ret,
		.files = calloc(plan->count + 1, sizeof(struct fetchfs_file *)),
	};
	int r;

	if (!prepare.files)
		return err_oom(err);
	memset(ret, 0, plan->count * sizeof(*ret));
	r = folder_open(directory, user, &prepare.folder, err);
	if (r == 0) {
		r = run(&prepare, err);
		folder_release(&prepare.folder);
	}
	for (size_t i = 0; i < plan->count; i++)
		fetchfs_file_free(prepare.files[i]);
	free(prepare.files);
	fetchfs_digests_free(prepare.digests);
	leases_release(&prepare.before);
	leases_release(&prepare.ours);
	return r;
}
