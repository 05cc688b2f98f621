#include "fetch/config.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/config_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#define FILE_SIZE_MAX (1024 * 1024)

/* One file on its way through inih, which asks for lines and tells of keys. */
struct reader {
	struct config *config;
	const char *file;
	bool lenient;
	const char *rest;  /* of the text */
	unsigned int line; /* number of the last line handed out, from 1 */
	int result;        /* the first error ends the reading */
	struct err *err;
};

static int fail(struct reader *reader)
{
	reader->result = err_context(reader->err, "%s:%u", reader->file, reader->line);
	return reader->result;
}

/* What is unknown is an error, or a warning where a newer file must not stop an older program. */
static int complain(struct reader *reader)
{
	struct config_list *warnings = &reader->config->warnings;

	if (!reader->lenient)
		return fail(reader);
	reader->result = config_list_add(warnings,
		str_printf("%s:%u: %s", reader->file, reader->line, reader->err->msg), reader->err);
	return reader->result;
}

/* inih tells of keys only; an unknown section is one even without any. */
static void check_section(struct reader *reader, const char *line, size_t len)
{
	CLEANUP(str_freep) char *name = strndup(line + 1, len - 1);
	char *end = name ? strchr(name, ']') : NULL;

	if (!name) {
		reader->result = err_oom(reader->err);
	} else if (end) {
		*end = '\0';
		if (config_has_section(name))
			return;
		err_set(reader->err, ERR_USAGE, EINVAL, "unknown section [%s]", name);
		complain(reader);
	}
}

/* The next line into @buf, like fgets(); NULL ends the reading. */
static char *next_line(char *buf, int size, void *arg)
{
	struct reader *reader = arg;
	size_t len = strcspn(reader->rest, "\n");

	if (reader->result < 0 || !*reader->rest)
		return NULL;
	reader->line++;
	if (len + 2 > (size_t)size) {
		err_set(reader->err, ERR_USAGE, EINVAL, "the line is longer than %d bytes",
			size - 2);
		fail(reader);
		return NULL;
	}
	if (reader->rest[0] == '[')
		check_section(reader, reader->rest, len);

	memcpy(buf, reader->rest, len);
	memcpy(buf + len, "\n", 2);
	reader->rest += len + (reader->rest[len] == '\n');
	return reader->result < 0 ? NULL : buf;
}

/* inih's handler: non-zero is success. */
static int take_key(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *reader = arg;
	int r;

	if (reader->result < 0)
		return 0;
	if (!*section) {
		err_set(reader->err, ERR_USAGE, EINVAL, "key '%s' before any [section]", name);
		return fail(reader) == 0;
	}
	if (!config_has_section(section)) /* lenient, and complained of already */
		return 1;

	r = config_set(reader->config, section, name, value, reader->err);
	if (r == -ENOENT)
		return complain(reader) == 0;
	return r == 0 || fail(reader) == 0;
}

static int read_text(
	struct config *config, const char *file, const char *text, bool lenient, struct err *err)
{
	struct reader reader = {
		.config = config, .file = file, .lenient = lenient, .rest = text, .err = err};
	int bad_line = ini_parse_stream(next_line, &reader, take_key, &reader);

	if (reader.result < 0)
		return reader.result;
	if (bad_line > 0)
		return err_set(err, ERR_USAGE, EINVAL,
			"%s:%d: neither '[section]' nor 'key = value'", file, bad_line);
	return bad_line < 0 ? err_oom(err) : 0;
}

static int read_file(
	struct config *config, const char *file, bool must_exist, bool lenient, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	int r = fd_read_file(AT_FDCWD, file, FILE_SIZE_MAX, &text, &len);

	if (!must_exist && (r == -ENOENT || r == -ENOTDIR))
		return 0;
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "read configuration %s: %m", file);
	if (strlen(text) != len)
		return err_set(err, ERR_USAGE, EINVAL, "configuration %s is not a text", file);
	return read_text(config, file, text, lenient, err);
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

int config_load(const char *file, const char *const *environment, bool lenient, struct config *ret,
	struct err *err)
{
	CLEANUP(config_release)
	struct config config = {
		.min_free_percent = 5,
		.connections = 32,
		.per_host = 8,
		.connect_ms = 10 * 1000,
		.first_byte_ms = 60 * 1000,
		.stall_ms = 60 * 1000,
		.stall_rate = 1,
		.retries = 3,
		.ttl_ms = 5 * 60 * 1000,
		.negative_ttl_ms = 10 * 1000,
		.stale_if_error_ms = 24 * 60 * 60 * 1000,
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

	*ret = config;
	config = (struct config){0};
	return 0;
}

static void list_release(struct config_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
}

void config_release(struct config *config)
{
	if (!config)
		return;
	free(config->dir);
	free(config->ca_file);
	list_release(&config->allow);
	list_release(&config->deny);
	list_release(&config->file_roots);
	list_release(&config->warnings);
	*config = (struct config){0};
}

const struct origin *config_origin(const struct config *config, const char *text)
{
	const struct origin *best = NULL;

	for (size_t i = 0; i < config->origin_count; i++) {
		const struct origin *origin = &config->origins[i];

		if (str_has_prefix(text, origin->prefix) &&
			(!best || strlen(origin->prefix) > strlen(best->prefix)))
			best = origin;
	}
	return best;
}

const char *config_env(const char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return *environment + len + 1;
	return NULL;
}
