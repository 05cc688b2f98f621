#include "fetch/credential_file.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/config_values.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (64 * 1024)

int credential_file_refuse(const struct credential_file *file, const char *why, struct err *err)
{
	if (!file->origin)
		err_set(err, ERR_POLICY, EACCES, "%s: %s: %s", file->key, file->file, why);
	else
		err_set(err, ERR_POLICY, EACCES, "%s of [%s \"%s\"]: %s: %s", file->key,
			config_section_of(file->origin), file->origin->prefix, file->file, why);
	return -EACCES;
}

int credential_file_open(const struct credential_file *file, struct stat *ret, int *ret_fd,
	int *ret_errno, struct err *err)
{
	CLEANUP(fd_closep) int fd = open(file->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, ret) < 0) {
		if (ret_errno)
			*ret_errno = errno;
		return credential_file_refuse(file, strerrordesc_np(errno), err);
	}
	if (!S_ISREG(ret->st_mode))
		return credential_file_refuse(file, "it is no regular file", err);
	*ret_fd = fd_steal(&fd);
	return 0;
}

int credential_file_read(
	const struct credential_file *file, char **ret, int *ret_errno, struct err *err)
{
	CLEANUP(config_free_secretp) char *text = NULL;
	CLEANUP(fd_closep) int fd = -1;
	struct stat st;
	ssize_t len;
	int r = credential_file_open(file, &st, &fd, ret_errno, err);

	if (r < 0)
		return r;
	text = calloc(1, FILE_MAX + 2);
	if (!text) {
		err_oom(err);
		return -ENOMEM;
	}
	len = fd_pread_full(fd, text, FILE_MAX + 1, 0);
	if (len < 0)
		return credential_file_refuse(file, strerrordesc_np((int)-len), err);
	if (len > FILE_MAX)
		return credential_file_refuse(file, strerrordesc_np(EFBIG), err);
	if (strlen(text) != (size_t)len) {
		explicit_bzero(text, (size_t)len);
		return credential_file_refuse(file, "it is not a text", err);
	}
	*ret = str_steal(&text);
	return 0;
}

int credential_file_line(const struct credential_file *file, char **ret, struct err *err)
{
	CLEANUP(config_free_secretp) char *text = NULL;
	size_t blank;
	size_t len;
	int r = credential_file_read(file, &text, NULL, err);

	if (r < 0)
		return r;
	blank = strspn(text, " \t\r\n");
	len = strlen(text) - blank;
	memmove(text, text + blank, len + 1);
	explicit_bzero(text + len + 1, blank);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		text[--len] = '\0';
	if (len == 0)
		return credential_file_refuse(file, "it is empty", err);
	if (strpbrk(text, "\r\n"))
		return credential_file_refuse(file, "it has more than one line", err);
	*ret = str_steal(&text);
	return 0;
}
