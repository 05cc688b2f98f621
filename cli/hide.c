#include "cli/hide.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

static void overwrite(char *from, const char *to)
{
	memset(from, '*', (size_t)(to - from));
}

static void hide(char *word)
{
	char *authority = strstr(word, "://");
	char *end;
	char *query;

	if (!authority)
		return;
	authority += strlen("://");
	end = authority + strcspn(authority, "/?#");
	for (char *at = end; at > authority; at--) {
		if (at[-1] != '@')
			continue;
		overwrite(authority, at - 1);
		break;
	}
	query = end + strcspn(end, "?#");
	if (*query == '?')
		overwrite(query + 1, query + strcspn(query, "#"));
}

char **hide_arguments(int argc, char **argv)
{
	char **copy = calloc((size_t)argc + 1, sizeof(*copy));

	for (int i = 0; copy && i < argc; i++) {
		copy[i] = str_copy(argv[i]);
		if (!copy[i]) {
			hide_free(copy);
			return NULL;
		}
	}
	for (int i = 0; copy && i < argc; i++)
		hide(argv[i]);
	return copy;
}

void hide_free(char **arguments)
{
	for (char **word = arguments; word && *word; word++) {
		explicit_bzero(*word, strlen(*word));
		free(*word);
	}
	free(arguments);
}

void hide_freep(char ***arguments)
{
	hide_free(*arguments);
	*arguments = NULL;
}
