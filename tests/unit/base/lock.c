#include "base/lock.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder with one file, "locks"; both are gone with the descriptors. */
struct place {
	char path[64];
	int dirfd;
};

static struct place place_make(void)
{
	struct place place = {.path = "/tmp/fetchfs-test.XXXXXX"};
	CLEANUP(fd_closep) int fd = -1;

	cr_assert_not_null(mkdtemp(place.path));
	place.dirfd = open(place.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(place.dirfd, "locks", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	return place;
}

static void place_release(struct place *place)
{
	unlinkat(place->dirfd, "locks", 0);
	rmdir(place->path);
	fd_close(&place->dirfd);
}

/* What lock_try() says in another process. */
static int tried_elsewhere(const struct place *place, uint64_t offset, enum lock_mode mode)
{
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		struct lock lock = LOCK_INIT;

		_exit(-lock_try(place->dirfd, "locks", offset, mode, &lock));
	}
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

Test(lock, another_process_is_kept_out_of_this_byte_only)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;

	cr_assert_eq(lock_try(place.dirfd, "locks", 7, LOCK_EXCLUSIVE, &lock), 0);
	cr_assert(lock_held(&lock));
	cr_assert_eq(tried_elsewhere(&place, 7, LOCK_EXCLUSIVE), -EAGAIN);
	cr_assert_eq(tried_elsewhere(&place, 7, LOCK_SHARED), -EAGAIN);
	cr_assert_eq(tried_elsewhere(&place, 8, LOCK_EXCLUSIVE), 0);

	lock_release(&lock);
	cr_assert_not(lock_held(&lock));
	cr_assert_eq(tried_elsewhere(&place, 7, LOCK_EXCLUSIVE), 0);
}

Test(lock, a_holder_of_the_same_process_is_kept_out_too)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock first = LOCK_INIT;
	CLEANUP(lock_release) struct lock second = LOCK_INIT;

	cr_assert_eq(lock_try(place.dirfd, "locks", UINT64_C(1) << 61, LOCK_EXCLUSIVE, &first), 0);
	cr_assert_eq(lock_try(place.dirfd, "locks", UINT64_C(1) << 61, LOCK_EXCLUSIVE, &second),
		-EAGAIN);
	cr_assert_not(lock_held(&second));
}

Test(lock, shared_holders_exclude_an_exclusive_one)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;

	cr_assert_eq(lock_wait(place.dirfd, "locks", 0, LOCK_SHARED, &lock), 0);
	cr_assert_eq(tried_elsewhere(&place, 0, LOCK_SHARED), 0);
	cr_assert_eq(tried_elsewhere(&place, 0, LOCK_EXCLUSIVE), -EAGAIN);
}

Test(lock, a_range_is_told_from_its_single_bytes)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock range = LOCK_INIT;
	CLEANUP(lock_release) struct lock byte = LOCK_INIT;

	cr_assert_eq(lock_try(place.dirfd, "locks", 5, LOCK_SHARED, &byte), 0);
	cr_assert_eq(lock_is_in_range(place.dirfd, "locks", 5), 0);
	cr_assert_eq(lock_wait_range(place.dirfd, "locks", 10, 1000, LOCK_SHARED, &range), 0);
	cr_assert_eq(lock_is_in_range(place.dirfd, "locks", 500), 1);
	cr_assert_eq(lock_is_in_range(place.dirfd, "locks", 1010), -ENOENT);
	cr_assert_eq(tried_elsewhere(&place, 1009, LOCK_EXCLUSIVE), -EAGAIN);
	cr_assert_eq(tried_elsewhere(&place, 1009, LOCK_SHARED), 0);
	cr_assert_eq(tried_elsewhere(&place, 1010, LOCK_EXCLUSIVE), 0);
}

Test(lock, a_killed_holder_blocks_nobody)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	int ready[2];
	char byte;
	pid_t child;

	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		struct lock held = LOCK_INIT;

		if (lock_try(place.dirfd, "locks", 1, LOCK_EXCLUSIVE, &held) == 0)
			(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	fd_close(&ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(lock_try(place.dirfd, "locks", 1, LOCK_EXCLUSIVE, &lock), -EAGAIN);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	cr_assert_eq(lock_wait(place.dirfd, "locks", 1, LOCK_EXCLUSIVE, &lock), 0);
	fd_close(&ready[0]);
}

Test(lock, a_stolen_lock_is_held_by_the_thief)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(lock_release) struct lock stolen = LOCK_INIT;

	cr_assert_eq(lock_try(place.dirfd, "locks", 1, LOCK_EXCLUSIVE, &lock), 0);
	stolen = lock_steal(&lock);
	cr_assert(!lock_held(&lock) && lock_held(&stolen));
	cr_assert_eq(tried_elsewhere(&place, 1, LOCK_EXCLUSIVE), -EAGAIN);
}

Test(lock, a_marked_file_is_seen_as_open)
{
	CLEANUP(place_release) struct place place = place_make();
	CLEANUP(fd_closep) int reader = openat(place.dirfd, "locks", O_RDONLY | O_CLOEXEC);
	CLEANUP(fd_closep) int looker = openat(place.dirfd, "locks", O_RDWR | O_CLOEXEC);

	cr_assert_eq(lock_is_marked(looker), 0);
	cr_assert_eq(lock_mark_open(reader), 0);
	cr_assert_eq(lock_is_marked(looker), 1);
	fd_close(&reader);
	cr_assert_eq(lock_is_marked(looker), 0);
}

Test(lock, a_missing_file_is_told)
{
	CLEANUP(place_release) struct place place = place_make();
	struct lock lock = LOCK_INIT;

	cr_assert_eq(lock_try(place.dirfd, "none", 0, LOCK_SHARED, &lock), -ENOENT);
}
