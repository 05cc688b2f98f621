/* The life of a parsed URI. */
#include "base/str.h"
#include "base/uri.h"

#include <stdlib.h>

void uri_release(struct uri *uri)
{
	if (!uri)
		return;
	free(uri->text);
	free(uri->scheme);
	free(uri->host);
	free(uri->port);
	free(uri->path);
	free(uri->query);
	free(uri->user);
	free(uri->password);
	*uri = (struct uri){0};
}

int uri_copy(const struct uri *uri, struct uri *ret, struct err *err)
{
	struct uri copy = {.expected = uri->expected};
	const struct {
		const char *from;
		char **to;
	} strings[] = {
		{uri->text, &copy.text},
		{uri->scheme, &copy.scheme},
		{uri->host, &copy.host},
		{uri->port, &copy.port},
		{uri->path, &copy.path},
		{uri->query, &copy.query},
		{uri->user, &copy.user},
		{uri->password, &copy.password},
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		*strings[i].to = str_copy(strings[i].from);
		if (strings[i].from && !*strings[i].to) {
			uri_release(&copy);
			return err_oom(err);
		}
	}
	*ret = copy;
	return 0;
}
