/* A private folder for one test, removed with all that is in it. */
#ifndef FETCHFS_TESTS_TMPDIR_H
#define FETCHFS_TESTS_TMPDIR_H

/* A fresh folder below $TMPDIR or /tmp; aborts the test when there is none. Free by
 * tmpdir_remove(). */
char *tmpdir_make(void);

/* Remove it, whole, and free @path. */
void tmpdir_remove(char *path);
void tmpdir_removep(char **path); /* for CLEANUP() */

#endif
