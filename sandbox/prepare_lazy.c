/*
 * What is placed before it is here: a bind of the mount's own file, whose first reader has it
 * fetched.
 *
 * The origins are asked at once what they have, without the body, so that what cannot be had fails
 * now and not in the task. What is here already is placed like everything else. A dry run decides
 * in the same way, by what the cache knows.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/queue.h"
#include "base/str.h"
#include "base/uri.h"
#include "sandbox/prepare_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASKED_AT_ONCE 16 /* origins */

struct lazy {
	char *name; /* in .fetchfs/lease/ of the mount; NULL: it is not lazy */
	char token[FETCHFS_TOKEN_SIZE];
	char key[FETCHFS_KEY_HEX_SIZE];   /* of what will be there … */
	char sha256[FETCHFS_SHA256_SIZE]; /* … and what it is to be, or "" */
	int64_t size;                     /* bytes, -1: unknown */
	const struct prepare *prepare;    /* while the origin is asked … */
	struct fetchfs_request request;   /* … this */
	int r;                            /* what came of it; if negative … */
	struct err err;                   /* … why */
	bool is_here;
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

/* Neither what is a secret, since all may read the table of mounts; nor a local file, which a mount
 * may have to refuse. */
static bool may_be_named(const struct uri *uri)
{
	return !uri->user && !uri->password && !uri->query && !str_equal(uri->scheme, "file");
}

/* What the bytes are to be. false: that is said in a way by which nothing is found in the cache. */
static bool find_content(const struct uri *uri, const char *digest, char ret[FETCHFS_SHA256_SIZE])
{
	struct checksum expected = uri->expected;

	ret[0] = '\0';
	if (*digest && checksum_parse(digest, &expected, NULL) < 0)
		return false;
	if (expected.kind == CHECKSUM_SHA256)
		str_to_hex(expected.bytes, DIGEST_SIZE, ret);
	return expected.kind == CHECKSUM_NONE || expected.kind == CHECKSUM_SHA256;
}

int prepare_learn_expected(
	const struct prepare *prepare, size_t i, char ret[FETCHFS_SHA256_SIZE], struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	int r = uri_of_text(prepare->plan->items[i].uri, &uri, err);

	if (r == 0 && !find_content(&uri, prepare->results[i].digest, ret))
		ret[0] = '\0';
	return r;
}

/* It is its own, so that nobody else has a say in what it shows. lazy->name stays NULL when it can
 * have none. */
static int find_name(
	const struct plan_item *item, const char *digest, struct lazy *lazy, struct err *err)
{
	CLEANUP(uri_release) struct uri uri = {0};
	CLEANUP(str_freep) char *name = NULL;
	uint8_t random[(FETCHFS_TOKEN_SIZE - 1) / 2];
	int r = uri_of_text(item->uri, &uri, err);

	if (r < 0)
		return r;
	if (!may_be_named(&uri) || !find_content(&uri, digest, lazy->sha256) ||
		uri_to_name(&uri, &name, NULL) < 0 ||
		strlen(name) + FETCHFS_TOKEN_SIZE > URI_NAME_MAX)
		return 0;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_set(err, ERR_SYSTEM, errno, "get random bytes: %m");
	str_to_hex(random, sizeof(random), lazy->token);
	lazy->name = str_printf("%s:%s", lazy->token, name);
	return lazy->name ? 0 : err_oom(err);
}

/* What fetchfs_stat() would refuse without asking again. */
static int check_remembered(const struct fetchfs_info *info, struct err *err)
{
	int64_t now = clock_wall();

	if (now < info->verified || now >= info->expires)
		return 0;
	if (info->is_folder)
		return err_set(err, ERR_REMOTE, EISDIR, "the origin says that it is a folder");
	return info->state == FETCHFS_ABSENT ? err_set(err, ERR_REMOTE, ENOENT, "not found") : 0;
}

/* What is to be lazy is asked for by its name alone: the cache may have its content by another. */
static int foresee(const struct lazy *lazy, struct fetchfs_info *ret, struct err *err)
{
	struct fetchfs *fetchfs = lazy->prepare->fetchfs;
	struct err why = ERR_INIT;
	int r = fetchfs_find(fetchfs, &lazy->request, ret, &why);

	if (r == -ENOENT) {
		r = fetchfs_foresee(fetchfs, &lazy->request, ret, &why);
		ret->state = FETCHFS_UNKNOWN;
	}
	if (r == 0)
		r = check_remembered(ret, &why);
	if (r < 0)
		*err = why;
	return r;
}

static void ask(void *arg)
{
	struct lazy *lazy = arg;
	struct fetchfs *fetchfs = lazy->prepare->fetchfs;
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	int left = prepare_time_left(lazy->prepare);

	lazy->request.timeout_ms = left < 0 ? 0 : left;
	if (left == 0)
		lazy->r = -ETIMEDOUT;
	else if (lazy->prepare->plan->dry_run)
		lazy->r = foresee(lazy, &info, &lazy->err);
	else
		lazy->r = fetchfs_stat(fetchfs, &lazy->request, &info, &lazy->err);
	if (lazy->r == -ETIMEDOUT && prepare_time_left(lazy->prepare) == 0)
		prepare_too_late(lazy->prepare, &lazy->err);
	if (lazy->r < 0)
		return;
	/* what is not everybody's is not named in the table of mounts, either */
	lazy->is_here = info.state == FETCHFS_COMPLETE || !info.is_public;
	lazy->size = info.size;
	memcpy(lazy->key, info.key, sizeof(lazy->key));
}

/* What the answers come to. */
static void conclude(struct prepare *prepare, size_t i)
{
	struct lazy *lazy = &prepare->lazy[i];

	if (lazy->name && lazy->r < 0)
		prepare_fail(prepare, i, &lazy->err);
	if (lazy->is_here || lazy->r < 0)
		str_freep(&lazy->name);
	prepare->results[i].lazy = lazy->name != NULL;
}

static int consider(struct prepare *prepare, size_t i, struct queue *queue, struct err *err)
{
	const struct plan_item *item = &prepare->plan->items[i];
	struct lazy *lazy = &prepare->lazy[i];
	int r;

	if (prepare->results[i].err.code || !may_be_lazy(prepare, item))
		return 0;
	r = find_name(item, prepare->results[i].digest, lazy, err);
	if (r < 0 || !lazy->name)
		return r;
	lazy->prepare = prepare;
	lazy->request = (struct fetchfs_request){
		.uri = item->uri,
		.uid = prepare->user->uid,
		.through_mount = true, /* as it will be fetched */
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
	*ret = (struct content){.lazy = true};
	memcpy(ret->expected, lazy->sha256, sizeof(ret->expected));
	memcpy(ret->key, lazy->key, sizeof(ret->key));
	memcpy(ret->token, lazy->token, sizeof(ret->token));
}

/* With the user's rights: who may not use the mount shall not get files of it from us. */
int prepare_open_lazy(const struct prepare *prepare, size_t i, int *ret, struct err *err)
{
	CLEANUP(str_freep)
	char *path =
		str_printf("%s/.fetchfs/lease/%s", prepare->plan->mount, prepare->lazy[i].name);
	CLEANUP(user_return) struct user_guard guard = {0};
	int r = path ? user_become(prepare->user, &guard, err) : err_oom(err);
	int fd;

	if (r < 0)
		return r;
	fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			err, ERR_SYSTEM, errno, "open it by way of %s: %m", prepare->plan->mount);
	*ret = fd;
	return 0;
}

int prepare_fetch_lazy(struct prepare *prepare, size_t i, struct err *err)
{
	str_freep(&prepare->lazy[i].name);
	prepare->results[i].lazy = false;
	return prepare_fetch_one(prepare, i, err);
}
