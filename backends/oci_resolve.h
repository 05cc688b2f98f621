/*
 * The manifest that a tag or digest stands for, through indexes, for the platform that is wanted.
 * Manifests are kept: what a tag stands for is asked for each time, what a digest does is not.
 */
#ifndef FETCHFS_BACKENDS_OCI_RESOLVE_H
#define FETCHFS_BACKENDS_OCI_RESOLVE_H

#include "backends/oci_ask.h"
#include "backends/oci_manifest.h"

/* *ret is a reference, for oci_fact_unref(). */
int oci_resolve(struct oci_repo *oci, struct oci_manifest **ret, struct err *err);

/* "linux/amd64": what this machine is, as indexes write it. */
#define OCI_PLATFORM_SIZE 64
void oci_platform(const char *machine, char ret[OCI_PLATFORM_SIZE]);

#endif
