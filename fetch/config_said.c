#include "fetch/config_said.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_keys.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void release(struct config_said *said)
{
	free(said->file);
	free(said->section);
	free(said->name);
	free(said->prefix);
	free(said->key);
	free(said->value);
}

/* A header may be a secret by whatever name; that name is none. */
static char *shown_value(const struct config_line *line)
{
	if (str_equal(line->key, "header"))
		return str_printf("%.*s: …", (int)strcspn(line->value, ":"), line->value);
	return config_is_secret(line) ? strdup("…") : config_value(line);
}

int config_said_add(struct config *config, const char *file, const struct config_line *line,
	const struct origin *origin, struct err *err)
{
	struct config_said *bigger =
		reallocarray(config->said, config->said_count + 1, sizeof(*bigger));
	struct config_said said = {.line = line->number};

	if (!bigger)
		return err_oom(err);
	config->said = bigger;
	said.file = strdup(file);
	said.section = strdup(line->section);
	said.name = line->section_name ? strdup(line->section_name) : NULL;
	said.prefix = origin ? strdup(origin->prefix) : NULL;
	said.key = strdup(line->key);
	said.value = shown_value(line);
	if (!said.file || !said.section || !said.key || !said.value ||
		(line->section_name && !said.name) || (origin && !said.prefix)) {
		release(&said);
		return err_oom(err);
	}
	bigger[config->said_count++] = said;
	return 0;
}

void config_said_release(struct config *config)
{
	for (size_t i = 0; i < config->said_count; i++)
		release(&config->said[i]);
	free(config->said);
}

const struct config_said *config_said_last(
	const struct config *config, const char *section, const char *key)
{
	for (size_t i = config->said_count; i-- > 0;) {
		const struct config_said *said = &config->said[i];

		if (str_equal(said->section, section) && str_equal(said->key, key))
			return said;
	}
	return NULL;
}

static bool has_prefix(const struct config_said *said, const char *prefix)
{
	CLEANUP(str_freep) char *copy = strdup(said->value);
	char *rest = copy;
	char *item;

	while ((item = strsep(&rest, ","))) {
		CLEANUP(str_freep) char *canonical = NULL;

		if (config_prefix("", config_trim(item), &canonical, NULL) == 0 &&
			str_equal(canonical, prefix))
			return true;
	}
	return false;
}

const struct config_said *config_said_prefix(
	const struct config *config, const char *key, const char *prefix)
{
	for (size_t i = 0; i < config->said_count; i++) {
		const struct config_said *said = &config->said[i];

		if (str_equal(said->section, "policy") && str_equal(said->key, key) &&
			has_prefix(said, prefix))
			return said;
	}
	return NULL;
}
