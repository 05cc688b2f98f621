/*
 * What an agent asks of its fetcher: the JSON of a mesos.fetcher.FetcherInfo, as
 * MESOS_FETCHER_INFO holds it. It is read as the agents' own parser reads it: what is unknown is
 * ignored, null is not given, numbers and booleans may be strings. Jansson stays in mesos_info.c.
 */
#ifndef FETCHFS_CLI_MESOS_INFO_H
#define FETCHFS_CLI_MESOS_INFO_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESOS_ITEMS_MAX 4096

enum mesos_action {
	MESOS_BYPASS_CACHE,
	MESOS_DOWNLOAD_AND_CACHE,
	MESOS_RETRIEVE_FROM_CACHE,
};

struct mesos_item {
	enum mesos_action action;
	char *uri;            /* without the blanks before it */
	char *output_file;    /* or NULL */
	char *cache_filename; /* or NULL */
	bool executable;
	bool extract;
	bool cache;
};

/* Strings are NULL where nothing is given. */
struct mesos_info {
	char *sandbox; /* never NULL or empty */
	char *cache;
	char *frameworks_home;
	char *user;
	bool has_stall;
	int64_t stall_ns;
	struct mesos_item *items;
	size_t count;
};

/* -EINVAL names the field. *ret is for mesos_info_release(). */
int mesos_info_parse(const char *text, struct mesos_info *ret, struct err *err);
void mesos_info_release(struct mesos_info *info);

/* It as one line of JSON without a secret of its URIs, the caller's to free(). NULL: no memory. */
char *mesos_info_shown(const struct mesos_info *info);

#endif
