/* Room for what is to come: what must go for it, and what is said when nothing can. */
#include "base/cleanup.h"
#include "base/units.h"
#include "cache/ballast.h"
#include "cache/evict.h"
#include "cache/evict_private.h"
#include "cache/room.h"

#include <errno.h>
#include <stdio.h>

/* ---- what is said ---- */

#define HOLDERS_SIZE 160

/* Who holds what is in use; what is both pinned and leased is in both. */
static int tell_holders(const struct store *store, char ret[HOLDERS_SIZE], struct err *err)
{
	char pinned[UNITS_SIZE_TEXT];
	char leased[UNITS_SIZE_TEXT];
	char reserved[UNITS_SIZE_TEXT];
	char rest[UNITS_SIZE_TEXT];
	struct holdings holdings;
	struct usage usage;
	int r = catalog_usage(store->catalog, &usage, err);

	if (r == 0)
		r = catalog_holdings(store->catalog, &holdings, err);
	if (r < 0)
		return r;
	units_format_size(holdings.pinned, pinned);
	units_format_size(holdings.leased, leased);
	units_format_size(usage.reserved, reserved);
	units_format_size(usage.objects > holdings.held ? usage.objects - holdings.held : 0, rest);
	snprintf(ret, HOLDERS_SIZE,
		"in use: %s pinned, %s leased, %s by transfers, %s else, "
		"of which what is open or linked stays",
		pinned, leased, reserved, rest);
	return 0;
}

/* Not enough can go: say who holds the space. */
static int full(const struct store *store, uint64_t bytes, uint64_t on_disk, struct err *err)
{
	char holders[HOLDERS_SIZE];
	char limit[UNITS_SIZE_TEXT];
	char needed[UNITS_SIZE_TEXT];
	int r = tell_holders(store, holders, err);

	if (r < 0)
		return r;
	units_format_size(bytes, needed);
	units_format_size(on_disk > 0 ? store->min_free : store->limit, limit);
	if (on_disk > 0)
		return err_set(err, ERR_SPACE, ENOSPC,
			"disk full: %s needed, %s must stay free; of the cache, %s", needed, limit,
			holders);
	return err_set(err, ERR_SPACE, ENOSPC, "cache full: %s needed, limit %s; %s", needed, limit,
		holders);
}

static int too_big(const struct store *store, uint64_t bytes, struct err *err)
{
	char limit[UNITS_SIZE_TEXT];
	char needed[UNITS_SIZE_TEXT];

	units_format_size(store->limit, limit);
	units_format_size(bytes, needed);
	return err_set(err, ERR_SPACE, ENOSPC, "larger than the cache: %s needed, limit %s", needed,
		limit);
}

/* The share of @uid does not suffice, whatever goes of it. */
static int share_full(
	const struct store *store, uid_t uid, uint64_t bytes, uint64_t used, struct err *err)
{
	char share[UNITS_SIZE_TEXT];
	char used_text[UNITS_SIZE_TEXT];
	char needed[UNITS_SIZE_TEXT];

	units_format_size(store->share, share);
	units_format_size(used, used_text);
	units_format_size(bytes, needed);
	if (bytes > store->share)
		return err_set(err, ERR_SPACE, ENOSPC,
			"larger than what one user may have of the cache (per_user): %s needed, %s "
			"allowed",
			needed, share);
	return err_set(err, ERR_SPACE, ENOSPC,
		"cache full for user %u: %s allowed (per_user), %s in use by open or linked "
		"artifacts and transfers, %s needed",
		(unsigned int)uid, share, used_text, needed);
}

/* ---- what must go ---- */

/* What is less than this part of the limit may be let go in vain: to sum up what is held takes its
 * time if that is much. */
#define VAIN_PER 64

/* Room that is being made. */
struct making {
	const struct store *store;
	struct room_wish wish;
	uint64_t held; /* of the share, pinned or leased: that does not count */
	bool held_known;
	bool idle_left; /* partials that nobody leads have not been looked for … */
	bool own_idle_left;
	bool swept;  /* what counts as used and is nobody's has been looked for */
	bool summed; /* what can go at all has been summed up, and was enough */
	struct hunt hunt;
	struct hunt own_hunt; /* of the share */
	struct room_lacking lacking;
};

/*
 * Ask for the room, giving up the objects of @haul in the same transaction. -ENOSPC: what is
 * lacking must go first.
 */
static int exchange(struct making *making, struct haul *haul, struct err *err)
{
	const struct store *store = making->store;
	struct room_wish *wish = &making->wish;

	wish->limit = room_within(store);
	wish->share = store->share + making->held;
	wish->keep_free = room_keep_free(store);
	making->lacking = (struct room_lacking){.of_all = 0};
	return catalog_exchange(
		store->catalog, haul->digests, haul->count, wish, &making->lacking, err);
}

/* What the share lacks, from the share: nobody else's artifacts go for it. */
static int shrink_share(struct making *making, struct haul *haul, struct err *err)
{
	const struct store *store = making->store;
	uid_t uid = making->wish.uid;
	uint64_t lacking = making->lacking.of_share;
	uint64_t freed = 0;
	uint64_t used = 0;
	int r = 0;

	if (!making->held_known) {
		making->held_known = true;
		return catalog_share_held(store->catalog, uid, &making->held, err);
	}
	if (making->own_idle_left)
		r = evict_idle(store, uid, lacking, &freed, err);
	making->own_idle_left = false;
	if (r == 0 && freed == 0)
		r = evict_take(store, lacking, &making->own_hunt, haul, err);
	if (r < 0 || freed > 0 || haul->count > 0)
		return r;
	r = catalog_share(store->catalog, uid, &used, err);
	used = used > making->held ? used - making->held : 0;
	return r < 0 ? r : share_full(store, uid, making->wish.bytes, used, err);
}

/* What could go, at most; nobody knows without a look at each what is open or linked. */
static int sum_up(struct making *making, uint64_t need, uint64_t *ret, struct err *err)
{
	const struct store *store = making->store;
	struct holdings holdings;
	struct usage usage;
	uint64_t idle = 0;
	int r = catalog_usage(store->catalog, &usage, err);

	*ret = usage.objects + usage.reserved;
	if (r < 0 || *ret < need || making->summed || need <= store->limit / VAIN_PER)
		return r;
	r = catalog_holdings(store->catalog, &holdings, err);
	if (r == 0)
		r = evict_count_idle(store, need, &idle, err);
	if (r < 0)
		return r;
	*ret = idle + (usage.objects > holdings.held ? usage.objects - holdings.held : 0);
	making->summed = *ret >= need;
	return 0;
}

/* Nothing is thrown away for what does not get its room all the same. */
static int shrink_all(struct making *making, struct haul *haul, struct err *err)
{
	const struct store *store = making->store;
	const struct room_lacking *lacking = &making->lacking;
	uint64_t need = lacking->of_all > lacking->on_disk ? lacking->of_all : lacking->on_disk;
	uint64_t freed = 0;
	uint64_t most = 0;
	int r = sum_up(making, need, &most, err);

	if (r == 0 && most < need && !making->swept) {
		evict_sweep(store);
		making->swept = true;
		return 0;
	}
	if (r == 0 && most < need)
		return full(store, making->wish.bytes, lacking->on_disk, err);
	if (r == 0 && making->idle_left)
		r = evict_idle(store, 0, need, &freed, err);
	making->idle_left = false;
	if (r == 0 && freed == 0)
		r = evict_take(store, need, &making->hunt, haul, err);
	if (r < 0 || freed > 0 || haul->count > 0)
		return r;
	return full(store, making->wish.bytes, lacking->on_disk, err);
}

static int make_room(struct making *making, struct err *err)
{
	CLEANUP(evict_haul_release) struct haul haul = {.count = 0};

	for (;;) {
		int r = exchange(making, &haul, err);

		evict_haul_release(&haul);
		if (r == 0)
			ballast_take(making->store);
		if (r != -ENOSPC || !room_is_lacking(&making->lacking))
			return r;
		/* what a user gives up of his share may be what all lack */
		r = making->lacking.of_share > 0 ? shrink_share(making, &haul, err)
						 : shrink_all(making, &haul, err);
		if (r < 0)
			return r;
	}
}

int evict_could_ever(const struct store *store, uid_t uid, uint64_t bytes, struct err *err)
{
	if (bytes > room_within(store))
		return too_big(store, bytes, err);
	if (uid > 0 && store->share > 0 && bytes > store->share)
		return share_full(store, uid, bytes, 0, err);
	return 0;
}

int evict_reserve(
	const struct store *store, const char *partial, uid_t uid, uint64_t bytes, struct err *err)
{
	struct making making = {
		.store = store,
		.wish = {.partial = partial, .bytes = bytes, .uid = store->share > 0 ? uid : 0},
		.idle_left = true,
		.own_idle_left = true,
		.own_hunt = {.uid = uid},
	};
	int r = evict_could_ever(store, uid, bytes, err);

	if (r < 0)
		return r;
	r = make_room(&making, err);
	evict_hunt_end(store, &making.hunt);
	return r;
}

int evict_for_share(const struct store *store, uid_t uid, uint64_t bytes, struct err *err)
{
	CLEANUP(evict_haul_release) struct haul haul = {.count = 0};
	struct making making = {
		.store = store,
		.wish = {.bytes = bytes, .uid = uid},
		.own_idle_left = true,
		.own_hunt = {.uid = uid},
	};

	while (uid > 0 && store->share > 0) {
		uint64_t used;
		int r = catalog_share(store->catalog, uid, &used, err);

		if (r < 0 || used + bytes <= store->share + making.held)
			return r;
		making.lacking.of_share = used + bytes - store->share - making.held;
		r = shrink_share(&making, &haul, err);
		if (r == 0 && haul.count > 0)
			r = catalog_exchange(
				store->catalog, haul.digests, haul.count, NULL, NULL, err);
		evict_haul_release(&haul);
		if (r < 0)
			return r;
	}
	return 0;
}
