/*
 * The bytes of one file into another, as cheaply as the file systems can.
 */
#ifndef FETCHFS_SANDBOX_CLONE_H
#define FETCHFS_SANDBOX_CLONE_H

/* @to, empty, shares its blocks with @from from now on. -errno where that cannot be, mostly. */
int clone_reflink(int from, int to);

/* All bytes of @from into the empty @to. 0 or -errno. */
int clone_copy(int from, int to);

#endif
