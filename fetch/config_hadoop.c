/* Values about Hadoop: sections [hdfs "…"], and what its client is for. */
#include "backends/registry.h"
#include "base/str.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODES_MAX 16

int config_set_endpoints(const struct setting *setting, const char *value, struct err *err)
{
	int r = config_add_items(setting, value, ",", config_endpoint, err);

	if (r == 0 && setting->origin->endpoints.count > NODES_MAX)
		return err_set(
			err, ERR_USAGE, EINVAL, "%s: more than %d", setting->key->name, NODES_MAX);
	return r;
}

/* What no_proxy may have, too: whether it makes sense is seen when a host is looked for in it. */
int config_set_hosts(const struct setting *setting, const char *value, struct err *err)
{
	if (!*value || strstr(value, "://"))
		return config_bad_value(setting->key, value,
			"hosts such as '.cluster.example.org, 10.0.0.0/8'", err);
	return config_replace(setting->field, value, err);
}

/* One that is served without Hadoop's client; of hdfs a cluster may want it (Kerberos). */
static bool is_taken(const char *scheme)
{
	static const char *const taken[] = {"http", "https", "ftp", "ftps", "file"};

	for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
		if (str_equal(scheme, taken[i]))
			return true;
	return false;
}

static int canonical_scheme(
	const struct config_key *key, const char *item, char **ret, struct err *err)
{
	size_t len = strspn(item, "abcdefghijklmnopqrstuvwxyz0123456789+-.");

	if (item[len] || !*item || strchr("0123456789+-.", item[0]) || is_taken(item))
		return config_bad_value(key, item, "a scheme for Hadoop's client", err);
	*ret = str_copy(item);
	return *ret ? 0 : err_oom(err);
}

int config_set_schemes(const struct setting *setting, const char *value, struct err *err)
{
	return config_add_items(setting, value, ", \t", canonical_scheme, err);
}

/* The schemes that Hadoop's client is asked for, unless the configuration has others: the
 * backend's. With a NULL behind the last one. */
int config_hadoop_finish(struct config *config, struct err *err)
{
	struct config_list *list = &config->hadoop_schemes;
	const char *const *usual = list->count > 0 ? NULL : registry_find_named("hadoop")->schemes;
	char **ended;
	int r = 0;

	for (; r == 0 && usual && *usual; usual++)
		r = config_list_add(list, str_copy(*usual), err);
	if (r < 0)
		return r;
	ended = reallocarray(list->items, list->count + 1, sizeof(*ended));
	if (!ended)
		return err_oom(err);
	ended[list->count] = NULL;
	list->items = ended;
	return 0;
}
