/* Values of sections [oci "…"]. */
#include "base/str.h"
#include "fetch/config_values.h"

#include <string.h>

#define PART "abcdefghijklmnopqrstuvwxyz0123456789._-"

/* "os/architecture", "os/architecture/variant" */
int config_set_platform(const struct setting *setting, const char *value, struct err *err)
{
	const char *p = value;
	int parts = 0;

	for (;;) {
		size_t len = strspn(p, PART);

		p += len;
		parts++;
		if (len == 0 || *p != '/')
			break;
		p++;
	}
	if (*p || parts < 2 || parts > 3 || p[-1] == '/')
		return config_bad_value(
			setting->key, value, "a platform such as linux/amd64 or linux/arm/v7", err);
	return config_replace(setting->field, value, err);
}
