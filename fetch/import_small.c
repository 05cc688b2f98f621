/* Objects of at most a chunk, several at a time. */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/import.h"

#include <stdlib.h>
#include <string.h>

struct import_small {
	struct import *import;
	struct import_item *item;
	struct checksum expected;
	struct lock key;
	void *bytes;
	struct err err; /* how it ended */
	struct import_small *next;
};

static void small_free(struct import_small *small)
{
	lock_release(&small->key);
	free(small->bytes);
	free(small);
}

/* On the publisher's thread. */
static void on_published(void *arg, int result, struct object *object, const struct err *err)
{
	struct import_small *small = arg;
	struct import *import = small->import;

	(void)object;
	if (result < 0)
		small->err = *err;
	store_expected_small(&import->fetchfs->store);
	/* who reads the archive may be waiting for its pipe for long */
	import_yield(import, small->item, &small->key);
	WITH_LOCK(&import->mu);
	small->next = import->ended;
	import->ended = small;
	import->under_way--;
	pthread_cond_signal(&import->published);
}

static struct import_small *take_ended(struct import *import, unsigned int left)
{
	struct import_small *ended;
	WITH_LOCK(&import->mu);

	while (import->under_way > left)
		pthread_cond_wait(&import->published, &import->mu);
	ended = import->ended;
	import->ended = NULL;
	return ended;
}

void import_reap(struct import *import, unsigned int left)
{
	struct import_small *next;

	for (struct import_small *small = take_ended(import, left); small; small = next) {
		next = small->next;
		if (!small->err.code)
			import->sum.bytes += (uint64_t)small->item->entry.size;
		import_end(import, small->item, small->err.code ? &small->err : NULL);
		small_free(small);
	}
}

static int start_small(struct import *import, struct import_item *item, const void *bytes,
	size_t len, struct err *err)
{
	const struct store *store = &import->fetchfs->store;
	struct import_small *small = calloc(1, sizeof(*small));
	int r;

	if (!small)
		return err_oom(err);
	*small = (struct import_small){.import = import, .item = item, .key = LOCK_INIT};
	small->expected = checksum_of_digest(&item->entry.digest);
	small->bytes = malloc(len + 1);
	if (!small->bytes) {
		small_free(small);
		return err_oom(err);
	}
	memcpy(small->bytes, bytes, len);
	if (!import_claim(import, item, &small->key)) {
		small_free(small);
		return 0;
	}
	{
		WITH_LOCK(&import->mu);
		import->under_way++;
	}
	store_expect_small(store);
	r = store_publish_small(store, small->bytes, len, &small->expected, &item->entry, false,
		on_published, small, err);
	if (r == 0)
		return 0;
	store_expected_small(store);
	{
		WITH_LOCK(&import->mu);
		import->under_way--;
	}
	small_free(small);
	return r;
}

/* All of the member. */
static int read_small(struct import *import, char *buf, size_t size, struct err *err)
{
	size_t at = 0, len;
	const void *bytes;
	int r;

	while ((r = tar_reader_bytes(import->tar, &bytes, &len, err)) > 0) {
		memcpy(buf + at, bytes, len); /* no more than the member has */
		at += len;
	}
	import->torn = r < 0;
	import_tick(import, size);
	return r;
}

int import_small(struct import *import, struct import_item *items, size_t count, size_t size,
	struct err *err)
{
	CLEANUP(str_freep) char *buf = malloc(size + 1);
	int r = buf ? read_small(import, buf, size, err) : err_oom(err);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct err failure = ERR_INIT;

		if (!items[i].wanted)
			continue;
		import_reap(import, IMPORT_SMALL_MAX - 1);
		if (start_small(import, &items[i], buf, size, &failure) < 0)
			import_tell(import, &items[i], FETCHFS_IMPORT_FAILED, &failure);
	}
	return r;
}
