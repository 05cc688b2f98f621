/*
 * A part of fetchfs.h, which includes it: what is in the cache, and what happens to it.
 */
#ifndef FETCHFS_FETCH_FETCHFS_CACHE_H
#define FETCHFS_FETCH_FETCHFS_CACHE_H

#include "fetch/fetchfs.h"

/* ---- the cache ---- */

/* A non-zero answer ends the walk and is returned. */
typedef int fetchfs_visit(const struct fetchfs_info *info, void *arg);

/*
 * What the cache knows, in the order of URIs, that begins with @prefix ("" for all) and that
 * @uid may see (root: all). Transfers in flight are included.
 */
FETCHFS_API int fetchfs_list(struct fetchfs *fetchfs, const char *prefix, uid_t uid,
	fetchfs_visit *visit, void *arg, struct err *err);

/*
 * The names directly below the URI prefix @folder, which ends in '/' ("https://host/dir/", or
 * "https://" for the hosts), complete or in flight, or in its listing, that @uid may see.
 */
enum fetchfs_name {
	FETCHFS_NAME_FILE,
	FETCHFS_NAME_FOLDER,
	FETCHFS_NAME_LISTED, /* the origin lists it, as no folder: a file, if its server is exact */
};
typedef int fetchfs_visit_name(const char *name, enum fetchfs_name kind, void *arg);
FETCHFS_API int fetchfs_children(struct fetchfs *fetchfs, const char *folder, uid_t uid,
	fetchfs_visit_name *visit, void *arg, struct err *err);

/*
 * The same by pages, of which the first is 0. What is on its way, or listed, is that of the moment
 * of _open(); what the index knows is read when its page is. So a name that is there all the time
 * is on exactly one page, and one that comes or goes meanwhile on one at most. All that is kept of
 * the index's names is where their pages begin. Any page can be read again: it then has what lies
 * between the same names now. Usually FETCHFS_PAGE names a page, never more than FETCHFS_PAGE_MAX.
 *
 * _page(): *ret says whether there is such a page. 0, -errno, or the answer of @visit if that is
 * not 0, which ends the page. One thread at a time.
 */
#define FETCHFS_PAGE     128
#define FETCHFS_PAGE_MAX 4095
struct fetchfs_children;
FETCHFS_API int fetchfs_children_open(struct fetchfs *fetchfs, const char *folder, uid_t uid,
	struct fetchfs_children **ret, struct err *err);
FETCHFS_API int fetchfs_children_page(struct fetchfs_children *children, size_t page,
	fetchfs_visit_name *visit, void *arg, bool *ret, struct err *err);
FETCHFS_API void fetchfs_children_close(struct fetchfs_children *children);

/*
 * Folders that the configuration lets list their origins (`list = yes`). _is_due(): it is one, and
 * no listing of it is fresh. _ask(): ask the origin for it; blocks, and is remembered as long as it
 * is fresh, for _children() and _is_folder(). When it fails they know what they did before. Of the
 * request, uri, uid, timeout_ms and is_wanted count, as for fetchfs_stat().
 */
FETCHFS_API bool fetchfs_folder_is_due(struct fetchfs *fetchfs, const char *folder, uid_t uid);
FETCHFS_API int fetchfs_folder_ask(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, struct err *err);

/* Whether anything lies below @folder that is known, or that the policy allows by name. 2: yes, for
 * everybody, 1: for @uid, 0: no; or -errno. */
FETCHFS_API int fetchfs_is_folder(
	struct fetchfs *fetchfs, const char *folder, uid_t uid, struct err *err);

/* Moves whenever the answers of find, list and children may have changed, whoever did it. */
FETCHFS_API uint32_t fetchfs_changes(const struct fetchfs *fetchfs);

/* Sleep until it is not @seen any more, fetchfs_cancel_all() is called, or so many milliseconds are
 * over; or less. */
FETCHFS_API void fetchfs_changes_wait(
	const struct fetchfs *fetchfs, uint32_t seen, unsigned int timeout_ms);

/*
 * Whether what was complete, and public, still is, with the same content and mode: 1, 0 or -errno.
 * By the @key of an earlier answer; NULL: under any name. Brief: asks nobody, and no policy.
 */
FETCHFS_API int fetchfs_is_unchanged(struct fetchfs *fetchfs, const char *key, const char *sha256,
	bool executable, struct err *err);

struct fetchfs_usage {
	uint64_t limit;         /* bytes the cache may occupy */
	uint64_t used;          /* objects and reservations, bytes on disk */
	uint64_t reserved;      /* of which promised to transfers in flight */
	uint64_t objects;       /* count */
	uint64_t entries;       /* count of complete artifacts */
	uint64_t in_flight;     /* transfers of this process */
	uint64_t in_line;       /* of which wait for others of the same user ([fetch] per_user) */
	uint64_t hits;          /* of this process: opens answered from the cache */
	uint64_t misses;        /* opens that needed the origin */
	uint64_t fetched_bytes; /* bytes that origins sent to this process */
};
FETCHFS_API int fetchfs_usage(struct fetchfs *fetchfs, struct fetchfs_usage *ret, struct err *err);

/* Where the bytes are, on disk. Takes the longer the more is pinned and leased. */
struct fetchfs_holdings {
	uint64_t pinned;    /* of pinned artifacts, with what is unpacked of them */
	uint64_t leased;    /* of those that sandboxes have; some may be pinned, too */
	uint64_t evictable; /* neither, nor reserved; what is open at this moment is among it */
	uint64_t trees;     /* of all that: what archives were unpacked to */
	uint64_t per_user;  /* so many of the evictable ones may be for one user, 0: all */
};
FETCHFS_API int fetchfs_holdings(
	struct fetchfs *fetchfs, struct fetchfs_holdings *ret, struct err *err);

/* Whose artifacts, fetched for somebody else than the cache's owner, occupy how much, held ones and
 * what is on its way among it. */
typedef int fetchfs_visit_share(uid_t uid, uint64_t bytes, void *arg);
FETCHFS_API int fetchfs_shares(
	struct fetchfs *fetchfs, fetchfs_visit_share *visit, void *arg, struct err *err);

/* ---- transfers, of all processes that use the cache ---- */

enum fetchfs_transfer_state {
	FETCHFS_TRANSFER_WAITING,     /* for the origin's answer */
	FETCHFS_TRANSFER_ACTIVE,      /* bytes arrive */
	FETCHFS_TRANSFER_INTERRUPTED, /* nobody works on it; the next who asks resumes */
	FETCHFS_TRANSFER_STOPPED,     /* the process that works on it has been stopped, or hangs */
};

/* A stable word: "waiting", "active", "interrupted", "stopped". */
FETCHFS_API const char *fetchfs_transfer_state_name(enum fetchfs_transfer_state state);

struct fetchfs_transfer {
	char uri[768];                  /* as it may be shown; a longer one is cut, with "…" */
	char key[FETCHFS_KEY_HEX_SIZE]; /* its name in the cache */
	enum fetchfs_transfer_state state;
	int64_t size;    /* bytes, -1: unknown */
	uint64_t bytes;  /* that are there */
	uint64_t rate;   /* bytes a second, on average since it began or was resumed */
	int64_t seconds; /* since then; -1: nobody works on it */
	int pid;         /* who works on it, in its own namespace: for people; 0: nobody */
};

/*
 * Those that @uid may see (root: all), in no particular order. Waits for nobody: neither for the
 * network nor for a lock. Small artifacts that arrive at once are not seen.
 */
typedef int fetchfs_visit_transfer(const struct fetchfs_transfer *transfer, void *arg);
FETCHFS_API int fetchfs_transfers(struct fetchfs *fetchfs, uid_t uid, fetchfs_visit_transfer *visit,
	void *arg, struct err *err);

/* Let one artifact go. -ENOENT; -EBUSY with the reason when it is pinned, leased or open. */
FETCHFS_API int fetchfs_evict(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, struct err *err);

/*
 * A pinned artifact is not evicted, and keeps its pin when it is refreshed. @key: of fetchfs_key()
 * or fetchfs_info. -ENOENT when it is not in the cache; to take the pin from what is not there is
 * no error.
 */
FETCHFS_API int fetchfs_pin(struct fetchfs *fetchfs, const char *key, bool pinned, struct err *err);

/* Let the least recently used go until the cache occupies at most @bytes. */
FETCHFS_API int fetchfs_evict_to(
	struct fetchfs *fetchfs, uint64_t bytes, uint64_t *ret_freed, struct err *err);

/* Take away what processes that died left behind and nothing can use. What cannot be taken now
 * stays for the next time. */
FETCHFS_API void fetchfs_sweep(struct fetchfs *fetchfs);

/*
 * Compare what the index says with what there is, all of it: files that nothing knows of are
 * removed, what has no file is not in the cache any more, and the account is made right.
 */
struct fetchfs_reconciled {
	uint64_t orphans; /* files that were removed; what was unpacked is one */
	uint64_t bytes;   /* that they had on disk */
	uint64_t missing; /* objects that were not there */
	bool recounted;   /* what the cache holds was another sum than the account said */
};
FETCHFS_API int fetchfs_reconcile(
	struct fetchfs *fetchfs, struct fetchfs_reconciled *ret, struct err *err);

/*
 * See that all that is in the cache now outlives a power cut, by writing its file system to its
 * disk; may take long. Whoever serves does so by itself. What has not been settled is read once
 * before its first use after the machine went down.
 */
FETCHFS_API int fetchfs_settle(struct fetchfs *fetchfs, struct err *err);

/* ---- whether all bytes are what they should be ---- */

/* What was wrong, and is gone now: under one of its names. */
struct fetchfs_damage {
	char sha256[FETCHFS_SHA256_SIZE];
	const char *uri; /* as it may be shown; NULL: it had no name any more */
	bool executable;
	bool pinned;
	bool can_be_asked; /* it is public and the URI is all of it: it can be fetched again by it
			    */
	bool missing;      /* its file was, rather than damaged */
};

/* So far, or in all. */
struct fetchfs_verified {
	uint64_t objects;
	uint64_t bytes;
	uint64_t damaged; /* objects */
	uint64_t missing;
};

struct fetchfs_verify {
	bool full;            /* by SHA-256, not only by the faster XXH3 of the index */
	unsigned int threads; /* that read at the same time; at least one does */
	/* Both on the caller's thread. @tick: about ten times a second, and at the end; or NULL. */
	void (*found)(const struct fetchfs_damage *damage, void *arg);
	void (*tick)(const struct fetchfs_verified *so_far, void *arg);
	void *arg;
};

/*
 * Read every object of the cache. What is wrong is removed, so that whoever asks next has it
 * fetched again; pins stay. Blocks. An error of the cache itself ends it.
 */
FETCHFS_API int fetchfs_verify(struct fetchfs *fetchfs, const struct fetchfs_verify *how,
	struct fetchfs_verified *ret, struct err *err);

/* ---- what happened lately, and how often ---- */

enum fetchfs_event_kind {
	FETCHFS_EVENT_FETCHED,   /* an artifact was downloaded */
	FETCHFS_EVENT_CONFIRMED, /* its origin said that it still holds */
	FETCHFS_EVENT_STALE,     /* an old version was used: its origin could not be asked */
	FETCHFS_EVENT_RETRIED,   /* a download failed, and is tried again */
	FETCHFS_EVENT_FAILED,
	FETCHFS_EVENT_EVICTED,
	FETCHFS_EVENT_KINDS, /* how many there are */
};

/* "fetched", "confirmed" …: a stable word. Never NULL. */
FETCHFS_API const char *fetchfs_event_kind_name(enum fetchfs_event_kind kind);

struct fetchfs_event {
	enum fetchfs_event_kind kind;
	int64_t time_ms;     /* since 1970 */
	int64_t duration_ms; /* -1: it took none */
	uint64_t bytes;      /* of the artifact */
	int pid;             /* whose work it was, in its own namespace: for people */
	char uri[768];       /* as it may be shown; a longer one is cut, with "…" */
	char text[512];      /* why, or "" */
};

/*
 * The last @max events that @uid may see (root: all), of all processes that use the cache, oldest
 * first. Some thousands are kept.
 */
typedef int fetchfs_visit_event(const struct fetchfs_event *event, void *arg);
FETCHFS_API int fetchfs_events(struct fetchfs *fetchfs, uid_t uid, size_t max,
	fetchfs_visit_event *visit, void *arg, struct err *err);

/*
 * The same (none with @max 0), and then each one that is added, at once, until @visit answers
 * non-zero, which is returned. It is called with NULL when that was all for now, and about once a
 * second.
 */
FETCHFS_API int fetchfs_events_follow(struct fetchfs *fetchfs, uid_t uid, size_t max,
	fetchfs_visit_event *visit, void *arg, struct err *err);

/* The event as one line for people, without a newline. */
#define FETCHFS_EVENT_TEXT 1536
FETCHFS_API void fetchfs_event_format(
	const struct fetchfs_event *event, char ret[FETCHFS_EVENT_TEXT]);

#define FETCHFS_BUCKETS     14
#define FETCHFS_ERROR_KINDS 10 /* of enum err_kind */

/* How long something took, how often. */
struct fetchfs_times {
	uint64_t counts[FETCHFS_BUCKETS + 1]; /* at most so long as fetchfs_bucket_seconds(), and
					       * longer than the one before; the last: all others */
	double seconds;                       /* in all */
};
FETCHFS_API double fetchfs_bucket_seconds(unsigned int n);

/* What this process has done since fetchfs_open(). */
struct fetchfs_counters {
	struct fetchfs_usage usage;
	uint64_t hits;          /* opens answered from the cache … */
	uint64_t hit_bytes;     /* … and the sizes of what they opened */
	uint64_t misses;        /* opens that needed the origin */
	uint64_t fetched_bytes; /* that origins sent */
	uint64_t errors[FETCHFS_ERROR_KINDS];
	struct {
		uint64_t count;
		uint64_t bytes;
	} events[FETCHFS_EVENT_KINDS];
	struct fetchfs_times answer; /* from a download's beginning to the origin's answer */
	struct fetchfs_times whole;  /* … to its end, if it went well */
};
FETCHFS_API int fetchfs_counters(
	struct fetchfs *fetchfs, struct fetchfs_counters *ret, struct err *err);

#endif
