/*
 * A flight: one artifact on its way, as this process sees it. Whether it is led here or followed
 * in another process makes no difference to those who wait (fetcher.h decides that).
 *
 * All who ask for a key while its flight lasts share it (single flight). The table of flights is
 * guarded by fetchfs->mu, a flight's own state by its mu, in that order. Nobody is called back
 * under either.
 */
#ifndef FETCHFS_FETCH_FLIGHT_H
#define FETCHFS_FETCH_FLIGHT_H

#include "fetch/context.h"
#include "fetch/readahead.h"
#include "fetch/streams.h"
#include "fetch/target.h"

#include <uthash.h>

struct route;

enum flight_state {
	FLIGHT_QUEUED,  /* the origin has not answered */
	FLIGHT_STARTED, /* the version is known, bytes arrive */
	FLIGHT_DONE,    /* object and entry are there */
	FLIGHT_FAILED,  /* err tells */
};

/*
 * What a flight is for: an entry, what its bytes are expected to hash to (zero: any), and which
 * mode the file is to have. Two who expect different bytes do not share a flight, so that the
 * wrong one fails alone; nor do those who need files of different modes. Who asks for a new answer
 * shares one that has not asked yet; from its question on it is for all others. Compared as bytes.
 */
struct flight_key {
	struct entry_key entry;
	struct checksum expected;
	uint32_t mode;   /* 0: whichever there is */
	uint32_t afresh; /* the question that answers it is still to be sent */
};
_Static_assert(sizeof(struct flight_key) ==
		       sizeof(struct entry_key) + sizeof(struct checksum) + 2 * sizeof(uint32_t),
	"no padding: compared as bytes");

/*
 * A run of bytes that one thread is fetching: nobody else fetches its chunks. A leader that reads
 * to the end of the file claims only the chunk that it is at, so that helpers may get ahead of it.
 */
struct flight_claim {
	uint64_t begin; /* bytes; for the leader: the start of the chunk where it is */
	uint64_t end;   /* exclusive, a chunk boundary or the end of the file */
	bool used;
	bool begun;       /* bytes have come */
	bool dropped;     /* its helper shall end: it got stuck */
	int64_t moved_ms; /* when the last bytes came, or it was made */
};

/* What the index said before. */
struct flight_seen {
	bool unknown;  /* the index had no such entry … */
	uint32_t word; /* … when this was the word of its key */
	bool complete; /* it had a whole file, which was not good enough to be handed out at once */
};

struct flight_ahead {
	uint64_t at;
	uint64_t length; /* 0: nothing */
};

/* The leader's own run, and the helpers': for readers far ahead, or for speed. */
#define FLIGHT_WISHES      3
#define FLIGHT_WISHES_LAZY 8 /* when there is no leader's run beside them */
#define FLIGHT_CLAIMS      32

/* So often the data may go on in another file. */
#define FLIGHT_OLD_FDS 8

struct flight {
	UT_hash_handle hh;
	struct fetchfs *fetchfs;
	struct flight_key key;   /* its afresh is guarded by fetchfs->mu, the rest is fixed */
	struct target *target;   /* fixed: of whoever asked first */
	struct ticket ticket;    /* guarded by fetchfs->mu */
	struct queue_job job;    /* its start, once its turn has come */
	bool in_table;           /* guarded by fetchfs->mu, as is … */
	int64_t asked_ms;        /* … when the last one asked for a new answer, since 1970 */
	int64_t asks_ms;         /* when it asks the origin, since 1970; its flyer's; 0: not yet */
	struct flight_seen seen; /* fixed */
	unsigned int passed_by;  /* leaders that were frozen; its flyer's */

	pthread_mutex_t mu;
	pthread_cond_t changed; /* claims, helpers, cancelled */

	/* guarded by mu */
	struct entry_key lead_key; /* of its lock and partial: the entry's, unless leaders froze */
	unsigned int refs;         /* files, and the job that flies it */
	unsigned int interested;   /* files */
	bool to_be_read;           /* some of them may be read: no prefetch */
	enum flight_state state;
	struct err err;
	bool cancelled;
	int64_t late_ms; /* when it shall have ended (monotonic); 0: no limit */
	bool served;     /* a reader has been given bytes of this version, or relies on its size */
	struct digest vouched; /* of the bytes of this version, as who brought them says; or zero */
	struct ranges_version version;
	char type[MIME_MAX];
	int read_fd;                 /* the data, while STARTED */
	int old_fds[FLIGHT_OLD_FDS]; /* the same version before, where readers may still be */
	unsigned int old_count;
	struct partial *partial; /* while led here and STARTED; the leader's */
	struct ranges *followed; /* while followed and STARTED */
	struct object object;    /* when DONE */
	struct entry entry;      /* when DONE */
	struct fetchfs_wait *waits;
	struct flight_claim claims[FLIGHT_CLAIMS];
	unsigned int helpers;         /* running */
	bool helped;                  /* there have been some: the leader may meet their chunks */
	unsigned int wishes;          /* of which fetch what a reader waits for */
	int64_t wished_ms;            /* when the last one of these began */
	int64_t helpers_after_ms;     /* none before: the last one failed */
	unsigned int helper_failures; /* since one went well */
	bool no_helpers;              /* ranges turned out not to work */
	bool called;                  /* the leader is to look for wishes, there can be no helper */
	int64_t alert_until_ms;       /* it takes short runs, so that it can do so soon */
	bool lazy;                    /* led here, and only what readers wish is fetched */
	bool windowed;                /* it is larger than the cache: it will never be whole */
	bool resting;                 /* nobody leads: the next wish starts a leader */
	struct err stood_in;          /* why the entry is an old one; its code is 0: it is not */
	struct err helper_err;        /* how the last helper failed; its code is 0: none has */
	uint64_t written;             /* bytes that were put into a partial here, in all */
	struct route *route;          /* a reference: the leader's way, which helpers take, too */
	struct streams streams;       /* wanted is 0 until the first bytes */
	uint64_t window; /* bytes of the leader's request that come whatever is decided */
	bool bounded;    /* the leader asks for runs, too, rather than for all the rest */
	uint64_t passed; /* bytes that came although they were here */
	uint64_t near;   /* bytes: what lies so far ahead of the leader comes soon anyway */
	struct readahead readahead;
	struct flight_ahead ahead; /* to be fetched ahead of a reader */
};

/*
 * Join the flight of @target's key, or add one to the table, of which the index said @seen
 * (copied). *ret is the caller's, for flight_unref(). *ret_start: it is the caller's turn to
 * fetcher_start() it; else somebody else did, or will once its turn comes. Whoever flies it has a
 * reference of his own from the beginning.
 */
int flight_join(struct fetchfs *fetchfs, struct target *target, bool prefetch,
	const struct flight_seen *seen, struct flight **ret, bool *ret_start, struct err *err);

/* The plain flight of @key (no digest expected, of whichever mode), with a reference, or NULL. */
struct flight *flight_find(struct fetchfs *fetchfs, const struct entry_key *key);

/* Another reference, to @flight itself. */
struct flight *flight_ref(struct flight *flight);

/* @abandon: the caller wants it no more; the flight ends when nobody else does. */
void flight_unref(struct flight *flight, bool abandon);

/* Gives back the reference of whoever flew it. */
void flight_land(struct flight *flight);

/* ---- for whoever flies it ---- */

/*
 * The origin answered. @read_fd is taken over; @partial and @followed (one of them is NULL) stay
 * the caller's and must live until flight_detach() or the end. A flight may start again: on the
 * same data file after its leader died, or on another one as long as no reader has been given
 * bytes, or if it is the same strong version; else -ESTALE, since two versions must never be mixed.
 */
int flight_started(struct flight *flight, const struct ranges_version *version, const char *type,
	int read_fd, struct partial *partial, struct ranges *followed, struct err *err);

/* The partial or the map is going away; readers wait for what comes next. */
void flight_detach(struct flight *flight);

/* The version that was started will not be completed. -ESTALE when a reader has bytes of it. */
int flight_restart(struct flight *flight, struct err *err);

/*
 * Nobody has wished anything, and nobody leads from now on. false: somebody just did, lead on. On
 * success the partial is the caller's to give up; and for whom nobody has it open this is the end.
 */
bool flight_rest(struct flight *flight);

/*
 * @uid has begun to wait for something of it, and it may rest, or wait in the lines of others: then
 * it asks for a turn of @uid's, too. true: it is the caller's turn to fly it, by a reference that
 * is the flyer's.
 */
bool flight_call(struct flight *flight, uid_t uid);

/* Caller holds mu. Whether somebody who waits here needs the whole file. */
bool flight_wants_whole(const struct flight *flight);

/*
 * Whether the object is to be handed out: somebody may read it. If not, nobody joins any more who
 * might: whoever comes finds it in the index.
 */
bool flight_is_to_be_read(struct flight *flight);

/* The origin is asked from now on: whoever comes and wants a new answer needs another question. */
void flight_asks(struct flight *flight);

/* Whether who asks at @asks_ms (since 1970), elsewhere, does so for all who are here, too. If so,
 * it is as if it was asked here. */
bool flight_is_answered(struct flight *flight, int64_t asks_ms);

/* More bytes may be there: wake those who waited for them. */
void flight_progress(struct flight *flight);

/*
 * Whoever leads the flight elsewhere is frozen: go on without it, alone or with others who wait for
 * it, too. false: not again, there is no end to those.
 */
bool flight_pass_by(struct flight *flight);

/* What its partial is to be known by; for its flyer, valid as long as @flight. */
struct partial_label flight_label(const struct flight *flight);

/* Its version is known, and bytes of it arrive. */
bool flight_is_started(struct flight *flight);

/* What is read of it comes through a window, as far as is known here. */
bool flight_is_windowed(struct flight *flight);

/* Readers have begun with its version: it may not become another one any more. */
bool flight_is_served(struct flight *flight);

/* The bytes of its version hash to @digest. */
void flight_vouch(struct flight *flight, const struct digest *digest);

/* The end. @object and @entry are taken over. If they are of another version than readers have
 * begun with, it ends with ESTALE instead. The flight leaves the table first, so that whoever asks
 * afterwards looks in the index. */
void flight_done(struct flight *flight, struct object *object, struct entry *entry);
void flight_failed(struct flight *flight, const struct err *err);

/* From now on it has [fetch] total to come to its end; flight_check() then fails by ETIMEDOUT. */
void flight_limit(struct flight *flight);
bool flight_is_late(struct flight *flight);

/* 0, or -ECANCELED when nobody wants it any more or the cache is being closed. */
int flight_check(struct flight *flight, struct err *err);
/* Wait for @ms milliseconds, less when cancelled. Returns flight_check(). */
int flight_pause(struct flight *flight, unsigned int ms, struct err *err);

/* Whether [@offset, @offset + @length), cut at the end, can be read. Caller holds mu. */
bool flight_has(const struct flight *flight, uint64_t offset, uint64_t length);

/*
 * How many chunks of a window have been forgotten, or another number than ever before if that is
 * not known: what was found here and read in the meantime is right if it has not changed. Caller
 * holds mu.
 */
uint64_t flight_forgotten(const struct flight *flight);

/* How many of its bytes are here, while it is led or followed. Caller holds mu. */
uint64_t flight_arrived(const struct flight *flight);

/* Every flight ends soon, with ECANCELED. */
void flight_cancel_all(struct fetchfs *fetchfs);

#endif
