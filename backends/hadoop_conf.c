#include "backends/hadoop_conf.h"

#include "backends/xml.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX   ((size_t)4 * 1024 * 1024)
#define VALUES_MAX 20000
#define NAME_SIZE  512
#define BLANKS     " \t\r\n"

#define PROPERTY "configuration/property"

struct value {
	char *name;
	char *text;
};

struct hadoop_conf {
	struct value *values;
	size_t count;
	size_t room;
};

/* A property on its way. */
struct reader {
	struct hadoop_conf *conf;
	char *name;
	char *text;
};

static char *trimmed(const char *text)
{
	size_t len;

	text += strspn(text, BLANKS);
	len = strlen(text);
	while (len > 0 && strchr(BLANKS, text[len - 1]))
		len--;
	return strndup(text, len);
}

/* The strings of @reader become the configuration's. */
static int add(struct reader *reader, struct err *err)
{
	struct hadoop_conf *conf = reader->conf;

	if (conf->count == VALUES_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "more than %d properties", VALUES_MAX);
	if (conf->count == conf->room) {
		size_t room = conf->room ? 2 * conf->room : 64;
		struct value *bigger = reallocarray(conf->values, room, sizeof(*bigger));

		if (!bigger)
			return err_oom(err);
		conf->values = bigger;
		conf->room = room;
	}
	conf->values[conf->count++] = (struct value){
		.name = str_steal(&reader->name),
		.text = str_steal(&reader->text),
	};
	return 0;
}

static int take(char **place, const char *text, struct err *err)
{
	free(*place);
	*place = trimmed(text);
	return *place ? 0 : err_oom(err);
}

static int on_text(const char *path, const char *text, void *arg, struct err *err)
{
	struct reader *reader = arg;

	if (str_equal(path, PROPERTY "/name"))
		return take(&reader->name, text, err);
	if (str_equal(path, PROPERTY "/value"))
		return take(&reader->text, text, err);
	if (!str_equal(path, PROPERTY))
		return 0;
	if (reader->name && reader->text && !strstr(reader->text, "${"))
		return add(reader, err);
	str_freep(&reader->name);
	str_freep(&reader->text);
	return 0;
}

static int read_text(struct hadoop_conf *conf, const char *text, size_t len, struct err *err)
{
	CLEANUP(xml_freep) struct xml *xml = NULL;
	struct reader reader = {.conf = conf};
	int r = xml_new(on_text, &reader, &xml, err);

	if (r == 0)
		r = xml_feed(xml, text, len, err);
	if (r == 0)
		r = xml_feed(xml, "", 0, err);
	free(reader.name);
	free(reader.text);
	return r;
}

static int read_file(struct hadoop_conf *conf, const char *dir, const char *name, struct err *err)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, name);
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	int r;

	if (!path)
		return err_oom(err);
	r = fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(err, ERR_USAGE, -r, "read %s: %m", path);
	if (len == 0)
		return 0;
	r = read_text(conf, text, len, err);
	if (r < 0) {
		err_context(err, "read %s", path);
		if (err) /* it is a file of ours */
			err->kind = ERR_USAGE;
	}
	return r;
}

int hadoop_conf_load(const char *dir, struct hadoop_conf **ret, struct err *err)
{
	CLEANUP(hadoop_conf_freep) struct hadoop_conf *conf = calloc(1, sizeof(*conf));
	int r;

	if (!conf)
		return err_oom(err);
	r = read_file(conf, dir, "core-site.xml", err);
	if (r == 0)
		r = read_file(conf, dir, "hdfs-site.xml", err);
	if (r < 0)
		return r;
	*ret = conf;
	conf = NULL;
	return 0;
}

void hadoop_conf_free(struct hadoop_conf *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->count; i++) {
		free(conf->values[i].name);
		free(conf->values[i].text);
	}
	free(conf->values);
	free(conf);
}

void hadoop_conf_freep(struct hadoop_conf **conf)
{
	hadoop_conf_free(*conf);
	*conf = NULL;
}

const char *hadoop_conf_get(const struct hadoop_conf *conf, const char *name)
{
	for (size_t i = conf->count; i-- > 0;)
		if (str_equal(conf->values[i].name, name))
			return conf->values[i].text;
	return NULL;
}

const char *hadoop_conf_getf(const struct hadoop_conf *conf, const char *fmt, ...)
{
	char name[NAME_SIZE];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	return len < 0 || (size_t)len >= sizeof(name) ? NULL : hadoop_conf_get(conf, name);
}
