/*
 * A part of fetchfs.h, which includes it: archives, and what is handed out to sandboxes.
 */
#ifndef FETCHFS_FETCH_FETCHFS_SANDBOX_H
#define FETCHFS_FETCH_FETCHFS_SANDBOX_H

#include "fetch/fetchfs.h"

/* ---- what is in an archive ---- */

/*
 * An archive's files and folders, read-only and shared by all who use the content: files are 0444
 * or 0555, folders 0555, all the cache owner's, with the archive's times. No link leads outside.
 */
struct fetchfs_tree;

/*
 * The tree of the archive @file, which is waited for until it is complete; unpacked once per
 * content, whoever asks in whatever process. Blocks up to @timeout_ms (-1: for ever; -ETIMEDOUT).
 * -ENOTSUP when it is no archive, -EBADMSG when
 * it is a broken or hostile one (the text names the entry), -E2BIG when it is over a limit (the
 * text names the configuration's key), -ENOSPC, -ECANCELED by fetchfs_cancel_all(). *ret is the
 * caller's, for fetchfs_tree_free(); while it lives neither the archive nor the tree is evicted.
 */
FETCHFS_API int fetchfs_tree_open(
	struct fetchfs_file *file, int timeout_ms, struct fetchfs_tree **ret, struct err *err);

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

/* ---- leases: what was handed out to sandboxes ---- */

#define FETCHFS_TOKEN_SIZE 33

struct fetchfs_lease {
	int64_t id;
	char *directory; /* for people */
	uint64_t device; /* identity of the directory: st_dev, st_ino … */
	uint64_t inode;
	int64_t born;        /* … and when it was made, ns since 1970, 0: not known */
	char *name;          /* of the file, relative to the directory */
	char *method;        /* "hardlink", "copy" … */
	uint64_t file_inode; /* st_ino of what was placed, and when that was made */
	int64_t file_born;
	uint64_t mount;       /* the unique id of the mount that was made, 0: none … */
	uint64_t mount_space; /* … in this mount namespace (its id; of kernels before 6.11 its
				 st_ino) */
	int64_t uid;          /* for whom, -1: not known */
	char *uri;            /* as it may be shown; NULL: not known */
	char sha256[FETCHFS_SHA256_SIZE];
	/* Of what is lazy its fetchfs_info.key, else "". While sha256 is all zeros (in
	 * fetchfs_lease_add() also ""), it has yet to come: when it is complete, its first version
	 * becomes what is leased. It must be public, and its URI hold no secret. */
	char key[FETCHFS_KEY_HEX_SIZE];
	char expected[FETCHFS_SHA256_SIZE]; /* … if it is this one; "" if any will do */
	char token[FETCHFS_TOKEN_SIZE]; /* "", or another name of the lease: 32 digits, by chance */
	int64_t since;                  /* seconds since 1970 */
	bool of_this_boot; /* filled in by the cache: mounts of an earlier one are gone */
};

/* All @count of them, at once, or none: each gets its id. */
FETCHFS_API int fetchfs_lease_add(
	struct fetchfs *fetchfs, struct fetchfs_lease *leases, size_t count, struct err *err);
/* All @count of them, at once. -ENOENT: one was not there; the others are gone. */
FETCHFS_API int fetchfs_lease_drop(
	struct fetchfs *fetchfs, const int64_t *ids, size_t count, struct err *err);

/* The one with this token: its uid, sha256, key and token; no strings. -ENOENT. */
FETCHFS_API int fetchfs_lease_find(
	struct fetchfs *fetchfs, const char *token, struct fetchfs_lease *ret, struct err *err);

/* Leases of one directory; of all when @device and @inode are 0. */
typedef int fetchfs_visit_lease(const struct fetchfs_lease *lease, void *arg);
FETCHFS_API int fetchfs_leases(struct fetchfs *fetchfs, uint64_t device, uint64_t inode,
	fetchfs_visit_lease *visit, void *arg, struct err *err);

/* Of directories with this inode (0: none), on whatever device, which other boots may have numbered
 * otherwise; and of those with the path @path, which may be gone. */
FETCHFS_API int fetchfs_leases_near(struct fetchfs *fetchfs, uint64_t inode, const char *path,
	fetchfs_visit_lease *visit, void *arg, struct err *err);

/*
 * The bytes that @lease keeps here (by its sha256, uri and key alone): neither the origin nor the
 * policy is asked, and it does not matter what has become of the URI since. @executable, @plain:
 * the file of 0555, that of 0444; neither: 0444 if there is one. -ENOENT. *ret is the caller's.
 */
FETCHFS_API int fetchfs_get_leased(struct fetchfs *fetchfs, const struct fetchfs_lease *lease,
	bool executable, bool plain, struct fetchfs_file **ret, struct err *err);

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

#endif
