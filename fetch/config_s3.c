/* Values of sections [s3 "…"]. */
#include "backends/backend.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int config_endpoint(const struct config_key *key, const char *item, char **ret, struct err *err)
{
	CLEANUP(str_freep) char *prefix = NULL;
	int r = config_prefix(key->name, item, &prefix, err);

	if (r < 0)
		return r;
	if ((!str_has_prefix(prefix, "http://") && !str_has_prefix(prefix, "https://")) ||
		strchr(prefix, '?'))
		return config_bad_value(key, item, "a URI such as https://s3.example.org", err);
	*ret = str_printf("%s%s", prefix, str_has_suffix(prefix, "/") ? "" : "/");
	return *ret ? 0 : err_oom(err);
}

int config_set_endpoint(const struct setting *setting, const char *value, struct err *err)
{
	CLEANUP(str_freep) char *whole = NULL;
	int r = config_endpoint(setting->key, value, &whole, err);

	return r < 0 ? r : config_replace(setting->field, whole, err);
}

int config_set_name(const struct setting *setting, const char *value, struct err *err)
{
	if (!*value || strpbrk(value, "[]/\"'"))
		return config_bad_value(setting->key, value, "a name", err);
	return config_replace(setting->field, value, err);
}

int config_set_style(const struct setting *setting, const char *value, struct err *err)
{
	static const char *const words[] = {
		[S3_STYLE_AUTO] = "auto",
		[S3_STYLE_PATH] = "path",
		[S3_STYLE_VIRTUAL] = "virtual",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (str_equal(value, words[i])) {
			*(unsigned int *)setting->field = i;
			return 0;
		}
	}
	return config_bad_value(setting->key, value, "'auto', 'path' or 'virtual'", err);
}
