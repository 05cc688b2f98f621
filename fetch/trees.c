/*
 * Trees, for those who ask for them. Whoever finds none makes it, holding the lock of its key; the
 * others sleep on that key's word, which moves as it grows. Who holds it and has not moved it for
 * too long is frozen: the next in line takes the key that follows, as with downloads.
 */
#include "fetch/trees.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/tree.h"
#include "fetch/context.h"
#include "fetch/extract.h"
#include "fetch/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A killed maker wakes nobody: look by ourselves so often. */
#define LOOK_MS 100

/* However short the limits are: who works on a busy machine is not frozen. */
#define PATIENCE_MIN_MS 5000

/* So many that could not be unpacked are remembered, and so many frozen makers passed by. */
#define FAILURES_MAX 64
#define PASSED_MAX   8

/* Of so many lent trees it is remembered when they were looked at, and for so long it is not done
 * again for those who cannot wait. */
#define EXAMINED_MAX 64
#define EXAMINED_MS  1000

struct fetchfs_tree {
	struct tree tree;
	struct fetchfs_file *file; /* keeps the object open, and with it the tree */
};

/* ---- what cannot be unpacked: neither the bytes nor the limits will be others ---- */

struct failure {
	struct digest digest;
	struct err err; /* its code is 0: none */
};

struct examined {
	struct digest digest;
	int64_t until_ms; /* of the monotonic clock; 0: none */
};

struct trees {
	pthread_mutex_t mu;
	struct examined examined[EXAMINED_MAX]; /* guarded by mu */
	size_t next_examined;                   /* the oldest; guarded by mu */
	struct failure failures[FAILURES_MAX];  /* guarded by mu */
	size_t next;                            /* the oldest; guarded by mu */
};

struct trees *trees_new(void)
{
	struct trees *trees = calloc(1, sizeof(*trees));

	if (trees)
		pthread_mutex_init(&trees->mu, NULL);
	return trees;
}

void trees_free(struct trees *trees)
{
	if (!trees)
		return;
	pthread_mutex_destroy(&trees->mu);
	free(trees);
}

/* 0, or the error that it ended with before. */
static int recall_failure(struct trees *trees, const struct digest *digest, struct err *err)
{
	WITH_LOCK(&trees->mu);

	for (size_t i = 0; i < FAILURES_MAX; i++) {
		const struct failure *failure = &trees->failures[i];

		if (failure->err.code == 0 || !digest_equal(&failure->digest, digest))
			continue;
		if (err)
			*err = failure->err;
		return -failure->err.code;
	}
	return 0;
}

static void note_failure(struct trees *trees, const struct digest *digest, const struct err *err)
{
	WITH_LOCK(&trees->mu);

	if (err->code != ENOTSUP && err->code != EBADMSG && err->code != E2BIG)
		return;
	trees->failures[trees->next] = (struct failure){*digest, *err};
	trees->next = (trees->next + 1) % FAILURES_MAX;
}

static void note_examined(struct trees *trees, const struct digest *digest)
{
	WITH_LOCK(&trees->mu);

	trees->examined[trees->next_examined] =
		(struct examined){*digest, clock_monotonic_ms() + EXAMINED_MS};
	trees->next_examined = (trees->next_examined + 1) % EXAMINED_MAX;
}

static bool is_examined(struct trees *trees, const struct digest *digest)
{
	WITH_LOCK(&trees->mu);
	int64_t now = clock_monotonic_ms();

	for (size_t i = 0; i < EXAMINED_MAX; i++)
		if (trees->examined[i].until_ms > now &&
			digest_equal(&trees->examined[i].digest, digest))
			return true;
	return false;
}

/* ---- waiting for somebody else ---- */

struct turn {
	struct entry_key key;
	unsigned int passed;
	uint32_t word;
	int64_t since_ms; /* when it was first seen as it is; 0: not yet */
	int64_t until_ms; /* when this is to be over, 0: never; all of the monotonic clock */
};

/* Somebody else makes it: come back after a while, perhaps with another key. */
static int wait_for_other(struct fetchfs *fetchfs, struct turn *turn, struct err *err)
{
	int64_t patience = 2 * fetchfs->config.stall_ms;
	int64_t now = clock_monotonic_ms();
	uint32_t word = cachedir_word(&fetchfs->dir, &turn->key);

	if (patience < PATIENCE_MIN_MS)
		patience = PATIENCE_MIN_MS;
	if (atomic_load(&fetchfs->closing))
		return err_set(err, ERR_CANCELLED, ECANCELED, "cancelled");
	if (turn->until_ms > 0 && now >= turn->until_ms)
		return extract_late(err);
	if (turn->since_ms == 0 || word != turn->word) {
		turn->word = word;
		turn->since_ms = now;
	} else if (now - turn->since_ms >= patience && turn->passed < PASSED_MAX) {
		turn->since_ms = 0;
		turn->passed++;
		entry_key_next(&turn->key, &turn->key);
		return 0;
	}
	cachedir_wait(&fetchfs->dir, &turn->key, word, LOOK_MS);
	return 0;
}

/* ---- making it ---- */

/* What it is called: the last segment of its path, for the end of which it is looked at. */
static int name_of(struct fetchfs_file *file, char **ret, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	int r = fetchfs_file_info(file, &info, err);
	const char *slash;

	if (r < 0)
		return r;
	info.uri[strcspn(info.uri, "?#")] = '\0';
	slash = strrchr(info.uri, '/');
	*ret = str_copy(slash ? slash + 1 : info.uri);
	return *ret ? 0 : err_oom(err);
}

static int make(struct fetchfs *fetchfs, struct fetchfs_file *file, int64_t until_ms,
	struct tree_draft *given, struct tree *ret, struct err *err)
{
	CLEANUP(tree_abort) struct tree_draft *draft = given;
	CLEANUP(str_freep) char *name = NULL;
	uint64_t bytes = 0;
	bool single = false;
	int r = name_of(file, &name, err);

	if (r == 0)
		r = extract(fetchfs, fetchfs_file_fd(file), name, until_ms, draft, &single, err);
	if (r == 0)
		r = tree_check(tree_draft_fd(draft), &bytes, err);
	return r < 0 ? r : tree_publish(&draft, bytes, single, ret, err);
}

/* The tree, if there is one that nobody has changed by way of a hardlink. */
static int open_right(
	struct fetchfs *fetchfs, const struct digest *digest, struct tree *ret, struct err *err)
{
	CLEANUP(tree_release) struct tree tree = TREE_INIT;
	const struct store *store = &fetchfs->store;
	int r = tree_open(store, digest, &tree, err);

	if (r < 0)
		return r;
	r = tree_examine(store, digest, tree.fd, err);
	if (r == 0) {
		note_examined(fetchfs->trees, digest);
		*ret = tree_steal(&tree);
	}
	if (r != -EBADMSG)
		return r;
	r = tree_discard(store, digest, err);
	return r < 0 ? r : -ENOENT;
}

/* One look, and one try. 0: it is there. 1: look again. */
static int look(struct fetchfs *fetchfs, struct fetchfs_file *file, const struct digest *digest,
	struct turn *turn, struct tree *ret, struct err *err)
{
	struct tree_draft *draft;
	int r = open_right(fetchfs, digest, ret, err);

	if (r != -ENOENT)
		return r;
	r = recall_failure(fetchfs->trees, digest, err);
	if (r < 0)
		return r;
	r = tree_begin(&fetchfs->store, digest, &turn->key, &draft, err);
	if (r == -EEXIST)
		return 1;
	if (r == -EALREADY) {
		r = wait_for_other(fetchfs, turn, err);
		return r < 0 ? r : 1;
	}
	return r < 0 ? r : make(fetchfs, file, turn->until_ms, draft, ret, err);
}

static int find_or_make(struct fetchfs *fetchfs, struct fetchfs_file *file, int64_t until_ms,
	struct tree *ret, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	struct turn turn = {.until_ms = until_ms};
	struct digest digest;
	struct err why = ERR_INIT;
	int r = fetchfs_file_info(file, &info, err);

	if (r == 0)
		r = digest_parse(info.sha256, &digest, err);
	if (r == 0)
		r = tree_key(&digest, &turn.key, err);
	if (r < 0)
		return r;
	do
		r = look(fetchfs, file, &digest, &turn, ret, &why);
	while (r > 0);
	if (r < 0) {
		note_failure(fetchfs->trees, &digest, &why);
		if (err)
			*err = why;
	}
	return r;
}

/* Takes @tree over. */
static int hand_out(
	struct fetchfs_file *file, struct tree *tree, struct fetchfs_tree **ret, struct err *err)
{
	struct fetchfs_tree *made = calloc(1, sizeof(*made));
	int r = made ? fetchfs_file_share(file, &made->file, err) : err_oom(err);

	if (r < 0) {
		free(made);
		return r;
	}
	made->tree = tree_steal(tree);
	*ret = made;
	return 0;
}

int fetchfs_tree_open(
	struct fetchfs_file *file, int timeout_ms, struct fetchfs_tree **ret, struct err *err)
{
	CLEANUP(tree_release) struct tree tree = TREE_INIT;
	int64_t until_ms = timeout_ms < 0 ? 0 : clock_monotonic_ms() + timeout_ms;
	int r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, timeout_ms, err);

	if (r == 0 && fetchfs_file_fd(file) < 0)
		r = err_set(err, ERR_USAGE, EBADF, "it was fetched into the cache, not opened");
	if (r == 0)
		r = find_or_make(file_cache(file), file, until_ms, &tree, err);
	return r < 0 ? r : hand_out(file, &tree, ret, err);
}

int fetchfs_tree_open_now(struct fetchfs_file *file, struct fetchfs_tree **ret, struct err *err)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {0};
	CLEANUP(tree_release) struct tree tree = TREE_INIT;
	struct digest digest;
	int r = fetchfs_file_info(file, &info, err);

	if (r == 0 && fetchfs_file_fd(file) < 0)
		return -EAGAIN;
	if (r == 0)
		r = digest_parse(info.sha256, &digest, err);
	/* to look at all that is in one that was lent takes too long */
	if (r == 0 && tree_is_lent(&file_cache(file)->store, &digest) &&
		!is_examined(file_cache(file)->trees, &digest))
		return -EAGAIN;
	if (r == 0)
		r = tree_open(&file_cache(file)->store, &digest, &tree, err);
	if (r == -ENOENT) {
		r = recall_failure(file_cache(file)->trees, &digest, err);
		return r < 0 ? r : -EAGAIN;
	}
	return r < 0 ? r : hand_out(file, &tree, ret, err);
}

int fetchfs_tree_lend(
	struct fetchfs *fetchfs, const char *sha256, int fd, bool *ret_is_right, struct err *err)
{
	struct digest digest;
	int r = digest_parse(sha256, &digest, err);

	return r < 0 ? r : tree_lend(&fetchfs->store, &digest, fd, ret_is_right, err);
}

int fetchfs_tree_lent(struct fetchfs *fetchfs, const char *sha256, int fd, struct err *err)
{
	struct digest digest;
	int r = digest_parse(sha256, &digest, err);

	return r < 0 ? r : tree_lent(&fetchfs->store, &digest, fd, err);
}

int fetchfs_tree_open_names(struct fetchfs *fetchfs, const char *sha256, int *ret, struct err *err)
{
	struct digest digest;
	int r = digest_parse(sha256, &digest, err);

	return r < 0 ? r : tree_open_names(&fetchfs->store, &digest, ret, err);
}

char *fetchfs_tree_single_name(const char *name)
{
	static const char *const suffixes[] = {
		".gz", ".bz2", ".xz", ".zst", ".lzma", ".lz4", ".lz", ".Z"};
	size_t len = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (str_has_suffix(name, suffixes[i]) && len > strlen(suffixes[i]))
			return str_printf("%.*s", (int)(len - strlen(suffixes[i])), name);
	return str_copy(name);
}

int fetchfs_tree_fd(const struct fetchfs_tree *tree)
{
	return tree->tree.fd;
}

bool fetchfs_tree_is_single(const struct fetchfs_tree *tree)
{
	return tree->tree.single;
}

void fetchfs_tree_free(struct fetchfs_tree *tree)
{
	if (!tree)
		return;
	tree_release(&tree->tree);
	fetchfs_file_free(tree->file);
	free(tree);
}
