#include "cache/touches.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/queue.h"
#include "cache/catalog_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS 1024 /* a power of two, and several times TOUCHES_MAX */

struct touch {
	struct digest digest;
	int64_t when;
	uint32_t turn; /* of the last use; 0: the slot is free */
};

struct batch {
	struct touch slots[SLOTS]; /* by digest; one that is taken is tried at the next one */
	uint32_t count;
	uint32_t turns;
};

struct touches {
	struct catalog *catalog;
	struct queue *queue;
	pthread_mutex_t writing; /* guards spare; before the catalog's locks */
	struct batch *spare;

	pthread_mutex_t mu;
	pthread_cond_t full; /* or closing */
	/* all below: guarded by mu */
	struct batch *batch;
	bool waiting;       /* a job is, for the batch to be full or late */
	int64_t rest_until; /* monotonic ms: others write */
	bool closing;
};

/* ---- writing ---- */

static int by_turn(const void *a, const void *b)
{
	const struct touch *one = *(const struct touch *const *)a;
	const struct touch *other = *(const struct touch *const *)b;

	return one->turn < other->turn ? -1 : one->turn > other->turn;
}

static int write_touch(struct db *db, const struct touch *touch, struct err *err)
{
	CLEANUP(db_resetp) struct db_query *query = NULL;
	int r = db_query(db,
		"UPDATE object SET used = " CATALOG_NEXT_USE ", last_used = ?2"
		" WHERE digest = ?1",
		&query, err);

	if (r < 0)
		return r;
	db_bind_blob(query, 1, touch->digest.bytes, sizeof(touch->digest.bytes));
	db_bind_int(query, 2, touch->when);
	return db_run(query, err);
}

static int write_batch(struct catalog *catalog, const struct batch *batch, struct err *err)
{
	CLEANUP(catalog_rollback) struct catalog_txn txn = CATALOG_TXN_INIT;
	const struct touch *order[SLOTS];
	size_t count = 0;
	int r;

	for (size_t i = 0; i < SLOTS; i++)
		if (batch->slots[i].turn)
			order[count++] = &batch->slots[i];
	if (count == 0)
		return 0;
	qsort(order, count, sizeof(order[0]), by_turn);
	r = catalog_begin(catalog, &txn, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = write_touch(catalog->db, order[i], err);
	/* no entry changed: readers of the index need not look again */
	return r < 0 ? r : catalog_commit(&txn, err);
}

/* What has been collected, for @empty, which goes on collecting. */
static struct batch *exchange(struct touches *touches, struct batch *empty)
{
	struct batch *batch;
	WITH_LOCK(&touches->mu);

	batch = touches->batch;
	touches->batch = empty;
	return batch;
}

int touches_write(struct touches *touches, struct err *err)
{
	WITH_LOCK(&touches->writing);

	memset(touches->spare, 0, sizeof(*touches->spare));
	touches->spare = exchange(touches, touches->spare);
	return write_batch(touches->catalog, touches->spare, err);
}

/* ---- collecting ---- */

/* When what is collected is to be written, given that nothing comes any more. Under mu. */
static int64_t due(const struct touches *touches, int64_t late)
{
	if (touches->closing)
		return 0;
	if (touches->batch->count < TOUCHES_MAX && late > touches->rest_until)
		return late;
	return touches->rest_until;
}

static void wait_until_due(struct touches *touches)
{
	int64_t late = clock_monotonic_ms() + TOUCHES_LATE;
	int64_t until;
	WITH_LOCK(&touches->mu);

	while ((until = due(touches, late)) > clock_monotonic_ms()) {
		struct timespec ts = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

		pthread_cond_clockwait(&touches->full, &touches->mu, CLOCK_MONOTONIC, &ts);
	}
	touches->waiting = false;
}

/*
 * Where all the time something is opened, there is always more to write; the writer's lock, which
 * nobody gets who has to be woken for it, would be ours alone. So it is left to others for longer
 * than we had it; what is used meanwhile, beyond what a batch holds, is forgotten.
 */
static void rest(struct touches *touches, int64_t began)
{
	int64_t now = clock_monotonic_ms();
	WITH_LOCK(&touches->mu);

	touches->rest_until = now + (now - began) * TOUCHES_REST;
	if (touches->rest_until > now + TOUCHES_LATE)
		touches->rest_until = now + TOUCHES_LATE;
}

static void job(void *arg)
{
	struct touches *touches = arg;
	int64_t began;

	wait_until_due(touches);
	began = clock_monotonic_ms();
	(void)touches_write(touches, NULL); /* it blurs the order */
	rest(touches, began);
}

static struct touch *slot_of(struct batch *batch, const struct digest *digest)
{
	size_t i = (size_t)digest->bytes[0] << 8 | digest->bytes[1];

	while (batch->slots[i % SLOTS].turn &&
		memcmp(&batch->slots[i % SLOTS].digest, digest, sizeof(*digest)) != 0)
		i++;
	return &batch->slots[i % SLOTS];
}

/* Caller holds mu. Whether a job has to be begun. */
static bool add(struct touches *touches, const struct digest *digest, int64_t now)
{
	struct batch *batch = touches->batch;
	struct touch *touch = slot_of(batch, digest);
	bool begin = !touches->waiting;

	if (!touch->turn && batch->count >= SLOTS / 2)
		return false; /* the disk is slower than the openers: this use is forgotten */
	if (!touch->turn && ++batch->count == TOUCHES_MAX)
		pthread_cond_signal(&touches->full);
	*touch = (struct touch){.digest = *digest, .when = now, .turn = ++batch->turns};
	touches->waiting = true;
	return begin;
}

void touches_add(struct touches *touches, const struct digest *digest, int64_t now)
{
	bool begin;

	{
		WITH_LOCK(&touches->mu);
		begin = add(touches, digest, now);
	}
	if (!begin || queue_push(touches->queue, job, touches, NULL) == 0)
		return;
	WITH_LOCK(&touches->mu);
	touches->waiting = false; /* the next use tries again */
}

/* ---- the whole ---- */

int touches_new(struct catalog *catalog, struct touches **ret, struct err *err)
{
	struct touches *touches = calloc(1, sizeof(*touches));
	int r;

	if (!touches)
		return err_oom(err);
	touches->catalog = catalog;
	pthread_mutex_init(&touches->writing, NULL);
	pthread_mutex_init(&touches->mu, NULL);
	pthread_cond_init(&touches->full, NULL);
	touches->batch = calloc(1, sizeof(*touches->batch));
	touches->spare = calloc(1, sizeof(*touches->spare));
	r = touches->batch && touches->spare ? queue_new("fetchfs-used", 1, &touches->queue, err)
					     : err_oom(err);
	if (r < 0) {
		touches_free(touches);
		return r;
	}
	*ret = touches;
	return 0;
}

void touches_free(struct touches *touches)
{
	if (!touches)
		return;
	{
		WITH_LOCK(&touches->mu);
		touches->closing = true;
		pthread_cond_signal(&touches->full);
	}
	queue_free(touches->queue); /* what has been added has a job that writes it */
	pthread_cond_destroy(&touches->full);
	pthread_mutex_destroy(&touches->mu);
	pthread_mutex_destroy(&touches->writing);
	free(touches->batch);
	free(touches->spare);
	free(touches);
}
