/*
 * Fault points: places where a test can make a call fail, or the process die.
 *
 *	if (fault_hit("store.rename") || renameat2(…) < 0)
 *		return err_set(err, ERR_SYSTEM, errno, …);
 *
 * Compiled in only with FETCHFS_FAULTS (the dev preset); otherwise fault_hit() is the constant
 * false. A plan is "NAME[:N[:WHAT]]", several separated by commas: the N-th time (from 1, default
 * 1) that NAME (or "*", any point) is reached, WHAT happens: an errno's name (default EIO), "exit"
 * (_exit(70), without cleaning up), "kill" (SIGKILL), or "500ms", as of the scheduler's ill will:
 * the thread comes back so much later, and nothing fails. main hands it over from $FETCHFS_FAULT.
 */
#ifndef FETCHFS_BASE_FAULT_H
#define FETCHFS_BASE_FAULT_H

#include <stdbool.h>

#ifdef FETCHFS_FAULTS

/* Take @plan (NULL: none). -EINVAL when it is malformed. Before there are threads. */
int fault_setup(const char *plan);

/* True when the plan says that this point fails now; errno is then set. */
bool fault_hit(const char *name);

/* How many points have been reached since fault_setup(). */
unsigned long fault_count(void);

#else

static inline int fault_setup(const char *plan)
{
	(void)plan;
	return 0;
}

static inline bool fault_hit(const char *name)
{
	(void)name;
	return false;
}

static inline unsigned long fault_count(void)
{
	return 0;
}

#endif
#endif
