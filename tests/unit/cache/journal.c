/* The journal, and the index that is made of it. */
#include "cache/journal.h"
#include "base/fault.h"
#include "fixture.h"

#define URI  "https://example.org/a"
#define SIZE 300000

/* Everything of the index that a journal keeps, as text. */
struct known {
	char text[8192];
	size_t len;
};

static int add_entry(const struct entry *entry, void *arg)
{
	struct known *known = arg;
	char hex[DIGEST_HEX_SIZE] = "";

	if (entry->state != ENTRY_COMPLETE)
		return 0;
	digest_hex(&entry->digest, hex);
	known->len += (size_t)snprintf(known->text + known->len, sizeof(known->text) - known->len,
		"%s|%s|%s|%lld|%s|%s|%d%d%d%d|%lld|%lld|%lld|%lld\n", entry->scope, entry->uri, hex,
		(long long)entry->size, entry->etag ? entry->etag : "-",
		entry->type ? entry->type : "-", entry->has_query, entry->executable, entry->pinned,
		entry->must_ask, (long long)entry->modified, (long long)entry->fetched,
		(long long)entry->verified, (long long)entry->expires);
	return 0;
}

static int add_lease(const struct lease *lease, void *arg)
{
	struct known *known = arg;
	char hex[DIGEST_HEX_SIZE], key[ENTRY_KEY_HEX_SIZE] = "-", expected[DIGEST_HEX_SIZE] = "-";

	digest_hex(&lease->digest, hex);
	if (lease->has_key)
		entry_key_hex(&lease->key, key);
	if (lease->has_expected)
		digest_hex(&lease->expected, expected);
	known->len += (size_t)snprintf(known->text + known->len, sizeof(known->text) - known->len,
		"%lld|%s|%llu|%llu|%lld|%s|%s|%llu|%lld|%llu|%llu|%lld|%s|%s|%s|%s|%s|%lld|%d\n",
		(long long)lease->id, lease->directory, (unsigned long long)lease->device,
		(unsigned long long)lease->inode, (long long)lease->born, lease->name,
		lease->method, (unsigned long long)lease->file_inode, (long long)lease->file_born,
		(unsigned long long)lease->mount, (unsigned long long)lease->mount_space,
		(long long)lease->uid, lease->uri, hex, key, expected, lease->token,
		(long long)lease->since, lease->of_this_boot);
	return 0;
}

static struct known known_of(struct cache *cache)
{
	struct known known = {.len = 0};
	struct err err = ERR_INIT;

	cr_assert_eq(catalog_list(cache->store.catalog, "", NULL, add_entry, &known, &err), 0, "%s",
		err.msg);
	cr_assert_eq(catalog_leases(cache->store.catalog, 0, 0, add_lease, &known, &err), 0, "%s",
		err.msg);
	return known;
}

static void lose_index(struct cache *cache)
{
	static const char *const ends[] = {"", "-wal", "-shm"};

	for (size_t i = 0; i < 3; i++) {
		CLEANUP(str_freep) char *path = str_printf("%s/index.db%s", cache->path, ends[i]);

		unlink(path);
	}
}

static struct lease lease_of(const struct digest *digest)
{
	return (struct lease){
		.directory = (char *)(uintptr_t) "/srv/\"box\" \xc3\xa9",
		.device = UINT64_MAX,
		.inode = 5,
		.born = 1700000000123456789,
		.name = (char *)(uintptr_t) "sub/file",
		.method = (char *)(uintptr_t) "bind",
		.file_inode = 7,
		.file_born = 1700000000987654321,
		.mount = 8,
		.mount_space = 9,
		.uid = 1000,
		.uri = (char *)(uintptr_t)URI,
		.digest = *digest,
		.token = "00112233445566778899aabbccddeeff",
		.since = 10,
	};
}

/* One of everything, and of what is no more. */
static void fill(struct cache *cache)
{
	struct catalog *catalog = cache->store.catalog;
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct lease lease = lease_of(&digest), lazy = lease_of(&(struct digest){{0}});
	struct entry_key key = key_of(URI), other = key_of("https://example.org/other");
	struct entry entry = entry_of(URI), absent = entry_of("https://example.org/absent");
	struct err err = ERR_INIT;

	put_away(cache, URI, SIZE, 1);
	put_away(cache, "https://example.org/absent", SIZE, 2);
	put_away(cache, "https://example.org/gone", SIZE, 3);
	put_away(cache, "https://example.org/evicted", SIZE, 4);
	put_away(cache, "https://example.org/other", SIZE, 5);
	entry.state = ENTRY_COMPLETE;
	entry.digest = digest;
	entry.size = SIZE;
	entry.scope = (char *)(uintptr_t) "origin:12:1000";
	entry.etag = (char *)(uintptr_t) "W/\"a\\b\"";
	entry.type = (char *)(uintptr_t) "text/plain";
	entry.has_query = entry.must_ask = true;
	entry.modified = 11;
	entry.key.bytes[0] ^= 1;
	cr_assert_eq(catalog_record(catalog, &entry, 0, 0, NULL, &err), 0, "%s", err.msg);
	absent.state = ENTRY_ABSENT;
	cr_assert_eq(catalog_record(catalog, &absent, 0, 0, NULL, &err), 0, "%s", err.msg);
	key = key_of("https://example.org/gone");
	cr_assert_eq(catalog_remove(catalog, &key, NULL), 0);
	digest = digest_of_bytes(SIZE, 4);
	cr_assert_eq(evict_object(&cache->store, &digest, NULL), 0);
	key = key_of(URI);
	cr_assert_eq(catalog_pin(catalog, &key, true, NULL), 0);
	cr_assert_eq(catalog_pin(catalog, &other, true, NULL), 0);
	cr_assert_eq(catalog_pin(catalog, &other, false, NULL), 0);
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, &err), 0, "%s", err.msg);
	lease.token[0] = '\0';
	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_lease_drop(catalog, &(int64_t){1}, 1, NULL), 0);
	lazy.token[0] = 'f';
	lazy.has_key = lazy.has_expected = true;
	lazy.key = other;
	lazy.expected = digest_of_bytes(SIZE, 6);
	cr_assert_eq(catalog_lease_add(catalog, &lazy, 1, &err), 0, "%s", err.msg);
}

/* The same cache, by another process. */
static void expect_same(struct cache *cache, const struct known *before, const char *what)
{
	struct cache *anew = cache_join(cache->path, 64 * MIB);
	struct known now = known_of(anew);

	cr_assert_str_eq(now.text, before->text, "%s", what);
	cr_assert_eq(usage_of(anew).objects, usage_of(cache).objects, "%s", what);
	cache_leave(anew);
}

Test(journal, an_index_that_was_lost_is_made_anew)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct known before;

	fill(cache);
	before = known_of(cache);
	cr_assert(strstr(before.text, "origin:12:1000"));
	cr_assert(strstr(before.text, "|5|1700000000123456789|"));
	cr_assert(strstr(before.text, "|7|1700000000987654321|"));
	lose_index(cache);
	expect_same(cache, &before, "lost");
	/* whoever had it open finds the new one */
	lose_index(cache);
	{
		struct known now = known_of(cache);

		cr_assert_str_eq(now.text, before.text);
	}
	put_away(cache, "https://example.org/later", SIZE, 7);
	before = known_of(cache);
	expect_same(cache, &before, "together");
}

Test(journal, a_short_one_says_the_same)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = str_printf("%s/journal", cache->path);
	struct entry_key key = key_of(URI);
	struct err err = ERR_INIT;
	struct known before;
	struct stat st;

	fill(cache);
	for (int i = 0; i < 15000; i++)
		cr_assert_eq(catalog_pin(cache->store.catalog, &key, i % 2 != 0, NULL), 0);
	before = known_of(cache);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_gt(st.st_size, 1 << 20);
	cr_assert_eq(journal_compact(&cache->store, true, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_lt(st.st_size, 8000);
	cr_assert_eq(usage_of(cache).reserved, 0);
	/* who had the long one open goes on in the short one */
	cr_assert_eq(catalog_pin(cache->store.catalog, &key, false, NULL), 0);
	before = known_of(cache);
	lose_index(cache);
	expect_same(cache, &before, "short");
}

Test(journal, an_evictor_makes_a_long_one_short_only_if_that_frees_much)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = str_printf("%s/journal", cache->path);
	struct entry_key key = key_of(URI);
	struct err err = ERR_INIT;
	struct stat st;
	off_t size;

	fill(cache);
	for (int i = 0; i < 22000; i++)
		cr_assert_eq(catalog_pin(cache->store.catalog, &key, i % 2 != 0, NULL), 0);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_gt(st.st_size, 3 << 19);
	size = st.st_size;
	cache->store.limit = 1024 * MIB;
	cr_assert_eq(journal_compact(&cache->store, false, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, size);
	cache->store.limit = 64 * MIB;
	cr_assert_eq(journal_compact(&cache->store, false, &err), 0, "%s", err.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_lt(st.st_size, 8000);
}

Test(journal, what_cannot_be_written_down_does_not_happen)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct entry_key key = key_of(URI);
	struct object object;
	struct err err = ERR_INIT;
	struct known before;

	fill(cache);
	before = known_of(cache);
	cr_assert_eq(fault_setup("journal.write:1:ENOSPC"), 0);
	if (fault_hit("none"), fault_count() == 0)
		cr_skip("built without fault points");
	cr_assert_eq(put(cache, "https://example.org/new", SIZE, 8, &object, &err), -ENOSPC);
	cr_assert_eq(err.kind, ERR_SPACE);
	cr_assert_eq(fault_setup("journal.write:1:EIO"), 0);
	cr_assert_eq(catalog_pin(cache->store.catalog, &key, false, &err), -EIO);
	cr_assert_eq(fault_setup(NULL), 0);
	{
		struct known now = known_of(cache);

		cr_assert_str_eq(now.text, before.text);
	}
	lose_index(cache);
	expect_same(cache, &before, "as it was");
}

Test(journal, bytes_without_a_line_are_kept_and_counted)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *path = str_printf("%s/journal", cache->path);
	struct cache *anew;
	uint64_t objects;
	uint64_t freed;

	fill(cache);
	objects = usage_of(cache).objects;
	lose_index(cache);
	cr_assert_eq(unlink(path), 0);
	{
		CLEANUP(str_freep) char *index = str_printf("%s/index.db", cache->path);
		int fd = creat(index, 0600);

		cr_assert_eq(write(fd, "no database, but long enough to be taken for one", 48), 48);
		close(fd);
	}
	anew = cache_join(cache->path, 64 * MIB);
	cr_assert_eq(usage_of(anew).objects, objects);
	cr_assert_eq(usage_of(anew).entries, 0);
	cr_assert_eq(evict_to(&anew->store, 0, &freed, NULL), 0);
	cr_assert_eq(count_files(anew, "objects"), 0);
	cache_leave(anew);
}
