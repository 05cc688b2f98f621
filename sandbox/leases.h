/*
 * What was handed out to one directory, as the cache remembers it: a row for each file, and one of
 * the method LEASES_FOLDER for each folder that was made for them, which keeps no bytes: its digest
 * is all zeros. A row of the method LEASES_TEMPORARY is written before a file is made under a name
 * that it will not keep: whatever has that name, if it is no folder, is what a killed process left.
 * A row of the method LEASES_PENDING is of what was fetched for a container and is not placed yet:
 * nothing has its name yet, and mount_space is the mount namespace of the container. When that is
 * gone nothing will.
 *
 * What came out of an archive has LEASES_TREE (a folder of all that is in it) or LEASES_ENTRY (one
 * thing of it, named as in it) after its method, and the archive's digest.
 *
 * What is read by way of a mount has LEASES_LAZY after its method. As long as nothing has been
 * fetched its content is not known (its key is); it has a token, its name in the mount.
 *
 * A mount that was lost and made again has two rows for a moment, with the same name and inode.
 */
#ifndef FETCHFS_SANDBOX_LEASES_H
#define FETCHFS_SANDBOX_LEASES_H

#include "base/err.h"
#include "fetch/fetchfs.h"
#include "sandbox/folder.h"

#include <stddef.h>

#define LEASES_FOLDER    "folder"
#define LEASES_TEMPORARY "temporary"
#define LEASES_TREE      ":tree"
#define LEASES_ENTRY     ":entry"
#define LEASES_PENDING   "pending"
#define LEASES_LAZY      ":lazy"

struct leases {
	struct fetchfs_lease *items;
	size_t count;
};

/* All; and those of the directory that is open as @folder. */
int leases_load(struct fetchfs *fetchfs, struct leases *ret, struct err *err);
int leases_load_of(
	struct fetchfs *fetchfs, const struct folder *folder, struct leases *ret, struct err *err);

/* As fetchfs_leases_near(). */
int leases_load_near(struct fetchfs *fetchfs, uint64_t inode, const char *path, struct leases *ret,
	struct err *err);
void leases_release(struct leases *leases);

/* A copy of @lease at the end of @leases. */
int leases_add(struct leases *leases, const struct fetchfs_lease *lease, struct err *err);

/* Forget all from the one number @from on. */
void leases_forget(struct leases *leases, size_t from);

/* In the order of directories, of each the oldest first. */
void leases_sort(struct leases *leases);

/* Behind the last that is of the same directory as @leases->items[@from], in that order. */
size_t leases_group_end(const struct leases *leases, size_t from);

/* Whether the directory at the absolute @path is that of @lease. */
bool leases_is_of_directory(const struct fetchfs_lease *lease, uint64_t device,
	const struct node_id *id, const char *path);

/* What was placed. */
struct node_id leases_file_id(const struct fetchfs_lease *lease);

/* Whether @lease is on a file: not on a folder, not temporary, not pending. */
bool leases_is_of_file(const struct fetchfs_lease *lease);

/* Whether it came out of an archive; is read by way of a mount; and its method, without what says
 * so: the caller's to free().
 */
bool leases_is_extracted(const struct fetchfs_lease *lease);
bool leases_is_lazy(const struct fetchfs_lease *lease);
char *leases_method(const struct fetchfs_lease *lease);

/* Whether it is pending; and whether it is, and will be for ever. */
bool leases_is_pending(const struct fetchfs_lease *lease);
bool leases_is_forlorn(const struct fetchfs_lease *lease);

/* Whether the relative name @name is @above, or in that folder. */
bool leases_is_within(const char *name, const char *above);

/*
 * Whether @lease, one of @leases, all of one directory, is of what ended with an earlier boot: a
 * mount, what had no name of its own yet, or a folder for such things. Not if there is something at
 * its name, or in it, that did not.
 */
bool leases_ended_with_boot(const struct leases *leases, const struct fetchfs_lease *lease);

/* Whether it says what the content is: all zeros say that it was not known. */
bool leases_knows_content(const struct fetchfs_lease *lease);

/* Told of each file that is not ours any more, and each folder of an archive in which there is more
 * than was in that, and which were left alone. */
typedef void leases_notice(const char *name, void *arg);

/*
 * Take down the mounts of @leases, remove from @folder what they say, each only if it still is
 * what was placed, then the folders if they are empty, and drop the leases. Goes on after a
 * failure, whose lease stays; the first one is returned. @notice may be NULL. @folder is NULL when
 * the directory is gone: then there is nothing to remove. -EBUSY: something is mounted, or about to
 * be, in another mount namespace; it keeps the file it is mounted on, and the folders.
 */
int leases_take_back(struct fetchfs *fetchfs, const struct folder *folder,
	const struct leases *leases, leases_notice *notice, void *arg, struct err *err);

#endif
