/*
 * Folders of FTP servers: MLSD, else LIST.
 */
#ifndef FETCHFS_BACKENDS_FTP_FOLDER_H
#define FETCHFS_BACKENDS_FTP_FOLDER_H

#include "backends/backend.h"

/* As backend.list. At most 32 MiB, and for at most a minute. */
int ftp_folder_list(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, backend_visit *visit, void *arg, struct err *err);

#endif
