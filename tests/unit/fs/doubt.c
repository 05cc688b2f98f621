/* Folders that nobody declared: who is told what, and how often. */
#include "fs/doubt.h"

#include "base/err.h"

#include <criterion/criterion.h>

enum { ONE = 11, OTHER = 12, NOW = 1000 };

/* As a lookup by @thread that found the folder "http/h/x". */
static struct node *look_up(struct inodes *inodes, pid_t thread, enum doubt doubt)
{
	const struct found found = {.kind = NODE_FOLDER, .path = "http/h/x"};
	struct node *node = NULL;

	cr_assert_eq(inode_enter(inodes, &found, INODE_ROOT, "x", &node, NULL), 0);
	cr_assert_eq(doubt_looked_up(inodes, node, thread, doubt, NOW + 5, NULL), 0);
	inode_unref(inodes, node);
	return node;
}

static struct inodes *table(void)
{
	struct inodes *inodes = NULL;

	cr_assert_eq(inode_table_new(&inodes, NULL), 0);
	return inodes;
}

Test(doubt, a_thread_is_told_once_until_it_has_looked_again)
{
	struct inodes *inodes = table();
	struct node *node = look_up(inodes, ONE, DOUBT_OPEN);
	struct facts facts = {.known = true, .size = 7};

	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_OPEN);
	cr_assert(doubt_settle_file(inodes, node, ONE, &facts, NOW));
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_NONE);
	cr_assert_not(doubt_settle_file(inodes, node, ONE, &facts, NOW));
	cr_assert_eq(doubt_of(inodes, node, OTHER, NOW), DOUBT_OPEN);

	look_up(inodes, OTHER, DOUBT_OPEN);
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_NONE);
	look_up(inodes, ONE, DOUBT_OPEN);
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_OPEN);
	inode_table_free(inodes);
}

Test(doubt, what_is_used_as_a_folder_is_one_until_it_is_forgotten)
{
	struct inodes *inodes = table();
	struct node *node = look_up(inodes, ONE, DOUBT_OPEN);

	doubt_commit(inodes, node);
	cr_assert_eq(doubt_of(inodes, node, OTHER, NOW), DOUBT_NONE);
	look_up(inodes, OTHER, DOUBT_ABSENT);
	cr_assert_eq(doubt_of(inodes, node, OTHER, NOW), DOUBT_NONE);
	inode_forget(inodes, node->id, 2);
	node = look_up(inodes, ONE, DOUBT_OPEN);
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_OPEN);
	inode_table_free(inodes);
}

Test(doubt, an_answer_holds_for_its_time)
{
	struct inodes *inodes = table();
	struct node *node = look_up(inodes, ONE, DOUBT_ABSENT);
	struct facts facts = {.known = true, .size = 7};
	struct facts is = {0};

	cr_assert_eq(doubt_of(inodes, node, ONE, NOW + 4), DOUBT_ABSENT);
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW + 5), DOUBT_OPEN);
	doubt_settle_folder(inodes, node);
	cr_assert_eq(doubt_of(inodes, node, ONE, NOW), DOUBT_NONE);

	look_up(inodes, ONE, DOUBT_OPEN);
	cr_assert_not(doubt_recall_file(inodes, "http/h/x", NOW, &is));
	doubt_settle_file(inodes, node, ONE, &facts, NOW);
	cr_assert(doubt_recall_file(inodes, "http/h/x", NOW, &is));
	cr_assert_eq(is.size, 7);
	cr_assert_not(doubt_recall_file(inodes, "http/h/x", NOW + 60, &is));
	cr_assert_not(doubt_recall_file(inodes, "http/h/y", NOW, &is));
	inode_table_free(inodes);
}

Test(doubt, threads_that_cannot_be_told_apart_are_told_each_time)
{
	struct inodes *inodes = table();
	struct node *node = look_up(inodes, 0, DOUBT_OPEN);
	struct facts facts = {.known = true};

	cr_assert(doubt_settle_file(inodes, node, 0, &facts, NOW));
	cr_assert(doubt_settle_file(inodes, node, 0, &facts, NOW));
	inode_table_free(inodes);
}
