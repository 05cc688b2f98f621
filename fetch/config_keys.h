/*
 * The keys of the configuration: a table of what each one is called, means and may hold.
 */
#ifndef FETCHFS_FETCH_CONFIG_KEYS_H
#define FETCHFS_FETCH_CONFIG_KEYS_H

#include "fetch/config.h"

/*
 * Put @value under @name of [@section]; lists grow, anything else is replaced. -ENOENT when there
 * is no such key, with a text that says which one may have been meant; -EINVAL when @value makes no
 * sense for it.
 */
int config_set(struct config *config, const char *section, const char *name, const char *value,
	struct err *err);

bool config_has_section(const char *section);

/* Takes @item, from malloc(), also on error; NULL is out of memory. */
int config_list_add(struct config_list *list, char *item, struct err *err);

#endif
