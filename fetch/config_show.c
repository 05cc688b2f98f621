/* What is in force: all keys, with what was said or else their defaults: fetchfs_config(). */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_keys.h"
#include "fetch/config_said.h"
#include "fetch/config_values.h"
#include "fetch/fetchfs.h"

#include <inttypes.h>
#include <stdlib.h>

struct show {
	const struct config *config;
	fetchfs_visit_setting *visit;
	void *arg;
	struct err *err;
};

/* In the largest unit of which it is a whole number. */
static char *size_text(uint64_t bytes)
{
	static const char units[] = "KMGTP";
	const char *unit = NULL;

	for (const char *next = units; bytes > 0 && *next && bytes % 1024 == 0; next++) {
		bytes /= 1024;
		unit = next;
	}
	return str_printf("%" PRIu64 "%.*s", bytes, unit ? 1 : 0, unit ? unit : "");
}

static char *duration_text(int64_t ms)
{
	static const struct {
		int64_t ms;
		const char *name;
	} units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};

	for (size_t i = 0; ms > 0 && i < ARRAY_SIZE(units); i++)
		if (ms % units[i].ms == 0)
			return str_printf("%" PRId64 "%s", ms / units[i].ms, units[i].name);
	return str_copy("0");
}

static char *list_text(const struct config_list *list)
{
	char *text = str_copy("");

	for (size_t i = 0; text && i < list->count && list->items[i]; i++) {
		char *longer = str_printf("%s%s%s", text, i > 0 ? ", " : "", list->items[i]);

		free(text);
		text = longer;
	}
	return text;
}

/* How @key would be written that nobody has written; NULL: it stands for nothing. *ret is the
 * caller's to free(). */
static int default_of(
	const struct config *config, const struct config_key *key, char **ret, struct err *err)
{
	const void *field = (const char *)config + key->offset;
	const uint64_t *size = field;
	const bool *is_so = field;
	const struct config_list *list = field;

	*ret = NULL;
	if (key->set == config_set_count)
		*ret = str_printf("%u", *(const unsigned int *)field);
	else if (key->set == config_set_duration)
		*ret = duration_text(*(const int64_t *)field);
	else if (key->set == config_set_min_free)
		*ret = str_printf("%u%%", config->min_free_percent);
	else if (key->set == config_set_per_user)
		*ret = str_printf("%u%%", config->per_user_percent);
	else if (key->set == config_set_rate || (key->set == config_set_size && *size > 0))
		*ret = size_text(*size);
	else if (key->set == config_set_yes_no)
		*ret = str_copy(*is_so ? "yes" : "no");
	else if (key->set == config_set_deny_allow)
		*ret = str_copy(*is_so ? "allow" : "deny");
	else if (key->set == config_set_lazy)
		*ret = str_copy(*is_so ? "ranges" : "no");
	else if (key->set == config_set_lookup_head)
		*ret = str_copy("suffix");
	else if (key->flags & CONFIG_LIST && list->count > 0)
		*ret = list_text(list);
	else
		return 0;
	return *ret ? 0 : err_oom(err);
}

static struct fetchfs_setting setting_of(const struct config_said *said)
{
	return (struct fetchfs_setting){said->section, said->prefix ? said->prefix : NULL,
		said->key, said->value, said->file, said->line};
}

/* All that was said of a list, or the last word. 1: nothing was. */
static int show_said(const struct show *show, const struct config_key *key)
{
	const struct config *config = show->config;
	const struct config_said *last = config_said_last(config, key->section, key->name);
	int r = 0;

	if (!last)
		return 1;
	for (const struct config_said *said = config->said; r == 0 && said <= last; said++) {
		struct fetchfs_setting setting = setting_of(said);

		if (str_equal(said->section, key->section) && str_equal(said->key, key->name) &&
			(key->flags & CONFIG_LIST || said == last))
			r = show->visit(&setting, show->arg);
	}
	return r;
}

static int show_key(const struct show *show, const struct config_key *key)
{
	struct fetchfs_setting setting = {.section = key->section, .key = key->name};
	CLEANUP(str_freep) char *value = NULL;
	int r = show_said(show, key);

	if (r != 1)
		return r;
	r = default_of(show->config, key, &value, show->err);
	if (r < 0)
		return r;
	setting.value = value;
	return show->visit(&setting, show->arg);
}

static bool is_first_of_section(const struct config *config, const struct config_said *said)
{
	for (const struct config_said *other = config->said; other < said; other++)
		if (str_equal(other->prefix, said->prefix))
			return false;
	return said->prefix;
}

static int show_section(const struct show *show, const char *prefix)
{
	const struct config *config = show->config;
	int r = 0;

	for (size_t i = 0; r == 0 && i < config->said_count; i++) {
		struct fetchfs_setting setting = setting_of(&config->said[i]);

		if (str_equal(setting.name, prefix))
			r = show->visit(&setting, show->arg);
	}
	return r;
}

static int show_all(const struct show *show)
{
	const struct config *config = show->config;
	const struct config_key *key;
	int r = 0;

	for (size_t i = 0; r == 0 && (key = config_key_at(i)); i++)
		if (!config_key_is_of_prefix(key))
			r = show_key(show, key);
	for (size_t i = 0; r == 0 && i < config->said_count; i++)
		if (is_first_of_section(config, &config->said[i]))
			r = show_section(show, config->said[i].prefix);
	return r;
}

int fetchfs_config(const struct fetchfs_options *options, fetchfs_visit_setting *visit, void *arg,
	struct err *err)
{
	CLEANUP(config_release) struct config config = {0};
	struct show show = {&config, visit, arg, err};
	int r = config_load(
		options->config, options->environment, options->config_lenient, &config, err);

	return r < 0 ? r : show_all(&show);
}
