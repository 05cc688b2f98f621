/* The files in a manifest, as a folder. */
#ifndef FETCHFS_BACKENDS_OCI_LIST_H
#define FETCHFS_BACKENDS_OCI_LIST_H

#include "backends/backend.h"
#include "backends/oci_manifest.h"

/* As struct backend has it. Above a tag nothing is listed: registries need not tell. */
int oci_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err);

/* The first few names below the folder @name ("": all), for a text; returns how many there are. */
#define OCI_LIST_SHOWN 200
size_t oci_list_show(
	const struct oci_manifest *manifest, const char *name, char ret[OCI_LIST_SHOWN]);

#endif
