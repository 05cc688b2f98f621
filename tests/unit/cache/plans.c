/* Nothing is looked for by reading all of a table that may have a million rows. */
#include "cache/catalog_private.h"
#include "fixture.h"

#define URI "https://h/d/a"

/* The statements that the test below makes the catalog use. */
#define STATEMENTS 46

struct tally {
	size_t statements;
	size_t bad;
	const char *sql;
};

static bool is_fine(const char *sql, const char *step)
{
	/* it has one row */
	if (strcmp(step, "SCAN total") == 0 || strcmp(step, "SCAN CONSTANT ROW") == 0)
		return true;
	/* what is on its way is looked at when the disk is nearly full */
	if (strcmp(step, "SCAN reservation") == 0)
		return strcmp(sql, "SELECT partial, bytes FROM reservation") == 0;
	/* what is held is summed up */
	if (strcmp(step, "SCAN lease USING COVERING INDEX lease_digest") == 0)
		return strstr(sql, "sum(bytes");
	/* those of one directory or of one content, and what is held once more */
	if (strstr(step, "TEMP B-TREE"))
		return strstr(sql, "FROM lease WHERE") || strstr(sql, "ORDER BY e.scope") ||
		       strstr(sql, "sum(bytes");
	/* behind a folder there may be a million that its reader may not see */
	if (strstr(step, "INDEX entry_uri"))
		return strstr(step, "uri<?");
	return strncmp(step, "SCAN ", 5) != 0 && !strstr(step, "AUTOMATIC");
}

static void look_at(const char *sql, const char *step, void *arg)
{
	struct tally *tally = arg;

	tally->statements += sql != tally->sql;
	tally->sql = sql;
	if (is_fine(sql, step))
		return;
	tally->bad++;
	fprintf(stderr, "%s\n\t%s\n", sql, step);
}

static int visit_entry(const struct entry *entry, void *arg)
{
	(void)entry;
	(void)arg;
	return 0;
}

static int visit_name(const char *name, bool is_folder, void *arg)
{
	(void)name;
	(void)is_folder;
	(void)arg;
	return 0;
}

static int visit_lease(const struct lease *lease, void *arg)
{
	*(int64_t *)arg = lease->id;
	return 0;
}

static int visit_partial(const char *partial, uint64_t bytes, uid_t uid, void *arg)
{
	(void)uid;
	(void)partial;
	(void)bytes;
	(void)arg;
	return 0;
}

static void use_entries(struct catalog *catalog, const struct digest *digest)
{
	struct checksum checksum = checksum_of_bytes(CHECKSUM_MD5, 5000, 1);
	struct entry_key key = key_of(URI);
	struct entry entry = entry_of(URI "/b");
	struct entry is = {.size = -1};
	char *from = NULL;
	size_t count;

	entry.state = ENTRY_KNOWN;
	cr_assert_eq(catalog_record(catalog, &entry, 0, 0, NULL, NULL), 0);
	cr_assert_eq(catalog_record(catalog, &entry, 0, 0, NULL, NULL), 0);
	cr_assert_eq(catalog_find(catalog, &key, &is, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_find_digest(catalog, digest, "", &is, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_checksum_add(catalog, digest, &checksum, NULL), 0);
	cr_assert_eq(catalog_checksum(catalog, digest, CHECKSUM_MD5, &checksum, NULL), 0);
	cr_assert_eq(catalog_find_checksum(catalog, &checksum, "", &is, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_confirm(catalog, &key, 2000, 3000, false, NULL), 0);
	cr_assert_eq(catalog_pin(catalog, &key, true, NULL), 0);
	cr_assert_eq(catalog_list(catalog, "https://h/", "", visit_entry, NULL, NULL), 0);
	cr_assert_eq(catalog_children(
			     catalog, "https://h/", NULL, "", 10, &from, visit_name, NULL, NULL),
		0);
	free(from);
	cr_assert_eq(catalog_has_children(catalog, "https://h/", "", NULL), 1);
	cr_assert_eq(catalog_entries_of(catalog, digest, 1, &is, &count, NULL), 0);
	entry_release(&is);
	cr_assert_eq(catalog_forget(catalog, &entry.key, NULL), 0);
	cr_assert_eq(catalog_pin(catalog, &key, false, NULL), 0);
}

static void use_leases(struct catalog *catalog, const struct digest *digest)
{
	struct lease lease = {
		.directory = (char *)(uintptr_t) "/d",
		.name = (char *)(uintptr_t) "a",
		.method = (char *)(uintptr_t) "copy",
		.inode = 5,
		.digest = *digest,
		.has_key = true,
		.key = key_of(URI),
		.token = "01234567890123456789012345678901",
	};
	struct lease found;
	int64_t id = 0;

	cr_assert_eq(catalog_lease_add(catalog, &lease, 1, NULL), 0);
	cr_assert_eq(catalog_leases(catalog, 0, 0, visit_lease, &id, NULL), 0);
	cr_assert_eq(catalog_leases(catalog, 0, 5, visit_lease, &id, NULL), 0);
	cr_assert_eq(catalog_leases_near(catalog, 5, "/d", visit_lease, &id, NULL), 0);
	cr_assert_eq(catalog_lease_find(catalog, lease.token, &found, NULL), 0);
	lease_release(&found);
	cr_assert_eq(catalog_lease_drop(catalog, &id, 1, NULL), 0);
}

static void use_objects(struct catalog *catalog, const struct digest *digest)
{
	struct catalog_file file;
	struct catalog_tree tree;
	struct prospect prospect = {.digest = *digest};
	struct victim victim;
	struct digest found;
	int64_t used, settled;
	size_t count;

	catalog_touch(catalog, digest, 5000);
	catalog_write_touches(catalog);
	cr_assert_eq(catalog_victims(catalog, 0, 1, NULL, &victim, &count, NULL), 0);
	cr_assert_eq(count, 1);
	cr_assert_eq(catalog_victims(catalog, 0, 1, &victim, &victim, &count, NULL), 0);
	cr_assert_eq(catalog_victims(catalog, 7, 1, &victim, &victim, &count, NULL), 0);
	cr_assert_eq(catalog_is_held(catalog, digest, NULL), 0);
	cr_assert_eq(catalog_prospects(catalog, &prospect, 1, NULL), 0);
	catalog_prospect_release(&prospect);
	cr_assert_eq(catalog_objects(catalog, &(struct digest){{0}}, 1, &found, &count, NULL), 0);
	cr_assert_eq(catalog_file(catalog, digest, false, &file, NULL), 0);
	cr_assert_eq(catalog_lend(catalog, digest, false, 1, NULL), 0);
	cr_assert_eq(catalog_lend(catalog, digest, true, 1, NULL), 0);
	cr_assert_eq(catalog_trust(catalog, digest, NULL), 0);
	cr_assert_eq(catalog_last_used(catalog, &used, &settled, NULL), 0);
	cr_assert_geq(catalog_has_unsettled(catalog, 1, NULL), 0);
	cr_assert_geq(catalog_settle(catalog, 1, 10, NULL), 0);
	cr_assert_eq(catalog_all_settled(catalog, used, NULL), 0);
	cr_assert_eq(catalog_unsettle(catalog, 1, NULL), 0);
	cr_assert_eq(catalog_tree_record(catalog, digest, 4096, "tree", NULL), 0);
	cr_assert_eq(catalog_tree_find(catalog, digest, &tree, NULL), 0);
	cr_assert_eq(catalog_tree_forget(catalog, digest, 0, NULL), 0);
	cr_assert_eq(catalog_object_gone(catalog, digest, NULL), 0);
}

/* Many that are pinned in the order of those that may go. */
static void pass_over(struct cache *cache)
{
	struct catalog *catalog = cache->store.catalog;

	for (int i = 0; i < 600; i++) {
		CLEANUP(str_freep) char *uri = str_printf("https://p/%d", i);
		struct entry entry = entry_of(uri);

		entry.state = ENTRY_COMPLETE;
		entry.digest = digest_of_bytes(10, (uint64_t)i + 100);
		entry.pinned = true;
		cr_assert_eq(catalog_record(catalog, &entry, 4096, 0, NULL, NULL), 0);
	}
	cr_assert_eq(catalog_pass_over(catalog, INT64_MAX, NULL), 0);
}

static int visit_share(uid_t uid, uint64_t bytes, void *arg)
{
	(void)uid;
	(void)bytes;
	(void)arg;
	return 0;
}

static void use_space(struct catalog *catalog)
{
	const struct room_wish wish = {
		.partial = "partial", .bytes = 4096, .limit = MIB, .uid = 7, .share = MIB};
	struct room_lacking lacking;
	struct holdings holdings;
	struct usage usage;
	uint64_t bytes;

	cr_assert_eq(catalog_reserve(catalog, &wish, &lacking, NULL), 0);
	cr_assert_eq(catalog_reservation(catalog, "partial", &bytes, NULL), 0);
	cr_assert_eq(catalog_partials(catalog, visit_partial, NULL, NULL), 0);
	cr_assert_eq(catalog_share(catalog, 7, &bytes, NULL), 0);
	cr_assert_eq(catalog_share_held(catalog, 7, &bytes, NULL), 0);
	cr_assert_eq(catalog_shares(catalog, visit_share, NULL, NULL), 0);
	cr_assert_eq(catalog_unreserve(catalog, "partial", NULL), 0);
	cr_assert_eq(catalog_usage(catalog, &usage, NULL), 0);
	cr_assert_eq(catalog_holdings(catalog, &holdings, NULL), 0);
}

Test(plans, everything_is_found_by_an_index)
{
	CLEANUP(cache_removep) struct cache *cache = cache_make(64 * MIB);
	struct digest digest = digest_of_bytes(5000, 1);
	struct tally tally = {.statements = 0};
	struct err err = ERR_INIT;

	put_away(cache, URI, 5000, 1);
	use_entries(cache->store.catalog, &digest);
	use_leases(cache->store.catalog, &digest);
	use_space(cache->store.catalog);
	use_objects(cache->store.catalog, &digest);
	pass_over(cache);
	cr_assert_eq(catalog_remove(cache->store.catalog, &(struct entry_key){{0}}, NULL), -ENOENT);
	cr_assert_eq(db_plans(cache->store.catalog->db, look_at, &tally, &err), 0, "%s", err.msg);
	cr_assert_eq(tally.bad, 0);
	cr_assert_geq(tally.statements, STATEMENTS, "%zu", tally.statements);
}
