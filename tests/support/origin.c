#include "tests/support/origin.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS_MAX 16
#define LOG_MAX     ((size_t)64 * 1024 * 1024)
#define START_MS    10000

static void die(const char *what)
{
	perror(what);
	abort();
}

static char *file_of(const struct origin *origin, const char *name)
{
	char *path = str_printf("%s/%s", origin->dir, name);

	if (!path)
		die("name a file");
	return path;
}

/* The port, once the server has written it. */
static char *read_port(const struct origin *origin)
{
	CLEANUP(str_freep) char *path = str_printf("%s.port", origin->dir);
	int64_t deadline = clock_monotonic_ms() + START_MS;
	char *port = NULL;

	while (fd_read_file(AT_FDCWD, path, 16, &port, NULL) < 0) {
		if (clock_monotonic_ms() > deadline || waitpid(origin->pid, NULL, WNOHANG) != 0)
			die("wait for originserver");
		poll(NULL, 0, 5);
	}
	unlink(path);
	port[strcspn(port, "\n")] = '\0';
	return port;
}

void origin_start(struct origin *origin, const char *const *options)
{
	CLEANUP(str_freep) char *port_file = NULL;
	CLEANUP(str_freep) char *port = NULL;
	const char *argv[OPTIONS_MAX + 8] = {ORIGINSERVER, "--root"};
	size_t argc = 2;
	bool tls = false;

	origin->dir = tmpdir_make();
	origin->log = str_printf("%s.log", origin->dir);
	port_file = str_printf("%s.port", origin->dir);
	argv[argc++] = origin->dir;
	argv[argc++] = "--log";
	argv[argc++] = origin->log;
	argv[argc++] = "--port-file";
	argv[argc++] = port_file;
	argv[argc++] = "--with-parent"; /* a failed assertion cleans nothing up */
	for (size_t i = 0; options && options[i] && i < OPTIONS_MAX; i++) {
		argv[argc++] = options[i];
		tls = tls || str_equal(options[i], "--tls-cert");
	}
	if (posix_spawn(&origin->pid, ORIGINSERVER, NULL, NULL, (char **)(uintptr_t)argv, environ))
		die("start originserver");
	port = read_port(origin);
	origin->base = str_printf("%s://127.0.0.1:%s", tls ? "https" : "http", port);
}

static void end_server(struct origin *origin)
{
	if (origin->pid <= 0)
		return;
	kill(origin->pid, SIGTERM);
	waitpid(origin->pid, NULL, 0);
	origin->pid = 0;
}

void origin_stop(struct origin *origin)
{
	end_server(origin);
	unlink(origin->log);
	tmpdir_remove(origin->dir);
	free(origin->log);
	free(origin->base);
}

unsigned char origin_byte(size_t at)
{
	return (unsigned char)(at * 31 + at / 251 + 7);
}

void origin_add_bytes(struct origin *origin, const char *name, const void *bytes, size_t len)
{
	CLEANUP(str_freep) char *path = file_of(origin, name);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, bytes, len) < 0)
		die(path);
}

void origin_add(struct origin *origin, const char *name, size_t size)
{
	CLEANUP(str_freep) char *buf = malloc(size + 1);

	for (size_t i = 0; i < size; i++)
		buf[i] = (char)origin_byte(i);
	origin_add_bytes(origin, name, buf, size);
}

void origin_add_sparse(struct origin *origin, const char *name, off_t size)
{
	CLEANUP(str_freep) char *path = file_of(origin, name);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || ftruncate(fd, size) < 0)
		die(path);
}

/* All of it: a line is written after the client has got its answer. */
static char *read_log(struct origin *origin)
{
	char *text = NULL;

	end_server(origin);
	if (fd_read_file(AT_FDCWD, origin->log, LOG_MAX, &text, NULL) < 0)
		die(origin->log);
	return text;
}

size_t origin_requests(struct origin *origin, const char *part)
{
	CLEANUP(str_freep) char *text = read_log(origin);
	char *rest = text;
	size_t count = 0;

	for (char *line; (line = strsep(&rest, "\n"));)
		count += *line && strstr(line, part);
	return count;
}

size_t origin_connections(struct origin *origin)
{
	CLEANUP(str_freep) char *text = read_log(origin);
	char *rest = text;
	size_t highest = 0;

	for (char *line; (line = strsep(&rest, "\n"));) {
		const char *last = strrchr(line, ' ');
		size_t number = last ? strtoul(last + 1, NULL, 10) : 0;

		highest = number > highest ? number : highest;
	}
	return highest;
}

uint64_t origin_sent(struct origin *origin, const char *path)
{
	CLEANUP(str_freep) char *text = read_log(origin);
	char *rest = text;
	uint64_t sum = 0;

	for (char *line; (line = strsep(&rest, "\n"));) {
		char is[256];
		uint64_t sent;

		if (sscanf(line, "%*s %255s %*s %*u %" SCNu64, is, &sent) == 2 &&
			str_equal(is, path))
			sum += sent;
	}
	return sum;
}
