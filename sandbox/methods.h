/*
 * Which methods "auto" may use, and in which order: the cheapest first that is safe here.
 *
 * A hardlink shares the inode with the cache: a scheduler's `chown -R` on the sandbox, or a task
 * that is root, can change the cached bytes. So it takes three things: the configuration allows it,
 * the user is neither root nor the owner of the cache, the artifact is public. A read-only bind
 * holds against everybody but CAP_SYS_ADMIN in the initial user namespace.
 */
#ifndef FETCHFS_SANDBOX_METHODS_H
#define FETCHFS_SANDBOX_METHODS_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "sandbox/folder.h"
#include "sandbox/plan.h"

#include <stdbool.h>
#include <stddef.h>

struct methods {
	bool hardlink;
	bool reflink;
	bool bind;
	bool noexec; /* nothing can be executed where the cache is: a bind would not help */
};

/* What can be had between the cache and @folder, as far as one can know before trying. Nothing is
 * looked at, nor found, when no item of @plan is left to "auto". */
int methods_find(struct fetchfs *fetchfs, const struct plan *plan, const struct folder *folder,
	struct methods *ret, struct err *err);

#define METHODS_MAX 4

/* The methods to be tried for @item, in order, into @ret of METHODS_MAX. Returns how many. */
size_t methods_of(const struct methods *methods, const struct plan_item *item, bool is_public,
	enum plan_method *ret);

/* Whether one of them needs the cached file to be executable. */
bool methods_need_executable(const struct methods *methods, const struct plan_item *item);
/* Whether one of them needs it not to be. */
bool methods_need_plain(const struct methods *methods, const struct plan_item *item);

#endif
