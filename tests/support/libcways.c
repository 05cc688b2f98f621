/*
 * Every way of the C library and of the kernel into a file, compared with another file.
 *
 *	libcways list                      the names of the ways, one a line
 *	libcways WAY FILE REFERENCE        goes that way; prints the state that FILE had
 *	libcways run FILE                  executes it, by name and descriptor: it must end with 7
 *	libcways names SIZE FOLDER         prints what getdents64() gives, SIZE bytes at a time
 *	libcways seek FOLDER               seekdir(), telldir(), rewinddir()
 *	libcways writes FILE NEW FOLDER    all that writes fails; NEW is the name of nothing
 *
 * Exit status 0, or 1 with one line that says what is wrong.
 */
#include "tests/support/libcways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *current = "libcways"; /* the way that is gone */
static bool is_told;                     /* the state of the file */

void ways_die(const char *call)
{
	fprintf(stderr, "libcways: %s: %s: %s\n", current, call, strerror(errno));
	_exit(1);
}

void ways_wrong(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "libcways: %s: ", current);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	_exit(1);
}

/* The first time it tells what the file was, so that a test knows what it has tested. */
int ways_open(const char *path, int flags)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
	char state[32] = "";

	if (fd < 0)
		ways_die("open");
	if (!is_told && fgetxattr(fd, "user.fetchfs.state", state, sizeof(state) - 1) > 0)
		puts(state);
	is_told = true;
	return fd;
}

void ways_compare(const char *bytes, size_t size, const struct reference *right)
{
	size_t i = 0;

	if (size != right->size)
		ways_wrong("%zu bytes instead of %zu", size, right->size);
	if (memcmp(bytes, right->bytes, size) == 0)
		return;
	while (bytes[i] == right->bytes[i])
		i++;
	ways_wrong("another byte at %zu", i);
}

void ways_compare_fd(int fd, const struct reference *right)
{
	size_t room = right->size + 1;
	char *buf = malloc(room);
	size_t done = 0;
	ssize_t n;

	if (!buf)
		ways_die("memory");
	while ((n = pread(fd, buf + done, room - done, (off_t)done)) > 0)
		done += (size_t)n;
	if (n < 0)
		ways_die("pread");
	ways_compare(buf, done, right);
	free(buf);
}

/* ---- execution ---- */

static void expect_seven(pid_t child, const char *what)
{
	int status = 0;

	if (child < 0 || waitpid(child, &status, 0) != child)
		ways_die(what);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
		ways_wrong("%s: status 0x%x", what, (unsigned int)status);
}

/* A script says so itself, a shell is told to. */
static void run(const char *path)
{
	char *argv[] = {strdup("sh"), strdup("-c"), strdup("exit 7"), NULL};
	char *envp[] = {NULL};
	pid_t child = fork();
	int fd;

	if (child == 0) {
		execve(path, argv, envp);
		ways_die("execve");
	}
	expect_seven(child, "execve");
	/* A script is opened again, by way of /dev/fd: not with O_CLOEXEC. */
	fd = open(path, O_RDONLY); // NOLINT(android-cloexec-open)
	child = fork();
	if (child == 0) {
		execveat(fd, "", argv, envp, AT_EMPTY_PATH);
		ways_die("execveat");
	}
	expect_seven(child, "execveat");
	close(fd);
	for (int i = 0; argv[i]; i++)
		free(argv[i]);
}

/* ---- the command ---- */

static struct reference load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reference right;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		ways_die(path);
	right.size = (size_t)st.st_size;
	right.modified = st.st_mtim.tv_sec;
	right.bytes = mmap(NULL, right.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (right.bytes == MAP_FAILED)
		ways_die(path);
	close(fd);
	return right;
}

static bool go(const struct way *ways, char **argv)
{
	struct reference right = load(argv[3]);

	for (; ways->name; ways++)
		if (strcmp(argv[1], ways->name) == 0) {
			ways->go(argv[2], &right);
			return true;
		}
	return false;
}

static void list(const struct way *ways)
{
	for (; ways->name; ways++)
		puts(ways->name);
}

int main(int argc, char **argv)
{
	current = argc > 1 ? argv[1] : "";
	if (argc == 2 && strcmp(current, "list") == 0) {
		list(ways_of_bytes);
		list(ways_of_names);
		list(ways_of_uring);
	} else if (argc == 3 && strcmp(current, "run") == 0) {
		run(argv[2]);
	} else if (argc == 4 && strcmp(current, "names") == 0) {
		folder_print(argv[3], strtoul(argv[2], NULL, 10));
	} else if (argc == 3 && strcmp(current, "seek") == 0) {
		folder_seek(argv[2]);
	} else if (argc == 5 && strcmp(current, "writes") == 0) {
		writes_fail(argv[2], argv[3], argv[4]);
	} else if (argc != 4 || (!go(ways_of_bytes, argv) && !go(ways_of_names, argv) &&
					!go(ways_of_uring, argv))) {
		fprintf(stderr, "usage: libcways list | WAY FILE REFERENCE | run FILE | "
				"names SIZE FOLDER | seek FOLDER | writes FILE NEW FOLDER\n");
		return 2;
	}
	return 0;
}
