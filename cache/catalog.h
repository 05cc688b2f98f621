/*
 * The index of a cache: what each URI stands for, in SQLite. The memory, not the truth: a row may
 * be stale (its object gone), a file never lies.
 *
 * Calls are thread-safe and brief (no network, hashing or fsync happens inside); every change is
 * one transaction and moves the cache's change counter. Times are seconds since 1970. Strings in
 * returned structs belong to the struct, for entry_release().
 */
#ifndef FETCHFS_CACHE_CATALOG_H
#define FETCHFS_CACHE_CATALOG_H

#include "base/checksum.h"
#include "cache/cachedir.h"

#include <sys/types.h>

enum entry_state {
	ENTRY_KNOWN,    /* the origin told its size; no bytes here */
	ENTRY_COMPLETE, /* digest names an object */
	ENTRY_ABSENT,   /* the origin said that there is no such thing; until expires */
};

/* The type of a KNOWN entry that the origin says is a folder: there are no bytes. */
#define CATALOG_FOLDER "inode/directory"

struct entry {
	struct entry_key key;
	char *scope; /* "" is public; "uid:1000", "origin:…" */
	char *uri;   /* as uri_display() has it: no secret */
	enum entry_state state;
	bool has_query;  /* the URI has a query that keeps it out of the natural tree's listings */
	bool executable; /* handed out 0555 */
	bool beside;     /* of what is published: only its file is new, the entry stays as it is */
	bool pinned;
	struct digest digest; /* when COMPLETE */
	int64_t size;         /* bytes, -1: unknown */
	char *etag;           /* or NULL */
	char *type;           /* media type, CATALOG_FOLDER, or NULL: not known */
	int64_t modified;     /* -1: unknown */
	int64_t fetched;      /* when the bytes came */
	int64_t verified;     /* when the origin last confirmed them */
	int64_t expires;      /* fresh iff now < expires */
	bool must_ask;        /* the origin forbade to use it unasked once it is stale */
	uid_t uid;            /* of what is published: on whose share of the cache; 0: nobody's */
	int64_t last_used;    /* read only: seconds */
	int64_t lent;         /* read only: of its file, catalog_lend() */
	bool unsure;          /* read only: catalog_trust() */
};

void entry_release(struct entry *entry);

/* A copy of its own, or false: out of memory, and @ret is as it was. */
bool entry_copy(const struct entry *entry, struct entry *ret);

struct catalog;

/* Open or make the index of @dir, which must outlive it. A newer schema is refused with -ENOTSUP.
 */
int catalog_open(const struct cachedir *dir, struct catalog **ret, struct err *err);
/* How long the index's log may become (room_of_log()). */
int catalog_bound_log(struct catalog *catalog, uint64_t bytes, struct err *err);
void catalog_close(struct catalog *catalog);

/* -ENOENT when the index has no such entry. */
int catalog_find(
	struct catalog *catalog, const struct entry_key *key, struct entry *ret, struct err *err);

/* The same from memory, while nothing has changed since it was read; last_used may be old. */
int catalog_recall(
	struct catalog *catalog, const struct entry_key *key, struct entry *ret, struct err *err);

/* The file behind a COMPLETE entry. */
struct catalog_object {
	uint64_t blocks; /* what it occupies, in bytes; 0: its row knows */
	uint64_t hash;   /* its XXH3, see store.h */
	bool fresh;      /* this process has just made it: its bytes are surely there */
	const struct checksum *verified; /* what it was seen to hash to, or NULL */
};

/*
 * Insert or replace, in one transaction: the entry, its object's row if it is COMPLETE (which
 * becomes the last that goes), and the end of the reservation of @partial (may be NULL). The pin
 * of an entry that is there already stays as it is.
 */
int catalog_publish(struct catalog *catalog, const struct entry *entry,
	const struct catalog_object *object, const char *partial, struct err *err);

/* One of several publications. */
struct catalog_item {
	const struct entry *entry;
	struct catalog_object object;
};

/* All of @items as by catalog_publish(), in one transaction, which also leaves @left bytes (0: it
 * ends) of the reservation of @partial. */
int catalog_publish_all(struct catalog *catalog, const struct catalog_item *items, size_t count,
	const char *partial, uint64_t left, struct err *err);

/* The same for an entry whose object, if it has one, was there before. */
int catalog_record(struct catalog *catalog, const struct entry *entry, uint64_t object_blocks,
	uint64_t hash, const char *partial, struct err *err);

/* The origin confirmed the version that is here: freshness only, and @must_ask, which stays once it
 * was said. */
int catalog_confirm(struct catalog *catalog, const struct entry_key *key, int64_t now,
	int64_t expires, bool must_ask, struct err *err);

/* The object was used: it becomes the last that goes, for other processes within a second. Waits
 * for nobody. */
void catalog_touch(struct catalog *catalog, const struct digest *digest, int64_t now);

/* What was used by this process, now. Waits for whoever writes. */
void catalog_write_touches(struct catalog *catalog);

/* -ENOENT when there is no such entry. */
int catalog_remove(struct catalog *catalog, const struct entry_key *key, struct err *err);
/* The same unless it is COMPLETE; nothing happens when there is none. */
int catalog_forget(struct catalog *catalog, const struct entry_key *key, struct err *err);
int catalog_pin(struct catalog *catalog, const struct entry_key *key, bool pinned, struct err *err);

/*
 * Entries whose URI begins with @prefix ("" for all) and that belong to the public scope or to
 * @scope (several: with blanks between; NULL: all scopes), ordered by URI, in pages: no transaction
 * is held while @visit runs. A non-zero answer of @visit ends the walk and is returned.
 */
typedef int catalog_visit(const struct entry *entry, void *arg);
int catalog_list(struct catalog *catalog, const char *prefix, const char *scope,
	catalog_visit *visit, void *arg, struct err *err);

/*
 * The distinct names directly below the URI prefix @folder ("https://host/dir/", ends in '/'):
 * what readdir of the natural tree shows, by index, without visiting what is deeper. ABSENT
 * entries, KNOWN ones that are folders or pages, and URIs with a query are left out. A name that is
 * both is reported as a folder.
 *
 * At least @max of them if there are as many, and less than CATALOG_RUN more, from *from on
 * (NULL: from the first), which then is where the next ones begin, a place between two URIs, or
 * NULL at the end; the caller's to free(), also after an error. None of the place @until or behind
 * it (NULL: all). A non-zero answer of @visit ends the walk and is returned; then, and after
 * an error, *from is of no use.
 */
#define CATALOG_RUN 64
typedef int catalog_visit_name(const char *name, bool is_folder, void *arg);
int catalog_children(struct catalog *catalog, const char *folder, const char *until,
	const char *scope, size_t max, char **from, catalog_visit_name *visit, void *arg,
	struct err *err);

/* Whether any known URI lies below @folder. 1, 0 or -errno. */
int catalog_has_children(
	struct catalog *catalog, const char *folder, const char *scope, struct err *err);

/* An entry of @scope or of the public one that stands for @digest. -ENOENT. */
int catalog_find_digest(struct catalog *catalog, const struct digest *digest, const char *scope,
	struct entry *ret, struct err *err);

/* ---- what content hashes to, other than by SHA-256: true for as long as the object is there ----
 */

/* Remember it. Nothing happens when there is no such object (any more), or the kind is SHA-256. */
int catalog_checksum_add(struct catalog *catalog, const struct digest *digest,
	const struct checksum *checksum, struct err *err);

/* -ENOENT when it is not known. */
int catalog_checksum(struct catalog *catalog, const struct digest *digest, enum checksum_kind kind,
	struct checksum *ret, struct err *err);

/* catalog_find_digest() by any kind. */
int catalog_find_checksum(struct catalog *catalog, const struct checksum *checksum,
	const char *scope, struct entry *ret, struct err *err);

/* ---- space ---- */

struct usage {
	uint64_t objects;  /* bytes on disk */
	uint64_t reserved; /* bytes promised to partials (they may already be on disk) */
	uint64_t entries;  /* COMPLETE ones */
	uint64_t object_count;
};
int catalog_usage(struct catalog *catalog, struct usage *ret, struct err *err);

/* See that these, and the shares (below), are the sums of what there is: reads everything. 1: they
 * were not, 0 or -errno. */
int catalog_recount(struct catalog *catalog, struct err *err);

/* What of the objects, in bytes on disk, is spoken for. What is both pinned and leased is in both.
 */
struct holdings {
	uint64_t pinned;
	uint64_t leased;
	uint64_t held;  /* pinned, leased or both */
	uint64_t trees; /* of all objects: what is unpacked of them */
};
int catalog_holdings(struct catalog *catalog, struct holdings *ret, struct err *err);

/* What a partial asks for. */
struct room_wish {
	const char *partial;
	uint64_t bytes; /* in all, which replaces an earlier promise */
	uint64_t limit; /* so many may objects and reservations be then … */
	uid_t uid;      /* … and so many of those of @uid's share; 0: it is on nobody's */
	uint64_t share;
	uint64_t keep_free; /* what the disk has free when all that is promised has been written */
};

/* How many bytes must go before it can be had: of all, of the share, and from the disk. */
struct room_lacking {
	uint64_t of_all;
	uint64_t of_share;
	uint64_t on_disk;
};

static inline bool room_is_lacking(const struct room_lacking *lacking)
{
	return lacking->of_all > 0 || lacking->of_share > 0 || lacking->on_disk > 0;
}

/* Promise it, or -ENOSPC, nothing changed. */
int catalog_reserve(struct catalog *catalog, const struct room_wish *wish, struct room_lacking *ret,
	struct err *err);
int catalog_unreserve(struct catalog *catalog, const char *partial, struct err *err);

/* How many bytes must go for the disk to have @keep_free left once all that is promised is written.
 */
int catalog_missing_on_disk(
	struct catalog *catalog, uint64_t keep_free, uint64_t *ret, struct err *err);

/* What is promised to @partial: *ret is 0 when it holds no reservation. */
int catalog_reservation(
	struct catalog *catalog, const char *partial, uint64_t *ret, struct err *err);

/* The names of partials that hold a reservation. */
typedef int catalog_visit_partial(const char *partial, uint64_t bytes, uid_t uid, void *arg);
int catalog_partials(
	struct catalog *catalog, catalog_visit_partial *visit, void *arg, struct err *err);

/* Objects in the order in which they may go: least recently used first, never pinned or leased.
 * Those that come after @after (NULL: all), up to @max into @ret. @uid: of this share; 0: of all.
 * Waits for nobody who writes: what was used a moment ago is not the last that goes before
 * catalog_write_touches().
 */
struct victim {
	struct digest digest;
	uint64_t bytes;
	int64_t used; /* its place in that order, … */
	int64_t row;  /* … with this among those of the same use */
};
int catalog_victims(struct catalog *catalog, uid_t uid, size_t max, const struct victim *after,
	struct victim *ret, size_t *ret_count, struct err *err);

/*
 * What an evictor looks at who has the locks of some digests (each prospect's, all else zero): of
 * all of them in one transaction, and then each is for catalog_prospect_release(), also after an
 * error.
 */
#define PROSPECT_NAMES 8
struct prospect {
	struct digest digest;
	bool held;      /* pinned or leased; then it has no names here */
	uint64_t bytes; /* by its row, with its tree */
	size_t count;   /* of the entries that stand for it, the first */
	struct entry names[PROSPECT_NAMES];
};
int catalog_prospects(
	struct catalog *catalog, struct prospect *prospects, size_t count, struct err *err);
void catalog_prospect_release(struct prospect *prospect);

/*
 * Objects that are pinned or leased, and were last used before @used, count as used now, if there
 * are many of them: up to some thousands. So the next evictor need not look at all of them again to
 * find one that may go.
 */
int catalog_pass_over(struct catalog *catalog, int64_t used, struct err *err);

/*
 * Shares: what came for somebody (catalog_publish(), with entry.uid) counts on his share of the
 * cache until it goes, as do the reservations for it. How many bytes that are; how many of them are
 * pinned or leased; and whose there are.
 */
int catalog_share(struct catalog *catalog, uid_t uid, uint64_t *ret, struct err *err);
int catalog_share_held(struct catalog *catalog, uid_t uid, uint64_t *ret, struct err *err);
typedef int catalog_visit_share(uid_t uid, uint64_t bytes, void *arg);
int catalog_shares(struct catalog *catalog, catalog_visit_share *visit, void *arg, struct err *err);

/* On whose share the object is, 0: nobody's, also if there is no such object. */
int catalog_share_of(
	struct catalog *catalog, const struct digest *digest, uid_t *ret, struct err *err);

/* The first entries, whatever their scope, that stand for @digest: up to @max into @ret, each for
 * entry_release(). *ret_count says how many, also after an error. */
int catalog_entries_of(struct catalog *catalog, const struct digest *digest, size_t max,
	struct entry *ret, size_t *ret_count, struct err *err);

/* The digests of the first objects after @after (all zeros: of all), in their order: up to @max
 * into
 * @ret. */
int catalog_objects(struct catalog *catalog, const struct digest *after, size_t max,
	struct digest *ret, size_t *ret_count, struct err *err);

/* The same, of those that are more than one file: both twins, or a tree. */
int catalog_composed(struct catalog *catalog, const struct digest *after, size_t max,
	struct digest *ret, size_t *ret_count, struct err *err);

/* What the index says of an object's file. */
struct catalog_file {
	uint64_t size;
	uint64_t hash;  /* its XXH3, 0: not known */
	uint64_t bytes; /* that it is known to occupy, 0: there is no such file */
	int64_t lent;
	bool unsure; /* catalog_trust() */
	uid_t uid;   /* on whose share */
};

/* -ENOENT when it has no row. */
int catalog_file(struct catalog *catalog, const struct digest *digest, bool executable,
	struct catalog_file *ret, struct err *err);

/* One of an object's two files is not there, and occupies nothing. */
int catalog_file_gone(
	struct catalog *catalog, const struct digest *digest, bool executable, struct err *err);

/* The object's file has, or had, names elsewhere, and its bytes were right at its time of change
 * @changed_ns (since 1970), or 1. Nothing happens when there is no such object. */
int catalog_lend(struct catalog *catalog, const struct digest *digest, bool executable,
	int64_t changed_ns, struct err *err);

/*
 * What a file holds that was published in an earlier boot and never settled is unsure: a power cut
 * may have left less of it than its name promises. This says that all its bytes were seen to be
 * right since. Nothing happens when there is no such object.
 */
int catalog_trust(struct catalog *catalog, const struct digest *digest, struct err *err);

/*
 * Objects that were published in this boot up to @boot_ms (clock_boot_ms()), and have not been
 * settled. First: whether there are any (1, 0 or -errno), and the last use so far, of whatever
 * object; before @boot_ms was read. Then mark up to @max of them as settled, which says how many
 * that were; at last, that all up to that use have been looked at.
 */
int catalog_last_used(
	struct catalog *catalog, int64_t *ret_used, int64_t *ret_settled, struct err *err);
int catalog_has_unsettled(struct catalog *catalog, int64_t boot_ms, struct err *err);
int catalog_settle(struct catalog *catalog, int64_t boot_ms, int max, struct err *err);
int catalog_all_settled(struct catalog *catalog, int64_t used, struct err *err);

/* The sync of those failed: the next one may know nothing of it. They are unsure from now on. */
int catalog_unsettle(struct catalog *catalog, int64_t boot_ms, struct err *err);

/* Whether the object is pinned or leased. 1, 0 or -errno. */
int catalog_is_held(struct catalog *catalog, const struct digest *digest, struct err *err);

/* The object is gone: delete it and make its entries KNOWN. */
int catalog_object_gone(struct catalog *catalog, const struct digest *digest, struct err *err);

/*
 * What an evictor has done, in one transaction: the @count objects @gone are gone, and @wish (NULL:
 * none) is granted as by catalog_reserve(). -ENOSPC when it cannot be yet: the objects are then
 * deleted from the index all the same.
 */
int catalog_exchange(struct catalog *catalog, const struct digest *gone, size_t count,
	const struct room_wish *wish, struct room_lacking *ret, struct err *err);

/* ---- trees: what is unpacked of an object, see tree.h; deleted with its row ---- */

struct catalog_tree {
	uint64_t bytes;    /* what it occupies */
	bool of_this_boot; /* else it may have lost something when the machine went down */
};

/* -ENOENT when nothing of it is unpacked. */
int catalog_tree_find(struct catalog *catalog, const struct digest *digest,
	struct catalog_tree *ret, struct err *err);

/* It is unpacked, and occupies @bytes (not 0), for which @partial had a reservation until now.
 * -ENOENT when there is no such object. */
int catalog_tree_record(struct catalog *catalog, const struct digest *digest, uint64_t bytes,
	const char *partial, struct err *err);

/* It is so no more; but @left bytes of it are still there, and count. */
int catalog_tree_forget(
	struct catalog *catalog, const struct digest *digest, uint64_t left, struct err *err);

/* ---- leases: objects handed out to sandboxes ---- */

#define LEASE_TOKEN_SIZE 33

struct lease {
	int64_t id;
	char *directory; /* absolute path of the sandbox, for people */
	uint64_t device; /* of the directory, with inode: its identity */
	uint64_t inode;
	int64_t born;         /* when it was made, ns since 1970, 0: not known; its number may be
			       * that of another by now */
	char *name;           /* of the file, relative to the directory */
	char *method;         /* "hardlink", "copy" … */
	uint64_t file_inode;  /* of the file that was placed, so that release removes only that */
	int64_t file_born;    /* likewise */
	uint64_t mount;       /* the unique id of the mount that was made, 0: none */
	uint64_t mount_space; /* the mount namespace it was made in */
	int64_t uid;          /* for whom, -1: not known */
	char *uri;            /* as it may be shown, "" when not known */
	struct digest digest;
	bool has_key;         /* of what is lazy; while the digest is all zeros, it will be … */
	struct entry_key key; /* … that of this entry when it is complete, and … */
	bool has_expected;
	struct digest expected;       /* … if that is this one */
	char token[LEASE_TOKEN_SIZE]; /* another name of such a lease, in hexadecimal, or "" */
	int64_t since;
	bool of_this_boot; /* read only: mounts of an earlier one are gone */
};
void lease_release(struct lease *lease);

/* All of them, in one transaction, or none: each gets its id. */
int catalog_lease_add(struct catalog *catalog, struct lease *leases, size_t count, struct err *err);
/* In one transaction. -ENOENT: one of them was not there; the others are gone. */
int catalog_lease_drop(struct catalog *catalog, const int64_t *ids, size_t count, struct err *err);

/* Leases of one directory, or of all when @device and @inode are 0. */
typedef int catalog_visit_lease(const struct lease *lease, void *arg);
int catalog_leases(struct catalog *catalog, uint64_t device, uint64_t inode,
	catalog_visit_lease *visit, void *arg, struct err *err);

/* The one with this token: -ENOENT. *ret is the caller's. */
int catalog_lease_find(
	struct catalog *catalog, const char *token, struct lease *ret, struct err *err);

/* Those of directories with this inode (0: none), of whatever device, or with this path. */
int catalog_leases_near(struct catalog *catalog, uint64_t inode, const char *path,
	catalog_visit_lease *visit, void *arg, struct err *err);

#endif
