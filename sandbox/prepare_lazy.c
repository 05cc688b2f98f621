/*
 * What is placed before it is here: a bind of the mount's own file, whose first reader has it
 * fetched.
 *
 * The origins are asked at once what they have, without the body, so that what cannot be had fails
 * now and not in the task. What is here already is placed like everything else.
 */
#include "base/cleanup.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/uri.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASKED_AT_ONCE 16 /* origins */

struct lazy {
	char *name;                     /* in uri/ of the mount; NULL: it is not lazy */
	char key[FETCHFS_KEY_HEX_SIZE]; /* of what will be there */
	int64_t size;                   /* bytes, -1: unknown */
	const struct prepare *prepare;  /* while the origin is asked … */
	struct fetchfs_request request; /* … this */
	bool is_here;
	bool failed;
	struct err err;
};

void prepare_lazy_free(struct lazy *lazy, size_t count)
{
	for (size_t i = 0; lazy && i < count; i++)
		free(lazy[i].name);
	free(lazy);
}

bool prepare_is_lazy(const struct prepare *prepare, size_t i)
{
	return prepare->lazy && prepare->lazy[i].name;
}

/* A file of its own, an executable one, and what is unpacked, take the bytes. */
static bool may_be_lazy(const struct prepare *prepare, const struct plan_item *item)
{
	if (item->executable || item->extract || item->mode >= 0)
		return false;
	return item->method == PLAN_BIND || (item->method == PLAN_AUTO && prepare->methods.bind);
}

/*
 * The name in uri/, with what the bytes must hash to. *ret is NULL when there is none: it would be
 * too long; or it would have a secret in it, and mounts are shown to everybody.
 */
static int find_name(const struct plan_item *item, const char *digest, char **ret, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *name = NULL;
	char expected[CHECKSUM_TEXT_SIZE];
	int r = uri_parse(item->uri, &uri, err);

	if (r < 0)
		return r;
	*ret = NULL;
	if (uri.user || uri.password || uri.query || uri_to_name(&uri, &name, NULL) < 0)
		return 0;
	checksum_format(&uri.expected, expected);
	if (!*digest)
		digest = expected;
	*ret = *digest ? str_printf("%s#%s", name, digest) : str_steal(&name);
	if (!*ret)
		return err_oom(err);
	if (strlen(*ret) > URI_NAME_MAX)
		str_freep(ret);
	return 0;
}

static void ask(void *arg)
{
	struct lazy *lazy = arg;
	struct fetchfs *fetchfs = lazy->prepare->fetchfs;
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	int r = fetchfs_find(fetchfs, &lazy->request, &info, NULL);

	if (r < 0 || info.state != FETCHFS_COMPLETE) {
		fetchfs_info_release(&info);
		info = (struct fetchfs_info){.size = -1};
		r = fetchfs_stat(fetchfs, &lazy->request, &info, &lazy->err);
	}
	lazy->failed = r < 0;
	if (r < 0)
		return;
	lazy->is_here = info.state == FETCHFS_COMPLETE;
	lazy->size = info.size;
	memcpy(lazy->key, info.key, sizeof(lazy->key));
}

/* What the answers come to. */
static void conclude(struct prepare *prepare, size_t i)
{
	struct lazy *lazy = &prepare->lazy[i];

	if (lazy->failed)
		prepare_fail(prepare, i, &lazy->err);
	if (lazy->is_here || lazy->failed) {
		free(lazy->name);
		lazy->name = NULL;
	}
	prepare->results[i].lazy = lazy->name != NULL;
}

static int consider(struct prepare *prepare, size_t i, struct queue *queue, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct lazy *lazy = &prepare->lazy[i];
	int r;

	if (prepare->results[i].err.code || !may_be_lazy(prepare, item))
		return 0;
	r = find_name(item, prepare->results[i].digest, &lazy->name, err);
	if (r < 0 || !lazy->name)
		return r;
	lazy->prepare = prepare;
	lazy->request = (struct fetchfs_request){
		.uri = item->uri,
		.uid = prepare->user->uid,
		.through_mount = prepare->below_roots,
		.digest = *prepare->results[i].digest ? prepare->results[i].digest : NULL,
	};
	return queue_push(queue, ask, lazy, err);
}

int prepare_find_lazy(struct prepare *prepare, struct err *err)
{
	size_t count = prepare->plan->count;
	struct queue *queue;
	int r;

	if (!prepare->plan->lazy)
		return 0;
	prepare->lazy = calloc(count + 1, sizeof(*prepare->lazy));
	if (!prepare->lazy)
		return err_oom(err);
	r = queue_new("ask-origin", ASKED_AT_ONCE, &queue, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count && r == 0; i++)
		r = consider(prepare, i, queue, err);
	queue_free(queue);
	for (size_t i = 0; i < count && r == 0; i++)
		conclude(prepare, i);
	return r;
}

void prepare_learn_lazy(struct prepare *prepare, size_t i, struct content *ret)
{
	const struct lazy *lazy = &prepare->lazy[i];

	prepare->results[i].size = lazy->size > 0 ? (uint64_t)lazy->size : 0;
	*ret = (struct content){.sha256 = ""};
	memcpy(ret->key, lazy->key, sizeof(ret->key));
}

/* With the user's rights: what a name stands for is decided by who asks. */
int prepare_open_lazy(const struct prepare *prepare, size_t i, int *ret, struct err *err)
{
	CLEANUP(str_freep)
	char *path = str_printf("%s/uri/%s", prepare->plan->mount, prepare->lazy[i].name);
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = path ? user_become(prepare->user, &guard, err) : err_oom(err);

	if (r < 0)
		return r;
	*ret = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return *ret < 0 ? err_set(err, ERR_SYSTEM, errno, "open it by way of %s: %m",
				  prepare->plan->mount)
			: 0;
}
