/*
 * The journal: a line for each change of what is complete, pinned or leased, so that an index that
 * is lost or damaged can be made again, and nothing is downloaded a second time.
 *
 * Lines are collected within a transaction of the index, and written in one piece before it is
 * committed, under the writer's lock. Who is killed in between has said too much: an
 * entry whose bytes are not there is none. A line carries its own checksum; what has none that fits
 * is passed over. Nothing is synced.
 */
#ifndef FETCHFS_CACHE_JOURNAL_H
#define FETCHFS_CACHE_JOURNAL_H

#include "cache/catalog.h"

#define JOURNAL       "journal"
#define JOURNAL_DRAFT JOURNAL ".new" /* a shorter one, while it is made; and its reservation */

struct journal;

int journal_new(const struct cachedir *dir, struct journal **ret, struct err *err);
void journal_free(struct journal *journal);

/* ---- a transaction: collect, then write or drop. One thread at a time ---- */

/* @entry is complete, and its object's XXH3 is @hash; or it is only known. A pin in it counts for a
 * new entry only. */
void journal_entry(struct journal *journal, const struct entry *entry, uint64_t hash);
/* It is not complete any more. */
void journal_incomplete(struct journal *journal, const struct entry_key *key);
void journal_pin(struct journal *journal, const struct entry_key *key, bool pinned);
void journal_gone(struct journal *journal, const struct entry_key *key);
/* With its id; @boot: of its mounts, "" when that is over. */
void journal_lease(struct journal *journal, const struct lease *lease, const char *boot);
void journal_lease_gone(struct journal *journal, int64_t id);

/* Write what was collected. The caller holds the writer's lock. After an error nothing of it is
 * there. */
int journal_write(struct journal *journal, struct err *err);
void journal_drop(struct journal *journal);

/* What was written last is not to have happened: the commit failed. Under the same lock. */
void journal_take_back(struct journal *journal);

/* ---- all of it ---- */

enum journal_kind {
	JOURNAL_ENTRY,
	JOURNAL_PIN,
	JOURNAL_INCOMPLETE,
	JOURNAL_GONE,
	JOURNAL_LEASE,
	JOURNAL_LEASE_GONE,
};

struct journal_line {
	enum journal_kind kind;
	struct entry entry; /* or only its key, and pinned; its strings are the line's */
	uint64_t hash;
	struct lease lease; /* or only its id; likewise */
	char boot[37];
};

/* Call @visit for each line, the oldest first; a negative answer ends it and is returned. Without a
 * journal there are none. */
typedef int journal_visit(const struct journal_line *line, void *arg, struct err *err);
int journal_read(const struct cachedir *dir, journal_visit *visit, void *arg, struct err *err);

/*
 * Make it short again, if it is long, or not there yet: as many lines as there are things. May take
 * long; at most one process does it at a time. @may_evict: others may go for the room that it takes
 * meanwhile; else it is not done without, nor for the sake of little.
 */
struct store;
int journal_compact(const struct store *store, bool may_evict, struct err *err);

/* Whether there is one with anything in it. */
bool journal_is_there(const struct cachedir *dir);

#endif
