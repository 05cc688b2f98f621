/*
 * What happened lately to the artifacts of a cache, whichever process did it.
 *
 * CACHE/events has one line for each event, appended by one write(2): its fields, separated by
 * tabs, in the order of struct event. When it has become large it is renamed to events.old, whose
 * predecessor goes. For people who want to know why; nothing depends on it: an event that cannot be
 * written (the disk is full) is lost.
 */
#ifndef FETCHFS_CACHE_EVENTS_H
#define FETCHFS_CACHE_EVENTS_H

#include "cache/cachedir.h"

#include <stdint.h>

#define EVENTS_FILE_MAX (UINT64_C(512) << 10) /* bytes, of each of the two files */

enum event_kind {
	EVENT_FETCHED,   /* all bytes came, and were published */
	EVENT_CONFIRMED, /* the origin said that what is here still holds */
	EVENT_STOOD_IN,  /* the origin could not be asked: an old version was handed out */
	EVENT_RETRIED,   /* it failed, and is tried again */
	EVENT_FAILED,
	EVENT_EVICTED,
	EVENT_KINDS,
};

struct event {
	int64_t time_ms; /* since 1970 */
	enum event_kind kind;
	uint64_t bytes;      /* of the artifact */
	int64_t duration_ms; /* -1: it took none */
	int pid;             /* who did it */
	const char *scope;   /* who may know; "" is everybody */
	const char *uri;     /* as it may be shown */
	const char *text;    /* why, or "" */
};

struct events;

int events_open(const struct cachedir *dir, struct events **ret, struct err *err);
void events_close(struct events *events);

/* Note @event, whose time and pid are filled in, and count it. */
void events_add(struct events *events, const struct event *event);

/* The two parts of that: what has several names, or none, is counted once all the same. */
void events_note(struct events *events, const struct event *event);
void events_tally(struct events *events, enum event_kind kind, uint64_t bytes);

/* How many events of @kind this process has noted, and the bytes of all of them. */
void events_count(
	struct events *events, enum event_kind kind, uint64_t *ret_count, uint64_t *ret_bytes);

/* All that are remembered, oldest first. A non-zero answer of @visit ends the walk and is returned.
 */
typedef int events_visitor(const struct event *event, void *arg);
int events_visit(struct events *events, events_visitor *visit, void *arg, struct err *err);

/* Reading along: from the oldest on, then what is added, in the order of the file. */
struct events_tail;

int events_tail_open(struct events *events, struct events_tail **ret, struct err *err);
void events_tail_free(struct events_tail *tail); /* NULL is ignored */

/* Those that have been added since the last call. As events_visit(). */
int events_tail_read(struct events_tail *tail, events_visitor *visit, void *arg, struct err *err);

/* Wait until something may have been added, for a second at most: look then anyhow. */
void events_tail_wait(struct events_tail *tail);

#endif
