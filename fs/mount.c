#include "fs/mount.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "fs/ask.h"
#include "fs/end.h"
#include "fs/handshake.h"
#include "fs/ops.h"
#include "fs/park.h"
#include "fs/passthrough.h"
#include "fs/question.h"
#include "fs/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_THREADS   16
#define UNPACK_THREADS 32
#define DEVICE         "/dev/fuse"
#define READAHEAD_KB   1024
/* Seconds that requests and questions get to be answered after all transfers were cancelled. */
#define PARKED_LIMIT 5

/* What every mount is, whatever else is asked for: later options win. */
#define FIXED_OPTIONS "ro,nosuid,nodev,noatime,subtype=fetchfs"

static void forward_log(enum fuse_log_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static void forward_log(enum fuse_log_level level, const char *fmt, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = '\0';
	log_write(level <= FUSE_LOG_ERR       ? LOG_LEVEL_ERROR
		  : level == FUSE_LOG_WARNING ? LOG_LEVEL_WARNING
					      : LOG_LEVEL_DEBUG,
		"%s", line);
}

/* ---- a dead mount ---- */

/* fusermount3 is what unmounts for those who are not root. */
static int run_fusermount(const char *directory, struct err *err)
{
	char *const argv[] = {(char[]){"fusermount3"}, (char[]){"-uzq"}, (char[]){"--"},
		str_copy(directory), NULL};
	pid_t pid;
	int status = -1;
	int r = argv[3] ? posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) : ENOMEM;

	free(argv[3]);
	if (r)
		return err_set(err, ERR_SYSTEM, r, "run fusermount3: %m");
	if (waitpid(pid, &status, 0) < 0 || status != 0)
		return err_set(err, ERR_SYSTEM, EBUSY, "fusermount3 cannot unmount %s", directory);
	return 0;
}

int mount_clear_dead(const char *directory, struct err *err)
{
	struct statvfs st;

	/* not stat(), which the kernel may answer for the dead from its cache */
	if (statvfs(directory, &st) == 0 || errno != ENOTCONN)
		return 0;
	if (geteuid() != 0)
		return run_fusermount(directory, err);
	if (umount2(directory, MNT_DETACH) < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "unmount the dead mount at %s: %m", directory);
	return 0;
}

/* ---- the mount answers ---- */

/* The kernel's own limit is 128 KiB whatever INIT says. Not writable without privileges. */
static void raise_readahead(dev_t device)
{
	char path[64];
	char value[16];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", major(device),
		minor(device));
	snprintf(value, sizeof(value), "%d", READAHEAD_KB);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fd_write_all(fd, value, strlen(value));
	fd_close(&fd);
}

void mount_answers(struct fs *fs)
{
	struct stat st;

	if (stat(fs->options->directory, &st) == 0)
		raise_readahead(st.st_dev);
	passthrough_test(fs->passthrough);
	fs->options->ready(fs->options->arg);
}

/* ---- beginning ---- */

static int open_session(struct fs *fs, struct err *err)
{
	const char *more = fs->options->fuse_options;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	CLEANUP(str_freep)
	char *options = str_printf("fsname=fetchfs%s%s,%s%s", more && *more ? "," : "",
		more ? more : "", FIXED_OPTIONS, geteuid() == 0 ? ",allow_other" : "");
	bool ok = options && fuse_opt_add_arg(&args, "fetchfs") == 0 &&
		  fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, options) == 0;

	fuse_set_log_func(forward_log);
	if (ok)
		fs->session = fuse_session_new(&args, &ops_table, sizeof(ops_table), fs);
	fuse_opt_free_args(&args);
	if (!ok)
		return err_oom(err);
	if (!fs->session)
		return err_set(err, ERR_USAGE, EINVAL, "the mount options \"%s\" are not accepted",
			more ? more : "");
	errno = 0;
	if (fuse_session_mount(fs->session, fs->options->directory) == 0) {
		passthrough_attach(fs->passthrough, fs->session,
			handshake_attach(&fs->handshake, fs->session));
		return 0;
	}
	if (access(DEVICE, R_OK | W_OK) < 0)
		return err_set(err, ERR_SYSTEM, errno, "mount on %s: " DEVICE ": %m",
			fs->options->directory);
	return err_set(err, ERR_SYSTEM, errno, "mount on %s: %m", fs->options->directory);
}

static int start(struct fs *fs, struct err *err)
{
	int r = inode_table_new(&fs->inodes, err);

	if (r == 0)
		r = passthrough_new(
			fetchfs_cache_path(fs->fetchfs), &fs->handshake, &fs->passthrough, err);
	if (r == 0)
		r = queue_new("fs-work", WORK_THREADS, &fs->work, err);
	if (r == 0)
		r = queue_new("fs-ask", question_threads(fs->fetchfs), &fs->asks, err);
	if (r == 0)
		r = queue_new("fs-unpack", UNPACK_THREADS, &fs->unpacks, err);
	if (r == 0)
		r = queue_new("fs-notice", 1, &fs->notices, err);
	if (r == 0)
		r = ask_deadlines_new(&fs->deadlines, err);
	if (r == 0)
		r = watch_new(fs, &fs->watch, err);
	return r;
}

static int serve(struct fs *fs, const sigset_t *signals, struct err *err)
{
	struct fuse_loop_config *config;
	struct end *end = NULL;
	int r;

	config = fuse_loop_cfg_create();
	if (!config)
		return err_oom(err);
	/* the signals themselves are end.h's; here for SIGPIPE */
	r = fuse_set_signal_handlers(fs->session) == 0
		    ? end_new(fs, signals, &end, err)
		    : err_set(err, ERR_SYSTEM, EINVAL, "cannot set the signal handlers");
	if (r < 0) {
		fuse_remove_signal_handlers(fs->session);
		fuse_loop_cfg_destroy(config);
		return r;
	}
	r = fuse_session_loop_mt(fs->session, config);
	end_free(end);
	fuse_remove_signal_handlers(fs->session);
	fuse_loop_cfg_destroy(config);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "serve %s: %m", fs->options->directory) : 0;
}

/* ---- the end ---- */

void mount_ends(struct fs *fs)
{
	if (!atomic_exchange(&fs->has_begun_to_end, true))
		fs->options->ending(fs->options->arg);
}

/* Until all requests and questions have ended, which may use all that is here. After a while the
 * mount is taken down, so that who asked is free. */
static void wait_for_parked(struct fs *fs, bool mounted)
{
	struct timespec until;
	bool in_time = true;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PARKED_LIMIT;
	WITH_LOCK(&fs->mu);
	while (fs->parked + fs->asking > 0 && in_time)
		in_time = pthread_cond_timedwait(&fs->changed, &fs->mu, &until) == 0;
	if (!in_time && mounted)
		mount_detach(fs);
	while (fs->parked + fs->asking > 0)
		pthread_cond_wait(&fs->changed, &fs->mu);
}

bool mount_is_gone(struct fs *fs)
{
	struct pollfd poll_fd = {.fd = fuse_session_fd(fs->session)};

	return poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLERR);
}

void mount_detach(struct fs *fs)
{
	if (!mount_is_gone(fs) && geteuid() == 0)
		(void)umount2(fs->options->directory, MNT_FORCE | MNT_DETACH);
}

/* Returns once no thread is left that uses @fs, however long one hangs. */
static void stop(struct fs *fs, bool mounted)
{
	watch_end(fs->watch);
	fetchfs_cancel_all(fs->fetchfs);
	wait_for_parked(fs, mounted);
	queue_free(fs->asks);
	queue_free(fs->unpacks);
	ask_deadlines_free(fs->deadlines);
	queue_free(fs->work);
	/* nobody answers the kernel any more, and a notice may wait there for just that */
	if (mounted)
		mount_detach(fs);
	queue_free(fs->notices);
	passthrough_detach(fs->passthrough);
	watch_free(fs->watch);
	if (mounted)
		fuse_session_unmount(fs->session);
	if (fs->session)
		fuse_session_destroy(fs->session);
	handle_free_all(fs);
	passthrough_free(fs->passthrough);
	inode_table_free(fs->inodes);
	pthread_cond_destroy(&fs->changed);
	pthread_mutex_destroy(&fs->sizes);
	pthread_mutex_destroy(&fs->mu);
}

int mount_serve(struct fetchfs *fetchfs, const struct mount_options *options, struct err *err)
{
	struct fs fs = {
		.fetchfs = fetchfs,
		.options = options,
		.handshake = {.wants_passthrough = !options->no_passthrough},
		.started = clock_wall(),
		.sizes = PTHREAD_MUTEX_INITIALIZER,
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	sigset_t signals;
	sigset_t before;
	bool mounted;
	int r;

	/* Signals are for the thread of end.h. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, &before);

	r = start(&fs, err);
	if (r == 0)
		r = open_session(&fs, err);
	mounted = r == 0;
	if (r == 0)
		r = serve(&fs, &signals, err);
	mount_ends(&fs);
	stop(&fs, mounted);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}
