/*
 * What requests to FTP servers, for files and for folders, have in common.
 */
#ifndef FETCHFS_BACKENDS_FTP_ASK_H
#define FETCHFS_BACKENDS_FTP_ASK_H

#include "backends/backend.h"
#include "backends/transfer.h"

/*
 * Whether it can be asked for, before anybody is: nothing in it is another command, or leads where
 * nobody allowed. @folder: what it has to be, by its slash; else -EISDIR or -ENOTDIR.
 */
int ftp_ask_check(const struct backend_request *request, bool folder, struct err *err);

/* With what @request says of the way there; callbacks are not filled in. */
struct transfer_request ftp_ask_transfer(
	const struct backend_env *env, const struct backend_request *request);

/* For on_answer: there is nothing in it. */
int ftp_ask_ignore(struct transfer *transfer, void *arg, struct err *err);

#endif
