/*
 * Which backend serves which scheme: a table fixed at compile time, which a test may replace.
 */
#ifndef FETCHFS_BACKENDS_REGISTRY_H
#define FETCHFS_BACKENDS_REGISTRY_H

#include "backends/backend.h"

/* All backends of the program, NULL-terminated. */
extern const struct backend *const registry_all[];

/*
 * The backend of @table for @scheme (lower case). NULL, and -EPROTONOSUPPORT in @err, naming the
 * schemes there are, when nobody serves it.
 */
const struct backend *registry_find(
	const struct backend *const *table, const char *scheme, struct err *err);

struct registry_options {
	const char *ca_file; /* see struct backend_env; copied */
	unsigned int connect_ms;
	unsigned int first_byte_ms;
	unsigned int stall_ms;
	uint64_t stall_rate;
	unsigned int connections; /* at the same time, in all */
	unsigned int per_host;
};

/* Start what the backends share. The environment is the caller's, for registry_close(). */
int registry_open(
	const struct registry_options *options, struct backend_env **ret, struct err *err);

/* Whatever has been begun is ready now, and from now on at once: it is about to be given up. */
void registry_hurry(struct backend_env *env);

/* No operation may be running. NULL is ignored. */
void registry_close(struct backend_env *env);

#endif
