/*
 * One call of the fetcher: what all its items share, and each by itself.
 */
#ifndef FETCHFS_CLI_MESOS_RUN_H
#define FETCHFS_CLI_MESOS_RUN_H

#include "base/user.h"
#include "cli/mesos_info.h"
#include "fetch/fetchfs.h"
#include "sandbox/folder.h"

struct mesos_job {
	const struct mesos_item *item;
	char *shown;               /* the URI without secrets */
	char *name;                /* in the sandbox, relative to it */
	char *shown_name;          /* the name without secrets */
	char *path;                /* of this machine, or NULL */
	struct fetchfs_file *file; /* its download was begun; or NULL */
};

struct mesos_run {
	const struct mesos_info *info;
	const struct user *user; /* for whom */
	struct fetchfs *fetchfs;
	struct folder sandbox;
	struct folder cache; /* the agent's; its fd is -1 where no item needs it */
	bool hardlink;       /* files of everybody may be the cache's own */
	struct mesos_job *jobs;
	size_t begun; /* jobs whose downloads were begun, as far as they could be */
};

/*
 * Understand all items: nothing is fetched when one of them is wrong. *ret_failed, then, is the
 * item's number, from 0.
 */
int mesos_run_plan(struct mesos_run *run, size_t *ret_failed, struct err *err);

/* Open what the items need. */
int mesos_run_open(struct mesos_run *run, struct err *err);

/* Fetch item @i, after those before it. */
int mesos_run_item(struct mesos_run *run, size_t i, struct err *err);

/* Gives up what is under way; what has arrived stays in the cache. */
void mesos_run_release(struct mesos_run *run);

#endif
