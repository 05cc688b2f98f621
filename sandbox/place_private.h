/*
 * What the files of the methods share.
 */
#ifndef FETCHFS_SANDBOX_PLACE_PRIVATE_H
#define FETCHFS_SANDBOX_PLACE_PRIVATE_H

#include "sandbox/place.h"

/*
 * Make placement->own, an empty file of the user's, open for reading and writing, 0600: without a
 * name where that can be had, else under placement->temp.
 */
int place_make_file(struct placement *placement, struct err *err);

/* Choose placement->temp, and say so. Not with the user's rights. */
int place_choose_temp(struct placement *placement, struct err *err);

/* Make placement->own, a folder of the user's, opened by @flags, under placement->temp. */
int place_make_folder(struct placement *placement, mode_t mode, int flags, struct err *err);

/* Learn placement->id of what is open as @fd. -errno. */
int place_note_id(struct placement *placement, int fd);

/* What was made gets the time that it is to have. With the user's rights. */
void place_set_time(const struct placement *placement);

/* Give what place_make_file() made, or what has the name placement->temp, its own name. */
int place_give_name(struct placement *placement);

/* A second name in @parent, or the first, for what is open as @fd. -errno. */
int place_link(int fd, int parent, const char *last);

/* "copy BOX/NAME: …" from -errno; "… is in the way" from -EEXIST. */
int place_failed(const struct placement *placement, int r, struct err *err);

/* The methods; place_begin() and place_commit() call them. */
int place_copy_begin(struct placement *placement, struct err *err);
int place_copy_commit(struct placement *placement, struct err *err);
int place_folder_begin(struct placement *placement, struct err *err);
int place_folder_commit(struct placement *placement, struct err *err);
int place_hardlink_begin(struct placement *placement, struct err *err);
int place_hardlink_commit(struct placement *placement, struct err *err);
int place_symlink_begin(struct placement *placement, struct err *err);
int place_symlink_commit(struct placement *placement, struct err *err);
int place_bind_begin(struct placement *placement, struct err *err);
int place_bind_commit(struct placement *placement, struct err *err);

#endif
