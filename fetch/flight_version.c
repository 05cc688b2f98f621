/* What a flight shows: one version from its start to its end, which is told to all who wait. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/flight.h"
#include "fetch/flight_private.h"
#include "fetch/waits.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_same_file(int a, int b)
{
	struct stat sa;
	struct stat sb;

	return a >= 0 && fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static int stale(struct err *err)
{
	return err_set(err, ERR_REMOTE, ESTALE,
		"the artifact changed at its origin while it was being read");
}

static bool is_same_version(const struct ranges_version *a, const struct ranges_version *b)
{
	return a->strong && b->strong && a->size == b->size && a->size >= 0 &&
	       str_equal(a->etag, b->etag);
}

/* Caller holds mu. A descriptor that a reader may be using right now is never closed. */
static int take_read_fd(
	struct flight *flight, const struct ranges_version *version, int read_fd, struct err *err)
{
	if (is_same_file(flight->read_fd, read_fd)) {
		close(read_fd);
		return 0;
	}
	if (!flight->served) {
		flight->vouched = (struct digest){{0}};
		fd_close(&flight->read_fd);
	} else if (is_same_version(&flight->version, version) &&
		   flight->old_count < FLIGHT_OLD_FDS) {
		flight->old_fds[flight->old_count++] = flight->read_fd;
	} else {
		close(read_fd);
		return stale(err);
	}
	flight->read_fd = read_fd;
	return 0;
}

/* Caller holds mu. */
static bool is_windowed(const struct flight *flight)
{
	bool windowed;

	if (flight->partial)
		return partial_is_windowed(flight->partial);
	return flight->followed && ranges_is_windowed(flight->followed, &windowed, NULL) == 0 &&
	       windowed;
}

int flight_started(struct flight *flight, const struct ranges_version *version, const char *type,
	int read_fd, struct partial *partial, struct ranges *followed, struct err *err)
{
	struct fetchfs_wait *ready = NULL, *refused = NULL;
	struct err refusal = ERR_INIT;
	int r;

	pthread_mutex_lock(&flight->mu);
	r = take_read_fd(flight, version, read_fd, err);
	if (r == 0) {
		flight->state = FLIGHT_STARTED;
		flight->resting = false;
		flight->version = *version;
		str_fit(flight->type, sizeof(flight->type), type);
		flight->partial = partial;
		flight->followed = followed;
		flight->windowed = is_windowed(flight);
		refused = waits_take_refused(flight, &refusal);
		ready = waits_take_ready(flight);
	}
	pthread_mutex_unlock(&flight->mu);

	waits_refuse(refused, &refusal);
	waits_wake(ready, NULL);
	return r;
}

void flight_detach(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	flight->partial = NULL;
	flight->followed = NULL;
}

int flight_restart(struct flight *flight, struct err *err)
{
	flight_detach(flight);

	WITH_LOCK(&flight->mu);
	if (flight->served)
		return stale(err);
	flight->windowed = false;
	flight->state = FLIGHT_QUEUED;
	return 0;
}

void flight_progress(struct flight *flight)
{
	struct fetchfs_wait *ready;

	pthread_mutex_lock(&flight->mu);
	ready = waits_take_ready(flight);
	pthread_mutex_unlock(&flight->mu);
	waits_wake(ready, NULL);
}

bool flight_is_started(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return flight->state == FLIGHT_STARTED;
}

bool flight_is_windowed(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return flight->windowed;
}

bool flight_is_served(struct flight *flight)
{
	WITH_LOCK(&flight->mu);

	return flight->served;
}

void flight_vouch(struct flight *flight, const struct digest *digest)
{
	WITH_LOCK(&flight->mu);

	flight->vouched = *digest;
}

/* Whether @entry is the version that readers have begun with. Caller holds mu. */
static bool is_what_was_served(
	const struct flight *flight, const struct object *object, const struct entry *entry)
{
	const struct ranges_version *version = &flight->version;

	if (is_same_file(flight->read_fd, object->fd) ||
		digest_equal(&flight->vouched, &entry->digest))
		return true;
	return version->strong && entry->etag && str_equal(entry->etag, version->etag) &&
	       (version->size < 0 || version->size == entry->size);
}

/* Leave the table, then set the outcome, then tell everybody. */
static void flight_end(struct flight *flight, enum flight_state state, struct object *object,
	struct entry *entry, const struct err *err)
{
	struct fetchfs_wait *ready;
	struct err changed = ERR_INIT;

	pthread_mutex_lock(&flight->fetchfs->mu);
	flight_leave_table(flight);
	pthread_mutex_unlock(&flight->fetchfs->mu);

	pthread_mutex_lock(&flight->mu);
	if (state == FLIGHT_DONE && flight->served && !is_what_was_served(flight, object, entry)) {
		state = FLIGHT_FAILED;
		stale(&changed);
		err = &changed;
	}
	flight->state = state;
	flight->partial = NULL;
	flight->followed = NULL;
	if (state == FLIGHT_DONE) {
		flight->object = object_steal(object);
		flight->entry = *entry;
		*entry = (struct entry){0};
	} else {
		flight->err = *err;
	}
	ready = waits_take_all(flight);
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->mu);

	if (changed.code) {
		object_release(object);
		entry_release(entry);
	}
	waits_wake(ready, flight);
}

void flight_done(struct flight *flight, struct object *object, struct entry *entry)
{
	flight_end(flight, FLIGHT_DONE, object, entry, NULL);
}

void flight_failed(struct flight *flight, const struct err *err)
{
	flight_end(flight, FLIGHT_FAILED, NULL, NULL, err);
}
