/* What is known of archives that cannot be unpacked, so that nobody tries again in vain. */
#ifndef FETCHFS_FETCH_TREES_H
#define FETCHFS_FETCH_TREES_H

struct trees;

/* NULL: no memory. */
struct trees *trees_new(void);
void trees_free(struct trees *trees);

#endif
