/* Mount namespaces and their numbers. */
#include "sandbox/spaces.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Numbers of inodes in /proc begin there: a kernel that has nothing better uses them again. */
#define INODES_FROM UINT64_C(0xF0000000)

Test(spaces, this_process_is_in_its_own)
{
	uint64_t number = 0;

	cr_assert_neq(spaces_own(), 0);
	cr_assert_eq(spaces_of("/proc/self/ns/mnt", &number), 0);
	cr_assert_eq(number, spaces_own());
	cr_assert(spaces_is_own(number));
	cr_assert_gt(spaces_user_of(number), 0);
}

Test(spaces, an_inode_number_is_understood)
{
	struct stat st;

	cr_assert_eq(stat("/proc/self/ns/mnt", &st), 0);
	cr_assert(spaces_is_own(st.st_ino));
	cr_assert_gt(spaces_user_of(st.st_ino), 0);
}

Test(spaces, of_nobody)
{
	uint64_t number;

	cr_assert_not(spaces_is_own(0));
	cr_assert_eq(spaces_user_of(UINT64_MAX), 0);
	cr_assert_eq(spaces_of("/proc/0/ns/mnt", &number), -2);
}

/* A child in a namespace of its own, until @go is closed; *ret is that namespace's number. */
static pid_t child_elsewhere(int go[2], uint64_t *ret)
{
	char path[64];
	int ready[2];
	char byte;
	pid_t pid;

	cr_assert(pipe(go) == 0 && pipe(ready) == 0);
	pid = fork();
	if (pid == 0) {
		close(go[1]);
		byte = unshare(CLONE_NEWNS) == 0;
		(void)!write(ready[1], &byte, 1);
		(void)!read(go[0], &byte, 1);
		_exit(0);
	}
	cr_assert(read(ready[0], &byte, 1) == 1);
	close(go[0]);
	close(ready[0]);
	close(ready[1]);
	if (!byte)
		cr_skip("no mount namespace can be made");
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	cr_assert_eq(spaces_of(path, ret), 0);
	return pid;
}

Test(spaces, one_that_ended_has_nobody_in_it_for_ever)
{
	uint64_t first = 0, second = 0;
	int go[2];
	pid_t pid = child_elsewhere(go, &first);

	cr_assert_neq(first, spaces_own());
	cr_assert_eq(spaces_user_of(first), pid);
	close(go[1]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_assert_eq(spaces_user_of(first), 0);

	pid = child_elsewhere(go, &second);
	if (first < INODES_FROM)
		cr_assert_neq(second, first);
	close(go[1]);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
}
