/*
 * What the files of a leader share. lead.c goes from the first look to the end, lead_fetch.c asks
 * for the bytes, lead_confirm.c whether they are what the origin still has, retry.c decides what to
 * do after a failure, publish.c makes an entry of what has arrived.
 */
#ifndef FETCHFS_FETCH_LEAD_PRIVATE_H
#define FETCHFS_FETCH_LEAD_PRIVATE_H

#include "base/lock.h"
#include "fetch/lead.h"
#include "fetch/routes.h"
#include "fetch/segment.h"
#include "fetch/small.h"

/* Of what may be returned beside 0 and -errno: the publisher ends the flight, @lead is his; and
 * what is next may have to wait for the network, which the thread may not. */
#define LEAD_PUBLISHES 3
#define LEAD_PUT_OFF   4

/* For one thread at a time, which need not be the same from one step to the next. */
struct lead {
	struct flight *flight;
	struct lock key;
	struct queue_job job; /* the next step */
	bool counted;         /* by context_enter() */
	bool prepared;        /* the first look is done, the routes are there */
	bool alone;           /* under the key's lock it was seen that there is no partial */
	bool asked;           /* `part` has been begun, to be finished */
	bool brief;           /* the thread may not wait */
	struct err put_off;   /* what went wrong when it might not; its code is 0: nothing did */
	struct segment part;  /* the request */
	unsigned int tries;   /* pauses since something came */
	struct routes routes;
	struct partial *partial; /* NULL as long as what arrives may be small, and nobody knows */
	struct small small;      /* where it arrives until then */
	bool expects_small;      /* the store keeps room for it */
	struct route *begun_by;  /* a reference: where the version was begun; NULL: resumed */
	bool lazy;               /* only what readers wish is fetched … */
	bool windowed;           /* … and forgotten again: it is larger than the cache */
	bool told;               /* readers were of this version, which they share from then on */
	bool started;            /* the version of the partial is known, and readers were told */
	bool confirmed;          /* the origin has answered for this version */
	bool unchanged;          /* it said that the old version still holds */
	bool asks_for_part;      /* the last request did, rather than for the whole */
	bool left;               /* all of the partial is of who died: it is asked about first */
	bool no_ranges;          /* it does not serve them, whatever it says */
	bool from_start;         /* of this version the whole comes once more, over what is here */
	bool retried_digest;
	int64_t since_ms;     /* monotonic: when it began */
	unsigned int changes; /* how often the artifact was another one suddenly */
	struct entry old;     /* a version that is here, but stale; old.uri NULL: none */
	struct object old_object;
	struct remote remote;
	int64_t answered;  /* when it said so, seconds since 1970 */
	uint64_t written;  /* flight->written when tries were last counted afresh */
	uint64_t received; /* bytes of a file whose size was not told */

	/* the outcome */
	struct err stood_in; /* why an old version is handed out; its code is 0: it is not */
	struct object object;
	struct entry entry;
	struct err err;
};

/* Send a first request, and return: @on_ready(@lead) as in backend_request. false: it was not
 * sent, whoever may wait finds out why. */
bool lead_ask(struct lead *lead, void (*on_ready)(void *arg, bool whole));

/* 0: all bytes are here. LEAD_RESTS, LEAD_PUT_OFF. */
int lead_fetch_all(struct lead *lead, struct err *err);

/* All bytes are here: whether they are of the version that was begun, as far as the backend does
 * not vouch for that itself. -ESTALE. */
int lead_confirm(struct lead *lead, struct err *err);

/* Have @err seen to by a thread that may wait. Returns LEAD_PUT_OFF. */
int lead_put_off(struct lead *lead, const struct err *err);

/* End the flight and @lead as @r says: 0, LEAD_RESTS, or -errno and lead->err. */
void lead_end(struct lead *lead, int r);

/* The store keeps room for it, or does so no more. */
void lead_expect_small(struct lead *lead, bool expect);

/* Whether there is an old version, and whether it may stand in for what @err is about. */
bool lead_has_old(const struct lead *lead);
bool lead_may_stand_in(const struct lead *lead, const struct err *err);

/* Whether what has arrived can be completed by another request. */
bool lead_can_continue(const struct lead *lead);

/* Whether what has arrived is worth keeping: somebody may come by who completes it. */
bool lead_may_keep(const struct lead *lead);

/* Whether all of the partial has arrived. */
bool lead_is_whole(const struct lead *lead);

/* Whether all has arrived, in memory. */
bool lead_is_small(const struct lead *lead);

/* A new partial, which also follows what the bytes are expected to hash to. */
int lead_create_partial(struct lead *lead, struct err *err);

/*
 * After a failure: make another try possible, waiting as needed. @err is the failure, and the
 * result's, if it must be the end. 0: try again.
 */
int lead_prepare_retry(struct lead *lead, struct err *err);

/* The bytes turned out to be wrong: begin again, elsewhere or once more. 0, or @err's own. */
int lead_retry_corrupt(struct lead *lead, struct err *err);

/* All bytes are here: check them, and make an object and an entry of them, lead->object and
 * lead->entry. LEAD_PUBLISHES. */
int lead_publish(struct lead *lead, struct err *err);

/* The old version still holds; or stands in, for a little while, since nobody could be asked. */
int lead_keep_old(struct lead *lead, struct err *err);
int lead_stand_in(struct lead *lead, struct err *err);

/* Note what happens: another try because of @why, the origin's answer, the end as of lead_end(). */
void lead_note_retry(const struct lead *lead, const struct err *why);
void lead_note_answer(const struct lead *lead);
void lead_note_end(const struct lead *lead, int r);

#endif
