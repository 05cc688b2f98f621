#include "tests/support/fake_backend.h"

#include "backends/builtin.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILES_MAX 4096
#define BLOCK     ((uint64_t)64 * 1024)
#define WAIT_MS   10000
#define POLL_MS   20

struct version {
	struct fake_file file; /* its pointers are ours */
	unsigned int users;    /* the table, and each call that reads it */
};

struct slot {
	char *path;
	struct version *version;
	struct fake_counts counts;
	unsigned int errors; /* given so far */
	unsigned int cuts;
	bool released;
};

static pthread_mutex_t mu =
	PTHREAD_MUTEX_INITIALIZER; /* guards the table and all versions' users */
static struct slot slots[FILES_MAX];

static pthread_mutex_t begin_mu = PTHREAD_MUTEX_INITIALIZER; /* held while a thread is made */

static void die(const char *what)
{
	fprintf(stderr, "fake backend: %s\n", what);
	abort();
}

/* The slot of @path; a free one for a new path. */
static struct slot *slot_of(const char *path)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (!slots[i].path)
			slots[i].path = str_copy(path);
		if (str_equal(slots[i].path, path))
			return &slots[i];
	}
	die("too many files");
	return NULL;
}

/* With the lock held. */
static void version_put(struct version *version)
{
	if (!version || --version->users > 0)
		return;
	free((void *)(uintptr_t)version->file.content);
	free((void *)(uintptr_t)version->file.etag);
	free((void *)(uintptr_t)version->file.type);
	free(version);
}

unsigned char fake_backend_byte(uint64_t at)
{
	return (unsigned char)(at * 131 + (at >> 8) * 7 + (at >> 16) + 3);
}

void fake_backend_put(const char *path, const struct fake_file *file)
{
	struct version *version = malloc(sizeof(*version));
	struct slot *slot;

	if (!version)
		die("out of memory");
	*version = (struct version){.file = *file, .users = 1};
	version->file.etag = str_copy(file->etag);
	version->file.type = str_copy(file->type);
	if (file->content) {
		void *content = malloc(file->len + 1);

		if (!content)
			die("out of memory");
		memcpy(content, file->content, file->len);
		version->file.content = content;
	}

	WITH_LOCK(&mu);
	slot = slot_of(path);
	version_put(slot->version);
	slot->version = version;
	slot->errors = 0;
	slot->cuts = 0;
	slot->released = false;
}

void fake_backend_release(const char *path)
{
	WITH_LOCK(&mu);

	slot_of(path)->released = true;
}

struct fake_counts fake_backend_counts(const char *path)
{
	WITH_LOCK(&mu);

	return slot_of(path)->counts;
}

void fake_backend_wait_stalled(const char *path, unsigned int count)
{
	int64_t deadline = clock_monotonic_ms() + WAIT_MS;

	while (fake_backend_counts(path).stalled < count) {
		if (clock_monotonic_ms() > deadline)
			die("nobody stalls");
		poll(NULL, 0, 1);
	}
}

void fake_backend_reset(void)
{
	WITH_LOCK(&mu);

	for (size_t i = 0; i < FILES_MAX && slots[i].path; i++) {
		version_put(slots[i].version);
		free(slots[i].path);
		slots[i] = (struct slot){.path = NULL};
	}
}

/* ---- the backend ---- */

/* One call: the file as it was when the call began. */
struct call {
	struct slot *slot;
	struct version *version;
};

static void call_endp(struct call *call)
{
	WITH_LOCK(&mu);

	version_put(call->version);
}

/* The scripted error of this call, if it is to have one. */
static int scripted_error(struct slot *slot, struct err *err)
{
	const struct fake_file *file = &slot->version->file;

	if (!file->error || (file->error_times && slot->errors >= file->error_times))
		return 0;
	slot->errors++;
	if (file->retry)
		return err_set_retry(err, ERR_REMOTE, file->error, 0, "scripted error: %m");
	return err_set(err, ERR_REMOTE, file->error, "scripted error: %m");
}

static int call_begin(
	const struct backend_request *request, bool fetch, struct call *ret, struct err *err)
{
	const struct guard *guard = request->guard;
	int r = guard ? guard->uri(guard, request->uri, err) : 0;

	if (r < 0)
		return r;

	WITH_LOCK(&mu);
	struct slot *slot = slot_of(request->uri->path);

	if (fetch)
		slot->counts.fetches++;
	else
		slot->counts.stats++;
	if (!slot->version)
		return err_set(err, ERR_REMOTE, ENOENT, "404 not found");
	r = scripted_error(slot, err);
	if (r < 0)
		return r;
	slot->version->users++;
	*ret = (struct call){.slot = slot, .version = slot->version};
	return 0;
}

static void describe(const struct fake_file *file, struct remote *ret)
{
	*ret = (struct remote){
		.size = file->size_unknown ? SIZE_UNKNOWN : (int64_t)file->len,
		.validators.modified = file->modified ? file->modified : TIME_UNKNOWN,
		.ranges = !file->no_ranges,
		.world_readable = !file->private,
		.max_age = file->has_max_age ? file->max_age : TIME_UNKNOWN,
	};
	str_fit(ret->validators.etag, ETAG_MAX, file->etag ? file->etag : "");
	str_fit(ret->type, MIME_MAX, file->type ? file->type : "application/octet-stream");
}

static bool is_known(const struct backend_request *request, const struct remote *remote)
{
	const struct validators *known = request->known;

	if (!known)
		return false;
	if (known->etag[0] || remote->validators.etag[0])
		return str_equal(known->etag, remote->validators.etag);
	return known->modified != TIME_UNKNOWN && known->modified == remote->validators.modified;
}

static int fake_stat(const struct backend_env *env, const struct backend_request *request,
	struct remote *ret, struct err *err)
{
	CLEANUP(call_endp) struct call call = {.slot = NULL};
	struct remote remote;
	int r = call_begin(request, false, &call, err);

	(void)env;
	if (r < 0)
		return r;
	if (call.version->file.no_stat)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "405 method not allowed");
	describe(&call.version->file, &remote);
	remote.unchanged = is_known(request, &remote);
	*ret = remote;
	return 0;
}

static void count_stalled(struct slot *slot, int change)
{
	WITH_LOCK(&mu);

	slot->counts.stalled += (unsigned int)change;
}

static bool is_released(const struct slot *slot)
{
	WITH_LOCK(&mu);

	return slot->released;
}

static int stall(struct slot *slot, struct sink *sink, struct err *err)
{
	int r = 0;

	count_stalled(slot, 1);
	while (r == 0 && !is_released(slot)) {
		poll(NULL, 0, POLL_MS);
		r = sink->poll(sink, err);
	}
	count_stalled(slot, -1);
	return r;
}

/* Whether this fetch has to break off at cut_at. */
static bool takes_cut(const struct call *call)
{
	const struct fake_file *file = &call->version->file;
	WITH_LOCK(&mu);

	if (!file->cut_at || (file->cut_times && call->slot->cuts >= file->cut_times))
		return false;
	call->slot->cuts++;
	return true;
}

static int give(
	const struct call *call, uint64_t at, size_t len, struct sink *sink, struct err *err)
{
	const struct fake_file *file = &call->version->file;
	CLEANUP(str_freep) char *made = NULL;
	const char *bytes = file->content;
	int r;

	if (bytes) {
		r = sink->write(sink, bytes + at, len, err);
	} else {
		made = malloc(len);
		if (!made)
			return err_oom(err);
		for (size_t i = 0; i < len; i++)
			made[i] = (char)fake_backend_byte(at + i);
		r = sink->write(sink, made, len, err);
	}
	if (r < 0)
		return r;

	WITH_LOCK(&mu);
	call->slot->counts.bytes += len;
	return 0;
}

static int stream(
	const struct call *call, uint64_t at, uint64_t end, struct sink *sink, struct err *err)
{
	const struct fake_file *file = &call->version->file;
	uint64_t block = file->block ? file->block : BLOCK;
	uint64_t stop = takes_cut(call) && file->cut_at < end ? file->cut_at : UINT64_MAX;
	bool stalls = file->stall && at <= file->stall_at;

	for (;;) {
		uint64_t next = at + block < end ? at + block : end;
		int r;

		if (stalls && at >= file->stall_at) {
			stalls = false;
			r = stall(call->slot, sink, err);
			if (r < 0)
				return r;
		}
		if (at >= stop)
			return err_set_retry(err, ERR_NETWORK, EIO, 0,
				"body shorter than promised: scripted cut");
		if (at == end)
			return 0;
		if (stalls && next > file->stall_at)
			next = file->stall_at;
		if (next > stop)
			next = stop;
		r = give(call, at, (size_t)(next - at), sink, err);
		if (r == 0)
			r = sink->poll(sink, err);
		if (r < 0)
			return r;
		at = next;
	}
}

static void count_unchanged(struct slot *slot)
{
	WITH_LOCK(&mu);

	slot->counts.unchanged++;
}

static int fake_fetch(const struct backend_env *env, const struct backend_request *request,
	struct sink *sink, struct err *err)
{
	CLEANUP(call_endp) struct call call = {.slot = NULL};
	bool range = request->offset > 0 || request->length > 0;
	struct remote remote;
	uint64_t end;
	int r = call_begin(request, true, &call, err);

	(void)env;
	if (r < 0)
		return r;
	end = call.version->file.len;
	describe(&call.version->file, &remote);
	if (range && request->known && !is_known(request, &remote))
		return err_set(err, ERR_REMOTE, ESTALE, "the file has changed");
	if (request->offset > 0 && !remote.ranges)
		return err_set(err, ERR_REMOTE, EOPNOTSUPP, "the server ignores ranges");
	if (request->offset > end)
		return err_set(err, ERR_REMOTE, EINVAL, "416 range not satisfiable");
	if (request->length > 0 && request->length < end - request->offset)
		end = request->offset + request->length;
	remote.unchanged = !range && is_known(request, &remote);
	if (remote.unchanged) {
		count_unchanged(call.slot);
		r = call.version->file.stall ? stall(call.slot, sink, err) : 0;
		if (r < 0)
			return r;
	}
	r = sink->begin(sink, &remote, err);
	if (r < 0 || remote.unchanged)
		return r;
	return stream(&call, request->offset, end, sink, err);
}

/* ---- in two parts: that it is ready is told by a thread of each call's own ---- */

struct backend_call {
	const struct backend_env *env;
	const struct backend_request *request;
	pthread_t thread;
};

static struct slot *slot_if_late(const char *path)
{
	WITH_LOCK(&mu);
	struct slot *slot = slot_of(path);

	return slot->version && slot->version->file.late ? slot : NULL;
}

static void count_open(const char *path, int change)
{
	WITH_LOCK(&mu);

	slot_of(path)->counts.open += (unsigned int)change;
}

/* Whether a fetch will not wait for anybody. */
static bool is_quick(const struct backend_request *request)
{
	WITH_LOCK(&mu);
	const struct version *version = slot_of(request->uri->path)->version;

	return version && !version->file.error && !version->file.stall &&
	       version->file.len <= BLOCK;
}

/* With the file as it is when it begins. */
static void be_late(const char *path)
{
	struct slot *slot = slot_if_late(path);

	if (!slot)
		return;
	count_stalled(slot, 1);
	while (!is_released(slot))
		poll(NULL, 0, 1);
	count_stalled(slot, -1);
}

static void *tell(void *arg)
{
	const struct backend_call *call = arg;
	const struct backend_request *request = call->request;

	be_late(request->uri->path);
	request->on_ready(request->ready_arg, is_quick(request));
	return NULL;
}

static int fake_begin(const struct backend_env *env, const struct backend_request *request,
	struct backend_call **ret, struct err *err)
{
	struct backend_call *call = calloc(1, sizeof(*call));

	if (!call)
		return err_oom(err);
	*call = (struct backend_call){.env = env, .request = request};
	*ret = call;
	WITH_LOCK(&begin_mu);
	count_open(request->uri->path, 1);
	if (pthread_create(&call->thread, NULL, tell, call) == 0)
		return 0;
	count_open(request->uri->path, -1);
	free(call);
	return err_oom(err);
}

static int fake_finish(struct backend_call *call, struct sink *sink, struct err *err)
{
	int r;

	pthread_mutex_lock(&begin_mu); /* call->thread is there */
	pthread_mutex_unlock(&begin_mu);
	pthread_join(call->thread, NULL);
	count_open(call->request->uri->path, -1);
	r = fake_fetch(call->env, call->request, sink, err);
	free(call);
	return r;
}

static const char *const schemes[] = {"fake", NULL};

const struct backend fake_backend = {
	.name = "fake",
	.schemes = schemes,
	.cheap_parts = true,
	.stat = fake_stat,
	.fetch = fake_fetch,
	.begin = fake_begin,
	.finish = fake_finish,
};

const struct backend *const fake_backends[] = {&fake_backend, &file_backend, NULL};
