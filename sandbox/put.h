/*
 * One file into a folder, at once and whole, also over what has its name: what is in the way is
 * replaced, never written to, and a link never followed.
 */
#ifndef FETCHFS_SANDBOX_PUT_H
#define FETCHFS_SANDBOX_PUT_H

#include "base/user.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct put {
	const struct user *user; /* whose it becomes, and with whose rights it is made */
	int parent;              /* the folder */
	const char *name;        /* in it: one segment */
	int source;              /* the bytes; only read */
	mode_t mode;
	bool hardlink; /* where blocks cannot be shared, a second name of the source will do: it has
			* the source's owner and mode. The caller knows that it is safe */
	bool only;     /* nothing else will do: a hardlink if that is true, else shared blocks; or
			* -EXDEV, -EMLINK, -EPERM, -EOPNOTSUPP */
	bool exclusive;                  /* never over anything: -EEXIST */
	const struct timespec *modified; /* NULL: now */
};

/*
 * Returns 0 or -errno, without a text: names can be secrets. -EISDIR when a folder has the name.
 * On success *ret_inode, unless NULL, is st_ino of the file.
 */
int put_file(const struct put *put, uint64_t *ret_inode);

/* The same for a symbolic link to @target. */
int put_link(const struct user *user, int parent, const char *name, const char *target,
	bool exclusive, const struct timespec *modified, uint64_t *ret_inode);

#endif
