/*
 * Sections of URI prefixes: [origin "https://host/"], [s3 "s3://bucket/"] …: which kind there is
 * for which scheme.
 */
#ifndef FETCHFS_FETCH_CONFIG_SECTIONS_H
#define FETCHFS_FETCH_CONFIG_SECTIONS_H

#include <stdbool.h>

/* Whether there are sections @name "PREFIX". */
bool config_sections_have(const char *name);

/* A prefix, as an example, of the section @name, which there is. */
const char *config_sections_example(const char *name);

/* What is wrong with the canonical @prefix for a section @name: a text, the caller's to free();
 * NULL in *ret: nothing. -ENOMEM. */
int config_sections_check(const char *name, const char *prefix, char **ret);

/* Whether the URI or prefix @text has a scheme that sections of @name are the only ones for. */
bool config_sections_own(const char *name, const char *text);

/* Whether @prefix ends within a repository of a registry: what has a tag has a digest, too, and so
 * is found by other names. */
bool config_sections_name_tag(const char *prefix);

#endif
