/*
 * What was said where: the lines of the configuration that were obeyed, for who wants to know why
 * something is as it is.
 */
#ifndef FETCHFS_FETCH_CONFIG_SAID_H
#define FETCHFS_FETCH_CONFIG_SAID_H

#include "fetch/config.h"
#include "fetch/config_file.h"

struct config_said {
	char *file;
	unsigned int line; /* from 1 */
	char *section;
	char *name;   /* the prefix of the section as it is written, or NULL */
	char *prefix; /* … and as it is understood, or NULL */
	char *key;
	char *value; /* "…" for a secret */
};

/* Remember @line of @file; @origin is the section that it stands in, or NULL. */
int config_said_add(struct config *config, const char *file, const struct config_line *line,
	const struct origin *origin, struct err *err);
void config_said_release(struct config *config);

/* The last word on @key of [@section], or NULL: nothing was said. */
const struct config_said *config_said_last(
	const struct config *config, const char *section, const char *key);

/* The line of [policy] whose list @key ("allow", "deny") has the canonical @prefix, or NULL. */
const struct config_said *config_said_prefix(
	const struct config *config, const char *key, const char *prefix);

#endif
