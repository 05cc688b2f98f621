/*
 * The directory that becomes a sandbox, held open: whoever owns it can rename and swap what is in
 * it at any time, so nothing in it is ever named by a path from outside. All below is relative to
 * the descriptor, follows no symbolic link and does not leave it.
 */
#ifndef FETCHFS_SANDBOX_FOLDER_H
#define FETCHFS_SANDBOX_FOLDER_H

#include "base/err.h"
#include "base/user.h"
#include "sandbox/node.h"

#include <stdbool.h>
#include <stdint.h>

struct folder {
	int fd;
	char *path; /* absolute, for people */
	uint64_t device;
	struct node_id id;
	const struct user *user; /* with whose rights it is changed */
};

/* Open @path, which must be a directory itself, not a link to one. @user outlives the folder. */
int folder_open(const char *path, const struct user *user, struct folder *ret, struct err *err);
void folder_release(struct folder *folder);

/* Files are placed only in a directory of root, the caller or the user: else -EPERM. */
int folder_check_owner(const struct folder *folder, struct err *err);

/* The absolute path of @path, which may not exist (its parent does). The caller's to free(). */
int folder_absolute(const char *path, char **ret, struct err *err);

/* Open the folder that holds the file @name ("a/b/file": a/b). -ENOENT when it is not there. */
int folder_parent(const struct folder *folder, const char *name, int *ret, struct err *err);

/*
 * Called for each folder that folder_make_parent() made, by its relative name. Not 0: the walk
 * ends with that.
 */
typedef int folder_made(const char *name, const struct node_id *id, void *arg, struct err *err);

/* The same, making folders (0755, the user's) that are missing. */
int folder_make_parent(const struct folder *folder, const char *name, folder_made *made, void *arg,
	int *ret, struct err *err);

/* The last segment of @name. */
const char *folder_last(const char *name);

enum folder_removal {
	FOLDER_REMOVED,
	FOLDER_ABSENT,  /* nothing of that name */
	FOLDER_FOREIGN, /* something else took its place */
	FOLDER_NOT_EMPTY,
};

/*
 * Remove @name (a directory when @is_folder) if it still is what @id says (all zeros: whatever it
 * is). Returns an enum folder_removal or -errno.
 */
int folder_remove(const struct folder *folder, const char *name, const struct node_id *id,
	bool is_folder, struct err *err);

/*
 * The same for what something was mounted on. It is the user's: when the mount is gone he can write
 * to the file, which then is his: FOLDER_FOREIGN.
 */
int folder_remove_stub(const struct folder *folder, const char *name, const struct node_id *id,
	bool is_folder, struct err *err);

/*
 * folder_remove() for a folder and what it holds of @tree, a folder that is open (-1: for all that
 * it holds), by name. What else is in it stays, with the folders that lead there: FOLDER_NOT_EMPTY.
 * Nothing is followed.
 */
int folder_remove_tree(const struct folder *folder, const char *name, const struct node_id *id,
	int tree, struct err *err);

#endif
