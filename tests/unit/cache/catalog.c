#include "base/clock.h"
#include "base/fault.h"
#include "cache/db.h"
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#define BASE "https://h/"

static void record_as(
	struct cache *cache, const char *uri, const char *scope, enum entry_state state)
{
	struct entry entry = entry_of(uri);
	struct err err = ERR_INIT;

	cr_assert_eq(entry_key_make(scope, uri, &entry.key, NULL), 0);
	entry.scope = (char *)(uintptr_t)scope;
	entry.state = state;
	cr_assert_eq(
		catalog_record(cache->store.catalog, &entry, 0, 0, NULL, &err), 0, "%s", err.msg);
}

static void record(struct cache *cache, const char *uri)
{
	record_as(cache, uri, "", ENTRY_KNOWN);
}

/* What a walk visited, as one line: "name name/ …". */
struct line {
	char text[1024];
	int stop_after;
};

static int note(struct line *line, const char *name, const char *tail)
{
	strcat(line->text, name);
	strcat(line->text, tail);
	strcat(line->text, " ");
	return --line->stop_after == 0 ? 9 : 0;
}

static int note_name(const char *name, bool is_folder, void *arg)
{
	return note(arg, name, is_folder ? "/" : "");
}

static int note_entry(const struct entry *entry, void *arg)
{
	return note(arg, entry->uri, "");
}

static const char *children(struct cache *cache, const char *folder, const char *scope)
{
	static struct line line;
	char *from = NULL;

	line = (struct line){.stop_after = -1};
	cr_assert_eq(catalog_children(cache->store.catalog, folder, NULL, scope, SIZE_MAX, &from,
			     note_name, &line, NULL),
		0);
	cr_assert_null(from);
	return line.text;
}

static const char *list(struct cache *cache, const char *prefix, const char *scope)
{
	static struct line line;

	line = (struct line){.stop_after = -1};
	cr_assert_eq(catalog_list(cache->store.catalog, prefix, scope, note_entry, &line, NULL), 0);
	return line.text;
}

Test(catalog, entry_comes_back_as_it_was_recorded)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct entry entry = entry_of(BASE "a");
	uint32_t changes = cachedir_changes(&cache->dir);
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, &err), -ENOENT);
	entry.state = ENTRY_KNOWN;
	entry.size = 77;
	entry.etag = (char *)(uintptr_t) "\"e\"";
	entry.type = (char *)(uintptr_t) "text/plain";
	entry.modified = 5;
	entry.has_query = true;
	entry.executable = true;
	entry.must_ask = true;
	cr_assert_eq(catalog_record(cache->store.catalog, &entry, 0, 0, NULL, &err), 0);
	cr_assert_neq(cachedir_changes(&cache->dir), changes);
	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, &err), 0);
	cr_assert_str_eq(is.uri, BASE "a");
	cr_assert_str_eq(is.scope, "");
	cr_assert_str_eq(is.etag, "\"e\"");
	cr_assert_str_eq(is.type, "text/plain");
	cr_assert_eq(is.size, 77);
	cr_assert_eq(is.modified, 5);
	cr_assert_eq(is.fetched, 1000);
	cr_assert_eq(is.verified, 1000);
	cr_assert_eq(is.expires, 2000);
	cr_assert(is.has_query && is.executable && is.must_ask && !is.pinned);
}

/* Another thread, which makes the log so long that it has to be emptied. */
struct writing {
	struct cache *cache;
	atomic_bool over;
	int64_t took; /* milliseconds */
};

static void *write_much(void *arg)
{
	struct writing *writing = arg;
	int64_t began = clock_monotonic_ms();

	for (int i = 0; i < 2000; i++) {
		CLEANUP(str_freep) char *uri = str_printf(BASE "%d", i);

		record(writing->cache, uri);
	}
	writing->took = clock_monotonic_ms() - began;
	atomic_store(&writing->over, true);
	return NULL;
}

Test(catalog, who_reads_does_not_wait_until_the_log_is_emptied)
{
	const int64_t wait_ms = 5000;
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *log = str_printf("%s/index.db-wal", cache->path);
	struct writing writing = {.cache = cache};
	struct stat st;
	struct entry_key key = key_of(BASE "read");
	int64_t longest = 0;
	pthread_t thread;

	record(cache, BASE "read");
	cr_assert_eq(fault_setup("db.checkpoint:1:5000ms"), 0);
	if (fault_hit("none"), fault_count() == 0)
		cr_skip("built without fault points");
	cr_assert_eq(pthread_create(&thread, NULL, write_much, &writing), 0);
	while (!atomic_load(&writing.over)) {
		CLEANUP(entry_release) struct entry is = {.size = -1};
		int64_t began = clock_monotonic_ms();

		cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
		if (clock_monotonic_ms() - began > longest)
			longest = clock_monotonic_ms() - began;
	}
	pthread_join(thread, NULL);
	cr_assert_geq(writing.took, wait_ms, "nobody was about to empty it");
	cr_assert_eq(stat(log, &st), 0);
	cr_assert_leq(st.st_size, 5 * MIB);
	cr_assert_lt(longest, wait_ms / 2);
	cr_assert_eq(fault_setup(NULL), 0);
}

Test(catalog, whoever_opens_it_finds_a_short_log)
{
	CLEANUP(tmpdir_removep) char *path = tmpdir_make();
	CLEANUP(str_freep) char *log = str_printf("%s/index.db-wal", path);
	int emptied = 0;

	/* one after the other, each of which records a little: never two at once */
	for (int i = 0; i < 400; i++) {
		struct cache *cache = cache_join(path, 64 * MIB);
		CLEANUP(str_freep) char *uri = str_printf(BASE "%d", i);
		struct entry entry = entry_of(uri);
		struct stat st = {.st_size = 0};

		cr_assert_eq(catalog_record(cache->store.catalog, &entry, 0, 0, NULL, NULL), 0);
		cache_leave(cache);
		emptied += stat(log, &st) < 0;
		cr_assert_leq(st.st_size, 2304 * 1024);
	}
	cr_assert_gt(emptied, 0);
	cr_assert_lt(emptied, 20); /* for that they wait for the disk */
}

Test(catalog, a_row_that_cannot_be_is_refused)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry entry = {.key = key_of(BASE "a"), .size = 1};
	struct entry is;

	entry.uri = (char *)(uintptr_t)BASE "a";
	cr_assert_lt(catalog_record(cache->store.catalog, &entry, 0, 0, NULL, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, NULL), -ENOENT);
	/* the index is as usable as before */
	entry.scope = (char *)(uintptr_t) "";
	cr_assert_eq(catalog_record(cache->store.catalog, &entry, 0, 0, NULL, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, NULL), 0);
	entry_release(&is);
}

Test(catalog, confirm_pin_and_remove_change_one_entry)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key other = key_of(BASE "other");
	struct entry_key key = key_of(BASE "a");
	struct entry is;

	put_away(cache, BASE "a", 5000, 1);
	cr_assert_eq(catalog_confirm(cache->store.catalog, &key, 3000, 4000, true, NULL), 0);
	cr_assert_eq(catalog_pin(cache->store.catalog, &key, true, NULL), 0);
	/* recorded again, as by a refresh that knows of no pin */
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
	cr_assert(is.pinned);
	cr_assert_eq(is.verified, 3000);
	cr_assert_eq(is.expires, 4000);
	cr_assert(is.must_ask);
	entry_release(&is);
	cr_assert_eq(catalog_confirm(cache->store.catalog, &key, 3000, 4000, false, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
	cr_assert(is.must_ask, "a short confirmation takes nothing back");
	entry_release(&is);
	record(cache, BASE "a");
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
	cr_assert(is.pinned);
	entry_release(&is);
	cr_assert_eq(catalog_remove(cache->store.catalog, &key, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), -ENOENT);
	cr_assert_eq(catalog_remove(cache->store.catalog, &key, NULL), -ENOENT);
	cr_assert_eq(catalog_pin(cache->store.catalog, &other, true, NULL), -ENOENT);
	cr_assert_eq(catalog_confirm(cache->store.catalog, &other, 1, 2, false, NULL), -ENOENT);
}

Test(catalog, what_is_complete_again_is_not_forgotten)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	const struct entry_key key = key_of(BASE "a");
	struct entry is;

	record_as(cache, BASE "a", "", ENTRY_COMPLETE);
	cr_assert_eq(catalog_forget(cache->store.catalog, &key, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
	entry_release(&is);
	record(cache, BASE "a");
	cr_assert_eq(catalog_forget(cache->store.catalog, &key, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), -ENOENT);
	cr_assert_eq(catalog_forget(cache->store.catalog, &key, NULL), 0);
}

Test(catalog, children_are_names_once_whatever_sorts_between)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);

	/* '!' … '.' sort before '/', '0' right after it */
	record(cache, BASE "x");
	record(cache, BASE "x!");
	record(cache, BASE "x.gz");
	record(cache, BASE "x/deep/er");
	record(cache, BASE "x/deep/est");
	record(cache, BASE "x0");
	record(cache, BASE "x0/y");
	record(cache, BASE "y/1");
	record(cache, BASE "y/2");
	record(cache, BASE "z/");
	record(cache, BASE "/empty");
	record(cache, "https://h.example/q");
	record(cache, "https://h:81/q");
	record(cache, "http://other/q");
	cr_assert_str_eq(children(cache, BASE, ""), "x/ x! x.gz x0/ y/ z/ ");
	cr_assert_str_eq(children(cache, BASE "x/", ""), "deep/ ");
	cr_assert_str_eq(children(cache, BASE "x/deep/", ""), "er est ");
	cr_assert_str_eq(children(cache, BASE "z/", ""), "");
	cr_assert_str_eq(children(cache, "https://", ""), "h.example/ h/ h:81/ ");
	cr_assert_str_eq(children(cache, BASE "nothing/", ""), "");
	cr_assert_eq(catalog_has_children(cache->store.catalog, BASE "x/", "", NULL), 1);
	cr_assert_eq(catalog_has_children(cache->store.catalog, BASE "x.gz/", "", NULL), 0);
	cr_assert_eq(catalog_has_children(cache->store.catalog, "https://", "", NULL), 1);
	cr_assert_eq(catalog_has_children(cache->store.catalog, "ftp://", "", NULL), 0);
}

Test(catalog, children_hide_absent_secret_and_foreign_entries)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry secret = entry_of(BASE "d/s?…");

	record(cache, BASE "d/public");
	record_as(cache, BASE "d/gone", "", ENTRY_ABSENT);
	record_as(cache, BASE "d/mine", "uid:7", ENTRY_KNOWN);
	record_as(cache, BASE "d/public", "uid:7", ENTRY_KNOWN);
	secret.has_query = true;
	cr_assert_eq(catalog_record(cache->store.catalog, &secret, 0, 0, NULL, NULL), 0);
	cr_assert_str_eq(children(cache, BASE "d/", ""), "public ");
	cr_assert_str_eq(children(cache, BASE "d/", "uid:7"), "mine public ");
	cr_assert_str_eq(children(cache, BASE "d/", "uid:70"), "public ");
	cr_assert_str_eq(children(cache, BASE "d/", NULL), "mine public ");
}

Test(catalog, walks_of_many_pages_visit_everything_and_stop_when_told)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct line line = {.stop_after = 3};
	char seen[1024] = "";
	char *from = NULL;

	for (int i = 0; i < 200; i++) {
		CLEANUP(str_freep) char *uri = str_printf(BASE "%03d", i);

		record(cache, uri);
		if (i < 3)
			sprintf(seen + strlen(seen), "%03d ", i);
	}
	cr_assert_eq(strlen(children(cache, BASE, "")), 200 * 4);
	cr_assert_eq(catalog_children(cache->store.catalog, BASE, NULL, "", SIZE_MAX, &from,
			     note_name, &line, NULL),
		9);
	cr_assert_str_eq(line.text, seen);
	free(from);
}

Test(catalog, list_is_ordered_filtered_and_paged)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct line line = {.stop_after = 130};

	record(cache, "b");
	record(cache, "a2");
	record_as(cache, "a2", "uid:7", ENTRY_KNOWN);
	record_as(cache, "a1", "uid:7", ENTRY_KNOWN);
	cr_assert_str_eq(list(cache, "", NULL), "a1 a2 a2 b ");
	cr_assert_str_eq(list(cache, "", ""), "a2 b ");
	cr_assert_str_eq(list(cache, "a", "uid:7"), "a1 a2 a2 ");
	cr_assert_str_eq(list(cache, "a2", ""), "a2 ");
	cr_assert_str_eq(list(cache, "c", NULL), "");
	for (int i = 0; i < 200; i++) {
		CLEANUP(str_freep) char *uri = str_printf("p%03d", i);

		record(cache, uri);
	}
	cr_assert_eq(catalog_list(cache->store.catalog, "p", "", note_entry, &line, NULL), 9);
	cr_assert_eq(strlen(line.text), 130 * 5);
	cr_assert(str_has_suffix(line.text, "p129 "));
}

Test(catalog, digest_is_found_only_in_a_scope_that_the_caller_may_use)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct entry entry = entry_of(BASE "a");
	struct digest digest = digest_of_bytes(5, 1);

	entry.scope = (char *)(uintptr_t) "uid:7";
	entry.state = ENTRY_COMPLETE;
	entry.digest = digest;
	cr_assert_eq(catalog_record(cache->store.catalog, &entry, 4096, 0, NULL, NULL), 0);
	cr_assert_eq(catalog_find_digest(cache->store.catalog, &digest, "", &is, NULL), -ENOENT);
	cr_assert_eq(
		catalog_find_digest(cache->store.catalog, &digest, "uid:8", &is, NULL), -ENOENT);
	cr_assert_eq(catalog_find_digest(cache->store.catalog, &digest, "uid:77 id:7", &is, NULL),
		-ENOENT);
	cr_assert_eq(
		catalog_find_digest(cache->store.catalog, &digest, "uid:8 uid:7", &is, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_find_digest(cache->store.catalog, &digest, "uid:7", &is, NULL), 0);
	cr_assert_eq(catalog_object_gone(cache->store.catalog, &digest, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_find_digest(cache->store.catalog, &digest, NULL, &is, NULL), -ENOENT);
	cr_assert_eq(catalog_find(cache->store.catalog, &entry.key, &is, NULL), 0);
	cr_assert_eq(is.state, ENTRY_KNOWN);
	cr_assert_eq(usage_of(cache).objects, 0);
	cr_assert_eq(usage_of(cache).entries, 0);
}

Test(catalog, reservations_never_exceed_the_limit)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct room_lacking lacking = {0};
	uint64_t bytes;

	cr_assert_eq(catalog_reserve(catalog,
			     &(struct room_wish){.partial = "a", .bytes = 600, .limit = 1000},
			     &lacking, NULL),
		0);
	cr_assert_eq(catalog_reserve(catalog,
			     &(struct room_wish){.partial = "b", .bytes = 600, .limit = 1000},
			     &lacking, NULL),
		-ENOSPC);
	cr_assert_eq(lacking.of_all, 200);
	cr_assert_eq(usage_of(cache).reserved, 600);
	/* a promise that grows replaces itself */
	cr_assert_eq(catalog_reserve(catalog,
			     &(struct room_wish){.partial = "a", .bytes = 1000, .limit = 1000},
			     &lacking, NULL),
		0);
	cr_assert_eq(catalog_reservation(catalog, "a", &bytes, NULL), 0);
	cr_assert_eq(bytes, 1000);
	cr_assert_eq(catalog_unreserve(catalog, "a", NULL), 0);
	cr_assert_eq(catalog_unreserve(catalog, "a", NULL), 0);
	cr_assert_eq(catalog_reservation(catalog, "a", &bytes, NULL), 0);
	cr_assert_eq(bytes, 0);
	cr_assert_eq(usage_of(cache).reserved, 0);
}

static int count_lease(const struct lease *lease, void *arg)
{
	int64_t *last = arg;

	cr_assert_str_eq(lease->directory, "/sandbox");
	*last = lease->id;
	return 0;
}

Test(catalog, leases_are_added_found_and_dropped)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/sandbox",
		.device = 1,
		.inode = 2,
		.name = (char *)(uintptr_t) "tool",
		.method = (char *)(uintptr_t) "copy",
		.file_inode = 3,
		.digest = digest_of_bytes(5, 1),
		.since = 4,
	};
	int64_t id = 0;

	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_is_held(catalog, &lease.digest, NULL), 1);
	cr_assert_eq(catalog_leases(catalog, 9, 9, count_lease, &id, NULL), 0);
	cr_assert_eq(id, 0);
	cr_assert_eq(catalog_leases(catalog, 1, 2, count_lease, &id, NULL), 0);
	cr_assert_neq(id, 0);
	id = 0;
	cr_assert_eq(catalog_leases(catalog, 0, 0, count_lease, &id, NULL), 0);
	cr_assert_eq(catalog_lease_drop(catalog, &id, 1, NULL), 0);
	cr_assert_eq(catalog_lease_drop(catalog, &id, 1, NULL), -ENOENT);
	cr_assert_eq(catalog_is_held(catalog, &lease.digest, NULL), 0);
}

static int copy_lease(const struct lease *lease, void *arg)
{
	struct lease *ret = arg;

	*ret = (struct lease){
		.id = lease->id,
		.digest = lease->digest,
		.uid = lease->uid,
		.has_key = lease->has_key,
		.key = lease->key,
	};
	return 0;
}

static struct lease only_lease(struct catalog *catalog)
{
	struct lease lease = {0};

	cr_assert_eq(catalog_leases(catalog, 0, 0, copy_lease, &lease, NULL), 0);
	return lease;
}

static bool is_of(const struct lease *lease, const struct digest *digest)
{
	return digest_equal(&lease->digest, digest);
}

Test(catalog, leases_on_what_is_to_come_are_on_what_comes_first)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct entry entry = entry_of(BASE "a");
	struct entry other = entry_of(BASE "b");
	const struct digest none = {0}, first = digest_of_bytes(5, 1),
			    second = digest_of_bytes(5, 2);
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/sandbox",
		.name = (char *)(uintptr_t) "tool",
		.method = (char *)(uintptr_t) "bind:lazy",
		.has_key = true,
		.key = entry.key,
	};
	struct lease is;

	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	is = only_lease(catalog);
	cr_assert(is_of(&is, &none) && is.has_key);
	cr_assert(memcmp(&is.key, &entry.key, sizeof(is.key)) == 0);

	other.state = ENTRY_COMPLETE;
	other.digest = second;
	cr_assert_eq(catalog_record(catalog, &other, 4096, 1, NULL, NULL), 0);
	entry.state = ENTRY_KNOWN;
	cr_assert_eq(catalog_record(catalog, &entry, 0, 0, NULL, NULL), 0);
	is = only_lease(catalog);
	cr_assert(is_of(&is, &none), "neither another one nor its headers are it");

	entry.state = ENTRY_COMPLETE;
	entry.digest = first;
	cr_assert_eq(catalog_record(catalog, &entry, 4096, 1, NULL, NULL), 0);
	cr_assert_eq(catalog_is_held(catalog, &first, NULL), 1);
	entry.digest = second;
	cr_assert_eq(catalog_record(catalog, &entry, 4096, 1, NULL, NULL), 0);
	is = only_lease(catalog);
	cr_assert(is_of(&is, &first) && is.has_key, "the next version is not it");

	/* it came between the look and the lease */
	cr_assert_eq(catalog_lease_drop(catalog, &is.id, 1, NULL), 0);
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	is = only_lease(catalog);
	cr_assert(is_of(&is, &second));

	/* it was said what it is to be */
	cr_assert_eq(catalog_lease_drop(catalog, &is.id, 1, NULL), 0);
	lease.digest = first;
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_record(catalog, &entry, 4096, 1, NULL, NULL), 0);
	is = only_lease(catalog);
	cr_assert(is_of(&is, &first));
}

Test(catalog, leases_are_found_by_their_tokens)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/sandbox",
		.name = (char *)(uintptr_t) "tool",
		.method = (char *)(uintptr_t) "bind:lazy",
		.uid = 7,
		.token = "0123456789abcdef0123456789abcdef",
	};
	CLEANUP(lease_release) struct lease is = {0};

	cr_assert_eq(catalog_lease_find(catalog, lease.token, &is, NULL), -ENOENT);
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_lease_find(catalog, lease.token, &is, NULL), 0);
	cr_assert(is.uid == 7 && !is.has_key);
	cr_assert_str_eq(is.token, lease.token);
	cr_assert_lt(catalog_lease_add(catalog, &lease, 1, NULL), 0, "there is one of them");
	lease.token[0] = '\0';
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0, "these have none");
	cr_assert_eq(catalog_lease_find(catalog, "", &is, NULL), -ENOENT);
}

Test(catalog, reopened_index_remembers)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(entry_release) struct entry is = {.size = -1};
	struct entry_key key = key_of(BASE "a");

	record(cache, BASE "a");
	catalog_close(cache->store.catalog);
	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, NULL), 0);
	cr_assert_eq(catalog_find(cache->store.catalog, &key, &is, NULL), 0);
}

Test(catalog, checksums_lead_to_the_content_for_as_long_as_it_is_there)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct checksum sha512 = checksum_of_bytes(CHECKSUM_SHA512, 10, 1);
	struct checksum md5 = checksum_of_bytes(CHECKSUM_MD5, 10, 1);
	struct digest unknown = digest_of_bytes(10, 9);
	struct entry_key key = key_of(BASE "a");
	struct entry is = {.size = -1};
	struct checksum found;
	struct digest digest;

	record_as(cache, BASE "a", "", ENTRY_COMPLETE);
	cr_assert_eq(catalog_find(catalog, &key, &is, NULL), 0);
	digest = is.digest;
	entry_release(&is);

	cr_assert_eq(catalog_find_checksum(catalog, &sha512, "", &is, NULL), -ENOENT);
	cr_assert_eq(catalog_checksum_add(catalog, &digest, &sha512, NULL), 0);
	cr_assert_eq(catalog_checksum_add(catalog, &digest, &sha512, NULL), 0, "again");
	cr_assert_eq(catalog_find_checksum(catalog, &sha512, "", &is, NULL), 0);
	cr_assert_str_eq(is.uri, BASE "a");
	entry_release(&is);
	cr_assert_eq(catalog_find_checksum(catalog, &md5, "", &is, NULL), -ENOENT);
	cr_assert_eq(catalog_checksum(catalog, &digest, CHECKSUM_SHA512, &found, NULL), 0);
	cr_assert(checksum_equal(&found, &sha512));
	cr_assert_eq(catalog_checksum(catalog, &digest, CHECKSUM_MD5, &found, NULL), -ENOENT);

	cr_assert_eq(catalog_checksum_add(catalog, &unknown, &sha512, NULL), 0);
	cr_assert_eq(catalog_checksum(catalog, &unknown, CHECKSUM_SHA512, &found, NULL), -ENOENT,
		"of what is not here nothing is kept");

	cr_assert_eq(catalog_object_gone(catalog, &digest, NULL), 0);
	cr_assert_eq(catalog_checksum(catalog, &digest, CHECKSUM_SHA512, &found, NULL), -ENOENT);
	cr_assert_eq(catalog_find_checksum(catalog, &sha512, "", &is, NULL), -ENOENT);
}

Test(catalog, checksums_show_nobody_what_is_not_theirs)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct catalog *catalog = cache->store.catalog;
	struct checksum sha512 = checksum_of_bytes(CHECKSUM_SHA512, 10, 1);
	struct entry entry = entry_of(BASE "a");
	struct entry is = {.size = -1};
	char scope[] = "uid:7";

	entry.scope = scope;
	entry.state = ENTRY_COMPLETE;
	entry.digest = digest_of_bytes(10, 1);
	cr_assert_eq(
		catalog_publish(catalog, &entry,
			&(struct catalog_object){.blocks = 4096, .verified = &sha512}, NULL, NULL),
		0);
	cr_assert_eq(catalog_find_checksum(catalog, &sha512, "uid:8", &is, NULL), -ENOENT);
	cr_assert_eq(catalog_find_checksum(catalog, &sha512, "uid:7", &is, NULL), 0);
	entry_release(&is);
}

Test(catalog, file_that_is_no_database_is_made_anew)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = str_printf("%s/index.db", cache->path);
	struct err err = ERR_INIT;
	struct db *db;
	FILE *file;

	catalog_close(cache->store.catalog);
	cache->store.catalog = NULL;
	/* or the pages in the log would be good for those that are lost */
	cr_assert_eq(db_open(path, &db, &err), 0);
	cr_assert_eq(db_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", &err), 0, "%s", err.msg);
	db_close(db);
	file = fopen(path, "w");
	for (int i = 0; i < 4096; i++)
		fputs("no database", file);
	fclose(file);
	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, &err), 0, "%s", err.msg);
	cr_assert_eq(usage_of(cache).entries, 0);
}

Test(catalog, two_processes_write_at_once_and_nothing_is_lost)
{
	enum { EACH = 300, PROCESSES = 3 };
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	char *path = strdup(cache->path);
	pid_t children[PROCESSES];
	int seen = 0;

	catalog_close(cache->store.catalog);
	for (int p = 0; p < PROCESSES; p++) {
		children[p] = fork();
		if (children[p] == 0) {
			struct cache *mine = cache_join(path, 64 * MIB);

			for (int i = 0; i < EACH; i++) {
				CLEANUP(str_freep) char *uri = str_printf("%d/%d", p, i);
				struct entry entry = entry_of(uri);

				if (catalog_record(mine->store.catalog, &entry, 0, 0, NULL, NULL) <
					0)
					_exit(1);
			}
			cache_leave(mine);
			_exit(0);
		}
	}
	for (int p = 0; p < PROCESSES; p++)
		cr_assert_eq(wait_for(children[p]), 0);
	cr_assert_eq(catalog_open(&cache->dir, &cache->store.catalog, NULL), 0);
	for (int i = 0; i < PROCESSES * EACH; i++) {
		CLEANUP(str_freep) char *uri = str_printf("%d/%d", i / EACH, i % EACH);
		CLEANUP(entry_release) struct entry is = {.size = -1};
		struct entry_key key = key_of(uri);

		seen += catalog_find(cache->store.catalog, &key, &is, NULL) == 0;
	}
	cr_assert_eq(seen, PROCESSES * EACH);
	free(path);
}
