#include "fetch/config.h"

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/uri.h"
#include "fetch/config_check.h"
#include "fetch/config_keys.h"
#include "fetch/config_said.h"
#include "fetch/config_sections.h"
#include "fetch/config_values.h"
#include "fetch/members.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1024 * 1024)
#define ORIGINS_MAX   1024

/* One file on its way into the configuration. */
struct reader {
	struct config *config;
	const char *file;
	bool lenient;
	bool readable_by_others;
	bool skip;     /* the section is unknown, and complained of already */
	size_t origin; /* the section's in config->origins; ORIGINS_MAX: it is not one of them */
	struct config_file text;
	struct err *err;
};

static int fail(struct reader *reader)
{
	return err_context(reader->err, "%s:%u", reader->file, reader->text.line.number);
}

static int warn(struct reader *reader, const char *text)
{
	return config_list_add(&reader->config->warnings,
		str_printf("%s:%u: %s", reader->file, reader->text.line.number, text), reader->err);
}

/* What is unknown is an error, or a warning where a newer file must not stop an older program. */
static int complain(struct reader *reader)
{
	return reader->lenient ? warn(reader, reader->err->msg) : fail(reader);
}

/* The section @name of @prefix, which is taken; one that is there already is gone on with. */
static int enter_origin(struct reader *reader, const char *name, char *prefix)
{
	struct config *config = reader->config;
	struct origin *bigger;

	for (size_t i = 0; i < config->origin_count; i++) {
		if (str_equal(config->origins[i].prefix, prefix)) {
			free(prefix);
			reader->origin = i;
			return 0;
		}
	}
	bigger = config->origin_count < ORIGINS_MAX
			 ? reallocarray(config->origins, config->origin_count + 1, sizeof(*bigger))
			 : NULL;
	if (!bigger) {
		free(prefix);
		return err_oom(reader->err);
	}
	config->origins = bigger;
	reader->origin = config->origin_count++;
	bigger[reader->origin] = (struct origin){
		.prefix = prefix,
		.ttl_ms = -1,
		.is_s3 = str_equal(name, "s3"),
		.is_hdfs = str_equal(name, "hdfs"),
		.is_oci = str_equal(name, "oci"),
		.is_hadoop = str_equal(name, "hadoop"),
	};
	return 0;
}

/* All buckets: no URI, but a prefix of all that there are. */
static bool is_all_of_s3(const struct config_line *line)
{
	return str_equal(line->section, "s3") && str_equal(line->section_name, "s3://");
}

static int take_origin(struct reader *reader, const struct config_line *line)
{
	CLEANUP(str_freep) char *why = NULL;
	char what[16];
	char *prefix;

	snprintf(what, sizeof(what), "[%.10s]", line->section);
	if (is_all_of_s3(line)) {
		prefix = str_copy(line->section_name);
		return prefix ? enter_origin(reader, line->section, prefix) : err_oom(reader->err);
	}
	if (config_prefix(what, line->section_name, &prefix, reader->err) < 0)
		return fail(reader);
	if (config_sections_check(line->section, prefix, &why) < 0 || why) {
		free(prefix);
		err_set(reader->err, ERR_USAGE, EINVAL, "%s: %s", what, why ? why : "no memory");
		return fail(reader);
	}
	return enter_origin(reader, line->section, prefix);
}

static void err_unknown_section(const struct config_line *line, struct err *err)
{
	const char *name = line->section_name;
	const char *like = config_section_like(line->section);
	bool is_secret = name && strchr(name, '@'); /* it may hold a password */

	err_set(err, ERR_USAGE, EINVAL, "unknown section [%s%s%s%s]%s%s%s", line->section,
		name ? " \"" : "",
		is_secret ? "…"
		: name    ? name
			  : "",
		name ? "\"" : "", like ? " (did you mean '" : "", like ? like : "",
		like ? "'?)" : "");
}

static int take_section(struct reader *reader, const struct config_line *line)
{
	bool is_origin = config_sections_have(line->section);
	const char *name = line->section_name;

	reader->origin = ORIGINS_MAX;
	reader->skip = false;
	if (is_origin && name)
		return take_origin(reader, line);
	if (!is_origin && !name && config_has_section(line->section))
		return 0;

	reader->skip = true;
	if (is_origin)
		err_set(reader->err, ERR_USAGE, EINVAL,
			"a section [%s] has a URI prefix: [%s \"%s\"]", line->section,
			line->section, config_sections_example(line->section));
	else
		err_unknown_section(line, reader->err);
	return complain(reader);
}

static int take_key(struct reader *reader, const struct config_line *line)
{
	struct config *config = reader->config;
	struct origin *origin =
		reader->origin < config->origin_count ? &config->origins[reader->origin] : NULL;
	int r;

	if (!line->section) {
		err_set(reader->err, ERR_USAGE, EINVAL, "key '%s' before any [section]", line->key);
		return fail(reader);
	}
	if (reader->skip)
		return 0;
	r = config_set(config, origin, line, reader->err);
	if (r == -ENOENT)
		return complain(reader);
	if (r < 0)
		return fail(reader);
	r = config_said_add(config, reader->file, line, origin, reader->err);
	if (r < 0)
		return r;
	if (reader->readable_by_others && config_is_secret(line)) {
		CLEANUP(str_freep)
		char *text =
			str_printf("'%s' is a secret, and everybody may read this file", line->key);

		return text ? warn(reader, text) : err_oom(reader->err);
	}
	return 0;
}

static int read_lines(struct reader *reader)
{
	const struct config_line *line = &reader->text.line;

	for (;;) {
		int r = config_file_next(&reader->text, reader->err);

		if (r <= 0)
			return r < 0 ? fail(reader) : 0;
		r = line->is_section ? take_section(reader, line) : take_key(reader, line);
		if (r < 0)
			return r;
	}
}

static int read_file(
	struct config *config, const char *file, bool must_exist, bool lenient, struct err *err)
{
	CLEANUP(config_free_secretp) char *text = NULL;
	struct reader reader = {
		.config = config,
		.file = file,
		.lenient = lenient,
		.readable_by_others = config_is_readable_by_others(file),
		.origin = ORIGINS_MAX,
		.err = err,
	};
	size_t len = 0;
	int r = fd_read_file(AT_FDCWD, file, FILE_SIZE_MAX, &text, &len);

	if (!must_exist && (r == -ENOENT || r == -ENOTDIR))
		return 0;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read configuration %s: %m", file);
	if (strlen(text) != len)
		return err_set(err, ERR_USAGE, EINVAL, "configuration %s is not a text", file);

	config_file_init(&reader.text, text);
	r = read_lines(&reader);
	config_file_release(&reader.text);
	return r;
}

/* The user's own file, the caller's to free(); NULL in *ret when it has no place. */
static int user_file(const char *const *environment, char **ret, struct err *err)
{
	const char *xdg = config_env(environment, "XDG_CONFIG_HOME");
	const char *home = config_env(environment, "HOME");

	*ret = NULL;
	if (xdg && xdg[0] == '/')
		*ret = str_printf("%s/fetchfs/fetchfs.conf", xdg);
	else if (home && home[0] == '/')
		*ret = str_printf("%s/.config/fetchfs/fetchfs.conf", home);
	else
		return 0;
	return *ret ? 0 : err_oom(err);
}

static int read_usual_files(
	struct config *config, const char *const *environment, bool lenient, struct err *err)
{
	CLEANUP(str_freep) char *user = NULL;
	int r = read_file(config, "/etc/fetchfs/fetchfs.conf", false, lenient, err);

	if (r < 0 || (r = user_file(environment, &user, err)) < 0 || !user)
		return r;
	return read_file(config, user, false, lenient, err);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Not of the credentials: a new token opens the same door. The order of users means nothing. */
static int make_id(struct origin *origin, struct err *err)
{
	CLEANUP(str_freep) char *all = NULL;
	size_t len = strlen(origin->prefix) + 1;
	char hex[DIGEST_HEX_SIZE];
	struct digest digest;
	char *end;

	if (origin->users.count > 1)
		qsort(origin->users.items, origin->users.count, sizeof(*origin->users.items),
			compare_items);
	for (size_t i = 0; i < origin->users.count; i++)
		len += strlen(origin->users.items[i]) + 1;
	all = malloc(len);
	if (!all)
		return err_oom(err);
	end = stpcpy(all, origin->prefix) + 1;
	for (size_t i = 0; i < origin->users.count; i++)
		end = stpcpy(end, origin->users.items[i]) + 1;
	digest_buffer(all, len, &digest);
	digest_hex(&digest, hex);
	memcpy(origin->id, hex, sizeof(origin->id) - 1);
	return 0;
}

/* What says where the keys of S3 are, or holds them; and where Hadoop and Docker are. */
static int keep_environment(struct config *config, const char *const *environment, struct err *err)
{
	int r = 0;

	for (; r == 0 && environment && *environment; environment++) {
		if (str_has_prefix(*environment, "AWS_") || str_has_prefix(*environment, "HOME="))
			r = config_list_add(&config->aws, strdup(*environment), err);
		if (r == 0 && (str_has_prefix(*environment, "DOCKER_CONFIG=") ||
				      str_has_prefix(*environment, "HOME=")))
			r = config_list_add(&config->docker, strdup(*environment), err);
		if (r == 0 && (str_has_prefix(*environment, "HADOOP_CONF_DIR=") ||
				      str_has_prefix(*environment, "HADOOP_USER_NAME=")))
			r = config_list_add(&config->hdfs, strdup(*environment), err);
	}
	return r;
}

/* All files are read. */
static int finish(struct config *config, const char *const *environment, struct err *err)
{
	int r = members_new(&config->members, err);

	if (r == 0)
		r = keep_environment(config, environment, err);
	if (r == 0)
		r = config_hadoop_finish(config, err);

	for (size_t i = 0; r == 0 && i < config->origin_count; i++)
		r = make_id(&config->origins[i], err);
	return r < 0 ? r : config_check(config, err);
}

int config_load(const char *file, const char *const *environment, bool lenient, struct config *ret,
	struct err *err)
{
	CLEANUP(config_release)
	struct config config = {
		.min_free_percent = 5,
		.per_user_percent = 25,
		.connections = 200,
		.per_host = 50, /* with 30 ms to the host, small files need as many */
		.turns = 8,     /* six users that hold all of theirs still leave room at one host */
		.hadoop_clients = 4, /* each is a JVM */
		.connect_ms = 10 * 1000,
		.first_byte_ms = 60 * 1000,
		.stall_ms = 60 * 1000,
		.stall_rate = 1,
		.retries = 5,
		.ttl_ms = 5 * 60 * 1000,
		.negative_ttl_ms = 10 * 1000,
		.stale_if_error_ms = 24 * 60 * 60 * 1000,
		.unpack = {.entries = 1000000,
			.size = UINT64_C(64) << 30,
			.ratio = 1000,
			.depth = 64,
			.name = 255,
			.path = 4095,
			.confined = true},
		.unpack_total_ms = 60 * 60 * 1000,
	};
	struct err why = ERR_INIT; /* not @err: texts of warnings pass through it */
	int r;

	if (!file)
		file = config_env(environment, "FETCHFS_CONFIG");
	if (file && *file)
		r = read_file(&config, file, true, lenient, &why);
	else
		r = read_usual_files(&config, environment, lenient, &why);
	if (r < 0) {
		if (err)
			*err = why;
		return r;
	}

	r = finish(&config, environment, err);
	if (r < 0)
		return r;

	*ret = config;
	config = (struct config){0};
	return 0;
}

static void list_release(struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		config_free_secret(list->items[i]);
	free(list->items);
}

static void origin_release(struct origin *origin)
{
	free(origin->prefix);
	list_release(&origin->mirrors);
	config_free_secret(origin->proxy);
	free(origin->user_file);
	config_free_secret(origin->bearer);
	free(origin->bearer_file);
	free(origin->netrc);
	free(origin->client_cert);
	list_release(&origin->headers);
	list_release(&origin->users);
	free(origin->endpoint);
	free(origin->region);
	free(origin->keys_file);
	free(origin->profile);
	list_release(&origin->endpoints);
	free(origin->conf_dir);
	config_free_secret(origin->hdfs_user);
	free(origin->token_file);
	free(origin->datanodes);
	free(origin->platform);
}

void config_release(struct config *config)
{
	if (!config)
		return;
	free(config->dir);
	free(config->ca_file);
	config_free_secret(config->proxy);
	list_release(&config->allow);
	list_release(&config->deny);
	list_release(&config->file_roots);
	list_release(&config->warnings);
	list_release(&config->aws);
	list_release(&config->hdfs);
	list_release(&config->docker);
	list_release(&config->hadoop_schemes);
	free(config->hadoop);
	for (size_t i = 0; i < config->origin_count; i++)
		origin_release(&config->origins[i]);
	free(config->origins);
	members_free(config->members);
	config_said_release(config);
	*config = (struct config){0};
}

const char *config_env(const char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	return NULL;
}
