#include "sandbox/node.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U /* Linux 6.8 */
#endif

#define SECOND INT64_C(1000000000)

/* Of an overlay it is that of the layer below, until the first change brings it to the upper one.
 */
static bool keeps_births(int dirfd)
{
	struct statfs fs;

	return fstatfs(dirfd, &fs) == 0 && fs.f_type != OVERLAYFS_SUPER_MAGIC;
}

int node_look(int dirfd, const char *last, struct node *ret)
{
	const unsigned int wanted = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
	/* whoever serves it, if it is a mount of somebody's, is not asked: it may hang, or be gone
	 */
	const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC |
			  (*last ? 0 : AT_EMPTY_PATH);
	struct statx stx;

	if (statx(dirfd, last, flags, wanted | STATX_MNT_ID_UNIQUE, &stx) < 0)
		return -errno;
	*ret = (struct node){
		.mount = stx.stx_mnt_id,
		.device = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.id.inode = stx.stx_ino,
		.size = stx.stx_size,
		.mode = stx.stx_mode,
	};
	if (stx.stx_mask & STATX_BTIME && keeps_births(dirfd))
		ret->id.born = stx.stx_btime.tv_sec * SECOND + stx.stx_btime.tv_nsec;
	return 0;
}

bool node_is(const struct node_id *one, const struct node_id *other)
{
	return one->inode == other->inode &&
	       (one->born == 0 || other->born == 0 || one->born == other->born);
}
