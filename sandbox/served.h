/*
 * Whether a mount's file can be read: its server may have ended, or hang.
 */
#ifndef FETCHFS_SANDBOX_SERVED_H
#define FETCHFS_SANDBOX_SERVED_H

#include "base/err.h"

/*
 * Ask who serves @last in @parent, for some seconds at most, and no longer than @timeout_ms (-1: no
 * limit of the caller's). 0: there is an answer; -ENOTCONN: the server has ended; -ETIMEDOUT: it is
 * silent.
 */
int served_check(int parent, const char *last, int timeout_ms, struct err *err);

#endif
