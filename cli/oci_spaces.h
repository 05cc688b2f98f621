/*
 * The namespaces of a container that is being made, whose first process is there.
 */
#ifndef FETCHFS_CLI_OCI_SPACES_H
#define FETCHFS_CLI_OCI_SPACES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether this process is in the mount namespace of @pid, as its own PID namespace numbers it. */
bool oci_spaces_is_inside(int64_t pid);

/* The mount namespace of @pid, as spaces.h numbers it. */
int oci_spaces_mount(int64_t pid, uint64_t *ret, struct err *err);

/* Who the container's users @uid and @gid are out here. -ENOENT: nobody. */
int oci_spaces_map(
	int64_t pid, uid_t uid, gid_t gid, uid_t *ret_uid, gid_t *ret_gid, struct err *err);

/* Whether the container has a user that is @uid out here. */
bool oci_spaces_maps_to(int64_t pid, uid_t uid);

/* Go into the mount namespace of @pid. Only before there are threads. */
int oci_spaces_enter(int64_t pid, struct err *err);

#endif
