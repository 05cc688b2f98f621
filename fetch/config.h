/*
 * The configuration: defaults, then one or two INI files, one key a line.
 *
 * An unknown section or key is an error that names file, line and key (or, lenient, a warning).
 */
#ifndef FETCHFS_FETCH_CONFIG_H
#define FETCHFS_FETCH_CONFIG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of strings, one per line or comma of the file. */
struct config_list {
	char **items;
	size_t count;
};

struct config {
	/* [cache] */
	char *dir;         /* or NULL: the default of this user */
	uint64_t size;     /* bytes; 0: by the file system */
	uint64_t min_free; /* bytes, when min_free_percent is 0 */
	unsigned int min_free_percent;
	bool hardlink;

	/* [fetch] */
	unsigned int connections;
	unsigned int per_host;
	int64_t stall_ms;
	int64_t connect_ms;
	int64_t total_ms;     /* 0: no limit */
	unsigned int retries; /* after the first try */
	int64_t ttl_ms;
	int64_t negative_ttl_ms;
	char *ca_file; /* or NULL */

	/* [policy] */
	struct config_list allow; /* URI prefixes in canonical form (uri.h) */
	struct config_list deny;
	bool private_allowed;          /* private = allow */
	struct config_list file_roots; /* file: absolute paths, no "..", no '/' at the end */

	struct config_list warnings;
};

/*
 * Read @file, or when it is NULL $FETCHFS_CONFIG, else /etc/fetchfs/fetchfs.conf and then
 * $XDG_CONFIG_HOME/fetchfs/fetchfs.conf, by default ~/.config (absent ones are skipped; a named
 * one must exist). Lists grow from file to file, of anything else the last word counts.
 * @environment is like environ, NULL: empty. *ret is the caller's, for config_release().
 */
int config_load(const char *file, const char *const *environment, bool lenient, struct config *ret,
	struct err *err);
void config_release(struct config *config);

/* The value of @name in @environment, or NULL. */
const char *config_env(const char *const *environment, const char *name);

#endif
