#include "cache/events.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/str.h"
#include "cache/events_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const events_kind_names[EVENT_KINDS] = {
	[EVENT_FETCHED] = "fetched",
	[EVENT_CONFIRMED] = "confirmed",
	[EVENT_STOOD_IN] = "stale",
	[EVENT_RETRIED] = "retried",
	[EVENT_FAILED] = "failed",
	[EVENT_EVICTED] = "evicted",
};

int events_open(const struct cachedir *dir, struct events **ret, struct err *err)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return err_oom(err);
	events->dir = dir;
	events->fd = -1;
	pthread_mutex_init(&events->mu, NULL);
	*ret = events;
	return 0;
}

void events_close(struct events *events)
{
	if (!events)
		return;
	fd_close(&events->fd);
	pthread_mutex_destroy(&events->mu);
	free(events);
}

/* The file of that name. Under mu. */
static void open_file(struct events *events)
{
	fd_close(&events->fd);
	events->fd = openat(events->dir->fd, EVENTS_NAME,
		O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Whether the name still leads to the file that is open. */
static bool is_current(const struct events *events)
{
	struct stat named;
	struct stat open;

	return fstatat(events->dir->fd, EVENTS_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(events->fd, &open) == 0 && named.st_ino == open.st_ino;
}

/*
 * A large file makes way for a new one. Whoever comes late has another's old file open, and takes
 * the new one; the lock, on the old file itself, keeps two from renaming one after the other.
 */
static void rotate(struct events *events)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (is_current(events)) {
		if (fcntl(events->fd, F_OFD_SETLK, &whole) < 0)
			return;
		if (is_current(events) && renameat(events->dir->fd, EVENTS_NAME, events->dir->fd,
						  EVENTS_NAME_OLD) < 0)
			(void)ftruncate(events->fd, 0);
	}
	open_file(events);
}

static void append(struct events *events, const char *line, size_t len)
{
	WITH_LOCK(&events->mu);
	struct stat st;

	if (events->fd < 0)
		open_file(events);
	if (events->fd >= 0 && fstat(events->fd, &st) == 0) {
		if (st.st_nlink == 0) /* somebody has removed it */
			open_file(events);
		else if (st.st_size >= (off_t)EVENTS_FILE_MAX)
			rotate(events);
	}
	if (events->fd >= 0)
		(void)fd_write_all(events->fd, line, len);
}

/* One field more, of which @room bytes are kept: nothing in it may end it, or the line. */
static size_t add_text(char *to, const char *text, size_t room)
{
	size_t len = 0;

	for (; text && text[len] && len < room; len++)
		to[len] = (unsigned char)text[len] < ' ' || text[len] == 0x7f ? '?' : text[len];
	return len;
}

void events_tally(struct events *events, enum event_kind kind, uint64_t bytes)
{
	atomic_fetch_add(&events->noted[kind].count, 1);
	atomic_fetch_add(&events->noted[kind].bytes, bytes);
}

void events_add(struct events *events, const struct event *event)
{
	events_tally(events, event->kind, event->bytes);
	events_note(events, event);
}

void events_note(struct events *events, const struct event *event)
{
	char line[EVENTS_LINE_MAX];
	size_t len;

	len = (size_t)snprintf(line, sizeof(line),
		"%" PRId64 "\t%s\t%" PRIu64 "\t%" PRId64 "\t%d\t", clock_wall_ms(),
		events_kind_names[event->kind], event->bytes, event->duration_ms, (int)getpid());
	len += add_text(line + len, event->scope, 256);
	line[len++] = '\t';
	len += add_text(line + len, event->uri, 2048);
	line[len++] = '\t';
	len += add_text(line + len, event->text, 1024);
	line[len++] = '\n';
	append(events, line, len);
}

void events_count(
	struct events *events, enum event_kind kind, uint64_t *ret_count, uint64_t *ret_bytes)
{
	*ret_count = atomic_load(&events->noted[kind].count);
	*ret_bytes = atomic_load(&events->noted[kind].bytes);
}
