/*
 * What a folder shows, as it was when it was opened.
 */
#ifndef FETCHFS_FS_FOLDER_H
#define FETCHFS_FS_FOLDER_H

#include "fs/ops.h"

/* An empty listing of the folder @path, for @uid; NULL when out of memory. */
struct folder *folder_new(struct fs *fs, const char *path, uid_t uid);
void folder_free(struct folder *folder);

/* One more name, copied. @st_ino 0: to be made when it goes out. @type, as S_IFMT has it, 0: who
 * reads it has to ask. -ENOMEM. */
int folder_add(struct folder *folder, const char *name, uint64_t st_ino, mode_t type);

#endif
