/* What is on its way into the cache, whoever fetches it: fetchfs_transfers(). */
#include "cache/transfers.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/context.h"
#include "fetch/policy.h"

_Static_assert(sizeof(((struct fetchfs_transfer *)NULL)->uri) >= RANGES_URI_MAX,
	"all that a map holds of a URI fits");

struct walk {
	const struct fetchfs *fetchfs;
	uid_t uid;
	int64_t now_ms;
	fetchfs_visit_transfer *visit;
	void *arg;
};

const char *fetchfs_transfer_state_name(enum fetchfs_transfer_state state)
{
	static const char *const names[] = {
		[FETCHFS_TRANSFER_WAITING] = "waiting",
		[FETCHFS_TRANSFER_ACTIVE] = "active",
		[FETCHFS_TRANSFER_INTERRUPTED] = "interrupted",
		[FETCHFS_TRANSFER_STOPPED] = "stopped",
	};

	if ((unsigned int)state >= ARRAY_SIZE(names))
		return "unknown";
	return names[state];
}

/* Who works on it, and how fast. The clock may have jumped: then it began just now. */
static void fill_leader(
	const struct transfer *transfer, int64_t now_ms, struct fetchfs_transfer *to)
{
	const struct ranges_label *label = &transfer->label;
	int64_t elapsed = now_ms > label->since ? now_ms - label->since : 0;

	to->pid = label->pid;
	to->seconds = elapsed / 1000;
	if (elapsed > 0 && transfer->bytes > label->base)
		to->rate = (uint64_t)((double)(transfer->bytes - label->base) * 1000.0 /
				      (double)elapsed);
}

static int show(const struct transfer *transfer, void *arg)
{
	static const enum fetchfs_transfer_state states[] = {
		[TRANSFER_WAITING] = FETCHFS_TRANSFER_WAITING,
		[TRANSFER_ACTIVE] = FETCHFS_TRANSFER_ACTIVE,
		[TRANSFER_INTERRUPTED] = FETCHFS_TRANSFER_INTERRUPTED,
		[TRANSFER_STOPPED] = FETCHFS_TRANSFER_STOPPED,
	};
	struct walk *walk = arg;
	struct fetchfs_transfer shown = {
		.state = states[transfer->state],
		.size = transfer->size,
		.bytes = transfer->bytes,
		.seconds = -1,
	};

	if (!policy_may_see(
		    &walk->fetchfs->config, transfer->label.scope, walk->uid, walk->fetchfs->owner))
		return 0;
	str_fit(shown.uri, sizeof(shown.uri), transfer->label.uri);
	entry_key_hex(&transfer->key, shown.key);
	if (transfer->state != TRANSFER_INTERRUPTED)
		fill_leader(transfer, walk->now_ms, &shown);
	return walk->visit(&shown, walk->arg);
}

int fetchfs_transfers(struct fetchfs *fetchfs, uid_t uid, fetchfs_visit_transfer *visit, void *arg,
	struct err *err)
{
	struct walk walk = {.fetchfs = fetchfs,
		.uid = uid,
		.now_ms = clock_wall_ms(),
		.visit = visit,
		.arg = arg};

	return transfers_visit(&fetchfs->store, show, &walk, err);
}
