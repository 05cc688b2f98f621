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
	bool only_existing;             /* -ENOENT instead of making a cache */
	const char *const *environment; /* "NAME=value", NULL-terminated: environ; NULL: empty */
	const struct backend *const *backends; /* NULL: all of the program */
	int64_t stall_ms; /* after so long without an answer, or without bytes, a try has failed; 0:
			   * as configured. At most a day */
	const char *program; /* fetchfs, which unpacks archives; NULL: where it is installed */
};

FETCHFS_API int fetchfs_open(
	const struct fetchfs_options *options, struct fetchfs **ret, struct err *err);

/*
 * Load now the libraries that the first download would. For who runs long: until then they may be
 * replaced by others, which do not go with those that are loaded. -ELIBACC.
 */
FETCHFS_API int fetchfs_load(struct fetchfs *fetchfs, struct err *err);

/* Ends all transfers (what has arrived stays and is resumed) and frees. No file may be open. */
FETCHFS_API void fetchfs_close(struct fetchfs *fetchfs);

/* Ends all transfers now: waits end with ECANCELED. Files can still be freed. */
FETCHFS_API void fetchfs_cancel_all(struct fetchfs *fetchfs);

/* The n-th complaint about the configuration, or NULL. */
FETCHFS_API const char *fetchfs_warning(const struct fetchfs *fetchfs, size_t n);

FETCHFS_API const char *fetchfs_cache_path(const struct fetchfs *fetchfs);

/* Whether URIs of @scheme can be fetched, by Hadoop's client if it is there. */
FETCHFS_API bool fetchfs_has_scheme(const struct fetchfs *fetchfs, const char *scheme);

/* Whether the configuration allows hardlinks in sandboxes ([cache] hardlink). */
FETCHFS_API bool fetchfs_hardlink_allowed(const struct fetchfs *fetchfs);

/* How many connections may be open at a time ([fetch] connections). */
FETCHFS_API unsigned int fetchfs_connections(const struct fetchfs *fetchfs);

/* About which names that nobody declared a mount asks while it walks ([fetch] lookup_head). */
enum fetchfs_lookup_head {
	FETCHFS_HEAD_SUFFIX, /* those that look like files */
	FETCHFS_HEAD_NONE,
	FETCHFS_HEAD_ALL,
};
FETCHFS_API enum fetchfs_lookup_head fetchfs_lookup_head(const struct fetchfs *fetchfs);

/* ---- asking for an artifact ---- */

struct fetchfs_request {
	/* a URI: userinfo is used and not stored, a fragment may hold a digest; or the absolute
	 * path of a file */
	const char *uri;
	uid_t uid;          /* on whose behalf: decides policy, credentials and scope */
	bool through_mount; /* asked by way of the mount: file:// only below the configured roots */
	/* "KIND:HEX" of sha256, sha512, sha1 or md5; NULL: none. Wins over the fragment */
	const char *digest;
	bool refresh;   /* ask the origin, from now on, even when the cache is fresh */
	int timeout_ms; /* of fetchfs_stat(), for its origins: -ETIMEDOUT; 0: as configured */
	/* of fetchfs_stat(), too: called with @wanted_arg several times a second while the origin
	 * is silent. false, from then on: nobody waits for the answer, -ECANCELED. NULL: somebody
	 * does */
	bool (*is_wanted)(void *arg);
	void *wanted_arg;
	bool executable; /* hand out as 0555 */
	bool plain;      /* hand out as 0444, else what was asked for as 0555 once stays that */
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
	bool windowed;                    /* in flight, and larger than the cache: it can be read,
					   * but will never be complete */
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

/*
 * What this machine knows of it; never asks the network. -ENOENT when that is nothing, and then
 * ret->key is that of the request all the same; there is nothing to release.
 */
FETCHFS_API int fetchfs_find(struct fetchfs *fetchfs, const struct fetchfs_request *request,
	struct fetchfs_info *ret, struct err *err);

/*
 * What fetchfs_get() would find before it asks anybody: COMPLETE is what is here and has the
 * expected digest, be it fresh or not, and be it known by another name. Of anything else the size
 * may be known. UNKNOWN is no error, and has its key and is_public, too; a remembered "no such
 * thing" is -ENOENT. To compare a digest other than SHA-256 may take reading the file.
 */
FETCHFS_API int fetchfs_foresee(struct fetchfs *fetchfs, const struct fetchfs_request *request,
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

/* ---- names in a mount ---- */

/* "https/host/path", relative to the mount, if the natural tree can hold it; else "uri/…". The
 * caller's to free(). */
FETCHFS_API int fetchfs_mount_path(const char *uri, char **ret, struct err *err);

/* ---- the rest, for those who look after a cache, and for those who hand out what is in it ---- */

#include "fetch/fetchfs_cache.h"
#include "fetch/fetchfs_config.h"
#include "fetch/fetchfs_export.h"
#include "fetch/fetchfs_sandbox.h"

#endif
