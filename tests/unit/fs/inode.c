/* Nodes: who they are, and when a name gets another. */
#include "fs/inode.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct inodes *inodes;

static void setup(void)
{
	cr_assert_eq(inode_table_new(&inodes, NULL), 0);
}

static void teardown(void)
{
	inode_table_free(inodes);
}

TestSuite(inode, .init = setup, .fini = teardown);

/* The id of the node that a lookup of the key "k" with these facts gives. */
static uint64_t enter_key(const char *key, bool complete, uint64_t version)
{
	struct wanted wanted = {.uri = (char[]){"https://example.org/x"}};
	struct found found = {
		.kind = NODE_FILE,
		.wanted = &wanted,
		.key = key,
		.facts = {.known = complete || version, .complete = complete, .version = version},
	};
	struct node *node = NULL;
	uint64_t id;

	cr_assert_eq(inode_enter(inodes, &found, INODE_ROOT, "x", &node, NULL), 0);
	cr_assert_eq(node->st_ino, inode_number_of_key(key));
	id = node->id;
	inode_unref(inodes, node);
	return id;
}

static bool exists(uint64_t id)
{
	struct node *node = inode_ref(inodes, id);

	inode_unref(inodes, node);
	return node;
}

Test(inode, the_root_is_never_forgotten)
{
	inode_forget(inodes, INODE_ROOT, 1000);
	cr_assert(exists(INODE_ROOT));
}

Test(inode, the_same_version_in_the_same_phase_is_the_same_node)
{
	uint64_t id = enter_key("k", true, 7);

	cr_assert_eq(enter_key("k", true, 7), id);
	cr_assert_neq(enter_key("other", true, 7), id);
}

Test(inode, completion_gives_a_new_node)
{
	uint64_t flying = enter_key("k", false, 7);

	cr_assert_neq(enter_key("k", true, 7), flying);
	cr_assert(exists(flying));
}

Test(inode, another_version_gives_a_new_node)
{
	uint64_t flying = enter_key("k", false, 7);
	uint64_t next = enter_key("k", false, 8);
	uint64_t complete = enter_key("k", true, 8);

	cr_assert_neq(next, flying);
	cr_assert_neq(complete, next);
	cr_assert_neq(enter_key("k", true, 9), complete);
}

Test(inode, a_node_takes_the_first_version_that_it_is_told_and_no_other)
{
	struct node *node = inode_ref(inodes, enter_key("k", false, 0));

	cr_assert(inode_learn(inodes, node, &(struct facts){.known = true, .version = 7}));
	cr_assert_not(inode_learn(inodes, node, &(struct facts){.known = true, .version = 8}));
	cr_assert_not(inode_learn(inodes, node, &(struct facts){.known = true, .version = 0}));
	cr_assert_eq(inode_facts(inodes, node).version, 7);
	inode_unref(inodes, node);
}

Test(inode, what_was_complete_and_is_forgotten_by_the_cache_gets_a_new_node)
{
	uint64_t complete = enter_key("k", true, 7);

	cr_assert_neq(enter_key("k", false, 0), complete);
}

Test(inode, a_node_lives_until_all_lookups_are_forgotten)
{
	uint64_t id = enter_key("k", true, 7);

	enter_key("k", true, 7);
	inode_forget(inodes, id, 1);
	cr_assert(exists(id));
	inode_forget(inodes, id, 1);
	cr_assert_not(exists(id));
	cr_assert_neq(enter_key("k", true, 7), id, "an id was used twice");
}

Test(inode, a_reference_keeps_a_forgotten_node)
{
	uint64_t id = enter_key("k", true, 7);
	struct node *node = inode_ref(inodes, id);

	inode_forget(inodes, id, 1);
	cr_assert(exists(id));
	inode_unref(inodes, node);
	cr_assert_not(exists(id));
}

Test(inode, forgetting_an_old_node_leaves_the_current_one)
{
	uint64_t old = enter_key("k", false, 7);
	uint64_t current = enter_key("k", true, 7);

	inode_forget(inodes, old, 1);
	cr_assert_not(exists(old));
	cr_assert_eq(enter_key("k", true, 7), current);
}

Test(inode, thousands_are_all_found_again)
{
	enum { COUNT = 5000 };
	static uint64_t ids[COUNT];
	char key[FETCHFS_KEY_HEX_SIZE];

	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof(key), "%u", i);
		ids[i] = enter_key(key, true, 1);
	}
	for (unsigned int i = 0; i < COUNT; i++) {
		snprintf(key, sizeof(key), "%u", i);
		cr_assert_eq(enter_key(key, true, 1), ids[i]);
		inode_forget(inodes, ids[i], 2);
		cr_assert_not(exists(ids[i]));
	}
}

Test(inode, a_thread_is_told_stale_once)
{
	struct node *node = inode_ref(inodes, enter_key("k", true, 7));

	cr_assert_not(inode_told_stale(inodes, node, 100));
	cr_assert_not(inode_told_stale(inodes, node, 101));
	cr_assert(inode_told_stale(inodes, node, 100));
	cr_assert(inode_told_stale(inodes, node, 0), "nobody knows which thread that is");
	cr_assert(inode_told_stale(inodes, node, 101));
	inode_unref(inodes, node);
}

Test(inode, the_last_error_is_kept_and_cleared)
{
	struct node *node = inode_ref(inodes, enter_key("k", true, 7));
	CLEANUP(str_freep) char *error = NULL;
	CLEANUP(str_freep) char *for_root = NULL;

	inode_set_error(inodes, node, 1000, "no route");
	error = inode_error(inodes, node, 1000);
	cr_assert_str_eq(error, "no route");
	for_root = inode_error(inodes, node, 0);
	cr_assert_str_eq(for_root, "no route");
	cr_assert_null(inode_error(inodes, node, 1001));
	inode_set_error(inodes, node, 0, NULL);
	cr_assert_null(inode_error(inodes, node, 1000));
	inode_unref(inodes, node);
}

Test(inode, very_many_come_and_go)
{
	static uint64_t ids[50000];
	char key[FETCHFS_KEY_HEX_SIZE];
	struct node *node;

	cr_assert(!inode_have_shrunk(inodes));
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 50000; i++) {
			snprintf(key, sizeof(key), "%d", i);
			ids[i] = enter_key(key, true, 7);
		}
		cr_assert_geq(inode_count(inodes), 50000);
		cr_assert(!inode_have_shrunk(inodes));
		for (int i = 0; i < 40000; i++)
			inode_forget(inodes, ids[i], 1);
		cr_assert(inode_have_shrunk(inodes));
		cr_assert(!inode_have_shrunk(inodes), "that was told");
		for (int i = 40000; i < 50000; i++) {
			node = inode_ref(inodes, ids[i]);
			cr_assert_not_null(node, "lost as the table became smaller");
			snprintf(key, sizeof(key), "%d", i);
			cr_assert_str_eq(node->key, key);
			inode_unref(inodes, node);
			inode_forget(inodes, ids[i], 1);
		}
		cr_assert_leq(inode_count(inodes), 2);
	}
}

Test(inode, the_idle_ones_are_those_not_looked_up_since_it_was_asked_before)
{
	const uint64_t a = enter_key("a", true, 1);
	const uint64_t b = enter_key("b", true, 1);
	const uint64_t c = enter_key("c", true, 1);
	struct node *open = inode_ref(inodes, c);
	uint64_t ids[8];

	cr_assert_eq(inode_walk_idle(inodes, ids, 8), 2, "all were used: then each counts, once");
	cr_assert(ids[0] == a && ids[1] == b);
	cr_assert_eq(enter_key("a", true, 1), a);
	cr_assert_eq(inode_walk_idle(inodes, ids, 8), 1);
	cr_assert_eq(ids[0], b);
	inode_unref(inodes, open);
	inode_forget(inodes, b, 1);
	cr_assert_eq(inode_walk_idle(inodes, ids, 1), 1, "as many as there is room for");
	cr_assert_eq(inode_walk_idle(inodes, ids + 1, 1), 1, "and then the next one");
	cr_assert(ids[0] != ids[1] && (ids[0] == a || ids[0] == c) && (ids[1] == a || ids[1] == c));
}
