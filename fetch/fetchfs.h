/*
 * fetchfs as a library: any URI is a read-only file, downloaded once, verified, and kept in a
 * bounded cache that any number of processes share.
 *
 *	struct fetchfs *fetchfs;
 *	struct fetchfs_file *file;
 *	struct fetchfs_request request = { .uri = "https://example.org/tool.tar.gz", .uid = getuid()
 *};
 *
 *	fetchfs_open(&(struct fetchfs_options){0}, &fetchfs, &err);
 *	fetchfs_get(fetchfs, &request, &file, &err);          starts or joins the download
 *	fetchfs_file_read(file, buf, sizeof(buf), 0, &err);   waits for just these bytes
 *	fetchfs_file_free(file);
 *	fetchfs_close(fetchfs);
 *
 * All functions are thread-safe, return 0 or -errno unless they say otherwise, and take the
 * caller's struct err last. Nothing is printed or logged. Strings in returned structs belong to
 * the struct; it is given back by the function of its name.
 */
#ifndef FETCHFS_FETCH_FETCHFS_H
#define FETCHFS_FETCH_FETCHFS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifndef FETCHFS_API
#define FETCHFS_API __attribute__((visibility("default")))
#endif

struct fetchfs;

struct backend; /* tests bring their own */

struct fetchfs_options {
	const char *cache; /* directory; NULL: the configuration's, else the default of this user */
	const char *config;  /* file; NULL: the usual places. An unknown key is an error … */
	bool config_lenient; /* … or only a warning, in fetchfs_warnings() */
	bool daemon; /* it serves others: proxies of the environment count only if configured */
	bool force;  /* also on a file system that cannot be trusted with a cache */
	const char *const *environment; /* "NAME=value", NULL-terminated: environ; NULL: empty */
	const struct backend *const *backends; /* NULL: all of the program */
	int64_t stall_ms; /* after so long without an answer, or without bytes, a try has failed; 0:
			   * as configured. At most a day */
	const char *program; /* fetchfs, which unpacks archives; NULL: where it is installed */
};

FETCHFS_API int fetchfs_open(
	const struct fetchfs_options *options, struct fetchfs **ret, struct err *err);

/* Ends all transfers (what has arrived stays and is resumed) and frees. No file may be open. */
FETCHFS_API void fetchfs_close(struct fetchfs *fetchfs);

/* Ends all transfers now: waits end with ECANCELED. Files can still be freed. */
FETCHFS_API void fetchfs_cancel_all(struct fetchfs *fetchfs);

/* The n-th complaint about the configuration, or NULL. */
FETCHFS_API const char *fetchfs_warning(const struct fetchfs *fetchfs, size_t n);

FETCHFS_API const char *fetchfs_cache_path(const struct fetchfs *fetchfs);

/* Whether the configuration allows hardlinks in sandboxes ([cache] hardlink). */
FETCHFS_API bool fetchfs_hardlink_allowed(const struct fetchfs *fetchfs);

/* About which names that nobody declared a mount asks while it walks ([fetch] lookup_head). */
enum fetchfs_lookup_head {
	FETCHFS_HEAD_SUFFIX, /* those that look like files */
	FETCHFS_HEAD_NONE,
	FETCHFS_HEAD_ALL,
};
FETCHFS_API enum fetchfs_lookup_head fetchfs_lookup_head(const struct fetchfs *fetchfs);

/* ---- asking for an artifact ---- */

struct fetchfs_request {
	const char
		*uri; /* absolute; userinfo is used and not stored, a fragment may hold a digest */
	uid_t uid;    /* on whose behalf: decides policy, credentials and scope */
	bool through_mount; /* asked by way of the mount: file:// only below the configured roots */
	/* "KIND:HEX" of sha256, sha512, sha1 or md5; NULL: none. Wins over the fragment */
	const char *digest;
	bool refresh;    /* ask the origin even when the cache is fresh */
	bool executable; /* hand out as 0555 */
	bool prefetch;   /* only fill the cache: the file is waited for, but not read (EBADF) */
};

enum fetchfs_state {
	FETCHFS_UNKNOWN,   /* nothing is known yet */
	FETCHFS_KNOWN,     /* the size may be known; no bytes are here */
	FETCHFS_IN_FLIGHT, /* bytes are arriving */
	FETCHFS_COMPLETE,  /* all bytes are here, verified */
	FETCHFS_ABSENT,    /* the origin has no such thing */
	FETCHFS_FAILED,    /* the download ended with an error */
};

/* "known", "in-flight", "complete" …: a stable word. Never NULL. */
FETCHFS_API const char *fetchfs_state_name(enum fetchfs_state state);

#define FETCHFS_KEY_HEX_SIZE 33
#define FETCHFS_SHA256_SIZE  65

struct fetchfs_info {
	char key[FETCHFS_KEY_HEX_SIZE]; /* identifies (scope, URI); stable */
	char *uri;                      /* shown form: no credentials, the query as "?…" */
	enum fetchfs_state state;
	bool is_public; /* everybody on this machine may see it */
	bool executable;
	bool pinned;
	int64_t size;                     /* bytes, -1: unknown */
	uint64_t cached_bytes;            /* bytes here */
	char sha256[FETCHFS_SHA256_SIZE]; /* hexadecimal, "" until complete */
	char *etag;                       /* or NULL */
	char type[64];                    /* media type, "" when not known */
	bool is_folder;   /* the origin says so, by a redirect to the same name with a slash or
			   * otherwise: no bytes can be had under this name. State KNOWN */
	int64_t modified; /* of the remote file; all times are seconds since 1970, -1: unknown */
	int64_t fetched;
	int64_t verified; /* when the origin last confirmed it */
	int64_t expires;
	int64_t last_used;
	char *stands_in;  /* why the origin could not be asked, when an old copy is used; or NULL */
	uint64_t version; /* changes when the bytes behind the name do */
};

FETCHFS_API void fetchfs_info_release(struct fetchfs_info *info);

/*
 * The name of a request without asking anybody: *ret holds FETCHFS_KEY_HEX_SIZE characters.
 * -EINVAL, -EPROTONOSUPPORT, or -EACCES when the policy forbids it.
 */
FETCHFS_API int fetchfs_key(
	struct fetchfs *fetchfs, const struct fetchfs_request *request, char *ret, struct err *err);

/* What this machine knows of it; never asks the network. -ENOENT when that is nothing. */
FETCHFS_API int fetchfs_find(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err);

/*
 * What it is, asking the origin (without the body) when the cache does not know or is not fresh.
 * Blocks. The answer is remembered. -ENOENT also for a remembered "no such thing", -EISDIR when
 * the origin says that it is a folder.
 */
FETCHFS_API int fetchfs_stat(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err);

/* ---- reading ---- */

struct fetchfs_file;

/*
 * Open it for reading: from the cache when it is there and fresh, else by starting its download,
 * or joining the one that runs in this or any other process. Does not wait for the origin: errors
 * of the download come from the waits and reads below. With a digest in the request no byte is
 * readable before all are verified. *ret is the caller's, for fetchfs_file_free(), and shows one
 * version of the artifact from the first byte on, for as long as it lives.
 */
FETCHFS_API int fetchfs_get(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_file **ret, struct err *err);

/* The object @sha256 (hexadecimal), if it is complete and the uid may see it. -ENOENT. */
FETCHFS_API int fetchfs_get_digest(struct fetchfs *fetchfs, const char *sha256, uid_t uid,
	struct fetchfs_file **ret, struct err *err);

/* Another one of the same version, in the same state. *ret is the caller's. */
FETCHFS_API int fetchfs_file_share(
	struct fetchfs_file *file, struct fetchfs_file **ret, struct err *err);

/* A transfer that runs goes on without the file. NULL is ignored. */
FETCHFS_API void fetchfs_file_free(struct fetchfs_file *file);

/* Free a file nobody wants any more: the transfer stops if no other file and no wait is on it. */
FETCHFS_API void fetchfs_file_abandon(struct fetchfs_file *file);

FETCHFS_API int fetchfs_file_info(
	struct fetchfs_file *file, struct fetchfs_info *ret, struct err *err);

/*
 * The same, for good: when the artifact changes at its origin before all of it is here, the file
 * ends with ESTALE, as it does once something of it was read; else it would be another one from
 * then on. The size is -1 where that cannot be promised before it is complete: nobody knows it, or
 * a digest is expected. -EAGAIN: wait until it has started. -EINPROGRESS: wait for the first byte,
 * the origin's description of it has not been put to the test.
 */
FETCHFS_API int fetchfs_file_settle(
	struct fetchfs_file *file, struct fetchfs_info *ret, struct err *err);

enum fetchfs_until {
	FETCHFS_UNTIL_STARTED,  /* the origin has answered: size and version are known */
	FETCHFS_UNTIL_RANGE,    /* the bytes [offset, offset + length), cut at the end, are here */
	FETCHFS_UNTIL_COMPLETE, /* published and verified */
};

/*
 * A wait that blocks nobody. The caller fills the first part and keeps the struct alive until
 * @wake has been called or fetchfs_wait_cancel() returned true. @wake runs once, on some thread,
 * under no lock, with 0 or with the error; it must not block for long.
 */
struct fetchfs_wait {
	enum fetchfs_until until;
	uint64_t offset;
	uint64_t length;
	void (*wake)(
		struct fetchfs_wait *wait, const struct err *err); /* err->code is 0: it is here */
	/* below: the library's */
	struct fetchfs_file *file;
	struct fetchfs_wait *next;
	struct fetchfs_wait *prev;
	bool queued;
};

/* 1: already true, @wake is not called. 0: @wake will be called. -errno: it will never be true. */
FETCHFS_API int fetchfs_file_wait(
	struct fetchfs_file *file, struct fetchfs_wait *wait, struct err *err);

/* true: @wake has not been and will not be called. false: it was, or is being, called. */
FETCHFS_API bool fetchfs_wait_cancel(struct fetchfs_wait *wait);

/* The same wait, blocking, up to @timeout_ms (-1: for ever; -ETIMEDOUT). 0 or -errno. */
FETCHFS_API int fetchfs_file_wait_until(struct fetchfs_file *file, enum fetchfs_until until,
	uint64_t offset, uint64_t length, int timeout_ms, struct err *err);

/*
 * Read up to @len bytes at @offset, waiting for them. Fewer only at the end of the file.
 * Returns the number of bytes or -errno.
 */
FETCHFS_API ssize_t fetchfs_file_read(
	struct fetchfs_file *file, void *buf, size_t len, uint64_t offset, struct err *err);

/* The same without waiting: -EAGAIN when not all of the bytes are here yet. */
FETCHFS_API ssize_t fetchfs_file_read_now(
	struct fetchfs_file *file, void *buf, size_t len, uint64_t offset, struct err *err);

/*
 * The descriptor of the complete object, still the file's; -1 before, and after a prefetch. Its
 * inode is shared by all who use the content: to be read, linked or copied, never changed.
 */
FETCHFS_API int fetchfs_file_fd(struct fetchfs_file *file);

/*
 * The same, opened by the name that it has in the cache: *ret is a descriptor of the caller's,
 * which can also be mounted. (What has just been made may have been opened before it had one.)
 */
FETCHFS_API int fetchfs_file_open_named(struct fetchfs_file *file, int *ret, struct err *err);

/* ---- what is in an archive ---- */

/*
 * An archive's files and folders, read-only and shared by all who use the content: files are 0444
 * or 0555, folders 0555, all the cache owner's, with the archive's times. No link leads outside.
 */
struct fetchfs_tree;

/*
 * The tree of the archive @file, which is waited for until it is complete; unpacked once per
 * content, whoever asks in whatever process. Blocks. -ENOTSUP when it is no archive, -EBADMSG when
 * it is a broken or hostile one (the text names the entry), -E2BIG when it is over a limit (the
 * text names the configuration's key), -ENOSPC, -ECANCELED by fetchfs_cancel_all(). *ret is the
 * caller's, for fetchfs_tree_free(); while it lives neither the archive nor the tree is evicted.
 */
FETCHFS_API int fetchfs_tree_open(
	struct fetchfs_file *file, struct fetchfs_tree **ret, struct err *err);

/* The same, if that takes no longer than to look; else -EAGAIN. */
FETCHFS_API int fetchfs_tree_open_now(
	struct fetchfs_file *file, struct fetchfs_tree **ret, struct err *err);

/* Its folder, O_RDONLY | O_DIRECTORY, still the tree's. */
FETCHFS_API int fetchfs_tree_fd(const struct fetchfs_tree *tree);

/* Whether it was something compressed by itself (tool.gz): then it is one file of this name. */
#define FETCHFS_TREE_SINGLE "data"
FETCHFS_API bool fetchfs_tree_is_single(const struct fetchfs_tree *tree);

/* What that is called elsewhere: @name without the suffix of its compression. The caller's to
 * free(), NULL: no memory. */
FETCHFS_API char *fetchfs_tree_single_name(const char *name);

/*
 * Around giving second names to files of the tree of @sha256, whose folder is open as @fd, or
 * taking them away: the second one only if the first one said that all was right. From then on the
 * tree is looked at, and read if times of change have moved, before it is handed out; what was
 * changed is thrown away, and unpacked again.
 */
FETCHFS_API int fetchfs_tree_lend(
	struct fetchfs *fetchfs, const char *sha256, int fd, bool *ret_is_right, struct err *err);
FETCHFS_API int fetchfs_tree_lent(
	struct fetchfs *fetchfs, const char *sha256, int fd, struct err *err);

/*
 * The folder of what was unpacked of the content @sha256, if it is there, as far as its names can
 * be relied upon, not its bytes: to know what had been placed. *ret is a descriptor of the
 * caller's. -ENOENT.
 */
FETCHFS_API int fetchfs_tree_open_names(
	struct fetchfs *fetchfs, const char *sha256, int *ret, struct err *err);

/* NULL is ignored. */
FETCHFS_API void fetchfs_tree_free(struct fetchfs_tree *tree);

/*
 * The process that unpacks is fetchfs_options.program, called by this name: all that its main() has
 * to do then. It knows from descriptors it was given what to do, and confines itself. Returns the
 * exit status.
 */
#define FETCHFS_UNPACK_NAME "fetchfs-unpack"
FETCHFS_API int fetchfs_unpack_run(void);

/* ---- what others say the bytes hash to ---- */

#define FETCHFS_DIGEST_SIZE 136 /* of the longest "KIND:HEX", with the NUL */

/* A file as sha256sum(1) writes it, for example SHA256SUMS. */
struct fetchfs_digests;

/*
 * Fetch that file, as by fetchfs_get(), and read it. Blocks. -EINVAL with the line when it is no
 * listing, -EFBIG beyond 16 MiB. *ret is the caller's; may be used by several threads.
 */
FETCHFS_API int fetchfs_digests_load(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_digests **ret, struct err *err);
FETCHFS_API void fetchfs_digests_free(struct fetchfs_digests *digests);

/*
 * What @uri is to hash to, for a request: "KIND:HEX" into @ret, of FETCHFS_DIGEST_SIZE characters.
 * Its line has its path as seen from the listing's folder, or else its last segment. -ENOENT when
 * there is none, -EINVAL when two contradict each other, or one the URI's fragment.
 */
FETCHFS_API int fetchfs_digests_find(
	const struct fetchfs_digests *digests, const char *uri, char *ret, struct err *err);

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
 * Folders that the configuration lets list their origins (`list = yes`). _is_due(): it is one, and
 * no listing of it is fresh. _ask(): ask the origin for it; blocks, and is remembered as long as it
 * is fresh, for _children() and _is_folder(). When it fails they know what they did before.
 */
FETCHFS_API bool fetchfs_folder_is_due(struct fetchfs *fetchfs, const char *folder, uid_t uid);
FETCHFS_API int fetchfs_folder_ask(
	struct fetchfs *fetchfs, const char *folder, uid_t uid, struct err *err);

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
	uint64_t hits;          /* of this process: opens answered from the cache */
	uint64_t misses;        /* opens that needed the origin */
	uint64_t fetched_bytes; /* bytes that origins sent to this process */
};
FETCHFS_API int fetchfs_usage(struct fetchfs *fetchfs, struct fetchfs_usage *ret, struct err *err);

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

/* Let the least recently used go until the cache occupies at most @bytes. */
FETCHFS_API int fetchfs_evict_to(
	struct fetchfs *fetchfs, uint64_t bytes, uint64_t *ret_freed, struct err *err);

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

/* ---- leases: what was handed out to sandboxes ---- */

struct fetchfs_lease {
	int64_t id;
	char *directory; /* for people */
	uint64_t device; /* identity of the directory: st_dev, st_ino */
	uint64_t inode;
	char *name;           /* of the file, relative to the directory */
	char *method;         /* "hardlink", "copy" … */
	uint64_t file_inode;  /* st_ino of what was placed */
	uint64_t mount;       /* the unique id of the mount that was made, 0: none … */
	uint64_t mount_space; /* … in the mount namespace of this st_ino */
	int64_t uid;          /* for whom, -1: not known */
	char *uri;            /* as it may be shown; NULL: not known */
	char sha256[FETCHFS_SHA256_SIZE];
	int64_t since;     /* seconds since 1970 */
	bool of_this_boot; /* filled in by the cache: mounts of an earlier one are gone */
};

FETCHFS_API int fetchfs_lease_add(
	struct fetchfs *fetchfs, const struct fetchfs_lease *lease, struct err *err);
FETCHFS_API int fetchfs_lease_drop(struct fetchfs *fetchfs, int64_t id, struct err *err);

/* Leases of one directory; of all when @device and @inode are 0. */
typedef int fetchfs_visit_lease(const struct fetchfs_lease *lease, void *arg);
FETCHFS_API int fetchfs_leases(struct fetchfs *fetchfs, uint64_t device, uint64_t inode,
	fetchfs_visit_lease *visit, void *arg, struct err *err);

/* Of directories with this inode (0: none), on whatever device, which other boots may have numbered
 * otherwise; and of those with the path @path, which may be gone. */
FETCHFS_API int fetchfs_leases_near(struct fetchfs *fetchfs, uint64_t inode, const char *path,
	fetchfs_visit_lease *visit, void *arg, struct err *err);

/*
 * The bytes that @lease keeps here (by its sha256 and uri alone): neither the origin nor the policy
 * is asked, and it does not matter what has become of the URI since. -ENOENT. *ret is the caller's.
 */
FETCHFS_API int fetchfs_get_leased(struct fetchfs *fetchfs, const struct fetchfs_lease *lease,
	bool executable, struct fetchfs_file **ret, struct err *err);

/*
 * A directory is changed by one at a time, of all who use the cache: wait until nobody else holds
 * it, up to @timeout_ms (-EBUSY; -ECANCELED by fetchfs_cancel_all()). *ret is a descriptor; closing
 * it, or dying, lets go. One at a time.
 */
FETCHFS_API int fetchfs_hold_directory(struct fetchfs *fetchfs, uint64_t device, uint64_t inode,
	int64_t timeout_ms, int *ret, struct err *err);

/*
 * Around giving a second name to the descriptor of a complete file, or taking it away again.
 * Whoever has that name may find a way to change the bytes; so from then on the cache looks, before
 * it hands the file out, whether its time of change is that after the last look, and reads it if it
 * is not. What was changed is let go, and fetched again. Naming moves that time, too: hence _end(),
 * which must follow, and may fail: the file is then read once more than needed.
 */
struct fetchfs_loan {
	int fd; /* -1: of nothing */
	char sha256[FETCHFS_SHA256_SIZE];
	bool executable;
	bool is_right; /* it was when this began */
	int64_t modified_ns;
};
FETCHFS_API int fetchfs_loan_of_file(
	struct fetchfs_file *file, struct fetchfs_loan *ret, struct err *err);
/* -ENOENT: the cache does not have that file (any more). */
FETCHFS_API int fetchfs_loan_of_lease(struct fetchfs *fetchfs, const struct fetchfs_lease *lease,
	struct fetchfs_loan *ret, struct err *err);
FETCHFS_API int fetchfs_loan_end(
	struct fetchfs *fetchfs, struct fetchfs_loan *loan, struct err *err);

/* ---- names in a mount ---- */

/* "https/host/path", relative to the mount, if the natural tree can hold it; else "uri/…". The
 * caller's to free(). */
FETCHFS_API int fetchfs_mount_path(const char *uri, char **ret, struct err *err);

#endif
