/*
 * Fills a cache with as many artifacts as are wanted, without a network:
 *
 *	fillcache CACHE <URIS
 *
 * For each line of its input, a public URI, the cache then has an artifact whose content is that
 * line, as if it had been fetched now and stayed fresh for ten years. They are published as a fetch
 * of small files publishes: by the store, with key locks, reservations, transactions of many, and
 * the journal. What there was of the same name is replaced.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "cache/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNDER_WAY 256
#define TEN_YEARS (INT64_C(10) * 365 * 86400)

struct filler {
	struct cachedir dir;
	struct store store;

	pthread_mutex_t mu;
	pthread_cond_t changed;
	/* guarded by mu */
	size_t under_way;
	size_t done;
	struct err err; /* the first that went wrong */
};

/* One on its way. */
struct artifact {
	struct filler *filler;
	struct entry entry;
	struct lock lock;
};

static void artifact_free(struct artifact *artifact)
{
	lock_release(&artifact->lock);
	entry_release(&artifact->entry);
	free(artifact);
}

static void published(void *arg, int result, struct object *object, const struct err *err)
{
	struct artifact *artifact = arg;
	struct filler *filler = artifact->filler;

	(void)object;
	store_expected_small(&filler->store);
	artifact_free(artifact);
	WITH_LOCK(&filler->mu);
	if (result < 0 && !filler->err.code)
		filler->err = *err;
	filler->done++;
	filler->under_way--;
	pthread_cond_signal(&filler->changed);
}

static struct artifact *artifact_new(struct filler *filler, const char *uri, struct err *err)
{
	struct artifact *artifact = calloc(1, sizeof(*artifact));
	int64_t now = clock_wall();

	if (!artifact) {
		err_oom(err);
		return NULL;
	}
	artifact->filler = filler;
	artifact->lock = LOCK_INIT;
	artifact->entry = (struct entry){
		.scope = strdup(""),
		.uri = strdup(uri),
		.size = -1,
		.modified = now,
		.fetched = now,
		.verified = now,
		.expires = now + TEN_YEARS,
	};
	if (!artifact->entry.scope || !artifact->entry.uri ||
		entry_key_make("", uri, &artifact->entry.key, err) < 0) {
		err_oom(err);
		artifact_free(artifact);
		return NULL;
	}
	return artifact;
}

/* Caller does not hold mu. 0, or -errno of what went wrong since. */
static int wait_until_at_most(struct filler *filler, size_t most, struct err *err)
{
	WITH_LOCK(&filler->mu);

	while (filler->under_way > most)
		pthread_cond_wait(&filler->changed, &filler->mu);
	if (filler->err.code)
		*err = filler->err;
	return -filler->err.code;
}

static int put(struct filler *filler, const char *uri, struct err *err)
{
	struct artifact *artifact = artifact_new(filler, uri, err);
	int r = artifact ? 0 : -err->code;

	if (r == 0) {
		r = cachedir_lock_key(&filler->dir, &artifact->entry.key, &artifact->lock);
		if (r < 0)
			err_set(err, ERR_SYSTEM, -r, "lock %s: %m", uri);
	}
	if (r == 0) {
		WITH_LOCK(&filler->mu);
		filler->under_way++;
	}
	if (r == 0) {
		store_expect_small(&filler->store);
		r = store_publish_small(&filler->store, uri, strlen(uri), NULL, &artifact->entry,
			false, published, artifact, err);
		if (r == 0)
			return 0;
		store_expected_small(&filler->store);
		WITH_LOCK(&filler->mu);
		filler->under_way--;
	}
	if (artifact)
		artifact_free(artifact);
	return r;
}

static int fill(struct filler *filler, FILE *in, struct err *err)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	int r = 0;

	while (r == 0 && (len = getline(&line, &room, in)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		r = put(filler, line, err);
		if (r == 0)
			r = wait_until_at_most(filler, UNDER_WAY, err);
	}
	free(line);
	return wait_until_at_most(filler, 0, err) < 0 ? -err->code : r;
}

static int open_cache(struct filler *filler, const char *path, struct err *err)
{
	int r = cachedir_open(path, false, &filler->dir, err);

	/* what fits is for the caller to know */
	filler->store = (struct store){.dir = &filler->dir, .limit = UINT64_C(1) << 50};
	if (r == 0)
		r = catalog_open(&filler->dir, &filler->store.catalog, err);
	return r < 0 ? r : store_share(&filler->store, err);
}

int main(int argc, char **argv)
{
	struct filler filler = {
		.dir = CACHEDIR_INIT,
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	struct err err = ERR_INIT;
	int r;

	if (argc != 2) {
		fprintf(stderr, "usage: fillcache CACHE <URIS\n");
		return 2;
	}
	r = open_cache(&filler, argv[1], &err);
	if (r == 0)
		r = fill(&filler, stdin, &err);
	store_unshare(&filler.store);
	catalog_close(filler.store.catalog);
	cachedir_close(&filler.dir);
	if (r < 0)
		fprintf(stderr, "fillcache: %s\n", err.msg);
	return r < 0;
}
