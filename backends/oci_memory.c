#include "backends/oci_memory.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOTS     256
#define BYTES_MAX ((size_t)64 * 1024 * 1024) /* of all facts */
#define WAIT_MS   50

struct slot {
	char *key; /* NULL: empty */
	struct oci_fact *fact;
	bool busy;            /* somebody is finding it out */
	unsigned int waiting; /* threads: it stays where it is */
	uint64_t turns;       /* so often somebody has told */
	struct err why;       /* the last time there was nothing to tell */
	uint64_t used;        /* when it was looked at last, by the memory's count */
};

struct oci_memory {
	pthread_mutex_t mu;
	pthread_cond_t told;
	/* guarded by mu */
	struct slot slots[SLOTS];
	uint64_t uses;
	size_t bytes;
};

void oci_fact_init(
	struct oci_fact *fact, void (*free)(struct oci_fact *fact), int64_t until, size_t bytes)
{
	*fact = (struct oci_fact){.free = free, .until = until, .bytes = bytes};
	atomic_init(&fact->refs, 1);
}

struct oci_fact *oci_fact_ref(struct oci_fact *fact)
{
	atomic_fetch_add(&fact->refs, 1);
	return fact;
}

void oci_fact_unref(struct oci_fact *fact)
{
	if (fact && atomic_fetch_sub(&fact->refs, 1) == 1)
		fact->free(fact);
}

struct oci_memory *oci_memory_new(void)
{
	struct oci_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return NULL;
	pthread_mutex_init(&memory->mu, NULL);
	clock_cond_init(&memory->told);
	return memory;
}

/* Under mu. Facts hold no lock when they are freed. */
static void drop_fact(struct oci_memory *memory, struct slot *slot)
{
	if (slot->fact)
		memory->bytes -= slot->fact->bytes;
	oci_fact_unref(slot->fact);
	slot->fact = NULL;
}

static void empty(struct oci_memory *memory, struct slot *slot)
{
	drop_fact(memory, slot);
	free(slot->key);
	*slot = (struct slot){.key = NULL};
}

void oci_memory_free(struct oci_memory *memory)
{
	if (!memory)
		return;
	for (size_t i = 0; i < SLOTS && memory->uses > 0; i++)
		empty(memory, &memory->slots[i]);
	pthread_cond_destroy(&memory->told);
	pthread_mutex_destroy(&memory->mu);
	free(memory);
}

/* Under mu. NULL: there is none. */
static struct slot *find(struct oci_memory *memory, const char *key)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (str_equal(memory->slots[i].key, key)) {
			memory->slots[i].used = ++memory->uses;
			return &memory->slots[i];
		}
	return NULL;
}

/* Under mu: one that nobody needs, the one least lately looked at. NULL: all are needed. */
static struct slot *victim(struct oci_memory *memory, bool with_fact)
{
	struct slot *best = NULL;

	for (size_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &memory->slots[i];

		if (slot->busy || slot->waiting > 0 || (with_fact && !slot->fact))
			continue;
		if (!best || slot->used < best->used)
			best = slot;
	}
	return best;
}

/* Under mu: for @key, which has none. NULL: there is no room. */
static struct slot *make(struct oci_memory *memory, const char *key)
{
	struct slot *slot = victim(memory, false);
	char *copy = slot ? str_copy(key) : NULL;

	if (!copy)
		return NULL;
	empty(memory, slot);
	slot->key = copy;
	slot->used = ++memory->uses;
	return slot;
}

static bool is_good(const struct slot *slot)
{
	return slot->fact && clock_monotonic_ms() < slot->fact->until;
}

struct oci_fact *oci_memory_peek(struct oci_memory *memory, const char *key)
{
	const struct slot *slot;
	WITH_LOCK(&memory->mu);

	slot = find(memory, key);
	return slot && is_good(slot) ? oci_fact_ref(slot->fact) : NULL;
}

/* What has become of it. */
enum look { LOOK_KNOWN, LOOK_LEAD, LOOK_FAILED, LOOK_BUSY };

/* Under mu, once nobody is busy with it. */
static enum look conclude(struct slot *slot, uint64_t seen, struct oci_fact **ret, struct err *why)
{
	if (is_good(slot)) {
		*ret = oci_fact_ref(slot->fact);
		return LOOK_KNOWN;
	}
	/* who has given up has found nothing out */
	if (slot->turns != seen && slot->why.code && slot->why.kind != ERR_CANCELLED) {
		*why = slot->why;
		return LOOK_FAILED;
	}
	slot->busy = true;
	return LOOK_LEAD;
}

/* @*waits: we are counted as waiting; @*seen: since that turn. */
static enum look look(struct oci_memory *memory, const char *key, bool *waits, uint64_t *seen,
	struct oci_fact **ret, struct err *why)
{
	enum look found;
	struct slot *slot;
	WITH_LOCK(&memory->mu);

	slot = find(memory, key);
	if (!slot)
		slot = make(memory, key);
	if (!slot)
		return LOOK_LEAD;
	if (!*waits)
		*seen = slot->turns;
	if (slot->busy) {
		struct timespec until = clock_monotonic_in(WAIT_MS);

		slot->waiting += !*waits;
		*waits = true;
		pthread_cond_timedwait(&memory->told, &memory->mu, &until);
		if (slot->busy)
			return LOOK_BUSY;
	}
	found = conclude(slot, *seen, ret, why);
	slot->waiting -= *waits;
	*waits = false;
	return found;
}

static void stop_waiting(struct oci_memory *memory, const char *key)
{
	struct slot *slot;
	WITH_LOCK(&memory->mu);

	slot = find(memory, key);
	if (slot && slot->waiting > 0)
		slot->waiting--;
}

int oci_memory_find(struct oci_memory *memory, const char *key,
	int (*poll)(void *arg, struct err *err), void *arg, struct oci_fact **ret, struct err *err)
{
	struct err why = ERR_INIT;
	bool waits = false;
	uint64_t seen = 0;

	for (;;) {
		enum look found = look(memory, key, &waits, &seen, ret, &why);
		int r;

		if (found == LOOK_FAILED && err)
			*err = why;
		if (found == LOOK_FAILED)
			return -why.code;
		if (found != LOOK_BUSY)
			return found == LOOK_KNOWN;
		r = poll(arg, err);
		if (r < 0) {
			stop_waiting(memory, key);
			return r;
		}
	}
}

/* Under mu. */
static void make_room(struct oci_memory *memory, const struct slot *keep)
{
	while (memory->bytes > BYTES_MAX) {
		struct slot *slot = victim(memory, true);

		if (!slot || slot == keep)
			return;
		empty(memory, slot);
	}
}

void oci_memory_tell(
	struct oci_memory *memory, const char *key, struct oci_fact *fact, const struct err *why)
{
	struct slot *slot;
	WITH_LOCK(&memory->mu);

	slot = find(memory, key);
	if (!slot)
		return;
	drop_fact(memory, slot);
	slot->busy = false;
	slot->turns++;
	slot->why = why ? *why : ERR_INIT;
	if (fact) {
		slot->fact = oci_fact_ref(fact);
		memory->bytes += fact->bytes;
		make_room(memory, slot);
	}
	pthread_cond_broadcast(&memory->told);
}

void oci_memory_forget(struct oci_memory *memory, const char *key, const struct oci_fact *fact)
{
	struct slot *slot;
	WITH_LOCK(&memory->mu);

	slot = find(memory, key);
	if (slot && slot->fact == fact)
		drop_fact(memory, slot);
}
