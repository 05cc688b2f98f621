/*
 * Which of several namenodes answered last: it is asked first the next time, rather than one that
 * is on standby or dead.
 */
#ifndef FETCHFS_BACKENDS_WEBHDFS_ACTIVE_H
#define FETCHFS_BACKENDS_WEBHDFS_ACTIVE_H

#include <stddef.h>

struct webhdfs_active;

/* NULL: out of memory. */
struct webhdfs_active *webhdfs_active_new(void);
void webhdfs_active_free(struct webhdfs_active *active);

/* Its place among @nodes, which are @count; 0 if nothing is known. */
size_t webhdfs_active_get(struct webhdfs_active *active, char *const *nodes, size_t count);
void webhdfs_active_note(struct webhdfs_active *active, const char *node);

#endif
