/*
 * The keys of the configuration: a table of what each one is called, means and may hold.
 */
#ifndef FETCHFS_FETCH_CONFIG_KEYS_H
#define FETCHFS_FETCH_CONFIG_KEYS_H

#include "fetch/config.h"
#include "fetch/config_file.h"

/*
 * Obey @line, a key; @origin is the section [origin "…"] that it stands in, or NULL. Lists grow,
 * anything else is replaced. -ENOENT when there is no such key, with a text that says which one
 * may have been meant; -EINVAL when the value makes no sense for it.
 */
int config_set(struct config *config, struct origin *origin, const struct config_line *line,
	struct err *err);

/* What @line, a key that there is, says: without the comment behind it. The caller's to free(). */
char *config_value(const struct config_line *line);

/* All keys, in the order of the manual; NULL behind the last one. */
const struct config_key *config_key_at(size_t i);

/* Whether it stands in sections of URI prefixes. */
bool config_key_is_of_prefix(const struct config_key *key);

/* Whether there is such a section, by its first word. */
bool config_has_section(const char *section);

/* The section that somebody who wrote @section may have meant, or NULL. */
const char *config_section_like(const char *section);

/* Whether @line, a key that was obeyed, holds what nobody else should read. */
bool config_is_secret(const struct config_line *line);

#endif
