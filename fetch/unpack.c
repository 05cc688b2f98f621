/* The process that unpacks: locked up, with an archive, a folder and its parent's socket. */
#include "fetch/unpack.h"

#include "base/cleanup.h"
#include "fetch/confine.h"
#include "fetch/fetchfs.h"
#include "fetch/libarchive.h"
#include "fetch/treemaker.h"
#include "fetch/unarchive.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int receive(void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(UNPACK_SOCKET_FD, buf, size, MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)size ? 0 : -EPIPE;
}

static int tell(const struct unpack_message *message)
{
	ssize_t n;

	do
		n = send(UNPACK_SOCKET_FD, message, sizeof(*message), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)sizeof(*message) ? 0 : -EPIPE;
}

static int ask(void *arg, uint64_t bytes, uint64_t least, uint64_t *ret, struct err *err)
{
	struct unpack_message message = {.what = UNPACK_ASK, .bytes = bytes, .least = least};
	struct unpack_grant grant;
	int r = tell(&message);

	(void)arg;
	if (r == 0)
		r = receive(&grant, sizeof(grant));
	if (r == 0 && grant.bytes < least)
		r = -EPIPE;
	if (r < 0)
		return err_set(err, ERR_CANCELLED, -r, "nobody waits for it any more");
	*ret = grant.bytes;
	return 0;
}

static int unpack(const struct unpack_request *request, bool *ret_single, struct err *err)
{
	CLEANUP(treemaker_release)
	struct treemaker maker = {
		.top = UNPACK_FOLDER_FD, .limits = &request->limits, .ask = ask, .parent = -1};
	locale_t charset = unarchive_charset();
	struct stat st;
	int r = libarchive_load(err);

	maker.file = -1;
	if (r == 0)
		r = confine(UNPACK_FOLDER_FD, request->limits.size, request->limits.confined, err);
	if (r == 0)
		r = treemaker_init(&maker, err);
	if (r == 0 && fstat(UNPACK_ARCHIVE_FD, &st) < 0)
		r = err_set(err, ERR_SYSTEM, errno, "look at the archive: %m");
	if (r < 0)
		return r;
	maker.archive_size = (uint64_t)st.st_size;
	r = unarchive(UNPACK_ARCHIVE_FD, request->hint, charset, &maker, ret_single, err);
	return r < 0 ? r : treemaker_finish(&maker, err);
}

int fetchfs_unpack_run(void)
{
	struct unpack_message message = {.what = UNPACK_DONE};
	struct unpack_request request;
	struct err err = ERR_INIT;
	bool single = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)close_range(UNPACK_SOCKET_FD + 1, UINT_MAX, 0);
	umask(0);
	if (receive(&request, sizeof(request)) < 0)
		return EXIT_FAILURE;
	request.hint[sizeof(request.hint) - 1] = '\0';
	if (unpack(&request, &single, &err) < 0) {
		message.what = UNPACK_FAILED;
		message.code = (uint32_t)err.code;
		message.kind = err.kind;
		memcpy(message.text, err.msg, sizeof(message.text));
	}
	message.single = single;
	return tell(&message) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
