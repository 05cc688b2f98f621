/*
 * Requests that are refused, by the policy or since what decides of them does not answer, as they
 * are told in the log and the counters.
 *
 * Nothing comes of such a request, so that it may be repeated as fast as a program can: of each
 * only the first in a while is told, of one user only so many, and of all of them, too.
 */
#ifndef FETCHFS_FETCH_REFUSALS_H
#define FETCHFS_FETCH_REFUSALS_H

#include "cache/cachedir.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct fetchfs;
struct fetchfs_request;
struct target;

#define REFUSALS_MAX         32 /* lines within … */
#define REFUSALS_MAX_OF_USER 8
#define REFUSALS_MS          60000 /* … so long; within it none for the same URI and user */

struct refusals {
	pthread_mutex_t mu;
	/* guarded by mu */
	struct refusal {
		struct entry_key key; /* of the user and the URI */
		uid_t uid;
		int64_t until_ms; /* monotonic */
	} told[REFUSALS_MAX];
};

/* Whether @key of @uid is to be told at @now_ms (monotonic); if so, it has been. */
bool refusals_tell(
	struct refusals *refusals, const struct entry_key *key, uid_t uid, int64_t now_ms);

/* @request is refused: counted, and told if it is to be. */
void refusals_note(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, const struct err *why);

/* target_new() for who wants the artifact: a refusal is told. */
int refusals_target(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct target **ret, struct err *err);

#endif
