/* What the index says there is, and what there is. */
#include "cache/reconcile.h"
#include "cache/tree.h"
#include "fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#define SIZE 300000

static char *path_of(struct cache *cache, uint64_t seed)
{
	struct digest digest = digest_of_bytes(SIZE, seed);
	char hex[DIGEST_HEX_SIZE];

	digest_hex(&digest, hex);
	return str_printf("%s/objects/%.2s/%s", cache->path, hex, hex);
}

Test(reconcile, files_without_rows_and_rows_without_files_go)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *orphan = path_of(cache, 1), *missing = path_of(cache, 2);
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct reconciled sum;
	struct err err = ERR_INIT;

	for (int i = 1; i <= 4; i++) {
		CLEANUP(str_freep) char *uri = str_printf("https://example.org/%d", i);

		put_away(cache, uri, SIZE, (uint64_t)i);
	}
	cr_assert_eq(reconcile(&cache->store, &sum, &err), 0, "%s", err.msg);
	cr_assert(sum.orphans == 0 && sum.missing == 0);

	cr_assert_eq(catalog_object_gone(cache->store.catalog, &digest, NULL), 0);
	cr_assert_eq(unlink(missing), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, &err), 0, "%s", err.msg);
	cr_assert_eq(sum.orphans, 1);
	cr_assert_geq(sum.bytes, SIZE);
	cr_assert_eq(sum.missing, 1);
	cr_assert_lt(access(orphan, F_OK), 0);
	cr_assert_eq(usage_of(cache).object_count, 2);
	cr_assert_eq(count_files(cache, "objects"), 2);
}

/* The twins of one content; the path of the executable one is the caller's to free(). */
static char *put_twins(struct cache *cache)
{
	CLEANUP(object_release) struct object twin = {.fd = -1};
	CLEANUP(str_freep) char *path = path_of(cache, 1);
	struct err err = ERR_INIT;

	put_away(cache, "https://example.org/1", SIZE, 1);
	cr_assert_eq(put_executable(cache, "https://example.org/2", SIZE, 1, true, &twin, &err), 0);
	return str_printf("%s.x", path);
}

Test(reconcile, twin_that_its_row_does_not_count_goes)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *twin = put_twins(cache);
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct reconciled sum;

	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert(sum.orphans == 0 && sum.missing == 0);
	/* as if its maker had died between name and row */
	cr_assert_eq(catalog_file_gone(cache->store.catalog, &digest, true, NULL), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 1);
	cr_assert_lt(access(twin, F_OK), 0);
	cr_assert_eq(count_files(cache, "objects"), 1);
	cr_assert_eq(usage_of(cache).object_count, 1);
}

Test(reconcile, twin_that_is_not_there_is_not_counted)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *twin = put_twins(cache);
	uint64_t both = usage_of(cache).objects;
	struct reconciled sum;

	cr_assert_eq(unlink(twin), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.missing, 1);
	cr_assert_eq(usage_of(cache).objects, both / 2);
	cr_assert_eq(usage_of(cache).object_count, 1);
	cr_assert_eq(count_files(cache, "objects"), 1);
}

Test(reconcile, tree_that_is_not_there_is_not_counted)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct reconciled sum;
	uint64_t before;

	put_away(cache, "https://example.org/1", SIZE, 1);
	before = usage_of(cache).objects;
	cr_assert_eq(catalog_tree_record(cache->store.catalog, &digest, 8192, "none", NULL), 0);
	cr_assert_eq(usage_of(cache).objects, before + 8192);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(usage_of(cache).objects, before);
}

/* trees/@prefix<digest of @seed>, with something in it; the caller's. */
static char *make_tree(struct cache *cache, const char *prefix, uint64_t seed)
{
	struct digest digest = digest_of_bytes(SIZE, seed);
	char hex[DIGEST_HEX_SIZE];
	char *path;

	digest_hex(&digest, hex);
	path = str_printf("%s/trees/%s%s", cache->path, prefix, hex);
	CLEANUP(str_freep) char *inside = str_printf("%s/inside", path);
	cr_assert(mkdir(path, 0700) == 0 && mkdir(inside, 0500) == 0 && chmod(path, 0500) == 0);
	return path;
}

Test(reconcile, trees_without_an_object_go_unless_leased)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *lost = make_tree(cache, "", 1);
	CLEANUP(str_freep) char *bad = make_tree(cache, ".bad.", 2);
	CLEANUP(str_freep) char *leased = make_tree(cache, "", 3);
	CLEANUP(str_freep) char *owned = make_tree(cache, "", 4);
	CLEANUP(str_freep) char *locked = make_tree(cache, ".bad.", 5);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	struct cache *other = cache_join(cache->path, 64 * MIB);
	struct digest digest = digest_of_bytes(SIZE, 5);
	char empty[] = "", name[] = "name";
	struct lease lease = {.directory = name,
		.device = 1,
		.inode = 1,
		.name = name,
		.method = name,
		.uri = empty,
		.digest = digest_of_bytes(SIZE, 3)};
	struct reconciled sum;

	put_away(cache, "https://example.org/4", SIZE, 4);
	cr_assert_eq(catalog_lease_add(cache->store.catalog, &lease, 1, NULL), 0);
	cr_assert_eq(cachedir_lock_digest(&other->dir, &digest, LOCK_SHARED, &lock), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 2);
	cr_assert(access(lost, F_OK) < 0 && access(bad, F_OK) < 0);
	cr_assert(access(leased, F_OK) == 0 && access(owned, F_OK) == 0);
	cr_assert_eq(access(locked, F_OK), 0);

	lock_release(&lock);
	cr_assert_eq(catalog_lease_drop(cache->store.catalog, &lease.id, 1, NULL), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 2);
	cr_assert(access(leased, F_OK) < 0 && access(locked, F_OK) < 0);
	cr_assert_eq(access(owned, F_OK), 0);
	cache_leave(other);
}

Test(reconcile, what_is_no_file_goes)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	CLEANUP(str_freep) char *folder = path_of(cache, 1), *pipe = path_of(cache, 2);
	CLEANUP(str_freep) char *link = path_of(cache, 3);
	CLEANUP(str_freep) char *inside = str_printf("%s/something", folder);
	struct reconciled sum;

	for (uint64_t i = 1; i <= 3; i++) {
		struct digest digest = digest_of_bytes(SIZE, i);

		put_away(cache, "https://example.org/1", SIZE, i);
		cr_assert_eq(catalog_object_gone(cache->store.catalog, &digest, NULL), 0);
	}
	cr_assert(unlink(folder) == 0 && mkdir(folder, 0700) == 0 && mkdir(inside, 0700) == 0);
	cr_assert(unlink(pipe) == 0 && mkfifo(pipe, 0600) == 0);
	cr_assert(unlink(link) == 0 && symlink("nowhere", link) == 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 3);
	cr_assert(access(folder, F_OK) < 0 && access(pipe, F_OK) < 0);
	cr_assert_lt(faccessat(AT_FDCWD, link, F_OK, AT_SYMLINK_NOFOLLOW), 0);
	tree_sweep(&cache->store);
	cr_assert_eq(count_files(cache, "trees"), 0);
}

Test(reconcile, what_somebody_is_at_work_on_is_left_alone)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct cache *other = cache_join(cache->path, 64 * MIB);
	CLEANUP(lock_release) struct lock lock = LOCK_INIT;
	CLEANUP(str_freep) char *orphan = path_of(cache, 1);
	struct digest digest = digest_of_bytes(SIZE, 1);
	struct reconciled sum;

	put_away(cache, "https://example.org/1", SIZE, 1);
	cr_assert_eq(catalog_object_gone(cache->store.catalog, &digest, NULL), 0);
	/* as who publishes it holds it, between the file and its row */
	cr_assert_eq(cachedir_lock_digest(&other->dir, &digest, LOCK_SHARED, &lock), 0);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 0);
	cr_assert_eq(access(orphan, F_OK), 0);
	lock_release(&lock);
	cr_assert_eq(reconcile(&cache->store, &sum, NULL), 0);
	cr_assert_eq(sum.orphans, 1);
	cache_leave(other);
}
