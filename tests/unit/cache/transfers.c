#include "cache/transfers.h"

#include "fixture.h"

#define URI  "https://example.org/a"
#define SIZE (UINT64_C(10) * CHUNK_SIZE + 777)

struct found {
	int count;
	struct transfer last;
};

static int collect(const struct transfer *transfer, void *arg)
{
	struct found *found = arg;

	found->count++;
	found->last = *transfer;
	return 0;
}

static struct found look(const struct cache *cache)
{
	struct found found = {0};
	struct err err = ERR_INIT;

	cr_assert_eq(transfers_visit(&cache->store, collect, &found, &err), 0, "%s", err.msg);
	return found;
}

/* Leads in another process until it is killed; answers when so much is there. */
static pid_t lead_elsewhere(const char *path, bool strong)
{
	int ready[2];
	pid_t child;
	char c;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		struct cache *cache = cache_join(path, 64 * MIB);
		struct ranges_version version = version_of(SIZE);
		struct entry_key key = key_of(URI);
		struct partial_label label = {.key = &key, .uri = URI "?…", .scope = "uid:7"};
		struct lock lock = LOCK_INIT;
		struct partial *partial;

		version.strong = strong;
		if (cachedir_lock_key(&cache->dir, &key, &lock) < 0 ||
			partial_create(&cache->store, &label, &partial, NULL) < 0 ||
			partial_start(partial, &version, NULL) < 0 ||
			write_range(partial, 0, CHUNK_SIZE + 1000, 1, NULL) < 0 ||
			write_range(partial, 10 * CHUNK_SIZE, SIZE, 1, NULL) < 0 ||
			write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	cr_assert_eq(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return child;
}

Test(transfers, one_of_another_process_is_seen_as_it_is)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	pid_t child = lead_elsewhere(cache->path, true);
	struct found found = look(cache);
	struct entry_key key = key_of(URI);

	kill(child, SIGKILL);
	wait_for(child);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.last.state, TRANSFER_ACTIVE);
	cr_assert_eq(memcmp(&found.last.key, &key, sizeof(key)), 0);
	cr_assert_str_eq(found.last.label.uri, URI "?…");
	cr_assert_str_eq(found.last.label.scope, "uid:7");
	cr_assert_eq(found.last.label.pid, child);
	cr_assert_eq(found.last.label.base, 0);
	cr_assert_eq(found.last.size, (int64_t)SIZE);
	/* up to the frontier each byte counts, of the rest whole chunks: here the last, short one
	 */
	cr_assert_eq(found.last.bytes, CHUNK_SIZE + 1000 + 777);
}

Test(transfers, what_a_killed_leader_left_is_interrupted)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	struct found found;
	pid_t child = lead_elsewhere(cache->path, true);

	kill(child, SIGKILL);
	wait_for(child);
	found = look(cache);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.last.state, TRANSFER_INTERRUPTED);
	cr_assert_eq(found.last.bytes, CHUNK_SIZE + 1000 + 777);

	/* and taken over it is active again, since now */
	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	cr_assert_eq(partial_resume(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	found = look(cache);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.last.state, TRANSFER_ACTIVE);
	cr_assert_eq(found.last.label.pid, (int)getpid());
	cr_assert_eq(found.last.label.base, CHUNK_SIZE + 1000 + 777);
	partial_fail(&partial, NULL, false);
	cr_assert_eq(look(cache).count, 0);
}

Test(transfers, what_cannot_be_resumed_is_no_leftover_to_show)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	pid_t child = lead_elsewhere(cache->path, false);

	cr_assert_eq(look(cache).count, 1);
	kill(child, SIGKILL);
	wait_for(child);
	cr_assert_eq(look(cache).count, 0);
}

Test(transfers, a_transfer_without_an_answer_waits)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct entry_key key = key_of(URI);
	struct partial *partial;
	struct err err = ERR_INIT;
	struct found found;

	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	cr_assert_eq(partial_create(&cache->store, LABEL(&key), &partial, &err), 0, "%s", err.msg);
	found = look(cache);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(found.last.state, TRANSFER_WAITING);
	cr_assert_eq(found.last.size, -1);
	cr_assert_eq(found.last.bytes, 0);
	partial_fail(&partial, NULL, false);
}

Test(transfers, a_long_uri_is_cut_and_rubbish_is_passed_over)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(str_freep)
	char *rubbish =
		str_printf("%s/partial/000102030405060708090a0b0c0d0e0f.1.map", cache->path);
	char uri[2000] = "https://example.org/";
	struct entry_key key = key_of(URI);
	struct partial_label label = {.key = &key, .uri = uri, .scope = ""};
	struct partial *partial;
	struct err err = ERR_INIT;
	struct found found;

	memset(uri + strlen(uri), 'x', sizeof(uri) - 1 - strlen(uri));
	close(open(rubbish, O_WRONLY | O_CREAT, 0600));
	cr_assert_eq(cachedir_lock_key(&cache->dir, &key, &lock), 0);
	cr_assert_eq(partial_create(&cache->store, &label, &partial, &err), 0, "%s", err.msg);
	found = look(cache);
	cr_assert_eq(found.count, 1);
	cr_assert_eq(strlen(found.last.label.uri), RANGES_URI_MAX - 1);
	cr_assert(str_has_prefix(found.last.label.uri, "https://example.org/xxx"));
	cr_assert(str_has_suffix(found.last.label.uri, "x…"));
	partial_fail(&partial, NULL, false);
}
