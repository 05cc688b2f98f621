/* Reading all of the cache: fetchfs_verify(). */
#include "cache/verify.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/queue.h"
#include "fetch/context.h"
#include "fetch/info.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define PAGE    256
#define TICK_MS 100
#define MOST    64 /* threads */

/* What was found to be wrong, until it is told. */
struct finding {
	struct verified verified;
	struct digest digest;
	struct finding *next;
};

struct verification {
	struct fetchfs *fetchfs;
	const struct fetchfs_verify *how;

	pthread_mutex_t mu;
	pthread_cond_t news;
	/* all below: guarded by mu */
	struct digest page[PAGE];
	size_t taken; /* of the page */
	size_t count;
	bool last; /* no page comes after this one */
	unsigned int working;
	struct finding *findings;
	struct fetchfs_verified sum;
	struct err err; /* the first thing that could not be done; ends it */
};

/* ---- the threads that read ---- */

/* Caller holds mu. 1, 0 (there are no more) or -errno. */
static int next(struct verification *v, struct digest *ret)
{
	struct digest after = v->count > 0 ? v->page[v->count - 1] : (struct digest){{0}};

	if (v->err.code)
		return 0;
	if (v->taken == v->count && !v->last) {
		int r = catalog_objects(
			v->fetchfs->catalog, &after, PAGE, v->page, &v->count, &v->err);

		if (r < 0)
			return r;
		v->taken = 0;
		v->last = v->count < PAGE;
	}
	if (v->taken == v->count)
		return 0;
	*ret = v->page[v->taken++];
	return 1;
}

static bool take(struct verification *v, struct digest *ret)
{
	WITH_LOCK(&v->mu);

	return next(v, ret) > 0;
}

/* Caller holds mu. */
static int keep_finding(
	struct verification *v, const struct digest *digest, const struct verified *verified)
{
	struct finding *finding = malloc(sizeof(*finding));

	if (!finding)
		return err_oom(&v->err);
	*finding = (struct finding){.verified = *verified, .digest = *digest, .next = v->findings};
	v->findings = finding;
	pthread_cond_signal(&v->news);
	return 0;
}

static void note(struct verification *v, const struct digest *digest, struct verified *verified)
{
	struct fetchfs_verified *sum = &v->sum;
	WITH_LOCK(&v->mu);

	sum->objects++;
	sum->bytes += verified->bytes;
	sum->damaged += verified->verdict == VERDICT_DAMAGED;
	sum->missing += verified->verdict == VERDICT_MISSING;
	if (verified->verdict != VERDICT_DAMAGED && verified->verdict != VERDICT_MISSING)
		return;
	if (keep_finding(v, digest, verified) < 0)
		verify_release(verified);
}

static void stop(struct verification *v, const struct err *err)
{
	WITH_LOCK(&v->mu);

	if (!v->err.code)
		v->err = *err;
}

static void work(void *arg)
{
	struct verification *v = arg;
	struct digest digest;

	while (take(v, &digest)) {
		struct verified verified;
		struct err err = ERR_INIT;

		if (verify_object(&v->fetchfs->store, &digest, v->how->full, &verified, &err) < 0)
			stop(v, &err);
		else
			note(v, &digest, &verified);
	}
	WITH_LOCK(&v->mu);
	v->working--;
	pthread_cond_signal(&v->news);
}

/* ---- the one that tells ---- */

static void tell_name(
	struct verification *v, const struct finding *finding, const struct entry *entry)
{
	struct fetchfs_damage damage = {
		.uri = entry ? entry->uri : NULL,
		.executable = entry && entry->executable,
		.pinned = entry && entry->pinned,
		.can_be_asked = entry && !entry->has_query && !*entry->scope,
		.missing = finding->verified.verdict == VERDICT_MISSING,
	};

	digest_hex(&finding->digest, damage.sha256);
	v->how->found(&damage, v->how->arg);
}

static void tell(struct verification *v, struct finding *findings)
{
	struct finding *next;

	for (struct finding *finding = findings; finding; finding = next) {
		next = finding->next;
		if (finding->verified.count == 0)
			tell_name(v, finding, NULL);
		for (size_t i = 0; i < finding->verified.count; i++)
			tell_name(v, finding, &finding->verified.entries[i]);
		verify_release(&finding->verified);
		free(finding);
	}
}

/* Wait a moment. false: nobody reads any more. */
static bool await(
	struct verification *v, struct finding **ret_findings, struct fetchfs_verified *ret_sum)
{
	struct timespec until = clock_monotonic_in(TICK_MS);
	bool working;
	WITH_LOCK(&v->mu);

	while (v->working > 0 && !v->findings)
		if (pthread_cond_timedwait(&v->news, &v->mu, &until) == ETIMEDOUT)
			break;
	*ret_findings = v->findings;
	v->findings = NULL;
	*ret_sum = v->sum;
	working = v->working > 0;
	return working;
}

static void tell_all(struct verification *v, struct fetchfs_verified *ret)
{
	struct finding *findings;
	bool working;

	do {
		working = await(v, &findings, ret);
		tell(v, findings);
		if (v->how->tick)
			v->how->tick(ret, v->how->arg);
	} while (working);
}

static int start(struct verification *v, struct queue *readers, struct err *err)
{
	unsigned int threads = v->how->threads < MOST ? v->how->threads : MOST;

	for (unsigned int i = 0; i < threads || i == 0; i++) {
		int r;

		{
			WITH_LOCK(&v->mu);
			v->working++;
		}
		r = queue_push(readers, work, v, err);
		if (r == 0)
			continue;
		WITH_LOCK(&v->mu);
		v->working--;
		return i > 0 ? 0 : r;
	}
	return 0;
}

int fetchfs_verify(struct fetchfs *fetchfs, const struct fetchfs_verify *how,
	struct fetchfs_verified *ret, struct err *err)
{
	struct verification v = {.fetchfs = fetchfs, .how = how, .mu = PTHREAD_MUTEX_INITIALIZER};
	struct queue *readers;
	int r = queue_new("fetchfs-verify", MOST, &readers, err);

	if (r < 0)
		return r;
	clock_cond_init(&v.news);
	*ret = (struct fetchfs_verified){.objects = 0};
	r = start(&v, readers, err);
	if (r == 0)
		tell_all(&v, ret);
	queue_free(readers);
	pthread_cond_destroy(&v.news);
	pthread_mutex_destroy(&v.mu);
	if (r == 0 && v.err.code) {
		*err = v.err;
		r = -v.err.code;
	}
	return r;
}
