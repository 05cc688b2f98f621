/* What a configuration may say, and its author hardly means: warnings. */
#ifndef FETCHFS_FETCH_CONFIG_CHECK_H
#define FETCHFS_FETCH_CONFIG_CHECK_H

#include "fetch/config.h"

/* Add to the warnings of @config, of which all files have been read. */
int config_check(struct config *config, struct err *err);

/* Whether everybody on this machine may read @file; false when that cannot be seen. */
bool config_is_readable_by_others(const char *file);

#endif
