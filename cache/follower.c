/* Reading along with a transfer that somebody else leads. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "cache/store.h"
#include "cache/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

void follower_release(struct follower *follower)
{
	if (!follower)
		return;
	ranges_free(follower->ranges);
	fd_close(&follower->fd);
	follower->ranges = NULL;
}

static int attach(
	const struct store *store, const char *name, struct follower *follower, struct err *err)
{
	struct ranges_header header;
	char file[PARTIAL_FILE_SIZE];
	struct stat st;
	int r;

	partial_map_file(name, file);
	r = ranges_open(store->dir->partial_fd, file, &follower->ranges, err);
	if (r == 0)
		r = ranges_load(follower->ranges, &header, err);
	if (r < 0)
		return r;
	partial_data_file(name, file);
	/* (nonblocking: it may be anything by now) */
	follower->fd = openat(
		store->dir->partial_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (follower->fd < 0 && errno != ELOOP && errno != ENXIO)
		return err_set(err, ERR_SYSTEM, errno, "open partial/%s: %m", file);
	if (follower->fd < 0 || fstat(follower->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		st.st_ino != header.data_inode)
		return err_set(err, ERR_SYSTEM, ENOENT, "partial/%s is not of its map", file);
	r = lock_mark_open(follower->fd); /* it will be the object's: open, so no victim */
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "mark partial/%s: %m", file) : 0;
}

int follower_attach(const struct store *store, const struct entry_key *key, struct follower *ret,
	struct err *err)
{
	CLEANUP(follower_release) struct follower follower = {.fd = -1};
	char name[PARTIAL_NAME_SIZE];
	uint32_t newest;
	int r = partial_newest(store, key, &newest, err);

	if (r < 0)
		return r;
	if (newest == 0)
		return err_set(err, ERR_SYSTEM, ENOENT, "nobody is fetching it");
	partial_name(key, newest, name);
	r = attach(store, name, &follower, err);
	/* the files of a transfer that ends, or begins, at this moment: look again */
	if (r == -EBADMSG)
		return err_set(err, ERR_SYSTEM, ENOENT, "partial/%s has no valid map", name);
	if (r < 0)
		return r;
	*ret = follower;
	follower = (struct follower){.fd = -1};
	return 0;
}
