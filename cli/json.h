/*
 * What the library tells, as JSON (base/json.h).
 */
#ifndef FETCHFS_CLI_JSON_H
#define FETCHFS_CLI_JSON_H

#include "base/json.h"
#include "fetch/fetchfs.h"

/* All that is known of an artifact, as an object of its own. */
void json_info(struct json *json, const struct fetchfs_info *info);

#endif
