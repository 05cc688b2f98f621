#include "cli/newfile.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a name like /dev/stdout stands for: a descriptor of this process, or -1. */
static int descriptor_of(const char *path)
{
	static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
	static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

	for (int fd = 0; fd < (int)ARRAY_SIZE(names); fd++)
		if (str_equal(path, names[fd]))
			return fd;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		const char *number = path + strlen(folders[i]);
		char *end;
		long fd;

		if (!str_has_prefix(path, folders[i]))
			continue;
		fd = strtol(number, &end, 10);
		return end > number && !*end && fd >= 0 && fd <= INT_MAX ? (int)fd : -1;
	}
	return -1;
}

static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

/* In the folder of @path, without a name, or under @temp. */
static int make(const char *path, const char *temp, mode_t mode, bool *ret_named)
{
	CLEANUP(str_freep) char *copy = str_copy(path);
	int fd = -1;

	if (copy && !fault_hit("newfile.unnamed"))
		fd = open(dirname(copy), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
	*ret_named = fd < 0;
	if (fd < 0)
		fd = open(temp, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd;
}

int newfile_open(const char *path, mode_t mode, struct newfile *ret, struct err *err)
{
	struct newfile file = {.fd = -1, .path = path};
	int given = descriptor_of(path);

	file.as_it_is = given >= 0 || is_special(path);
	file.temp = str_printf("%s.%ld", path, (long)getpid());
	if (!file.temp)
		return err_oom(err);
	if (given >= 0)
		/* whoever goes on writing there does so behind it */
		file.fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
	else if (file.as_it_is)
		file.fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	else
		file.fd = make(path, file.temp, mode, &file.named);
	if (file.fd < 0) {
		int code = errno;

		free(file.temp);
		return err_set(err, ERR_SYSTEM, code, "make %s: %m", path);
	}
	*ret = file;
	return 0;
}

static int give_name(struct newfile *file)
{
	char proc[32];

	if (file->named)
		return 0;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", file->fd);
	if (linkat(AT_FDCWD, proc, AT_FDCWD, file->temp, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	file->named = true;
	return 0;
}

int newfile_commit(struct newfile *file, struct err *err)
{
	int r = 0;

	if (file->as_it_is)
		return 0;
	if (fsync(file->fd) < 0)
		r = -errno;
	if (r == 0)
		r = give_name(file);
	if (r == 0 && rename(file->temp, file->path) < 0)
		r = -errno;
	if (r < 0)
		return err_set(
			err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "write %s: %m", file->path);
	file->named = false;
	return 0;
}

void newfile_release(struct newfile *file)
{
	if (file->named)
		unlink(file->temp);
	free(file->temp);
	fd_close(&file->fd);
	*file = (struct newfile){.fd = -1};
}
