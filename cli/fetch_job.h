/*
 * One artifact on its way, of many: started here, given back by the crew when it has ended.
 */
#ifndef FETCHFS_CLI_FETCH_JOB_H
#define FETCHFS_CLI_FETCH_JOB_H

#include "cli/crew.h"
#include "cli/rate.h"
#include "fetch/fetchfs.h"

#include <stdatomic.h>

struct fetch_job {
	struct crew *crew;
	char *uri;
	char *shown;            /* fetch_job_shown() */
	bool cached;            /* was here already; only a curious crew finds out */
	int64_t fetched_before; /* when the bytes came that were here; -1: none */
	enum fetchfs_state state;
	atomic_llong size;  /* bytes, -1: unknown */
	atomic_llong bytes; /* that are here */
	char sha256[FETCHFS_SHA256_SIZE];
	char key[FETCHFS_KEY_HEX_SIZE];   /* "" by way of a mount */
	char digest[FETCHFS_DIGEST_SIZE]; /* what the bytes must hash to, or "" */
	char *stands_in;                  /* why an old copy had to do, or NULL */
	struct rate rate;                 /* of bytes, for who shows it */
	struct err err;
	struct fetchfs_file *file;
	struct fetchfs_wait wait;
	struct fetch_job *next;  /* among the finished ones: guarded by crew->mu */
	struct fetch_job *newer; /* among those under way, whoever started it knows */
	struct fetch_job *older;
};

/* Start one; it always comes back by crew_reap(), also when it fails. NULL: out of memory. */
struct fetch_job *fetch_job_start(
	struct crew *crew, const char *uri, const struct fetchfs_request *request);

/* The URI as it may be shown. */
const char *fetch_job_shown(struct fetch_job *job);

/* Bring size and bytes up to date. */
void fetch_job_look(struct fetch_job *job);

/* It is here: pin it if the crew does that. What goes wrong is in its err. */
void fetch_job_pin(struct fetch_job *job);

void fetch_job_free(struct fetch_job *job);

#endif
