#include "fetch/extract.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* So often it is looked whether anybody still waits. */
#define LOOK_MS 50

/* Above those that the child has. */
#define SPARE_FD 16

/* The process that unpacks, and what connects us. */
struct worker {
	struct fetchfs *fetchfs;
	struct tree_draft *draft;
	pid_t pid; /* 0: none */
	int socket;
	int64_t late_ms;  /* when it shall have ended, as configured; 0: no limit */
	int64_t until_ms; /* … and as asked for */
};

/* ---- its beginning ---- */

char **extract_environment(const char *const *environment)
{
	static const char *const names[] = {"LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "LSAN_OPTIONS=",
		"TSAN_OPTIONS=", "UBSAN_OPTIONS=", "FETCHFS_FAULT="};
	char **list = calloc(ARRAY_SIZE(names) + 1, sizeof(*list));
	size_t count = 0;

	for (; list && environment && *environment; environment++) {
		for (size_t i = 0; i < ARRAY_SIZE(names) && count < ARRAY_SIZE(names); i++)
			if (str_has_prefix(*environment, names[i]))
				list[count++] = str_copy(*environment);
	}
	return list;
}

/* The child's descriptors are low ones, and in nobody's way. 0 or -errno. */
static int raise_fd(int fd, int *ret)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, SPARE_FD);
	return *ret < 0 ? -errno : 0;
}

static int add_descriptors(posix_spawn_file_actions_t *actions, const int fds[3])
{
	int r = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDWR, 0);

	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, 0, 1);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, fds[0], UNPACK_ARCHIVE_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, fds[1], UNPACK_FOLDER_FD);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(actions, fds[2], UNPACK_SOCKET_FD);
	return -r;
}

/* A terminal's signals are for us, who end it; and it has none of our handlers and masks. */
static int add_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none;
	sigset_t all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setpgroup(attributes, 0);
	return -posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static int spawn_with(struct worker *worker, const int fds[3])
{
	char name[] = FETCHFS_UNPACK_NAME;
	char *argv[] = {name, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return -ENOMEM;
	if (posix_spawnattr_init(&attributes) != 0) {
		posix_spawn_file_actions_destroy(&actions);
		return -ENOMEM;
	}
	r = add_descriptors(&actions, fds);
	if (r == 0)
		r = add_attributes(&attributes);
	if (r == 0)
		r = -posix_spawn(&worker->pid, worker->fetchfs->program, &actions, &attributes,
			argv, worker->fetchfs->program_environment);
	if (r < 0)
		worker->pid = 0;
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static int start(struct worker *worker, int archive_fd, struct err *err)
{
	CLEANUP(fd_closep) int archive = -1;
	CLEANUP(fd_closep) int folder = -1;
	CLEANUP(fd_closep) int socket = -1;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, ERR_SYSTEM, errno, "make a pair of sockets: %m");
	worker->socket = pair[0];
	r = raise_fd(pair[1], &socket);
	close(pair[1]);
	if (r == 0)
		r = raise_fd(archive_fd, &archive);
	if (r == 0)
		r = raise_fd(tree_draft_fd(worker->draft), &folder);
	if (r == 0)
		r = spawn_with(worker, (const int[]){archive, folder, socket});
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "start %s to unpack it: %m",
			       worker->fetchfs->program)
		     : 0;
}

/* ---- its end ---- */

/* End it, and wait until it writes nothing any more. Returns how it ended, or -1. */
static int stop(struct worker *worker)
{
	int status = -1;
	pid_t pid;

	if (worker->pid == 0)
		return -1;
	kill(worker->pid, SIGKILL);
	do
		pid = waitpid(worker->pid, &status, 0);
	while (pid < 0 && errno == EINTR);
	worker->pid = 0;
	return pid < 0 ? -1 : status;
}

static void worker_release(struct worker *worker)
{
	stop(worker);
	fd_close(&worker->socket);
}

/* It has gone without a last word. */
static int gone(struct worker *worker, struct err *err)
{
	int status = stop(worker);

	if (status >= 0 && WIFSIGNALED(status))
		return err_set(err, ERR_SYSTEM, EIO, "the process that unpacked it died: %s",
			strsignal(WTERMSIG(status)));
	return err_set(err, ERR_SYSTEM, EIO, "the process that unpacked it ended with status %d",
		status >= 0 ? WEXITSTATUS(status) : -1);
}

/* ---- what it says ---- */

int extract_late(struct err *err)
{
	return err_set_retry(err, ERR_SYSTEM, ETIMEDOUT, 0, "not unpacked in time");
}

static int check_patience(const struct worker *worker, struct err *err)
{
	if (atomic_load(&worker->fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
	if (worker->until_ms > 0 && clock_monotonic_ms() >= worker->until_ms)
		return extract_late(err);
	if (worker->late_ms > 0 && clock_monotonic_ms() >= worker->late_ms)
		return err_set(err, ERR_USAGE, ETIMEDOUT,
			"unpacking it takes more than %lld s ([unpack] total)",
			(long long)worker->fetchfs->config.unpack_total_ms / 1000);
	return 0;
}

/* The next message. -EPIPE: there will be none. */
static int receive(const struct worker *worker, struct unpack_message *ret, struct err *err)
{
	struct pollfd socket = {.fd = worker->socket, .events = POLLIN};
	ssize_t n;
	int r;

	for (;;) {
		r = check_patience(worker, err);
		if (r < 0)
			return r;
		r = poll(&socket, 1, LOOK_MS);
		if (r > 0)
			break;
		if (r < 0 && errno != EINTR)
			return err_set(err, ERR_SYSTEM, errno, "wait for who unpacks: %m");
	}
	n = recv(worker->socket, ret, sizeof(*ret), MSG_TRUNC | MSG_DONTWAIT);
	if (n != (ssize_t)sizeof(*ret))
		return -EPIPE;
	ret->text[sizeof(ret->text) - 1] = '\0';
	return 0;
}

static int send_all(const struct worker *worker, const void *buf, size_t size)
{
	return send(worker->socket, buf, size, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -EPIPE;
}

/* As much as it would like, or what it needs. */
static int grant(struct worker *worker, const struct unpack_message *message, struct err *err)
{
	struct unpack_grant grant = {.bytes = message->bytes};
	int r;

	if (message->least > message->bytes || message->bytes > INT64_MAX)
		return err_set(err, ERR_SYSTEM, EIO, "who unpacks asks for nonsense");
	r = tree_reserve(worker->draft, grant.bytes, err);
	if (r == -ENOSPC) {
		grant.bytes = message->least;
		r = tree_reserve(worker->draft, grant.bytes, err);
	}
	return r < 0 ? r : send_all(worker, &grant, sizeof(grant));
}

/* Why it failed, in its words: an error that makes sense of it. */
static int tell_failure(const struct unpack_message *message, struct err *err)
{
	enum err_kind kind = message->kind > ERR_NONE && message->kind <= ERR_PROXY
				     ? (enum err_kind)message->kind
				     : ERR_SYSTEM;
	static const int codes[] = {
		ENOTSUP, EBADMSG, E2BIG, ENOSPC, EDQUOT, ENOMEM, EPERM, EACCES, ENOSYS, EMFILE};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if ((int)message->code == codes[i])
			return err_set(err, kind, codes[i], "%s", message->text);
	return err_set(err, ERR_SYSTEM, EIO, "%s", message->text);
}

static int serve(struct worker *worker, bool *ret_single, struct err *err)
{
	struct unpack_message message;
	int r = 0;

	while (r == 0) {
		r = receive(worker, &message, err);
		if (r < 0)
			break;
		switch (message.what) {
		case UNPACK_ASK:
			r = grant(worker, &message, err);
			break;
		case UNPACK_DONE:
			*ret_single = message.single != 0;
			return 0;
		case UNPACK_FAILED:
			return tell_failure(&message, err);
		default:
			return err_set(err, ERR_SYSTEM, EIO, "who unpacks talks nonsense");
		}
	}
	return r == -EPIPE ? gone(worker, err) : r;
}

int extract(struct fetchfs *fetchfs, int fd, const char *hint, int64_t until_ms,
	struct tree_draft *draft, bool *ret_single, struct err *err)
{
	CLEANUP(worker_release)
	struct worker worker = {
		.fetchfs = fetchfs, .draft = draft, .socket = -1, .until_ms = until_ms};
	struct unpack_request request = {.limits = fetchfs->config.unpack};
	int r;

	/* a longer name is none whose end says something */
	(void)str_fit(request.hint, sizeof(request.hint), hint);
	if (fetchfs->config.unpack_total_ms > 0)
		worker.late_ms = clock_monotonic_ms() + fetchfs->config.unpack_total_ms;
	r = start(&worker, fd, err);
	if (r < 0)
		return r;
	if (send_all(&worker, &request, sizeof(request)) < 0)
		return gone(&worker, err);
	return serve(&worker, ret_single, err);
}
