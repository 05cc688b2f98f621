/* Reading the file of events, and reading along: it makes way for a new one when it is large. */
#include "cache/events_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELDS    8
#define WAIT_MS   1000
#define ROOM      (16 * EVENTS_LINE_MAX)
#define WATCH_FOR (IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB) /* the last: it was removed */

static int parse_kind(const char *name, enum event_kind *ret)
{
	for (int kind = 0; kind < EVENT_KINDS; kind++) {
		if (str_equal(name, events_kind_names[kind])) {
			*ret = (enum event_kind)kind;
			return 0;
		}
	}
	return -EINVAL;
}

/* false: a line that was cut off, or is of a version to come. It is passed over. */
static bool parse(char *line, struct event *ret)
{
	char *fields[FIELDS];
	char *rest = line;

	for (int i = 0; i < FIELDS; i++) {
		fields[i] = strsep(&rest, "\t");
		if (!fields[i])
			return false;
	}
	*ret = (struct event){
		.time_ms = strtoll(fields[0], NULL, 10),
		.bytes = strtoull(fields[2], NULL, 10),
		.duration_ms = strtoll(fields[3], NULL, 10),
		.pid = (int)strtol(fields[4], NULL, 10),
		.scope = fields[5],
		.uri = fields[6],
		.text = fields[7],
	};
	return !rest && ret->time_ms > 0 && parse_kind(fields[1], &ret->kind) == 0;
}

struct events_tail {
	const struct cachedir *dir;
	int fd;     /* -1: there is no file yet */
	int before; /* the file that was read before it, -1: none; open, so that no other has its
		     * number */
	int notify; /* inotify, or -1: it is looked at each second */
	uint64_t offset;
};

/* 0 also when there is none: *ret stays as it is. */
static int open_named(const struct events_tail *tail, const char *name, int *ret, struct err *err)
{
	int fd = openat(tail->dir->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "open %s/%s: %m", tail->dir->path, name);
	*ret = fd;
	return 0;
}

/* Read on in the file @fd, which is taken over. */
static void move_to(struct events_tail *tail, int *fd)
{
	char proc[32];

	fd_close(&tail->before);
	tail->before = tail->fd;
	tail->fd = fd_steal(fd);
	tail->offset = 0;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", tail->fd);
	/* (that of the file before it goes with it, or tells of lines that nobody waits for) */
	if (tail->notify >= 0)
		(void)inotify_add_watch(tail->notify, proc, WATCH_FOR);
}

static bool is_same(int fd, int other)
{
	struct stat st;
	struct stat st_other;

	return fstat(fd, &st) == 0 && fstat(other, &st_other) == 0 && st.st_ino == st_other.st_ino;
}

/* The file after the one that is open, which has been read. */
static int open_next(struct events_tail *tail, struct err *err)
{
	CLEANUP(fd_closep) int newest = -1;
	CLEANUP(fd_closep) int old = -1;
	int r = open_named(tail, EVENTS_NAME, &newest, err);

	/* in this order: the one before the newest has its old name by then, if it has any */
	if (r == 0)
		r = open_named(tail, EVENTS_NAME_OLD, &old, err);
	if (r < 0)
		return r;
	if (old >= 0 && !is_same(old, newest) && !is_same(old, tail->fd) &&
		!is_same(old, tail->before))
		move_to(tail, &old);
	else if (newest >= 0)
		move_to(tail, &newest);
	return 0;
}

int events_tail_open(struct events *events, struct events_tail **ret, struct err *err)
{
	struct events_tail *tail = calloc(1, sizeof(*tail));
	int old = -1;
	int r;

	if (!tail)
		return err_oom(err);
	tail->dir = events->dir;
	tail->fd = -1;
	tail->before = -1;
	tail->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	r = open_named(tail, EVENTS_NAME_OLD, &old, err);
	if (old >= 0)
		move_to(tail, &old);
	if (r < 0)
		events_tail_free(tail);
	else
		*ret = tail;
	return r;
}

void events_tail_free(struct events_tail *tail)
{
	if (!tail)
		return;
	fd_close(&tail->fd);
	fd_close(&tail->before);
	fd_close(&tail->notify);
	free(tail);
}

/* All whole lines of @text; how many bytes they are into *ret. */
static int visit_lines(char *text, size_t len, events_visitor *visit, void *arg, size_t *ret)
{
	size_t done = 0;
	int r = 0;

	/* after a power cut there may be zeros in it */
	for (char *zero = text; (zero = memchr(zero, '\0', (size_t)(text + len - zero)));)
		*zero = '\n';
	while (r == 0 && done < len) {
		char *line = text + done;
		char *end = memchr(line, '\n', len - done);
		struct event event;

		if (!end)
			break;
		*end = '\0';
		done = (size_t)(end + 1 - text);
		if (parse(line, &event))
			r = visit(&event, arg);
	}
	*ret = done;
	return r;
}

/* What is left of the file that is open. */
static int read_open(struct events_tail *tail, events_visitor *visit, void *arg, struct err *err)
{
	char text[ROOM];
	size_t done;
	int r;

	do {
		ssize_t n = tail->fd < 0 ? 0 : fd_pread_full(tail->fd, text, ROOM, tail->offset);

		if (n < 0)
			return err_set(
				err, ERR_SYSTEM, (int)-n, "read %s/events: %m", tail->dir->path);
		r = visit_lines(text, (size_t)n, visit, arg, &done);
		if (done == 0 && n == ROOM) /* no event has so long a line */
			done = (size_t)n;
		tail->offset += done;
	} while (r == 0 && done > 0);
	return r;
}

/* Whether another file has the name now. One that was emptied is read from its start. */
static bool is_replaced(struct events_tail *tail)
{
	struct stat named;
	struct stat open;

	if (fstatat(tail->dir->fd, EVENTS_NAME, &named, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (tail->fd < 0 || fstat(tail->fd, &open) < 0)
		return true;
	if (named.st_ino == open.st_ino && (uint64_t)open.st_size < tail->offset)
		tail->offset = 0;
	return named.st_ino != open.st_ino;
}

int events_tail_read(struct events_tail *tail, events_visitor *visit, void *arg, struct err *err)
{
	int r = read_open(tail, visit, arg, err);

	while (r == 0 && is_replaced(tail)) {
		/* what came before it got its new name is in it by now */
		r = read_open(tail, visit, arg, err);
		if (r == 0)
			r = open_next(tail, err);
		if (r == 0)
			r = read_open(tail, visit, arg, err);
	}
	return r;
}

void events_tail_wait(struct events_tail *tail)
{
	struct pollfd poller = {.fd = tail->notify, .events = POLLIN};
	char ignored[4096];

	/* (a negative descriptor is passed over) */
	(void)poll(&poller, 1, WAIT_MS);
	while (tail->notify >= 0 && read(tail->notify, ignored, sizeof(ignored)) > 0)
		;
}

int events_visit(struct events *events, events_visitor *visit, void *arg, struct err *err)
{
	struct events_tail *tail;
	int r = events_tail_open(events, &tail, err);

	if (r < 0)
		return r;
	r = events_tail_read(tail, visit, arg, err);
	events_tail_free(tail);
	return r;
}
