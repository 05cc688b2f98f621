#include "cli/pattern.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool pattern_is(struct fetchfs *fetchfs, const char *text)
{
	const struct fetchfs_request request = {.uri = text, .uid = getuid()};
	struct fetchfs_info info = {0};

	if (!strchr(text, '*'))
		return false;
	if (fetchfs_find(fetchfs, &request, &info, NULL) < 0)
		return true;
	fetchfs_info_release(&info);
	return false;
}

/* Whether @pattern stands for all of @text. A '*' that was followed in vain takes one more. */
static bool matches(const char *pattern, const char *text)
{
	const char *star = NULL, *rest = text;

	for (;;) {
		if (*pattern == '*') {
			star = pattern++;
			rest = text;
		} else if (*text && *pattern == *text) {
			pattern++;
			text++;
		} else if (!*text && !*pattern) {
			return true;
		} else if (star && *rest) {
			pattern = star + 1;
			text = ++rest;
		} else {
			return false;
		}
	}
}

struct walk {
	const char *pattern;
	fetchfs_visit *visit;
	void *arg;
};

static int visit_matching(const struct fetchfs_info *info, void *arg)
{
	const struct walk *walk = arg;

	return matches(walk->pattern, info->uri) ? walk->visit(info, walk->arg) : 0;
}

int pattern_list(struct fetchfs *fetchfs, const char *pattern, fetchfs_visit *visit, void *arg,
	struct err *err)
{
	CLEANUP(str_freep) char *prefix = strndup(pattern, strcspn(pattern, "*"));
	struct walk walk = {pattern, visit, arg};

	if (!prefix)
		return err_oom(err);
	return fetchfs_list(fetchfs, prefix, getuid(), visit_matching, &walk, err);
}

int pattern_of_nothing(struct err *err)
{
	return err_set(err, ERR_USAGE, ENOENT, "nothing in the cache is called so");
}
