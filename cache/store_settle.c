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
#define BATCH 1000

int settling_begin(const struct store *store, struct settling *ret, struct err *err)
{
	struct settling settling = {.fd = -1};
	int r = catalog_last_used(store->catalog, &settling.used, err);

	settling.boot_ms = clock_boot_ms();
	if (r == 0)
		r = catalog_has_unsettled(store->catalog, settling.boot_ms, err);
	if (r <= 0)
		return r;
	settling.fd = fcntl(store->dir->fd, F_DUPFD_CLOEXEC, 0);
	if (settling.fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open the cache again: %m");
	*ret = settling;
	return 1;
}

int settling_sync(const struct settling *settling, struct err *err)
{
	const struct timespec tick = {.tv_nsec = 200000};

	/* what comes in the same millisecond is younger than the sync then */
	while (clock_boot_ms() <= settling->boot_ms)
		nanosleep(&tick, NULL);
	if (fault_hit("settling.sync") || syncfs(settling->fd) < 0)
		return err_set(err, ERR_SYSTEM, errno, "write the cache to its disk: %m");
	return 0;
}

int settling_end(const struct store *store, const struct settling *settling, struct err *err)
{
	int r;

	do {
		r = catalog_settle(store->catalog, settling->boot_ms, BATCH, err);
	} while (r == BATCH);
	return r < 0 ? r : catalog_all_settled(store->catalog, settling->used, err);
}

void settling_release(struct settling *settling)
{
	fd_close(&settling->fd);
}

int store_settle(const struct store *store, struct err *err)
{
	CLEANUP(settling_release) struct settling settling = SETTLING_INIT;
	int r = settling_begin(store, &settling, err);

	if (r <= 0)
		return r;
	r = settling_sync(&settling, err);
	return r < 0 ? r : settling_end(store, &settling, err);
}
