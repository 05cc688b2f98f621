/*
 * Which backend serves which scheme: a table fixed at compile time, which a test may replace.
 */
#ifndef FETCHFS_BACKENDS_REGISTRY_H
#define FETCHFS_BACKENDS_REGISTRY_H

#include "backends/backend.h"

/* All backends of the program, NULL-terminated, with the schemes they usually serve. */
extern const struct backend *const registry_all[];

/*
 * The backend of @table for @scheme (lower case). NULL, and -EPROTONOSUPPORT in @err, naming the
 * schemes there are, when nobody serves it.
 */
const struct backend *registry_find(
	const struct backend *const *table, const char *scheme, struct err *err);

/* The one of registry_all whose name is @name, which there is. */
const struct backend *registry_find_named(const char *name);

struct registry_options {
	const char *ca_file; /* see struct backend_env; copied */
	unsigned int connect_ms;
	unsigned int first_byte_ms;
	unsigned int stall_ms;
	uint64_t stall_rate;
	unsigned int connections; /* at the same time, in all */
	unsigned int per_host;

	const char *hadoop; /* Hadoop's client; NULL: where it is found. Copied */
	/* What it is asked for, before any other backend is; NULL-terminated, or NULL: the usual.
	 * Must outlive the environment. */
	const char *const *hadoop_schemes;
	const char *const *environment; /* that it is started with; NULL: none. Copied */
};

/* Start what the backends share. The environment is the caller's, for registry_close(). */
int registry_open(
	const struct registry_options *options, struct backend_env **ret, struct err *err);

/* Load now what backends load when they need it: libcurl and libxml2. -ELIBACC. */
int registry_load(struct backend_env *env, struct err *err);

/* registry_all, with the schemes that the options said; valid as long as the environment. */
const struct backend *const *registry_backends(const struct backend_env *env);

/* Whatever has been begun is ready now, and from now on at once: it is about to be given up. */
void registry_hurry(struct backend_env *env);

/* No operation may be running. NULL is ignored. */
void registry_close(struct backend_env *env);

#endif
