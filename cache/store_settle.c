#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/fd.h"
#include "cache/store.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

/* So many rows are changed in one transaction. */
#define BATCH 10000

/* After so many uses that left nothing to settle, they are not looked at again. */
#define USES_MANY 1000

int store_settle_begin(const struct store *store, struct settling *ret, struct err *err)
{
	struct settling settling = {.fd = -1};
	int64_t settled;
	int r = catalog_last_used(store->catalog, &settling.used, &settled, err);

	settling.boot_ms = clock_boot_ms();
	if (r == 0)
		r = catalog_has_unsettled(store->catalog, settling.boot_ms, err);
	if (r == 0 && settling.used - settled >= USES_MANY)
		r = catalog_all_settled(store->catalog, settling.used, err);
	if (r <= 0)
		return r;
	settling.fd = fcntl(store->dir->fd, F_DUPFD_CLOEXEC, 0);
	if (settling.fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open the cache again: %m");
	*ret = settling;
	return 1;
}

int store_settle_sync(const struct settling *settling, struct err *err)
{
	const struct timespec tick = {.tv_nsec = 200000};

	/* what comes in the same millisecond is younger than the sync then */
	while (clock_boot_ms() <= settling->boot_ms)
		nanosleep(&tick, NULL);
	if (fault_hit("settling.sync") || syncfs(settling->fd) < 0)
		return err_set(err, ERR_SYSTEM, errno, "write the cache to its disk: %m");
	return 0;
}

int store_settle_end(
	const struct store *store, const struct settling *settling, bool synced, struct err *err)
{
	int r;

	if (!synced)
		return catalog_unsettle(store->catalog, clock_boot_ms(), err);

	do {
		r = catalog_settle(store->catalog, settling->boot_ms, BATCH, err);
	} while (r == BATCH);
	return r < 0 ? r : catalog_all_settled(store->catalog, settling->used, err);
}

void store_settle_release(struct settling *settling)
{
	fd_close(&settling->fd);
}

int store_settle(const struct store *store, struct err *err)
{
	CLEANUP(store_settle_release) struct settling settling = SETTLING_INIT;
	int r = store_settle_begin(store, &settling, err);

	if (r <= 0)
		return r;
	r = store_settle_sync(&settling, err);
	if (r < 0)
		(void)store_settle_end(store, &settling, false, NULL);
	return r < 0 ? r : store_settle_end(store, &settling, true, err);
}
