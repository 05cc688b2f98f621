/*
 * What origins say is in their folders, where the configuration has `list = yes`.
 *
 * In the memory of this process, as long as the answer is fresh; what is asked for again and again
 * stays longest. The index knows nothing of it: a name in a listing is not yet an artifact.
 */
#ifndef FETCHFS_FETCH_FOLDERS_H
#define FETCHFS_FETCH_FOLDERS_H

#include "cache/catalog.h"
#include "fetch/fetchfs.h"

struct folder_name {
	char *name;
	bool is_folder;
};

/* One listing; immutable, shared by counting references. */
struct folder_names;

struct folders;

struct folders *folders_new(void); /* NULL: out of memory */
void folders_free(struct folders *folders);

/*
 * What was last heard of @folder, a URI that ends in '/', for @uid; NULL: nothing, or it may not be
 * listed. For folder_names_unref().
 */
struct folder_names *folders_find(struct fetchfs *fetchfs, const char *folder, uid_t uid);
void folders_unrefp(struct folder_names **names);

/* Its names in the order of bytes, each once. */
size_t folders_count(const struct folder_names *names);
const struct folder_name *folders_at(const struct folder_names *names, size_t i);

/* Where @name is, or the count. */
size_t folders_search(const struct folder_names *names, const char *name);

/* Whether a fresh listing of @folder has @name as a folder. */
bool folders_lists_folder(struct fetchfs *fetchfs, const char *folder, const char *name, uid_t uid);

#endif
