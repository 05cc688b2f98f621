/* Values that are one thing: sizes, numbers, durations, words, paths. */
#include "fetch/config_values.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/units.h"
#include "fetch/fetchfs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int config_bad_value(
	const struct config_key *key, const char *value, const char *expected, struct err *err)
{
	if (key->flags & CONFIG_SECRET)
		return err_set(err, ERR_USAGE, EINVAL, "%s: it is not %s", key->name, expected);
	return err_set(
		err, ERR_USAGE, EINVAL, "%s: '%.200s' is not %s", key->name, value, expected);
}

static int bad_value(
	const struct setting *setting, const char *value, const char *expected, struct err *err)
{
	return config_bad_value(setting->key, value, expected, err);
}

int config_set_size(const struct setting *setting, const char *value, struct err *err)
{
	if (units_parse_size(value, setting->field) < 0)
		return bad_value(setting, value, "a size such as 10G", err);
	return 0;
}

int config_set_rate(const struct setting *setting, const char *value, struct err *err)
{
	uint64_t bytes;

	if (units_parse_size(value, &bytes) < 0 || bytes == 0)
		return bad_value(setting, value, "a number of bytes per second such as 10K", err);
	*(uint64_t *)setting->field = bytes;
	return 0;
}

static int parse_count(
	const char *text, const char *suffix, const struct config_key *key, unsigned int *ret)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || !str_equal(end, suffix) || value < key->min ||
		value > key->max)
		return -EINVAL;
	*ret = (unsigned int)value;
	return 0;
}

int config_set_count(const struct setting *setting, const char *value, struct err *err)
{
	const struct config_key *key = setting->key;

	if (parse_count(value, "", key, setting->field) < 0) {
		CLEANUP(str_freep)
		char *range = str_printf(
			"a number from %lld to %lld", (long long)key->min, (long long)key->max);

		return bad_value(setting, value, range ? range : "a number", err);
	}
	return 0;
}

/* A size, or a part of the whole: of *bytes and *percent one is 0 then. */
static int set_part(const struct setting *setting, const char *value, uint64_t *bytes,
	unsigned int *percent, struct err *err)
{
	uint64_t size;

	if (parse_count(value, "%", setting->key, percent) == 0) {
		*bytes = 0;
		return 0;
	}
	if (units_parse_size(value, &size) < 0)
		return bad_value(setting, value, "a size such as 10G, or a part such as 5%", err);
	*bytes = size;
	*percent = 0;
	return 0;
}

int config_set_min_free(const struct setting *setting, const char *value, struct err *err)
{
	struct config *config = setting->config;

	return set_part(setting, value, &config->min_free, &config->min_free_percent, err);
}

int config_set_per_user(const struct setting *setting, const char *value, struct err *err)
{
	struct config *config = setting->config;

	return set_part(setting, value, &config->per_user, &config->per_user_percent, err);
}

int config_set_duration(const struct setting *setting, const char *value, struct err *err)
{
	int64_t ms;

	if (units_parse_duration(value, &ms) < 0)
		return bad_value(setting, value, "a duration such as 30s", err);
	if (ms < setting->key->min || ms > setting->key->max)
		return bad_value(setting, value, "a sensible duration", err);
	*(int64_t *)setting->field = ms;
	return 0;
}

/* One of two words; the second one stands for true. */
static int set_choice(const struct setting *setting, const char *value, const char *no,
	const char *yes, struct err *err)
{
	CLEANUP(str_freep) char *expected = NULL;

	if (str_equal(value, no) || str_equal(value, yes)) {
		*(bool *)setting->field = str_equal(value, yes);
		return 0;
	}
	expected = str_printf("'%s' or '%s'", no, yes);
	return bad_value(setting, value, expected ? expected : "a choice", err);
}

int config_set_yes_no(const struct setting *setting, const char *value, struct err *err)
{
	return set_choice(setting, value, "no", "yes", err);
}

int config_set_deny_allow(const struct setting *setting, const char *value, struct err *err)
{
	return set_choice(setting, value, "deny", "allow", err);
}

int config_set_lazy(const struct setting *setting, const char *value, struct err *err)
{
	return set_choice(setting, value, "no", "ranges", err);
}

int config_set_lookup_head(const struct setting *setting, const char *value, struct err *err)
{
	static const char *const words[] = {
		[FETCHFS_HEAD_SUFFIX] = "suffix",
		[FETCHFS_HEAD_NONE] = "none",
		[FETCHFS_HEAD_ALL] = "all",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_equal(value, words[i])) {
			*(unsigned int *)setting->field = i;
			return 0;
		}
	}
	return bad_value(setting, value, "'suffix', 'none' or 'all'", err);
}

int config_set_order(const struct setting *setting, const char *value, struct err *err)
{
	return set_choice(setting, value, "listed", "fastest", err);
}

int config_replace(char **field, const char *value, struct err *err)
{
	char *copy = strdup(value);

	if (!copy)
		return err_oom(err);
	config_free_secret(*field);
	*field = copy;
	return 0;
}

void config_free_secret(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void config_free_secretp(char **text)
{
	config_free_secret(*text);
	*text = NULL;
}

int config_set_path(const struct setting *setting, const char *value, struct err *err)
{
	if (value[0] != '/')
		return bad_value(setting, value, "an absolute path", err);
	return config_replace(setting->field, value, err);
}

bool config_is_token(const char *text)
{
	size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789-._~+/=");

	return len > 0 && !text[len];
}

int config_set_bearer(const struct setting *setting, const char *value, struct err *err)
{
	if (!config_is_token(value))
		return bad_value(setting, value, "a token", err);
	return config_replace(setting->field, value, err);
}
