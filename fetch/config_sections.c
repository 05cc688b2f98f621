#include "fetch/config_sections.h"

#include "base/str.h"

#include <errno.h>
#include <string.h>

#define SCHEMES_MAX 4

static const struct {
	const char *name;
	const char *example;
	const char *schemes[SCHEMES_MAX]; /* which have no other section; none: any that is left */
} kinds[] = {
	{"origin", "https://host/", {NULL}},
	{"s3", "s3://bucket/", {"s3"}},
	{"hdfs", "hdfs://namenode/", {"hdfs", "webhdfs", "swebhdfs"}},
	{"oci", "oci://registry/", {"oci"}},
	{"hadoop", "gs://bucket/", {NULL}},
};

bool config_sections_have(const char *name)
{
	return config_sections_example(name) != NULL;
}

const char *config_sections_example(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_equal(kinds[i].name, name))
			return kinds[i].example;
	return NULL;
}

/* Its place in the table; ARRAY_SIZE(kinds): none owns the scheme of @text. */
static size_t owner(const char *text)
{
	size_t len = strcspn(text, ":");
	size_t i = 0;

	for (; i < ARRAY_SIZE(kinds); i++)
		for (size_t j = 0; j < SCHEMES_MAX && kinds[i].schemes[j]; j++)
			if (strlen(kinds[i].schemes[j]) == len &&
				strncmp(kinds[i].schemes[j], text, len) == 0)
				return i;
	return i;
}

bool config_sections_own(const char *name, const char *text)
{
	size_t i = owner(text);

	return i < ARRAY_SIZE(kinds) && str_equal(kinds[i].name, name);
}

/* A section of its own, of which another kind is meant. */
static bool owns_some(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_equal(kinds[i].name, name))
			return kinds[i].schemes[0];
	return false;
}

bool config_sections_name_tag(const char *prefix)
{
	const char *path = config_sections_own("oci", prefix) ? strstr(prefix, "://") : NULL;

	path = path ? strchr(path + strlen("://"), '/') : NULL;
	return path && strpbrk(path, ":@");
}

int config_sections_check(const char *name, const char *prefix, char **ret)
{
	size_t i = owner(prefix);
	bool is_right = i == ARRAY_SIZE(kinds) ? !owns_some(name) : str_equal(kinds[i].name, name);

	*ret = NULL;
	/* the client of Hadoop may be told to serve what is served without it */
	if (str_equal(name, "hadoop") && config_sections_own("hdfs", prefix))
		is_right = true;
	if (config_sections_name_tag(prefix))
		*ret = str_copy("it holds for all tags of a repository: its prefix has none");
	else if (strchr(prefix, '?'))
		*ret = str_copy("a URI prefix has no query");
	else if (!is_right && i < ARRAY_SIZE(kinds))
		*ret = str_printf("a section for %.*s is [%s \"%s\"]", (int)strcspn(prefix, ":"),
			prefix, kinds[i].name, kinds[i].example);
	else if (!is_right)
		*ret = str_printf("its prefix is such as %s", config_sections_example(name));
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}
