/*
 * The agent's own cache: a folder in which it wants files by names that it chose. It counts their
 * sizes and removes them; here they are names of what the cache underneath has, or copies.
 */
#ifndef FETCHFS_CLI_MESOS_CACHE_H
#define FETCHFS_CLI_MESOS_CACHE_H

#include "fetch/fetchfs.h"
#include "sandbox/folder.h"

#include <stdbool.h>

/*
 * Open the folder @path; where there is none it is made, for nobody but @user. When it @is_shared
 * others have folders of their own in it: they get there, but do not see what it holds. *ret is for
 * folder_release().
 */
int mesos_cache_open(const char *path, const struct user *user, bool is_shared, struct folder *ret,
	struct err *err);

/* Whether there is anything called @name. */
bool mesos_cache_has(const struct folder *cache, const char *name);

/*
 * Have the complete @file there, too; by a second name of it where that is cheaper and @hardlink
 * allows it for what is public. Somebody else's file of that name stays unless @replace. @shown is
 * for the error.
 */
int mesos_cache_keep(struct fetchfs *fetchfs, const struct folder *cache, struct fetchfs_file *file,
	const char *name, const char *shown, bool replace, bool hardlink, struct err *err);

#endif
