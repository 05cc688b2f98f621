/* What SQLite asks of the system, with a full disk in mind: for db.c. */
#ifndef FETCHFS_CACHE_DB_VFS_H
#define FETCHFS_CACHE_DB_VFS_H

/* The name by which sqlite3_open_v2() finds it; NULL, the usual one, where it cannot be had. */
const char *db_vfs(void);

#endif
