#include "cli/urilist.h"

#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes of a list that are worth counting its lines beforehand. */
#define COUNT_MAX (64 << 20)

int urilist_open(const char *path, struct urilist *ret, struct err *err)
{
	int fd;

	if (str_equal(path, "-")) {
		fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		path = "stdin";
	} else {
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s: %m", path);
	memset(ret, 0, sizeof(*ret));
	ret->name = path;
	ret->fd = fd;
	return 0;
}

void urilist_release(struct urilist *list)
{
	fd_close(&list->fd);
}

/* Bring more bytes in. 0, -EAGAIN when there are none now, or -errno. */
static int fill(struct urilist *list, struct err *err)
{
	struct pollfd in = {.fd = list->fd, .events = POLLIN};
	ssize_t n;

	if (poll(&in, 1, 0) == 0)
		return -EAGAIN;
	memmove(list->buffer, list->buffer + list->begin, list->end - list->begin);
	list->end -= list->begin;
	list->begin = 0;
	n = read(list->fd, list->buffer + list->end, sizeof(list->buffer) - 1 - list->end);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return -EAGAIN;
	if (n < 0)
		return err_set(err, ERR_SYSTEM, errno, "read %s: %m", list->name);
	list->ended = n == 0;
	list->end += (size_t)n;
	return 0;
}

/*
 * Cut the next line off the buffer: 1 and the line without its end, 0 at the end of the file,
 * -ENOBUFS when it is longer than any URI, or what fill() says.
 */
static int cut_line(struct urilist *list, char **ret, size_t *ret_len, struct err *err)
{
	for (;;) {
		char *line = list->buffer + list->begin;
		size_t rest = list->end - list->begin;
		char *newline = memchr(line, '\n', rest);
		size_t len = newline ? (size_t)(newline - line) : rest;
		int r;

		if (!newline && len <= URI_MAX && !list->ended) {
			r = fill(list, err);
			if (r < 0)
				return r;
			continue;
		}
		if (!newline && len == 0)
			return 0;
		list->begin += newline ? len + 1 : len;
		if (len > URI_MAX) {
			list->skipping = !newline;
			return -ENOBUFS;
		}
		line[len] = '\0';
		*ret = line;
		*ret_len = len;
		return 1;
	}
}

/* Pass over what is left of a line that was refused. 1 when it has ended. */
static int skip_line(struct urilist *list, struct err *err)
{
	while (list->skipping) {
		char *newline = memchr(list->buffer + list->begin, '\n', list->end - list->begin);
		int r;

		list->begin = newline ? (size_t)(newline + 1 - list->buffer) : list->end;
		list->skipping = !newline && !list->ended;
		if (!list->skipping)
			break;
		r = fill(list, err);
		if (r < 0)
			return r;
	}
	return 1;
}

int urilist_next(struct urilist *list, char **ret, struct err *err)
{
	for (;;) {
		char *line = NULL;
		size_t len = 0;
		int r;

		r = skip_line(list, err);
		if (r == 1)
			r = cut_line(list, &line, &len, err);
		if (r == 1 || r == -ENOBUFS)
			list->line++;
		if (r == -ENOBUFS)
			return err_set(err, ERR_USAGE, EINVAL, "%s:%lu: longer than %d bytes",
				list->name, list->line, URI_MAX);
		if (r != 1)
			return r;
		if (strlen(line) != len)
			return err_set(err, ERR_USAGE, EINVAL, "%s:%lu: holds a NUL byte",
				list->name, list->line);
		line += strspn(line, " \t\r");
		for (len = strlen(line); len > 0 && strchr(" \t\r", line[len - 1]); len--)
			line[len - 1] = '\0';
		if (*line && *line != '#') {
			*ret = line;
			return 1;
		}
	}
}

uint64_t urilist_count(struct urilist *list)
{
	off_t start = lseek(list->fd, 0, SEEK_CUR);
	struct urilist *scan;
	uint64_t count = 0;
	struct stat st;
	char *uri;
	int r = 1;

	if (fstat(list->fd, &st) < 0 || !S_ISREG(st.st_mode) || start < 0 || st.st_size > COUNT_MAX)
		return 0;
	scan = calloc(1, sizeof(*scan));
	if (!scan)
		return 0;
	scan->name = list->name;
	scan->fd = list->fd;
	while (r == 1 || r == -EINVAL) {
		r = urilist_next(scan, &uri, NULL);
		count += r == 1;
	}
	free(scan);
	return lseek(list->fd, start, SEEK_SET) == start && r == 0 ? count : 0;
}
