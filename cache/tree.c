#include "cache/tree.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "cache/evict.h"
#include "cache/store_private.h"
#include "cache/tree_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a tree's folder is marked by when there was no archive, but one compressed file. */
#define MARK_SINGLE S_ISVTX

/* How long those who are at the same object's lock are waited for: each is brief. */
#define LOCK_TRY_MS 10
#define LOCK_TRIES  1000

#define NAME_TRIES 16

struct tree_draft {
	const struct store *store;
	struct digest digest;
	struct entry_key key;
	struct lock lock;
	char partial[PARTIAL_NAME_SIZE]; /* the reservation */
	char name[TREE_TMP_SIZE];        /* in trees/; "": not made yet */
	int fd;
	uid_t uid; /* on whose share it is, as the archive */
	uint64_t reserved;
};

int tree_key(const struct digest *digest, struct entry_key *ret, struct err *err)
{
	char hex[DIGEST_HEX_SIZE];

	digest_hex(digest, hex);
	return entry_key_make("tree", hex, ret, err);
}

void tree_release(struct tree *tree)
{
	fd_close(&tree->fd);
}

struct tree tree_steal(struct tree *tree)
{
	struct tree given = *tree;

	tree->fd = -1;
	return given;
}

/* Open the folder @name of trees/ as a tree. */
static int open_folder(
	const struct store *store, const char *name, struct tree *ret, struct err *err)
{
	CLEANUP(fd_closep) int fd = tree_folder(store, name);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, ERR_SYSTEM, fd < 0 ? -fd : errno, "open tree %s: %m", name);
	/* another folder that somebody has put there */
	if ((st.st_mode & 0777) != 0555 || st.st_uid != geteuid()) {
		(void)store_remove(store, store->dir->trees_fd, name);
		return err_set(err, ERR_INTEGRITY, ENOENT, "%s was no tree", name);
	}
	*ret = (struct tree){.fd = fd_steal(&fd), .single = st.st_mode & MARK_SINGLE};
	return 0;
}

int tree_open(
	const struct store *store, const struct digest *digest, struct tree *ret, struct err *err)
{
	struct catalog_tree row;
	char name[DIGEST_HEX_SIZE];
	int r = catalog_tree_find(store->catalog, digest, &row, err);

	if (r < 0)
		return r;
	if (!row.of_this_boot)
		return err_set(err, ERR_SYSTEM, ENOENT, "it was unpacked before the last boot");
	digest_hex(digest, name);
	return open_folder(store, name, ret, err);
}

/* ---- beginning ---- */

static int lock_exclusively(const struct store *store, const struct digest *digest,
	const struct entry_key *key, struct lock *ret, struct err *err)
{
	const struct cachedir *dir = store->dir;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < LOCK_TRIES; i++) {
		r = cachedir_let_pass(dir);
		if (r == 0)
			r = cachedir_lock_digest(dir, digest, LOCK_EXCLUSIVE, ret);
		if (r == -EAGAIN)
			cachedir_wait(dir, key, cachedir_word(dir, key), LOCK_TRY_MS);
	}
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "lock an object: %m") : 0;
}

/*
 * What there is of an earlier tree goes: it may be none of ours, or not all of it may have reached
 * the disk. Under the object's lock: somebody who was frozen may be publishing his right now.
 */
static int clear_earlier(const struct tree_draft *draft, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	const struct store *store = draft->store;
	struct catalog_tree row = {0};
	char name[DIGEST_HEX_SIZE];
	int found = catalog_tree_find(store->catalog, &draft->digest, &row, err);
	int r;

	digest_hex(&draft->digest, name);
	if (found < 0 && found != -ENOENT)
		return found;
	if (found == -ENOENT && faccessat(store->dir->trees_fd, name, F_OK, 0) < 0) {
		tree_break_seal(store, &draft->digest);
		return 0;
	}
	r = lock_exclusively(store, &draft->digest, &draft->key, &lock, err);
	if (r < 0)
		return r;
	found = catalog_tree_find(store->catalog, &draft->digest, &row, err);
	if (found == 0 && row.of_this_boot && faccessat(store->dir->trees_fd, name, F_OK, 0) == 0)
		return err_set(err, ERR_SYSTEM, EEXIST, "it is unpacked");
	r = tree_part_with(store, &draft->digest, err);
	if (r == 0 && found == 0)
		r = tree_forget(store, &draft->digest, err);
	return r;
}

int tree_discard(const struct store *store, const struct digest *digest, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(tree_release) struct tree tree = TREE_INIT;
	struct entry_key key;
	int r = tree_key(digest, &key, err);

	if (r == 0)
		r = lock_exclusively(store, digest, &key, &lock, err);
	if (r < 0)
		return r;
	/* somebody else may have done so, and made it anew */
	r = tree_open(store, digest, &tree, err);
	if (r < 0 || tree_examine(store, digest, tree.fd, err) != -EBADMSG)
		return r == -ENOENT ? 0 : r;
	/* who has it mounted keeps it as it is */
	r = catalog_is_held(store->catalog, digest, err);
	if (r >= 0)
		r = tree_part_with(store, digest, err);
	return r < 0 ? r : tree_forget(store, digest, err);
}

int tree_open_names(
	const struct store *store, const struct digest *digest, int *ret, struct err *err)
{
	struct tree tree;
	char name[DIGEST_HEX_SIZE];
	int r;

	digest_hex(digest, name);
	r = open_folder(store, name, &tree, err);
	if (r == 0)
		*ret = tree.fd;
	return r;
}

static int make_folder(struct tree_draft *draft, struct err *err)
{
	int trees = draft->store->dir->trees_fd;
	int r = -EAGAIN;

	/* who sweeps may come between mkdir() and our lock */
	for (int i = 0; (r == -EAGAIN || r == -ENOENT) && i < NAME_TRIES; i++) {
		r = tree_tmp_name(TREE_NEW, draft->name);
		if (r == 0 && mkdirat(trees, draft->name, 0700) < 0)
			r = -errno;
		if (r == 0)
			r = tree_seize(draft->store, draft->name, &draft->fd);
	}
	if (r == 0)
		return 0;
	draft->name[0] = '\0';
	return err_set(
		err, r == -ENOSPC ? ERR_SPACE : ERR_SYSTEM, -r, "make a folder in trees: %m");
}

int tree_begin(const struct store *store, const struct digest *digest, const struct entry_key *key,
	struct tree_draft **ret, struct err *err)
{
	CLEANUP(tree_abort) struct tree_draft *draft = calloc(1, sizeof(*draft));
	int r;

	if (!draft)
		return err_oom(err);
	*draft = (struct tree_draft){
		.store = store, .digest = *digest, .key = *key, .lock = LOCK_INIT, .fd = -1};
	partial_name(key, 1, draft->partial);
	r = cachedir_lock_key(store->dir, key, &draft->lock);
	if (r == -EAGAIN)
		return err_set(err, ERR_SYSTEM, EALREADY, "somebody else unpacks it");
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock a tree: %m");
	tree_sweep(store);
	r = catalog_share_of(store->catalog, digest, &draft->uid, err);
	if (r == 0)
		r = clear_earlier(draft, err);
	/* no folder without room for it */
	if (r == 0)
		r = tree_reserve(draft, 4096, err);
	if (r == 0)
		r = make_folder(draft, err);
	if (r < 0)
		return r;
	*ret = draft;
	draft = NULL;
	return 0;
}

int tree_draft_fd(const struct tree_draft *draft)
{
	return draft->fd;
}

int tree_reserve(struct tree_draft *draft, uint64_t bytes, struct err *err)
{
	int r = evict_reserve(draft->store, draft->partial, draft->uid, bytes, err);

	if (r < 0)
		return r;
	draft->reserved = bytes;
	cachedir_bump(draft->store->dir, &draft->key);
	return 0;
}

/* ---- the end ---- */

void tree_abort(struct tree_draft **draft)
{
	struct tree_draft *is = *draft;

	*draft = NULL;
	if (!is)
		return;
	/* what cannot be removed stays for the next sweep */
	if (is->name[0])
		(void)tree_delete(is->store, is->name, is->fd);
	if (is->reserved > 0)
		(void)catalog_unreserve(is->store->catalog, is->partial, NULL);
	fd_close(&is->fd);
	if (lock_held(&is->lock)) {
		lock_release(&is->lock);
		cachedir_bump(is->store->dir, &is->key);
	}
	free(is);
}

/* The row, then the name. -EEXIST: somebody was frozen, and is no more, and came first. */
static int give_name(struct tree_draft *draft, uint64_t bytes, struct err *err)
{
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	const struct store *store = draft->store;
	int trees = store->dir->trees_fd;
	char name[DIGEST_HEX_SIZE];
	int r = cachedir_lock_digest(store->dir, &draft->digest, LOCK_SHARED, &lock);

	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "lock an object: %m");
	r = tree_record(store, &draft->digest, bytes, draft->partial, err);
	if (r < 0)
		return r;
	draft->reserved = 0;
	digest_hex(&draft->digest, name);
	if (!fault_hit("tree.rename") &&
		renameat2(trees, draft->name, trees, name, RENAME_NOREPLACE) == 0) {
		draft->name[0] = '\0';
		return 0;
	}
	r = -errno;
	if (r == -EEXIST)
		return r;
	(void)tree_forget(store, &draft->digest, NULL);
	return err_set(err, ERR_SYSTEM, -r, "publish tree %s: %m", name);
}

int tree_publish(
	struct tree_draft **draft, uint64_t bytes, bool single, struct tree *ret, struct err *err)
{
	CLEANUP(tree_abort) struct tree_draft *is = *draft;
	CLEANUP(tree_release) struct tree tree = TREE_INIT;
	int r = 0;

	*draft = NULL;
	if (bytes > is->reserved)
		r = tree_reserve(is, bytes, err);
	if (r < 0)
		return r;
	if (fchmod(is->fd, 0555 | (single ? MARK_SINGLE : 0)) < 0)
		return err_set(err, ERR_SYSTEM, errno, "change the mode of a tree: %m");
	r = open_folder(is->store, is->name, &tree, err);
	if (r == 0)
		r = give_name(is, bytes, err);
	if (r == -EEXIST)
		return tree_open(is->store, &is->digest, ret, err);
	if (r == 0)
		*ret = tree_steal(&tree);
	return r;
}
