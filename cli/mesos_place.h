/*
 * What was fetched, into the sandbox: as a copy of its own, or unpacked.
 */
#ifndef FETCHFS_CLI_MESOS_PLACE_H
#define FETCHFS_CLI_MESOS_PLACE_H

#include "cli/mesos_run.h"

/* The suffixes that are unpacked. */
enum mesos_suffix { MESOS_PLAIN, MESOS_ARCHIVE, MESOS_GZIP };
enum mesos_suffix mesos_place_suffix(const char *name);

/* Under its name, with @mode; what has that name is replaced. */
int mesos_place_copy(struct mesos_run *run, const struct mesos_job *job, struct fetchfs_file *file,
	mode_t mode, struct err *err);

/* Its contents, of a kind that its name told, into the sandbox's top folder. */
int mesos_place_content(struct mesos_run *run, const struct mesos_job *job,
	struct fetchfs_file *file, enum mesos_suffix suffix, struct err *err);

#endif
