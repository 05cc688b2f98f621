/*
 * What an archive unpacked to, as files of its own in a sandbox: the tree that the cache has of it
 * (fetchfs_tree_open()) is merged into a folder.
 *
 * Folders that are there stay, and get what is new; one that is a symbolic link is an error, and so
 * nothing is written through a link. Of files and links the last one that comes wins. All is made
 * with the rights of the folder's user; files are 0644 or 0755, folders 0755, with the times of the
 * archive. What a tree holds is readable to everybody by its mode: it is in the cache's own folder.
 */
#ifndef FETCHFS_SANDBOX_UNFOLD_H
#define FETCHFS_SANDBOX_UNFOLD_H

#include "base/err.h"
#include "sandbox/folder.h"

#include <stdbool.h>
#include <stdint.h>

#define UNFOLD_DEPTH_MAX 256 /* folders in folders; each holds two descriptors */

/* Told of each thing that was made, by its name relative to the folder: once it is there. Not 0:
 * the work ends with that. */
typedef int unfold_made(
	const char *name, uint64_t inode, bool is_folder, void *arg, struct err *err);

struct unfold {
	const struct folder *folder;
	int tree;       /* open as a folder */
	bool hardlink;  /* files are the tree's own where no blocks can be shared */
	bool only;      /* nothing else will do: see struct put */
	bool exclusive; /* a file or link never replaces anything: -EEXIST; and when anything fails
			 * all that was made is taken back */
	unfold_made *made; /* or NULL */
	void *arg;
};

/* -EEXIST, -EISDIR, -ELOOP, -ENOTDIR: something is in the way; the text names it. */
int unfold_tree(const struct unfold *unfold, struct err *err);

#endif
