/*
 * One library instance, many threads of three users, two of whom wait for their turn: everything
 * that can be asked of it, in no order, on files that arrive in small pieces or in the parts that
 * are read, break off, change their version and are evicted. Each byte that is read is checked. A
 * round ends with all transfers cancelled and the cache closed while they run; the next one opens
 * it again and resumes.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "fetch/fetchfs.h"
#include "tests/stress/stress.h"
#include "tests/support/fake_backend.h"
#include "tests/support/tmpdir.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define THREADS  16
#define ROUNDS   4
#define ROUND_MS 2000
#define WAKE_MS  60000
#define FILES    12
#define USERS    3 /* the first is the owner */
#define READ_MAX 50000

struct round {
	struct fetchfs *fetchfs;
	int64_t until; /* on the monotonic clock */
	atomic_bool over;
};

static atomic_uint versions;
static atomic_ullong bytes_checked;

/* ---- the files: their bytes stay the same, whatever else happens to them ---- */

static size_t size_of(unsigned int file)
{
	return file == 0 ? 0 : (size_t)file * file * 14321 + 1;
}

static void put_file(unsigned int file)
{
	char path[16];
	char etag[16];

	snprintf(path, sizeof(path), "/d%u/f%u", file % 3, file);
	snprintf(etag, sizeof(etag), "\"%u\"", atomic_fetch_add(&versions, 1));
	fake_backend_put(path, &(struct fake_file){
				       .len = size_of(file),
				       .etag = file % 4 == 3 ? NULL : etag,
				       .block = 8192,
				       .size_unknown = file == 5,
				       .no_stat = file == 6,
				       .no_ranges = file == 7,
				       .has_max_age = file % 2 == 0,
				       .cut_at = file == 8 || file == 10 ? 300000 : 0,
				       .cut_times = 1,
			       });
}

/* One file in @FILES + 1 does not exist. */
static void name_file(struct worker *worker, char *ret_uri, size_t size, unsigned int *ret_file)
{
	*ret_file = (unsigned int)stress_below(worker, FILES + 1);
	snprintf(ret_uri, size, "fake://h/d%u/f%u", *ret_file % 3, *ret_file);
}

/* ---- what may go wrong ---- */

static bool is_allowed(const struct round *round, unsigned int file, int code)
{
	switch (code) {
	case ECANCELED:
		return atomic_load(&round->over);
	case ENOENT:
		return file == FILES;
	case ESTALE: /* renewed in the middle */
		return true;
	default:
		return false;
	}
}

#define ALLOW(round, file, r, err)                                                                 \
	CHECK((r) >= 0 || is_allowed(round, file, -(int)(r)), "f%u: %d: %s", file, (int)(r),       \
		(err)->msg)

/* ---- reading ---- */

static void check_bytes(const unsigned char *buf, size_t len, uint64_t offset)
{
	for (size_t i = 0; i < len; i++)
		CHECK(buf[i] == fake_backend_byte(offset + i), "byte %llu",
			(unsigned long long)(offset + i));
	atomic_fetch_add(&bytes_checked, len);
}

/* Some bytes somewhere, also around the end. -errno when the file is of no more use. */
static int read_some(
	struct worker *worker, struct fetchfs_file *opened, unsigned int file, struct err *err)
{
	unsigned char buf[READ_MAX];
	uint64_t size = size_of(file);
	uint64_t offset = stress_below(worker, size + 10);
	size_t len = 1 + stress_below(worker, READ_MAX);
	uint64_t left = offset < size ? size - offset : 0;
	bool now = stress_below(worker, 4) == 0;
	ssize_t n = now ? fetchfs_file_read_now(opened, buf, len, offset, err)
			: fetchfs_file_read(opened, buf, len, offset, err);

	if (n < 0)
		return now && n == -EAGAIN ? 0 : (int)n;
	CHECK((uint64_t)n == (left < len ? left : len), "f%u: %zd bytes at %llu", file, n,
		(unsigned long long)offset);
	check_bytes(buf, (size_t)n, offset);
	return 0;
}

struct waiter {
	struct fetchfs_wait wait; /* first */
	pthread_mutex_t mu;
	pthread_cond_t woken;
	bool done; /* guarded by mu */
};

static void wake(struct fetchfs_wait *wait, const struct err *err)
{
	struct waiter *waiter = (struct waiter *)wait;
	WITH_LOCK(&waiter->mu);

	(void)err;
	waiter->done = true;
	pthread_cond_signal(&waiter->woken);
}

static void wait_for_wake(struct waiter *waiter)
{
	int64_t until = clock_monotonic_ms() + WAKE_MS;
	struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
	WITH_LOCK(&waiter->mu);

	while (!waiter->done)
		CHECK(pthread_cond_clockwait(&waiter->woken, &waiter->mu, CLOCK_MONOTONIC, &ts) ==
				0,
			"neither cancelled nor woken");
}

/* A wait that is cancelled at some moment of its life. */
static int wait_and_cancel(
	struct worker *worker, struct fetchfs_file *opened, unsigned int file, struct err *err)
{
	struct waiter waiter = {
		.wait = {.until = (enum fetchfs_until)stress_below(worker, 3),
			.offset = stress_below(worker, size_of(file) + 1),
			.length = stress_below(worker, READ_MAX),
			.wake = wake},
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.woken = PTHREAD_COND_INITIALIZER,
	};
	int r = fetchfs_file_wait(opened, &waiter.wait, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (stress_below(worker, 2))
		r = read_some(worker, opened, file, err);
	if (!fetchfs_wait_cancel(&waiter.wait))
		wait_for_wake(&waiter);
	pthread_cond_destroy(&waiter.woken);
	pthread_mutex_destroy(&waiter.mu);
	return r;
}

static int wait_a_little(struct worker *worker, struct fetchfs_file *opened, struct err *err)
{
	enum fetchfs_until until = (enum fetchfs_until)stress_below(worker, 3);
	int r = fetchfs_file_wait_until(
		opened, until, 0, READ_MAX, (int)stress_below(worker, 20), err);

	return r == -ETIMEDOUT ? 0 : r;
}

/* Wait for the end, and open the same bytes by their digest. */
static int complete(
	struct worker *worker, struct round *round, struct fetchfs_file *opened, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct fetchfs_file *same;
	unsigned char byte;
	uint64_t offset;
	int r = fetchfs_file_wait_until(opened, FETCHFS_UNTIL_COMPLETE, 0, 0, WAKE_MS, err);

	if (r == 0)
		r = fetchfs_file_info(opened, &info, err);
	if (r < 0)
		return r;
	CHECK(info.state == FETCHFS_COMPLETE && fetchfs_file_fd(opened) >= 0, "%s",
		fetchfs_state_name(info.state));
	r = fetchfs_get_digest(round->fetchfs, info.sha256, geteuid(), &same, err);
	if (r == -ENOENT) /* evicted */
		return 0;
	CHECK(r == 0, "%s: %s", info.sha256, err->msg);
	offset = stress_below(worker, (uint64_t)info.size + 1);
	if (fetchfs_file_read(same, &byte, 1, offset, err) == 1)
		check_bytes(&byte, 1, offset);
	fetchfs_file_free(same);
	return 0;
}

static void use_file(struct worker *worker, struct round *round)
{
	char uri[32];
	unsigned int file;
	struct fetchfs_request request = {
		.uri = uri, .uid = geteuid() + (uid_t)stress_below(worker, USERS)};
	struct fetchfs_file *opened;
	struct err err = ERR_INIT;
	int r;

	name_file(worker, uri, sizeof(uri), &file);
	request.refresh = stress_below(worker, 8) == 0;
	request.executable = stress_below(worker, 8) == 0;
	request.prefetch = stress_below(worker, 8) == 0;
	r = fetchfs_get(round->fetchfs, &request, &opened, &err);
	ALLOW(round, file, r, &err);
	if (r < 0)
		return;
	for (uint64_t i = 1 + stress_below(worker, 6); r == 0 && i > 0; i--) {
		switch (request.prefetch ? 1 : stress_below(worker, 8)) {
		case 0:
			r = wait_and_cancel(worker, opened, file, &err);
			break;
		case 1:
			r = wait_a_little(worker, opened, &err);
			break;
		case 2:
			r = complete(worker, round, opened, &err);
			break;
		default:
			r = read_some(worker, opened, file, &err);
			break;
		}
	}
	ALLOW(round, file, r, &err);
	if (stress_below(worker, 3) == 0)
		fetchfs_file_abandon(opened);
	else
		fetchfs_file_free(opened);
}

/* ---- everything else ---- */

static void look_at_file(struct worker *worker, struct round *round)
{
	char uri[32];
	unsigned int file;
	struct fetchfs_request request = {.uri = uri, .uid = geteuid()};
	struct fetchfs_info info = {.size = -1};
	struct err err = ERR_INIT;
	int r;

	name_file(worker, uri, sizeof(uri), &file);
	request.refresh = stress_below(worker, 4) == 0;
	if (stress_below(worker, 2)) {
		r = fetchfs_stat(round->fetchfs, &request, &info, &err);
		ALLOW(round, file, r, &err);
	} else {
		r = fetchfs_find(round->fetchfs, &request, &info, &err);
		CHECK(r == 0 || r == -ENOENT, "%s: %s", uri, err.msg);
	}
	if (r < 0)
		return;
	CHECK(info.size < 0 || (uint64_t)info.size == size_of(file), "%s: %lld", uri,
		(long long)info.size);
	fetchfs_info_release(&info);
}

static int count_info(const struct fetchfs_info *info, void *arg)
{
	unsigned int *count = arg;

	CHECK(strncmp(info->uri, "fake://h/", 9) == 0, "%s", info->uri);
	*count += 1;
	return 0;
}

static int count_name(const char *name, enum fetchfs_name kind, void *arg)
{
	unsigned int *count = arg;

	CHECK(name[0] == (kind == FETCHFS_NAME_FOLDER ? 'd' : 'f'), "%s", name);
	*count += 1;
	return 0;
}

static void look_at_all(struct worker *worker, struct round *round)
{
	struct fetchfs *fetchfs = round->fetchfs;
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;
	unsigned int count = 0;
	int r = 0;

	switch (stress_below(worker, 4)) {
	case 0:
		r = fetchfs_list(fetchfs, "fake://h/", geteuid(), count_info, &count, &err);
		break;
	case 1:
		r = fetchfs_children(fetchfs, "fake://h/d1/", geteuid(), count_name, &count, &err);
		break;
	case 2:
		r = fetchfs_is_folder(fetchfs, "fake://h/d2/", geteuid(), &err);
		break;
	default:
		r = fetchfs_usage(fetchfs, &usage, &err);
		break;
	}
	CHECK(r >= 0, "%s", err.msg);
	/* an executable, and the same file once more while it is renewed, are listed apart */
	CHECK(count <= 4 * (FILES + 1), "%u names", count);
}

static void let_go(struct worker *worker, struct round *round)
{
	char uri[32];
	unsigned int file;
	struct fetchfs_request request = {.uri = uri, .uid = geteuid()};
	struct err err = ERR_INIT;
	uint64_t freed;
	int r;

	name_file(worker, uri, sizeof(uri), &file);
	if (stress_below(worker, 4)) {
		r = fetchfs_evict(round->fetchfs, &request, &err);
		CHECK(r == 0 || r == -ENOENT || r == -EBUSY, "%s: %s", uri, err.msg);
	} else {
		r = fetchfs_evict_to(round->fetchfs, stress_below(worker, 4) << 20, &freed, &err);
		CHECK(r == 0 || r == -EBUSY, "%s", err.msg);
	}
}

static void *work(void *arg)
{
	struct worker *worker = arg;
	struct round *round = worker->arg;

	while (!atomic_load(&round->over)) {
		switch (stress_below(worker, 10)) {
		case 0:
			let_go(worker, round);
			break;
		case 1:
			look_at_all(worker, round);
			break;
		case 2:
			look_at_file(worker, round);
			break;
		case 3:
			if (stress_below(worker, 4) == 0)
				put_file((unsigned int)stress_below(worker, FILES));
			break;
		default:
			use_file(worker, round);
			break;
		}
		/* one of them ends it for all, in the middle of what they do */
		if (worker->number == 0 && clock_monotonic_ms() >= round->until) {
			atomic_store(&round->over, true);
			fetchfs_cancel_all(round->fetchfs);
		}
	}
	return NULL;
}

static void configure(const char *path, bool lazy)
{
	FILE *file = fopen(path, "w");

	CHECK(file, "%m");
	fprintf(file, "[policy]\nallow = fake://h/\n[fetch]\nper_user = 2\n%s",
		lazy ? "lazy = ranges\n" : "");
	CHECK(fclose(file) == 0, "%m");
}

int main(void)
{
	CLEANUP(tmpdir_removep) char *dir = tmpdir_make();
	CLEANUP(str_freep) char *cache = str_printf("%s/cache", dir);
	CLEANUP(str_freep) char *config = str_printf("%s/conf", dir);
	struct fetchfs_options options = {
		.cache = cache, .config = config, .backends = fake_backends};

	for (unsigned int file = 0; file < FILES; file++)
		put_file(file);
	for (unsigned int i = 1; i <= ROUNDS; i++) {
		struct round round = {.until = clock_monotonic_ms() + ROUND_MS};
		struct err err = ERR_INIT;

		configure(config, i % 2 == 0);
		CHECK(fetchfs_open(&options, &round.fetchfs, &err) == 0, "%s", err.msg);
		stress_run(work, THREADS, i, &round);
		fetchfs_close(round.fetchfs);
	}
	fake_backend_reset();
	printf("%llu bytes checked\n", atomic_load(&bytes_checked));
	return 0;
}
