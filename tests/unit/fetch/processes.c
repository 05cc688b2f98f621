/* Single flight between processes: forked ones, each with a fake backend of its own, whose counts
 * they leave in shared memory. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/lock.h"
#include "base/str.h"
#include "cache/cachedir.h"
#include "fetch/fetchfs.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB 1048576

/* Where the leader that will be killed stops to bring anything. */
#define STALL_AT (4 * MIB)

static char *dir;
static char *config;               /* NULL: the usual one */
static struct fake_counts *totals; /* one slot per process */

static void setup(void)
{
	dir = tmpdir_make();
	totals = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* For all processes of this test, as they begin. */
static void configure(const char *text)
{
	CLEANUP(fd_closep) int fd = -1;

	config = str_printf("%s.conf", dir);
	fd = open(config, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_eq(fd_write_all(fd, text, strlen(text)), 0);
}

static void teardown(void)
{
	if (config)
		unlink(config);
	str_freep(&config);
	munmap(totals, 4096);
	tmpdir_remove(dir);
}

TestSuite(processes, .init = setup, .fini = teardown);

/* In a child: read the whole file and compare. The exit status is 0 when all was right. */
static void child_read(int slot, const struct fake_file *file, int ready_fd)
{
	struct fetchfs_options options = {
		.cache = dir, .config = config, .backends = fake_backends};
	struct fetchfs_request request = {.uri = "fake://h/big", .uid = geteuid()};
	struct fetchfs *fetchfs;
	struct fetchfs_file *open_file;
	struct err err = ERR_INIT;
	unsigned char buf[4096];
	uint64_t at = 0;
	ssize_t n;
	bool right = true;

	fake_backend_put("/big", file);
	if (fetchfs_open(&options, &fetchfs, &err) < 0)
		_exit(10);
	if (fetchfs_get(fetchfs, &request, &open_file, &err) < 0)
		_exit(11);
	while ((n = fetchfs_file_read(open_file, buf, sizeof(buf), at, &err)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			right = right && buf[i] == fake_backend_byte(at + (uint64_t)i);
		at += (uint64_t)n;
		/* led or followed: what is there before the stall, all of it, has been read */
		if (ready_fd >= 0 && at == STALL_AT)
			fd_write_all(ready_fd, "r", 1);
	}
	fetchfs_file_free(open_file);
	totals[slot] = fake_backend_counts("/big");
	fetchfs_close(fetchfs);
	_exit(n < 0 ? 12 : !right ? 13 : at != file->len ? 14 : 0);
}

static pid_t spawn_reader(int slot, const struct fake_file *file, int ready_fd)
{
	pid_t pid = fork();

	if (pid == 0)
		child_read(slot, file, ready_fd);
	return pid;
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

Test(processes, four_at_the_same_moment_download_once, .timeout = 60)
{
	struct fake_file file = {.len = 16 * MIB, .etag = "\"1\"", .block = 16384};
	uint64_t bytes = 0;
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = spawn_reader(i, &file, -1);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(status_of(pids[i]), 0);
	for (int i = 0; i < 4; i++)
		bytes += totals[i].bytes;
	/* a reader that is far ahead of a slow leader may cost the end of one answer */
	cr_assert_leq(bytes, 17 * MIB, "%llu bytes", (unsigned long long)bytes);
}

Test(processes, a_killed_leader_is_succeeded_and_what_it_brought_is_kept, .timeout = 60)
{
	struct fake_file stalls = {
		.len = 8 * MIB, .etag = "\"1\"", .stall = true, .stall_at = STALL_AT};
	struct fake_file whole = {.len = 8 * MIB, .etag = "\"1\""};
	char byte;
	int ready[2];
	pid_t leader;
	pid_t follower;

	/* on a busy machine the rest may seem slow enough for a second connection */
	configure("[fetch]\nper_host = 1\n");
	cr_assert_eq(pipe(ready), 0);
	leader = spawn_reader(0, &stalls, ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);

	/* the follower is served what the leader has, and waits for the rest */
	follower = spawn_reader(1, &whole, ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	kill(leader, SIGKILL);
	cr_assert_eq(status_of(leader), 1000 + SIGKILL);
	cr_assert_eq(status_of(follower), 0);
	cr_assert_eq(totals[1].fetches, 1);
	cr_assert_leq(totals[1].bytes, STALL_AT + 262144);
}

/* Until it is killed: who took the lock of the key, and was stopped before it did anything else. */
static pid_t spawn_frozen(int ready_fd)
{
	struct lock lock = LOCK_INIT;
	struct cachedir cachedir;
	struct entry_key key;
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cachedir_open(dir, false, &cachedir, NULL) < 0 ||
		entry_key_make("", "fake://h/big", &key, NULL) < 0 ||
		cachedir_lock_key(&cachedir, &key, &lock) < 0)
		_exit(1);
	fd_write_all(ready_fd, "r", 1);
	for (;;)
		pause();
}

Test(processes, a_leader_that_never_shows_anything_is_passed_by, .timeout = 60)
{
	struct fake_file file = {.len = 8 * MIB, .etag = "\"1\""};
	int64_t began;
	char byte;
	int ready[2];
	pid_t leader;
	pid_t pids[2];

	configure("[fetch]\nconnect = 200ms\nfirst_byte = 200ms\nstall = 300ms\n");
	cr_assert_eq(pipe(ready), 0);
	leader = spawn_frozen(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	began = clock_monotonic_ms();
	for (int i = 0; i < 2; i++)
		pids[i] = spawn_reader(i, &file, -1);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(status_of(pids[i]), 0);
	cr_assert_geq(clock_monotonic_ms() - began, 5000 + 400);
	/* who waited did not fetch it twice */
	cr_assert_leq(totals[0].bytes + totals[1].bytes, 9 * MIB);
	kill(leader, SIGKILL);
	cr_assert_eq(status_of(leader), 1000 + SIGKILL);
}

/* Until it is killed: what others with the same word do. */
static pid_t spawn_bumper(void)
{
	pid_t pid = fork();
	struct cachedir cachedir;
	struct entry_key key;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (cachedir_open(dir, false, &cachedir, NULL) < 0 ||
		entry_key_make("", "fake://h/big", &key, NULL) < 0)
		_exit(1);
	for (;;) {
		cachedir_bump(&cachedir, &key);
		poll(NULL, 0, 5);
	}
}

Test(processes, a_killed_leader_is_missed_however_much_goes_on_beside_it, .timeout = 60)
{
	struct fake_file stalls = {
		.len = 8 * MIB, .etag = "\"1\"", .stall = true, .stall_at = STALL_AT};
	struct fake_file whole = {.len = 8 * MIB, .etag = "\"1\""};
	char byte;
	int ready[2];
	pid_t leader;
	pid_t follower;
	pid_t bumper;

	cr_assert_eq(pipe(ready), 0);
	leader = spawn_reader(0, &stalls, ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	bumper = spawn_bumper();
	follower = spawn_reader(1, &whole, ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	kill(leader, SIGKILL);
	cr_assert_eq(status_of(leader), 1000 + SIGKILL);
	cr_assert_eq(status_of(follower), 0);
	kill(bumper, SIGKILL);
	cr_assert_eq(status_of(bumper), 1000 + SIGKILL);
}
