#include "fetch/file.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "fetch/ahead.h"
#include "fetch/fetcher.h"
#include "fetch/info.h"
#include "fetch/waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct fetchfs_file {
	struct fetchfs *fetchfs;
	struct target *target; /* NULL when opened by digest */
	struct flight *flight; /* or NULL: then object and entry are this file's own */
	bool prefetch;         /* of a flight whose object may have no descriptor */
	struct object object;
	struct entry entry;
};

int file_of_object(struct fetchfs *fetchfs, struct target *target, struct object *object,
	struct entry *entry, struct fetchfs_file **ret, struct err *err)
{
	struct fetchfs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return err_oom(err);
	file->fetchfs = fetchfs;
	file->target = target ? target_ref(target) : NULL;
	file->object = object_steal(object);
	file->entry = *entry;
	*entry = (struct entry){0};
	*ret = file;
	return 0;
}

int file_of_flight(struct target *target, struct flight *flight, bool prefetch,
	struct fetchfs_file **ret, struct err *err)
{
	struct fetchfs_file *file = calloc(1, sizeof(*file));

	if (!file)
		return err_oom(err);
	file->fetchfs = flight->fetchfs;
	file->target = target_ref(target);
	file->flight = flight;
	file->prefetch = prefetch;
	file->object.fd = -1;
	*ret = file;
	return 0;
}

static int share_object(const struct fetchfs_file *file, struct fetchfs_file *to, struct err *err)
{
	to->object = file->object;
	/* the mark goes with the open file, and ends with its last descriptor */
	to->object.fd = fcntl(file->object.fd, F_DUPFD_CLOEXEC, 0);
	if (to->object.fd < 0)
		return err_set(err, ERR_SYSTEM, errno, "share an object: %m");
	return entry_copy(&file->entry, &to->entry) ? 0 : err_oom(err);
}

int fetchfs_file_share(struct fetchfs_file *file, struct fetchfs_file **ret, struct err *err)
{
	struct fetchfs_file *to = calloc(1, sizeof(*to));
	int r = 0;

	if (!to)
		return err_oom(err);
	to->fetchfs = file->fetchfs;
	to->target = file->target ? target_ref(file->target) : NULL;
	to->prefetch = file->prefetch;
	to->object.fd = -1;
	if (file->flight)
		to->flight = flight_ref(file->flight);
	else
		r = share_object(file, to, err);
	if (r < 0) {
		fetchfs_file_free(to);
		return r;
	}
	*ret = to;
	return 0;
}

static void file_end(struct fetchfs_file *file, bool abandon)
{
	if (!file)
		return;
	if (file->flight)
		flight_unref(file->flight, abandon);
	object_release(&file->object);
	entry_release(&file->entry);
	target_unref(file->target);
	free(file);
}

void fetchfs_file_free(struct fetchfs_file *file)
{
	file_end(file, false);
}

void fetchfs_file_abandon(struct fetchfs_file *file)
{
	file_end(file, true);
}

struct fetchfs *file_cache(const struct fetchfs_file *file)
{
	return file->fetchfs;
}

bool file_has_expected(const struct fetchfs_file *file)
{
	return file->target && file->target->has_expected;
}

int file_outcome(const struct fetchfs_file *file, const struct flight *flight, struct err *err)
{
	const struct checksum *expected = &file->target->expected;
	struct checksum is;

	if (flight->state == FLIGHT_FAILED) {
		if (err)
			*err = flight->err;
		return -flight->err.code;
	}
	/* of another kind, it was checked before the flight, whose key holds it, was done */
	if (expected->kind != CHECKSUM_SHA256)
		return 0;
	is = checksum_of_digest(&flight->entry.digest);
	return checksum_check(&is, expected, err);
}

int fetchfs_file_info(struct fetchfs_file *file, struct fetchfs_info *ret, struct err *err)
{
	if (file->flight)
		return info_of_flight(file->flight, ret, err);
	return info_of_entry(&file->entry, ret, err);
}

/* Whether bytes of the version came, and not only a description of it, which may be wrong. */
static bool is_proven(const struct flight *flight)
{
	return !flight->lazy || flight->version.size <= 0 || flight_arrived(flight) > 0;
}

/* 1: its version is fixed. 0: it is not yet, but need not be. */
static int settle(struct fetchfs_file *file, struct flight *flight, struct err *err)
{
	WITH_LOCK(&flight->mu);

	if (flight->state == FLIGHT_QUEUED)
		return err_set(err, ERR_SYSTEM, EAGAIN, "the origin has not answered");
	if (flight->state == FLIGHT_FAILED || flight->state == FLIGHT_DONE) {
		int r = file_outcome(file, flight, err);

		return r < 0 ? r : 1;
	}
	/* what comes again after a wrong digest may have another size */
	if (flight->version.size < 0 || file_has_expected(file))
		return 0;
	if (!is_proven(flight))
		return err_set(err, ERR_SYSTEM, EINPROGRESS, "nothing of it has come");
	flight->served = true;
	return 1;
}

int fetchfs_file_settle(struct fetchfs_file *file, struct fetchfs_info *ret, struct err *err)
{
	int fixed = file->flight ? settle(file, file->flight, err) : 1;
	int r = fixed < 0 ? fixed : fetchfs_file_info(file, ret, err);

	if (r < 0)
		return r;
	if (!fixed && ret->state != FETCHFS_COMPLETE)
		ret->size = SIZE_UNKNOWN; /* nobody may rely on it */
	return 0;
}

static bool has_ended(const struct flight *flight)
{
	return flight->state == FLIGHT_DONE || flight->state == FLIGHT_FAILED;
}

/* Caller holds mu. It may rest, or wait in lines. */
static bool is_unled(const struct flight *flight)
{
	return !flight->partial && !flight->followed;
}

int fetchfs_file_wait(struct fetchfs_file *file, struct fetchfs_wait *wait, struct err *err)
{
	struct flight *flight = file->flight;
	enum fetchfs_until until = wait->until;
	bool unled = false;
	uid_t uid;
	int r;

	wait->file = file;
	wait->queued = false;
	if (!flight)
		return 1;

	uid = file->target->uid;
	pthread_mutex_lock(&flight->mu);
	if (has_ended(flight)) {
		r = file_outcome(file, flight, err);
		r = r < 0 ? r : 1;
	} else if (waits_satisfied(flight, wait)) {
		r = 1;
	} else if (waits_check(flight, wait, err) < 0) {
		r = -ENOSPC;
	} else {
		waits_add(flight, wait);
		waits_ask(flight);
		unled = is_unled(flight);
		flight->refs++;
		r = 0;
	}
	pthread_mutex_unlock(&flight->mu);
	if (r != 0)
		return r;

	/* from here on @wait and @file may be gone: whoever was woken has let go of them */
	if (unled)
		fetcher_call(flight, uid);
	else if (until == FETCHFS_UNTIL_RANGE)
		ahead_look(flight);
	flight_land(flight);
	return 0;
}

bool fetchfs_wait_cancel(struct fetchfs_wait *wait)
{
	struct flight *flight = wait->file->flight;
	bool queued;

	if (!flight)
		return false;
	WITH_LOCK(&flight->mu);
	queued = wait->queued;
	if (queued)
		waits_remove(flight, wait);
	return queued;
}

/* Of one window: what is read anew when others made something go. */
#define WINDOW_TRIES 64

#define PIECE ((size_t)1 << 20)

/* One read of a flight, for after it. */
struct reading {
	bool ahead;         /* helpers may have something to do */
	bool windowed;      /* what was there may have gone … */
	uint64_t forgotten; /* … if this has changed */
};

/*
 * The descriptor to read [@offset, +@length) from, or -errno. Marks the flight as served: from
 * then on its version is the only one that this flight may ever show, so the descriptor stays
 * open until the flight is freed.
 */
static int readable_fd(struct fetchfs_file *file, uint64_t offset, size_t length,
	struct reading *reading, struct err *err)
{
	struct flight *flight = file->flight;
	int r;

	if (!flight)
		return file->object.fd;
	if (file->prefetch)
		return err_set(err, ERR_USAGE, EBADF, "it was fetched into the cache, not opened");

	WITH_LOCK(&flight->mu);
	if (has_ended(flight)) {
		r = file_outcome(file, flight, err);
		return r < 0 ? r : flight->object.fd;
	}
	reading->forgotten = flight_forgotten(flight);
	if (file_has_expected(file) || !flight_has(flight, offset, length))
		return -EAGAIN;
	flight->served = true;
	reading->windowed = flight->windowed;
	reading->ahead = ahead_note_read(flight, offset + length);
	return flight->read_fd;
}

/* Whether what was read of a window may have gone meanwhile. */
static bool is_lost(struct flight *flight, int fd, const struct reading *reading)
{
	uint64_t forgotten;

	if (!reading->windowed)
		return false;
	WITH_LOCK(&flight->mu);
	forgotten = flight_forgotten(flight);
	return forgotten != reading->forgotten || forgotten == UINT64_MAX || flight->read_fd != fd;
}

static bool is_here(struct fetchfs_file *file, uint64_t offset, size_t length)
{
	struct flight *flight = file->flight;

	if (!flight)
		return true;
	WITH_LOCK(&flight->mu);
	return flight->windowed && !file_has_expected(file) && flight_has(flight, offset, length);
}

/* Once; -EAGAIN also when what was read of a window may have gone meanwhile. */
static ssize_t read_once(
	struct fetchfs_file *file, void *buf, size_t len, uint64_t offset, struct err *err)
{
	struct reading reading = {.ahead = false};
	int fd = readable_fd(file, offset, len, &reading, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (reading.ahead)
		ahead_look(file->flight);
	n = fd_pread_full(fd, buf, len, offset);
	if (n < 0)
		return err_set(err, ERR_SYSTEM, (int)-n, "read from the cache: %m");
	return is_lost(file->flight, fd, &reading) ? -EAGAIN : n;
}

ssize_t fetchfs_file_read_now(
	struct fetchfs_file *file, void *buf, size_t len, uint64_t offset, struct err *err)
{
	ssize_t n = -EAGAIN;

	/* most often something else has gone; if it was this, the first look says so */
	for (int tries = 0; n == -EAGAIN && tries < WINDOW_TRIES; tries++) {
		n = read_once(file, buf, len, offset, err);
		if (n == -EAGAIN && !is_here(file, offset, len))
			break;
	}
	return n;
}

ssize_t fetchfs_file_read(
	struct fetchfs_file *file, void *buf, size_t len, uint64_t offset, struct err *err)
{
	size_t done = 0;

	/* in pieces: a window may be narrower than what is asked for */
	while (done < len) {
		size_t piece = len - done < PIECE ? len - done : PIECE;
		ssize_t n =
			fetchfs_file_read_now(file, (char *)buf + done, piece, offset + done, err);
		int r;

		if (n == -EAGAIN) {
			r = fetchfs_file_wait_until(
				file, FETCHFS_UNTIL_RANGE, offset + done, piece, -1, err);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return n;
		done += (size_t)n;
		if ((size_t)n < piece)
			break;
	}
	return (ssize_t)done;
}

struct fetchfs *file_fetchfs(const struct fetchfs_file *file)
{
	return file->fetchfs;
}

int file_object(struct fetchfs_file *file, struct object *ret, struct err *err)
{
	struct flight *flight = file->flight;

	if (!flight) {
		*ret = file->object;
		return 0;
	}
	WITH_LOCK(&flight->mu);
	if (flight->state != FLIGHT_DONE || flight->object.fd < 0)
		return err_set(err, ERR_SYSTEM, EAGAIN, "it is not complete");
	*ret = flight->object;
	return 0;
}

int fetchfs_file_fd(struct fetchfs_file *file)
{
	struct flight *flight = file->flight;

	if (!flight)
		return file->object.fd;
	WITH_LOCK(&flight->mu);
	return flight->state == FLIGHT_DONE ? flight->object.fd : -1;
}
