/* A partial that shares the blocks of a file: where file systems do that; TMPDIR says where to
 * look. */
#include "fixture.h"

#include "base/clock.h"
#include "base/fault.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define SIZE (4 * CHUNK_SIZE)

struct picture {
	struct partial *partial;
	int source;
	int fd; /* to read it from */
	int r;
	atomic_bool done;
};

static void *take(void *arg)
{
	struct picture *picture = arg;

	picture->r = partial_clone(picture->partial, picture->source, &picture->fd);
	atomic_store(&picture->done, true);
	return NULL;
}

/* A file of seed 1. */
static int make_source(const struct cache *cache)
{
	CLEANUP(str_freep) char *path = str_printf("%s/source", cache->path);
	uint8_t *buf = malloc(SIZE);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	fill_bytes(buf, SIZE, 0, 1);
	cr_assert_eq(fd_pwrite_all(fd, buf, SIZE, 0), 0);
	free(buf);
	return fd;
}

/* All that is missing, from where the picture is. */
static int write_in_place(struct partial *partial, int fd, struct err *err)
{
	struct partial_writer *writer = NULL;
	uint8_t *buf = malloc(SIZE);
	int r = partial_writer_new(partial, 0, &writer, err);

	cr_assert_eq(fd_pread_full(fd, buf, SIZE, 0), SIZE);
	partial_writer_in_place(writer);
	if (r == 0)
		r = partial_write(writer, buf, SIZE, err);
	partial_writer_free(writer);
	free(buf);
	return r;
}

Test(clone, while_a_picture_is_taken_nobody_waits_who_only_looks_and_no_writer_meddles)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(fd_closep) int source = make_source(cache);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(object_release) struct object object = {.fd = -1};
	struct ranges_version version = version_of(SIZE);
	struct entry entry = entry_of("file:///a");
	struct picture picture = {.source = source, .fd = -1};
	int64_t start = clock_monotonic_ms();
	int64_t until = start + 20000;
	struct err err = ERR_INIT;
	pthread_t thread;

	cr_assert_eq(cachedir_lock_key(&cache->dir, &entry.key, &lock), 0);
	cr_assert_eq(partial_create(&cache->store, LABEL(&entry.key), &picture.partial, &err), 0);
	cr_assert_eq(partial_start(picture.partial, &version, &err), 0, "%s", err.msg);

	cr_assert_eq(fault_setup("partial.clone:1:2000ms"), 0);
	cr_assert_eq(pthread_create(&thread, NULL, take, &picture), 0);
	while (fault_count() == 0 && clock_monotonic_ms() < until)
		poll(NULL, 0, 1);
	cr_assert_not(partial_has(picture.partial, 0, 1));
	cr_assert_not(atomic_load(&picture.done), "it was waited for");
	/* another file's bytes; this one waits, or they would be covered, and taken for there */
	cr_assert_eq(write_range(picture.partial, CHUNK_SIZE, 2 * CHUNK_SIZE, 2, &err), 0);
	cr_assert_geq(clock_monotonic_ms() - start, 2000, "nothing was waited for");
	cr_assert_eq(pthread_join(thread, NULL), 0);
	cr_assert_eq(fault_setup(NULL), 0);
	cr_assert(partial_has(picture.partial, CHUNK_SIZE, CHUNK_SIZE));

	if (picture.r == 0)
		cr_assert_eq(write_in_place(picture.partial, picture.fd, &err), 0, "%s", err.msg);
	else
		cr_assert_eq(write_range(picture.partial, 0, SIZE, 2, &err), 0, "%s", err.msg);
	cr_assert_eq(partial_commit(&picture.partial, SIZE, NULL, &entry, &object, &err), 0, "%s",
		err.msg);
	cr_assert(has_bytes(object.fd, SIZE, picture.r == 0 ? 1 : 2));
	cr_assert(picture.r == 0 || !getenv("FETCHFS_SHARES_BLOCKS"), "no picture could be taken");
}
