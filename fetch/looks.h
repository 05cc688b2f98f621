/*
 * Looks at files of this machine, by threads that others need: how many may hang.
 *
 * A file system that does not answer, as one of the network may not, keeps whoever asks it, and
 * nothing ends that. So only a few look at one place at the same time, and at all of them only some
 * more; whoever comes then waits for one of them to return, and is told that the file system does
 * not answer once all of them have been at it for too long, from then on at once. The first that
 * returns lets the next one in.
 *
 * Nobody waits for longer than that in all, however many go in before him; and of those who wait at
 * the same time only two do for so long, the others for a moment. So where all is slow, but nothing
 * hangs, threads are left, too.
 *
 * What answers is hardly ever waited for: a look takes microseconds.
 */
#ifndef FETCHFS_FETCH_LOOKS_H
#define FETCHFS_FETCH_LOOKS_H

#include "base/err.h"

#include <pthread.h>
#include <stdint.h>

#define LOOKS_AT_PLACE 3 /* at the same time */
#define LOOKS_MAX      6 /* at all places: a mount has ten threads for who looks names up */
#define LOOKS_LATE_MS  500
#define LOOKS_PATIENT  2   /* who wait for so long, at all places */
#define LOOKS_CROWD_MS 100 /* for others: a crowd has gone through by then where it is answered */

struct looks {
	pthread_mutex_t mu;
	pthread_cond_t returned;
	/* guarded by mu */
	struct look *under_way;
	unsigned int patient; /* of those who wait */
};

/* One look, in memory of who looks. Its fields are looks.c's, guarded by mu. */
struct look {
	const char *place;
	int64_t since_ms; /* monotonic */
	struct look *prev, *next;
};

void looks_init(struct looks *looks);
void looks_release(struct looks *looks); /* none is under way */

/*
 * @look begins, at @place: an absolute path, the caller's, below which all hangs together. After
 * success looks_end() is to follow. -ETIMEDOUT: nobody should look there now.
 */
int looks_begin(struct looks *looks, struct look *look, const char *place, struct err *err);
void looks_end(struct looks *looks, struct look *look);

#endif
