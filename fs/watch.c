#include "fs/watch.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE     64
#define PAUSE_MS 100   /* at least, between two walks: changes come in bursts */
#define SHARE    10    /* it rests so many times longer than it works */
#define IDLE_MS  60000 /* a wake that was lost with its process is not missed for longer */

struct watch {
	struct fs *fs;
	pthread_t thread;
	pthread_mutex_t mu;
	pthread_cond_t changed;
	bool ending; /* guarded by mu */
	bool joined;
	int64_t waited; /* milliseconds in the kernel, for lookups there; the thread's */
};

static bool is_ending(struct watch *watch)
{
	WITH_LOCK(&watch->mu);
	return watch->ending;
}

/* true: it is to end. */
static bool rest(struct watch *watch, int64_t ms)
{
	int64_t until_ms = clock_monotonic_ms() + ms;
	struct timespec until = {
		.tv_sec = until_ms / 1000, .tv_nsec = (long)(until_ms % 1000) * 1000000};
	WITH_LOCK(&watch->mu);

	while (!watch->ending && pthread_cond_clockwait(&watch->changed, &watch->mu,
					 CLOCK_MONOTONIC, &until) != ETIMEDOUT)
		;
	return watch->ending;
}

/* ---- telling the kernel ---- */

/* The kernel takes the lock of the folder, which lookups hold as long as an origin lets them. */
static void expire(struct watch *watch, uint64_t parent, const char *name)
{
	int64_t began = clock_monotonic_ms();

	if (parent && name && !is_ending(watch))
		ops_expire(watch->fs, parent, name);
	watch->waited += clock_monotonic_ms() - began;
}

/* Where it was found last, and where else it is found. */
static void expire_names(struct watch *watch, struct node *node)
{
	struct fs *fs = watch->fs;
	CLEANUP(str_freep) char *path = NULL;
	CLEANUP(str_freep) char *last = NULL;
	CLEANUP(str_freep) char *name = NULL;
	uint64_t parent;
	uint64_t uris = inode_id_of_path(fs->inodes, "uri");
	uint64_t folder;
	char *slash;

	last = inode_place(fs->inodes, node, &parent);
	expire(watch, parent, last);
	if (node->kind != NODE_FILE)
		return;
	if (names_to_uri(node->wanted.uri, &name, NULL) == 0 &&
		!(uris == parent && str_equal(name, last)))
		expire(watch, uris, name);
	if (fetchfs_mount_path(node->wanted.uri, &path, NULL) < 0 || !(slash = strrchr(path, '/')))
		return;
	*slash = '\0';
	folder = inode_id_of_path(fs->inodes, path);
	if (!(folder == parent && str_equal(slash + 1, last)))
		expire(watch, folder, slash + 1);
}

/* ---- looking ---- */

/* Whether a name in the tree is a folder by now, since something below it is known. */
static bool is_shadowed(struct fs *fs, const struct node *node)
{
	CLEANUP(str_freep) char *folder = NULL;

	if (node->kind != NODE_FILE || strchr(node->wanted.uri, '?'))
		return false;
	folder = str_printf("%s/", node->wanted.uri);
	return folder && fetchfs_is_folder(fs->fetchfs, folder, geteuid(), NULL) > 0;
}

static bool is_true(struct fs *fs, struct node *node)
{
	struct facts facts = inode_facts(fs->inodes, node);
	const char *key = node->kind != NODE_OBJECT ? node->key : NULL;
	CLEANUP(str_freep) char *folder = NULL;

	if (node->kind != NODE_FOLDER)
		return fetchfs_is_unchanged(
			       fs->fetchfs, key, facts.sha256, facts.executable, NULL) != 0;
	return names_folder(node->path, &folder, NULL) == 0 &&
	       fetchfs_is_folder(fs->fetchfs, folder, geteuid(), NULL) == 2;
}

static void look_at(struct watch *watch, struct node *node)
{
	struct fs *fs = watch->fs;

	if (!is_true(fs, node)) {
		inode_supersede(fs->inodes, node);
		/* its attributes only: those who have it open go on reading the same bytes */
		fuse_lowlevel_notify_inval_inode(fs->session, node->id, -1, 0);
		expire_names(watch, node);
	} else if (inode_set_shadowed(fs->inodes, node, is_shadowed(fs, node))) {
		expire_names(watch, node);
	}
}

/* The milliseconds since *since that it has worked, not waited; from now on they begin anew. */
static int64_t worked(struct watch *watch, int64_t *since)
{
	int64_t now = clock_monotonic_ms();
	int64_t ret = now - *since - watch->waited;

	*since = now;
	watch->waited = 0;
	return ret;
}

/* true: it is to end. */
static bool look_around(struct watch *watch)
{
	struct fs *fs = watch->fs;
	struct node *nodes[PAGE];
	int64_t since = clock_monotonic_ms();
	size_t cursor = 0;
	size_t count;

	while ((count = inode_walk_kept(fs->inodes, &cursor, nodes, PAGE)) > 0) {
		for (size_t i = 0; i < count; i++) {
			if (!is_ending(watch))
				look_at(watch, nodes[i]);
			inode_unref(fs->inodes, nodes[i]);
		}
		if (clock_monotonic_ms() == since)
			continue;
		if (rest(watch, SHARE * worked(watch, &since)))
			return true;
		since = clock_monotonic_ms();
	}
	return rest(watch, PAUSE_MS);
}

static void *run(void *arg)
{
	struct watch *watch = arg;
	struct fetchfs *fetchfs = watch->fs->fetchfs;
	uint32_t seen = fetchfs_changes(fetchfs);

	while (!is_ending(watch)) {
		uint32_t now = fetchfs_changes(fetchfs);

		if (now == seen) {
			fetchfs_changes_wait(fetchfs, seen, IDLE_MS);
			continue;
		}
		seen = now;
		if (look_around(watch))
			break;
	}
	return NULL;
}

/* ---- its life ---- */

int watch_new(struct fs *fs, struct watch **ret, struct err *err)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int r;

	if (!watch)
		return err_oom(err);
	watch->fs = fs;
	pthread_cond_init(&watch->changed, NULL);
	pthread_mutex_init(&watch->mu, NULL);
	r = pthread_create(&watch->thread, NULL, run, watch);
	if (r) {
		pthread_cond_destroy(&watch->changed);
		pthread_mutex_destroy(&watch->mu);
		free(watch);
		return err_set(err, ERR_SYSTEM, r, "start a thread: %m");
	}
	*ret = watch;
	return 0;
}

void watch_end(struct watch *watch)
{
	if (!watch)
		return;
	WITH_LOCK(&watch->mu);
	watch->ending = true;
	pthread_cond_signal(&watch->changed);
}

void watch_join(struct watch *watch)
{
	pthread_join(watch->thread, NULL);
	watch->joined = true;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	if (!watch->joined)
		watch_join(watch);
	pthread_cond_destroy(&watch->changed);
	pthread_mutex_destroy(&watch->mu);
	free(watch);
}
