#include "tests/support/tmpdir.h"

#include "base/str.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

char *tmpdir_make(void)
{
	const char *base = getenv("TMPDIR");
	char *path = str_printf("%s/fetchfs-test.XXXXXX", base ? base : "/tmp");

	if (!path || !mkdtemp(path)) {
		perror("make a temporary folder");
		abort();
	}
	return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tmpdir_remove(char *path)
{
	if (path)
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(path);
}

void tmpdir_removep(char **path)
{
	tmpdir_remove(*path);
	*path = NULL;
}
