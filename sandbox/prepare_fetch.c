/* The downloads of a prepare: all at once, to be over by one time. */
#include "base/clock.h"
#include "base/str.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <limits.h>

#define AHEAD 32 /* downloads under way at a time */

int prepare_time_left(const struct prepare *prepare)
{
	int64_t left;

	if (prepare->until_ms == 0)
		return -1;
	left = prepare->until_ms - clock_monotonic_ms();
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

int prepare_too_late(const struct prepare *prepare, struct err *err)
{
	return err_set_retry(err, ERR_NETWORK, ETIMEDOUT, 0, "not here after %.3g s",
		(double)prepare->plan->timeout_ms / 1000);
}

/* Wait for it. What is too late is given up. */
static int await(const struct prepare *prepare, struct fetchfs_file **file, struct err *err)
{
	struct err why = ERR_INIT;
	int r = fetchfs_file_wait_until(
		*file, FETCHFS_UNTIL_COMPLETE, 0, 0, prepare_time_left(prepare), &why);

	if (r == 0)
		return 0;
	if (r == -ETIMEDOUT && prepare_time_left(prepare) == 0)
		prepare_too_late(prepare, &why);
	fetchfs_file_abandon(*file);
	*file = NULL;
	*err = why;
	return -why.code;
}

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

struct fetchfs_request prepare_request(const struct prepare *prepare, size_t i)
{
	const struct plan_item *item = &prepare->plan->items[i];
	const char *digest = prepare->results[i].digest;

	return (struct fetchfs_request){
		.uri = item->uri,
		.uid = prepare->user->uid,
		.through_mount = prepare->below_roots,
		.executable = methods_need_executable(&prepare->methods, item),
		.plain = methods_need_plain(&prepare->methods, item),
		.digest = *digest ? digest : NULL,
	};
}

static int start(struct prepare *prepare, size_t i, struct err *err)
{
	const struct fetchfs_request request = prepare_request(prepare, i);

	return fetchfs_get(prepare->fetchfs, &request, &prepare->files[i], err);
}

static void start_one(struct prepare *prepare, size_t i)
{
	struct err err = ERR_INIT;

	if (!prepare->results[i].err.code && !prepare_is_lazy(prepare, i) &&
		start(prepare, i, &err) < 0)
		prepare_fail(prepare, i, &err);
}

int prepare_fetch_one(struct prepare *prepare, size_t i, struct err *err)
{
	int r = start(prepare, i, err);

	return r < 0 ? r : await(prepare, &prepare->files[i], err);
}

static void finish(struct prepare *prepare, size_t i)
{
	struct err err = ERR_INIT;

	if (prepare->files[i] && await(prepare, &prepare->files[i], &err) < 0)
		prepare_fail(prepare, i, &err);
}

/* Reading the listing would wait for as long as it takes: so it is waited for first. */
static int load_digests(struct prepare *prepare, struct err *err)
{
	const struct fetchfs_request request = {
		.uri = prepare->plan->digests,
		.uid = prepare->user->uid,
		.through_mount = prepare->below_roots,
	};
	struct fetchfs_file *file = NULL;
	int r = 0;

	if (!request.uri)
		return 0;
	if (prepare->until_ms != 0)
		r = fetchfs_get(prepare->fetchfs, &request, &file, err);
	if (r == 0 && file)
		r = await(prepare, &file, err);
	if (r == 0)
		r = fetchfs_digests_load(prepare->fetchfs, &request, &prepare->digests, err);
	fetchfs_file_free(file);
	return r;
}

void prepare_find_digests(struct prepare *prepare)
{
	for (size_t i = 0; i < prepare->plan->count; i++) {
		struct err err = ERR_INIT;

		if (!prepare->results[i].err.code && find_digest(prepare, i, &err) < 0)
			prepare_fail(prepare, i, &err);
	}
}

/* Transfers run by themselves: waiting for the first ones first keeps all of them going. */
int prepare_fetch(struct prepare *prepare, struct err *err)
{
	size_t count = prepare->plan->count;
	int r = load_digests(prepare, err);

	if (r == 0)
		prepare_find_digests(prepare);
	if (r == 0)
		r = prepare_find_lazy(prepare, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && i < AHEAD; i++)
		start_one(prepare, i);
	for (size_t i = 0; i < count; i++) {
		finish(prepare, i);
		if (i + AHEAD < count)
			start_one(prepare, i + AHEAD);
	}
	return 0;
}
