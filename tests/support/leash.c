#include "tests/support/leash.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_MS 30000
#define LOG_MAX  ((size_t)1024 * 1024)

static void die(const char *what)
{
	perror(what);
	abort();
}

void leash_start(struct leash *leash, const char *command, const char *arg)
{
	CLEANUP(str_freep)
	char *script = str_printf("PATH=$PATH:/usr/sbin\n"
				  "%s </dev/null >\"$0.out\" 2>&1 &\n"
				  "read -r _\n"
				  "exec 2>/dev/null\n"
				  "kill -9 $! && wait $!\n",
		command);
	const char *const argv[] = {"/bin/sh", "-c", script, arg, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		die("make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO);
	if (posix_spawn(&leash->pid, argv[0], &actions, NULL, (char **)(uintptr_t)argv, environ))
		die(command);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[0]);
	leash->end = ends[1];
}

void leash_stop(struct leash *leash)
{
	if (leash->pid <= 0)
		return;
	close(leash->end);
	waitpid(leash->pid, NULL, 0);
	leash->pid = 0;
}

bool leash_wait(const char *path, const char *words, const char *failure)
{
	int64_t deadline = clock_monotonic_ms() + START_MS;

	while (clock_monotonic_ms() < deadline) {
		CLEANUP(str_freep) char *text = NULL;

		if (fd_read_file(AT_FDCWD, path, LOG_MAX, &text, NULL) == 0) {
			if (strstr(text, words))
				return true;
			if (strstr(text, failure))
				return false;
		}
		poll(NULL, 0, 10);
	}
	return false;
}

unsigned int leash_port(void)
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
