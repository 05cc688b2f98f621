/* What the process that reads a hostile archive can do no more. */
#include "fetch/confine.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "fetch/fetchfs_sandbox.h"
#include "fetch/unpack.h"
#include "tests/support/tinytar.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE 4096
#define WAIT_MS   60000

static char *dir;
static int inside = -1;  /* the folder that is left to it */
static int outside = -1; /* another one, of which it has a descriptor */

static int make_folder(const char *name)
{
	CLEANUP(str_freep) char *path = str_printf("%s/%s", dir, name);
	CLEANUP(fd_closep) int file = -1;
	int fd;

	cr_assert_eq(mkdir(path, 0700), 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	file = openat(fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(file, 0);
	return fd;
}

static void setup(void)
{
	dir = tmpdir_make();
	inside = make_folder("inside");
	outside = make_folder("outside");
}

static void teardown(void)
{
	close(inside);
	close(outside);
	tmpdir_remove(dir);
}

TestSuite(confine, .init = setup, .fini = teardown);

/* What @attempt comes to in a process that has been confined: 0, or an errno. */
static int confined(int (*attempt)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		_exit(confine(inside, FILE_SIZE, true, NULL) < 0 ? 255 : attempt());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status), "status %x", status);
	cr_assert_neq(WEXITSTATUS(status), 255, "it is not confined");
	return WEXITSTATUS(status);
}

static int use_network(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int use_local_network(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) >= 0 ? 0 : errno;
}

static int run_program(void)
{
	execl("/bin/true", "true", NULL);
	return errno;
}

static int fork_itself(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 ? 0 : errno;
}

Test(confine, there_is_no_network_and_no_other_process)
{
	cr_assert_eq(confined(use_network), EPERM);
	cr_assert_eq(confined(use_local_network), EPERM);
	cr_assert_eq(confined(run_program), EPERM);
	cr_assert_eq(confined(fork_itself), EPERM);
}

static int make_inside(void)
{
	return openat(inside, "new", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0 ? 0 : errno;
}

static int write_outside(void)
{
	return openat(outside, "file", O_WRONLY) >= 0 ? 0 : errno;
}

static int make_outside(void)
{
	return openat(outside, "new", O_WRONLY | O_CREAT | O_EXCL, 0600) >= 0 ? 0 : errno;
}

static int list_outside(void)
{
	return openat(outside, ".", O_RDONLY | O_DIRECTORY) >= 0 ? 0 : errno;
}

static int remove_outside(void)
{
	return unlinkat(outside, "file", 0) == 0 ? 0 : errno;
}

static int read_passwords(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0 ? 0 : errno;
}

static bool has_landlock(void)
{
	/* links between folders are allowed since the second one */
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 2;
}

Test(confine, there_are_no_files_but_those_below_its_folder)
{
	cr_assert_eq(confined(make_inside), 0);
	cr_assert_neq(confined(read_passwords), 0);
	if (!has_landlock())
		cr_skip_test("no Landlock: whoever has a descriptor has the folder");
	cr_assert_eq(confined(write_outside), EACCES);
	cr_assert_eq(confined(make_outside), EACCES);
	cr_assert_eq(confined(list_outside), EACCES);
	cr_assert_eq(confined(remove_outside), EACCES);
}

static int write_too_much(void)
{
	int fd = openat(inside, "file", O_WRONLY);

	return pwrite(fd, "x", 1, FILE_SIZE) == 1 ? 0 : errno;
}

static int open_too_many(void)
{
	for (int i = 0; i < 1000; i++)
		if (openat(inside, ".", O_RDONLY | O_DIRECTORY) < 0)
			return errno;
	return 0;
}

Test(confine, no_file_grows_beyond_its_limit_and_descriptors_come_to_an_end)
{
	cr_assert_eq(confined(write_too_much), EFBIG);
	cr_assert_eq(confined(open_too_many), EMFILE);
}

/* ---- the process that unpacks ---- */

/* Its descriptors are as who starts it has to place them. */
static pid_t start_unpacking(int socket, int archive)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	/* out of the way of each other first */
	socket = fcntl(socket, F_DUPFD, UNPACK_SOCKET_FD + 1);
	archive = fcntl(archive, F_DUPFD, UNPACK_SOCKET_FD + 1);
	inside = fcntl(inside, F_DUPFD, UNPACK_SOCKET_FD + 1);
	dup2(archive, UNPACK_ARCHIVE_FD);
	dup2(inside, UNPACK_FOLDER_FD);
	dup2(socket, UNPACK_SOCKET_FD);
	_exit(fetchfs_unpack_run());
}

/* The word after @field in /proc/@pid/status. */
static void expect_status(pid_t pid, const char *field, const char *value)
{
	CLEANUP(str_freep) char *path = str_printf("/proc/%d/status", (int)pid);
	FILE *file = fopen(path, "re");
	char line[256], word[64] = "";
	size_t len = strlen(field);

	while (fgets(line, sizeof(line), file))
		if (strncmp(line, field, len) == 0 && line[len] == ':')
			sscanf(line + len + 1, "%63s", word);
	fclose(file);
	cr_expect_str_eq(word, value, "%s: %s", field, word);
}

static rlim_t limit_of(pid_t pid, int resource)
{
	struct rlimit limit = {0};

	cr_assert_eq(prlimit(pid, (__rlimit_resource_t)resource, NULL, &limit), 0);
	cr_expect_eq(limit.rlim_cur, limit.rlim_max);
	return limit.rlim_max;
}

Test(confine, who_unpacks_is_confined_before_it_reads_the_archive)
{
	CLEANUP(str_freep) char *path = str_printf("%s/archive.tar", dir);
	struct unpack_request request = {.limits = {.entries = 10,
						 .depth = 10,
						 .name = 255,
						 .path = 4096,
						 .ratio = 100,
						 .size = FILE_SIZE,
						 .confined = true}};
	struct unpack_message message = {.what = UNPACK_DONE};
	int ends[2], archive, status;
	pid_t pid;

	tinytar_make(path);
	cr_assert_eq(unlinkat(inside, "file", 0), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	archive = open(path, O_RDONLY | O_CLOEXEC);
	pid = start_unpacking(ends[1], archive);
	close(ends[1]);
	cr_assert_eq(send(ends[0], &request, sizeof(request), MSG_NOSIGNAL), sizeof(request));
	cr_assert_eq(poll(&(struct pollfd){.fd = ends[0], .events = POLLIN}, 1, WAIT_MS), 1);
	cr_assert_eq(recv(ends[0], &message, sizeof(message), 0), sizeof(message));
	/* it waits for an answer */
	cr_assert_eq(message.what, UNPACK_ASK, "%s", message.text);

	expect_status(pid, "Seccomp", "2");
	expect_status(pid, "NoNewPrivs", "1");
	expect_status(pid, "CapEff", "0000000000000000");
	expect_status(pid, "CapPrm", "0000000000000000");
	if (geteuid() == 0)
		expect_status(pid, "CapBnd", "0000000000000000");
	cr_expect_eq(limit_of(pid, RLIMIT_CORE), 0);
	cr_expect_eq(limit_of(pid, RLIMIT_FSIZE), FILE_SIZE);
	cr_expect_leq(limit_of(pid, RLIMIT_NOFILE), 32);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	cr_expect_leq(limit_of(pid, RLIMIT_AS), UINT64_C(1) << 30);
#endif
	close(ends[0]);
	close(archive);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
}
