#include "tests/support/squid.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIES    10 /* somebody else may have taken the port */
#define START_MS 30000
#define LOG_MAX  ((size_t)1024 * 1024)

static const char settings[] = "http_port 127.0.0.1:%u\n"
			       "pid_filename none\n"
			       "visible_hostname localhost\n"
			       "cache_mem 16 MB\n"
			       "maximum_object_size_in_memory 1 MB\n"
			       "cache_log %s/cache.log\n"
			       "access_log none\n"
			       "coredump_dir %s\n"
			       "pinger_enable off\n"
			       "netdb_filename none\n"
			       "shutdown_lifetime 0 seconds\n"
			       "max_filedescriptors 256\n"
			       "auth_param basic program /usr/lib/squid/basic_fake_auth\n"
			       "auth_param basic children 1\n"
			       "acl refused port 2\n"
			       "acl locked url_regex locked\n"
			       "acl known proxy_auth REQUIRED\n"
			       "http_access deny refused\n"
			       "http_access allow locked known\n"
			       "http_access deny locked\n"
			       "http_access allow all\n";

/* Squid outlives a signal of the parent's death (it changes its user): a shell waits for the end
 * of its input instead. */
static const char keeper[] = "PATH=$PATH:/usr/sbin\n"
			     "squid -N -f \"$0\" </dev/null >\"$0.out\" 2>&1 &\n"
			     "read -r _\n"
			     "kill -9 $! && wait $!\n";

static void die(const char *what)
{
	perror(what);
	abort();
}

static unsigned int free_port(void)
{
	CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	if (bind(fd, (struct sockaddr *)&address, len) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &len) < 0)
		die("find a free port");
	return ntohs(address.sin_port);
}

static char *write_settings(const struct squid *squid)
{
	CLEANUP(str_freep)
	char *text = str_printf(settings, squid->port, squid->dir, squid->dir);
	char *path = str_printf("%s/squid.conf", squid->dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		die(path);
	return path;
}

static void spawn(struct squid *squid, const char *conf)
{
	const char *const argv[] = {"/bin/sh", "-c", keeper, conf, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	if (posix_spawn(&squid->pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ))
		die("start squid");
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	squid->leash = ends[1];
}

static bool log_has(const struct squid *squid, const char *words)
{
	CLEANUP(str_freep) char *path = str_printf("%s/cache.log", squid->dir);
	CLEANUP(str_freep) char *text = NULL;

	return fd_read_file(AT_FDCWD, path, LOG_MAX, &text, NULL) == 0 && strstr(text, words);
}

static bool wait_until_ready(const struct squid *squid)
{
	int64_t deadline = clock_monotonic_ms() + START_MS;

	while (!log_has(squid, "Accepting HTTP Socket connections")) {
		if (log_has(squid, "FATAL") || clock_monotonic_ms() > deadline)
			return false;
		poll(NULL, 0, 10);
	}
	return true;
}

void squid_start(struct squid *squid)
{
	for (int i = 0; i < TRIES; i++) {
		CLEANUP(str_freep) char *conf = NULL;

		*squid = (struct squid){.dir = tmpdir_make(), .port = free_port(), .leash = -1};
		squid->uri = str_printf("http://127.0.0.1:%u", squid->port);
		chmod(squid->dir, 0777); /* started by root it writes as another user */
		conf = write_settings(squid);
		spawn(squid, conf);
		if (wait_until_ready(squid))
			return;
		squid_stop(squid);
	}
	die("wait for squid");
}

void squid_stop(struct squid *squid)
{
	if (squid->pid > 0) {
		close(squid->leash);
		waitpid(squid->pid, NULL, 0);
	}
	tmpdir_remove(squid->dir);
	free(squid->uri);
	*squid = (struct squid){.leash = -1};
}
