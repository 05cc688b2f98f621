/* The backends of the program; each is the file of its name. */
#ifndef FETCHFS_BACKENDS_BUILTIN_H
#define FETCHFS_BACKENDS_BUILTIN_H

#include "backends/backend.h"

extern const struct backend http_backend;    /* http, https */
extern const struct backend ftp_backend;     /* ftp, ftps */
extern const struct backend file_backend;    /* file */
extern const struct backend s3_backend;      /* s3 */
extern const struct backend webhdfs_backend; /* hdfs, webhdfs, swebhdfs */
extern const struct backend oci_backend;     /* oci */
extern const struct backend hadoop_backend;  /* what the configuration says */

#endif
