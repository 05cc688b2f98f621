/*
 * Whether a file that was asked for by its name is still the one that was told of.
 */
#ifndef FETCHFS_BACKENDS_CONFIRM_H
#define FETCHFS_BACKENDS_CONFIRM_H

#include "backends/backend.h"

/* What both know is compared: -ESTALE when it differs. */
int confirm_same(const struct remote *told, const struct remote *now, struct err *err);

#endif
