#include "fetch/config_keys.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_sections.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

#define GLOBAL(name)        offsetof(struct config, name), 0
#define GLOBAL_LIST(name)   offsetof(struct config, name), CONFIG_LIST
#define ORIGIN(name)        offsetof(struct origin, name), 0
#define ORIGIN_LIST(name)   offsetof(struct origin, name), CONFIG_LIST
#define ORIGIN_SECRET(name) offsetof(struct origin, name), CONFIG_WHOLE | CONFIG_SECRET

static const struct config_key keys[] = {
	{"cache", "dir", config_set_path, GLOBAL(dir), 0, 0},
	{"cache", "size", config_set_size, GLOBAL(size), 0, 0},
	{"cache", "min_free", config_set_min_free, GLOBAL(min_free), 0, 99},
	{"cache", "per_user", config_set_per_user, GLOBAL(per_user), 1, 100},
	{"cache", "hardlink", config_set_yes_no, GLOBAL(hardlink), 0, 0},
	{"cache", "force", config_set_yes_no, GLOBAL(force), 0, 0},
	{"fetch", "connections", config_set_count, GLOBAL(connections), 1, 1000},
	{"fetch", "per_host", config_set_count, GLOBAL(per_host), 1, 1000},
	{"fetch", "per_user", config_set_count, GLOBAL(turns), 0, 1000},
	{"fetch", "connect", config_set_duration, GLOBAL(connect_ms), 1, DAY_MS},
	{"fetch", "first_byte", config_set_duration, GLOBAL(first_byte_ms), 1, DAY_MS},
	{"fetch", "stall", config_set_duration, GLOBAL(stall_ms), 1, DAY_MS},
	{"fetch", "stall_rate", config_set_rate, GLOBAL(stall_rate), 0, 0},
	{"fetch", "total", config_set_duration, GLOBAL(total_ms), 0, 30 * DAY_MS},
	{"fetch", "retries", config_set_count, GLOBAL(retries), 0, 100},
	{"fetch", "ttl", config_set_duration, GLOBAL(ttl_ms), 0, 36500 * DAY_MS},
	{"fetch", "negative_ttl", config_set_duration, GLOBAL(negative_ttl_ms), 0, 36500 * DAY_MS},
	{"fetch", "stale_if_error", config_set_duration, GLOBAL(stale_if_error_ms), 0,
		36500 * DAY_MS},
	{"fetch", "ca_file", config_set_path, GLOBAL(ca_file), 0, 0},
	{"fetch", "lazy", config_set_lazy, GLOBAL(lazy_ranges), 0, 0},
	{"fetch", "lookup_head", config_set_lookup_head, GLOBAL(lookup_head), 0, 0},
	{"fetch", "proxy", config_set_proxy, GLOBAL(proxy) | CONFIG_WHOLE | CONFIG_SECRET, 0, 0},
	{"fetch", "hadoop", config_set_path, GLOBAL(hadoop), 0, 0},
	{"fetch", "hadoop_clients", config_set_count, GLOBAL(hadoop_clients), 1, 1000},
	{"fetch", "hadoop_schemes", config_set_schemes, GLOBAL_LIST(hadoop_schemes), 0, 0},
	{"unpack", "entries", config_set_count, GLOBAL(unpack.entries), 1, 100000000},
	{"unpack", "size", config_set_size, GLOBAL(unpack.size), 0, 0},
	{"unpack", "ratio", config_set_count, GLOBAL(unpack.ratio), 1, 1000000},
	{"unpack", "depth", config_set_count, GLOBAL(unpack.depth), 1, UNPACK_DEPTH_MAX},
	{"unpack", "name", config_set_count, GLOBAL(unpack.name), 1, 255},
	{"unpack", "path", config_set_count, GLOBAL(unpack.path), 1, 4095},
	{"unpack", "total", config_set_duration, GLOBAL(unpack_total_ms), 0, 30 * DAY_MS},
	{"unpack", "confined", config_set_yes_no, GLOBAL(unpack.confined), 0, 0},
	{"policy", "allow", config_set_prefixes, GLOBAL_LIST(allow), 0, 0},
	{"policy", "deny", config_set_prefixes, GLOBAL_LIST(deny), 0, 0},
	{"policy", "private", config_set_deny_allow, GLOBAL(private_allowed), 0, 0},
	{"policy", "file", config_set_roots, GLOBAL_LIST(file_roots), 0, 0},
	{"origin", "mirrors", config_set_mirrors, ORIGIN_LIST(mirrors), 0, 0},
	{"origin", "mirror_order", config_set_order, ORIGIN(fastest), 0, 0},
	{"origin", "proxy", config_set_proxy, ORIGIN_SECRET(proxy), 0, 0},
	{"origin", "user_file", config_set_path, ORIGIN(user_file), 0, 0},
	{"origin", "bearer", config_set_bearer, ORIGIN_SECRET(bearer), 0, 0},
	{"origin", "bearer_file", config_set_path, ORIGIN(bearer_file), 0, 0},
	{"origin", "netrc", config_set_path, ORIGIN(netrc), 0, 0},
	{"origin", "client_cert", config_set_path, ORIGIN(client_cert), 0, 0},
	{"origin", "header", config_set_header, ORIGIN_SECRET(headers) | CONFIG_LIST, 0, 0},
	{"origin", "users", config_set_users, ORIGIN_LIST(users), 0, 0},
	{"origin", "list", config_set_yes_no, ORIGIN(list), 0, 0},
	{"origin", "public_query", config_set_yes_no, ORIGIN(public_query), 0, 0},
	{"origin", "ftp_active", config_set_yes_no, ORIGIN(ftp_active), 0, 0},
	{"origin", "ftp_tls", config_set_yes_no, ORIGIN(ftp_tls), 0, 0},
	{"origin", "ttl", config_set_duration, ORIGIN(ttl_ms), 0, 36500 * DAY_MS},
	{"s3", "endpoint", config_set_endpoint, ORIGIN(endpoint), 0, 0},
	{"s3", "region", config_set_name, ORIGIN(region), 0, 0},
	{"s3", "style", config_set_style, ORIGIN(style), 0, 0},
	{"s3", "credentials", config_set_path, ORIGIN(keys_file), 0, 0},
	{"s3", "profile", config_set_name, ORIGIN(profile), 0, 0},
	{"s3", "anonymous", config_set_yes_no, ORIGIN(anonymous), 0, 0},
	{"s3", "users", config_set_users, ORIGIN_LIST(users), 0, 0},
	{"s3", "list", config_set_yes_no, ORIGIN(list), 0, 0},
	{"s3", "mirrors", config_set_mirrors, ORIGIN_LIST(mirrors), 0, 0},
	{"s3", "mirror_order", config_set_order, ORIGIN(fastest), 0, 0},
	{"s3", "proxy", config_set_proxy, ORIGIN_SECRET(proxy), 0, 0},
	{"s3", "ttl", config_set_duration, ORIGIN(ttl_ms), 0, 36500 * DAY_MS},
	{"hdfs", "endpoint", config_set_endpoints, ORIGIN_LIST(endpoints), 0, 0},
	{"hdfs", "conf_dir", config_set_path, ORIGIN(conf_dir), 0, 0},
	{"hdfs", "user", config_set_name, ORIGIN(hdfs_user), 0, 0},
	{"hdfs", "token_file", config_set_path, ORIGIN(token_file), 0, 0},
	{"hdfs", "datanodes", config_set_hosts, ORIGIN(datanodes), 0, 0},
	{"hdfs", "users", config_set_users, ORIGIN_LIST(users), 0, 0},
	{"hdfs", "list", config_set_yes_no, ORIGIN(list), 0, 0},
	{"hdfs", "proxy", config_set_proxy, ORIGIN_SECRET(proxy), 0, 0},
	{"hdfs", "ttl", config_set_duration, ORIGIN(ttl_ms), 0, 36500 * DAY_MS},
	{"oci", "endpoint", config_set_endpoint, ORIGIN(endpoint), 0, 0},
	{"oci", "platform", config_set_platform, ORIGIN(platform), 0, 0},
	{"oci", "user_file", config_set_path, ORIGIN(user_file), 0, 0},
	{"oci", "credentials", config_set_path, ORIGIN(keys_file), 0, 0},
	{"oci", "client_cert", config_set_path, ORIGIN(client_cert), 0, 0},
	{"oci", "anonymous", config_set_yes_no, ORIGIN(anonymous), 0, 0},
	{"oci", "users", config_set_users, ORIGIN_LIST(users), 0, 0},
	{"oci", "list", config_set_yes_no, ORIGIN(list), 0, 0},
	{"oci", "proxy", config_set_proxy, ORIGIN_SECRET(proxy), 0, 0},
	{"oci", "ttl", config_set_duration, ORIGIN(ttl_ms), 0, 36500 * DAY_MS},
	{"hadoop", "anonymous", config_set_yes_no, ORIGIN(anonymous), 0, 0},
	{"hadoop", "users", config_set_users, ORIGIN_LIST(users), 0, 0},
	{"hadoop", "ttl", config_set_duration, ORIGIN(ttl_ms), 0, 36500 * DAY_MS},
};

bool config_has_section(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(keys[i].section, section))
			return true;
	return false;
}

const char *config_section_like(const char *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t d = str_distance(section, keys[i].section);

		if (d <= STR_SLIPS && 2 * d < strlen(keys[i].section))
			return keys[i].section;
	}
	return NULL;
}

static const struct config_key *find(const char *section, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(keys[i].section, section) && str_equal(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static int unknown(const char *section, const char *name, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (str_equal(keys[i].section, section) &&
			str_distance(name, keys[i].name) <= STR_SLIPS)
			return err_set(err, ERR_USAGE, ENOENT,
				"unknown key '%s' in [%s] (did you mean '%s'?)", name, section,
				keys[i].name);
	return err_set(err, ERR_USAGE, ENOENT, "unknown key '%s' in [%s]", name, section);
}

/* A value goes up to a ';' behind a blank, which begins a comment. */
static void cut_comment(char *value)
{
	for (char *p = value; (p = strchr(p, ';')); p++) {
		if (p > value && (p[-1] == ' ' || p[-1] == '\t')) {
			*p = '\0';
			config_trim(value);
			return;
		}
	}
}

/* What is meant: without the comment behind it. */
static char *value_of(const struct config_key *key, const struct config_line *line)
{
	char *value = strdup(line->value);

	if (value && !(key->flags & CONFIG_WHOLE))
		cut_comment(value);
	return value;
}

char *config_value(const struct config_line *line)
{
	const struct config_key *key = find(line->section, line->key);

	return key ? value_of(key, line) : NULL;
}

const struct config_key *config_key_at(size_t i)
{
	return i < ARRAY_SIZE(keys) ? &keys[i] : NULL;
}

bool config_key_is_of_prefix(const struct config_key *key)
{
	return config_sections_have(key->section);
}

int config_set(struct config *config, struct origin *origin, const struct config_line *line,
	struct err *err)
{
	const struct config_key *key = find(line->section, line->key);
	struct setting setting = {.key = key, .config = config, .origin = origin};
	CLEANUP(config_free_secretp) char *value = NULL;

	if (!key)
		return unknown(line->section, line->key, err);
	if (line->continued && !(key->flags & CONFIG_LIST))
		return err_set(err, ERR_USAGE, EINVAL,
			"a line that begins with a blank goes on with a list, and '%s' is none",
			key->name);
	value = value_of(key, line);
	if (!value)
		return err_oom(err);
	setting.field = (origin ? (char *)origin : (char *)config) + key->offset;
	return key->set(&setting, value, err);
}

/* Names of headers that are used for secrets. */
static bool has_secret_name(const char *header)
{
	static const char *const words[] = {"auth", "cookie", "token", "key", "secret"};
	CLEANUP(str_freep) char *name = strndup(header, strcspn(header, ":"));

	for (size_t i = 0; name && i < ARRAY_SIZE(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

bool config_is_secret(const struct config_line *line)
{
	const struct config_key *key = find(line->section, line->key);

	if (!key || !(key->flags & CONFIG_SECRET))
		return false;
	if (key->set == config_set_header)
		return has_secret_name(line->value);
	if (key->set == config_set_proxy)
		return strchr(line->value, '@');
	return true;
}
