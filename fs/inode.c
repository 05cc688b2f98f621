#include "fs/inode.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "fs/inode_private.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_FIRST 1024 /* a power of two; doubled when there are as many nodes */
#define MANY          10000

static void node_free(struct node *node)
{
	if (!node)
		return;
	free(node->identity);
	free(node->path);
	names_wanted_release(&node->wanted);
	free(node->name);
	free(node->error);
	free(node->doubts);
	free(node->stale);
	free(node);
}

static void node_freep(struct node **node)
{
	node_free(*node);
}

uint64_t inode_number_of_folder(const char *path)
{
	return *path ? names_hash(path) : INODE_ROOT;
}

uint64_t inode_number_of_key(const char *key)
{
	return names_hash(key);
}

/* ---- the two tables; the caller holds the mutex ---- */

static struct node **id_slot(struct inodes *inodes, uint64_t id)
{
	struct node **slot = &inodes->by_id[id & (inodes->buckets - 1)];

	while (*slot && (*slot)->id != id)
		slot = &(*slot)->next_by_id;
	return slot;
}

struct node **inode_identity_slot(struct inodes *inodes, const char *identity)
{
	struct node **slot = &inodes->by_identity[names_hash(identity) & (inodes->buckets - 1)];

	while (*slot && !str_equal((*slot)->identity, identity))
		slot = &(*slot)->next_by_identity;
	return slot;
}

static void insert(struct inodes *inodes, struct node *node)
{
	struct node **by_id = id_slot(inodes, node->id);
	struct node **current = inode_identity_slot(inodes, node->identity);

	*by_id = node;
	if (*current)
		node->next_by_identity = (*current)->next_by_identity;
	*current = node;
	inodes->count++;
	if (inodes->most < inodes->count)
		inodes->most = inodes->count;
}

static void drop(struct inodes *inodes, struct node *node)
{
	struct node **by_id = id_slot(inodes, node->id);
	struct node **current = inode_identity_slot(inodes, node->identity);

	*by_id = node->next_by_id;
	if (*current == node)
		*current = node->next_by_identity;
	inodes->count--;
	node_free(node);
}

static void drop_if_unused(struct inodes *inodes, struct node *node)
{
	if (!node->lookups && !node->refs && node->id != INODE_ROOT)
		drop(inodes, node);
}

static int allocate(struct inodes *inodes, size_t buckets, struct err *err)
{
	struct node **by_id = calloc(buckets, sizeof(struct node *));
	struct node **by_identity = calloc(buckets, sizeof(struct node *));

	if (!by_id || !by_identity) {
		free(by_id);
		free(by_identity);
		return err_oom(err);
	}
	inodes->by_id = by_id;
	inodes->by_identity = by_identity;
	inodes->buckets = buckets;
	return 0;
}

/* A table that cannot grow gets slower, nothing else. */
static void resize(struct inodes *inodes, size_t buckets)
{
	struct inodes old = *inodes;

	if (allocate(inodes, buckets, NULL) < 0)
		return;
	for (size_t i = 0; i < old.buckets; i++) {
		struct node *next;

		for (struct node *node = old.by_id[i]; node; node = next) {
			struct node **slot = id_slot(inodes, node->id);

			next = node->next_by_id;
			node->next_by_id = NULL;
			*slot = node;
		}
		for (struct node *node = old.by_identity[i]; node; node = next) {
			struct node **slot = inode_identity_slot(inodes, node->identity);

			next = node->next_by_identity;
			node->next_by_identity = NULL;
			*slot = node;
		}
	}
	free(old.by_id);
	free(old.by_identity);
}

/* ---- making nodes ---- */

char *inode_identity_of_path(const char *path)
{
	return str_printf("path:%s", path);
}

char *inode_identity_in_tree(const char *key, const char *sha256, const char *path)
{
	return str_printf("tree:%s:%s:%s", key, sha256, path);
}

static char *identity_of(const struct found *found)
{
	switch (found->kind) {
	case NODE_TREE:
	case NODE_TREE_FOLDER:
	case NODE_TREE_FILE:
	case NODE_TREE_LINK:
		return inode_identity_in_tree(found->key, found->sha256, found->path);
	case NODE_FILE:
		if (*found->wanted->token)
			return str_printf("lease:%s:%s", found->wanted->token, found->key);
		return str_printf("file:%s:%s", found->key, found->wanted->digest);
	case NODE_OBJECT:
		return str_printf("object:%s", found->sha256);
	default:
		return inode_identity_of_path(found->path);
	}
}

static uint64_t number_of(const struct found *found)
{
	switch (found->kind) {
	case NODE_TREE: /* whatever is in it */
		return inode_number_in_tree(found->key, "", "");
	case NODE_TREE_FOLDER:
	case NODE_TREE_FILE:
	case NODE_TREE_LINK:
		return inode_number_in_tree(found->key, found->sha256, found->path);
	case NODE_FILE:
		return inode_number_of_key(
			*found->wanted->token ? found->wanted->token : found->key);
	case NODE_OBJECT:
		return inode_number_of_key(found->sha256);
	default:
		return inode_number_of_folder(found->path);
	}
}

static struct node *node_new(const struct found *found)
{
	CLEANUP(node_freep) struct node *node = calloc(1, sizeof(*node));
	struct node *ret;

	if (!node)
		return NULL;
	node->kind = found->kind;
	node->st_ino = number_of(found);
	node->facts = found->facts;
	node->told = found->facts.known ? found->facts.size : -1;
	node->complete = found->facts.complete;
	node->small = node->complete && found->facts.size <= NODE_SMALL;
	node->identity = identity_of(found);
	if (!node->identity)
		return NULL;
	if (found->path && !(node->path = str_copy(found->path)))
		return NULL;
	if (found->wanted) {
		node->wanted = *found->wanted;
		node->wanted.uri = str_copy(found->wanted->uri);
		if (!node->wanted.uri)
			return NULL;
	}
	if (found->key)
		str_fit(node->key, sizeof(node->key), found->key);
	if (found->sha256)
		str_fit(node->sha256, sizeof(node->sha256), found->sha256);

	ret = node;
	node = NULL;
	return ret;
}

int inode_table_new(struct inodes **ret, struct err *err)
{
	static const struct found root = {.kind = NODE_ROOT, .path = ""};
	struct inodes *inodes = calloc(1, sizeof(*inodes));
	struct node *node = node_new(&root);

	if (!inodes || !node || allocate(inodes, BUCKETS_FIRST, err) < 0) {
		free(inodes);
		node_free(node);
		return err_oom(err);
	}
	pthread_mutex_init(&inodes->mu, NULL);
	node->id = INODE_ROOT;
	inodes->next_id = INODE_ROOT + 1;
	insert(inodes, node);
	*ret = inodes;
	return 0;
}

void inode_table_free(struct inodes *inodes)
{
	if (!inodes)
		return;
	for (size_t i = 0; i < inodes->buckets; i++) {
		struct node *next;

		for (struct node *node = inodes->by_id[i]; node; node = next) {
			next = node->next_by_id;
			node_free(node);
		}
	}
	free(inodes->by_id);
	free(inodes->by_identity);
	pthread_mutex_destroy(&inodes->mu);
	free(inodes);
}

struct node *inode_ref(struct inodes *inodes, uint64_t id)
{
	WITH_LOCK(&inodes->mu);
	struct node *node = *id_slot(inodes, id);

	if (node)
		node->refs++;
	return node;
}

void inode_unref(struct inodes *inodes, struct node *node)
{
	if (!node)
		return;
	WITH_LOCK(&inodes->mu);
	node->refs--;
	drop_if_unused(inodes, node);
}

/* Whether a lookup that found @facts may answer with @node. */
static bool is_valid(const struct node *node, const struct facts *facts)
{
	/* what has no version may be anything by now: who has it open keeps it for himself */
	if (!node->complete && !node->facts.version && node->cached_opens > 0)
		return false;
	if (!facts->known)
		return !node->complete;
	return inode_is_version(node, facts) && (node->complete || !facts->complete);
}

int inode_enter(struct inodes *inodes, const struct found *found, uint64_t parent, const char *name,
	struct node **ret, struct err *err)
{
	CLEANUP(node_freep) struct node *fresh = node_new(found);
	CLEANUP(str_freep) char *place = str_copy(name);
	struct node *node;
	char *old;

	if (!fresh || !place)
		return err_oom(err);

	WITH_LOCK(&inodes->mu);
	node = *inode_identity_slot(inodes, fresh->identity);
	if (!node || !is_valid(node, &found->facts)) {
		if (inodes->count >= inodes->buckets)
			resize(inodes, inodes->buckets * 2);
		node = fresh;
		fresh = NULL;
		node->id = inodes->next_id++;
		insert(inodes, node);
	} else if (!node->complete && found->facts.known) {
		node->facts = found->facts;
	}
	old = node->name;
	node->name = str_steal(&place);
	node->parent = parent;
	free(old);
	node->refs++;
	node->lookups++;
	node->used = true;
	*ret = node;
	return 0;
}

bool inode_open(struct inodes *inodes, struct node *node, bool direct, bool *ret_keep)
{
	WITH_LOCK(&inodes->mu);

	if (direct ? node->cached_opens > 0 : node->direct_opens > 0)
		return false;
	node->was_direct |= direct;
	if (direct)
		node->direct_opens++;
	else
		node->cached_opens++;
	node->refs++;
	node->used = true;
	*ret_keep = node->facts.version && !node->was_direct;
	return true;
}

void inode_close(struct inodes *inodes, struct node *node, bool direct)
{
	WITH_LOCK(&inodes->mu);

	if (direct)
		node->direct_opens--;
	else
		node->cached_opens--;
	node->refs--;
	drop_if_unused(inodes, node);
}

size_t inode_count(struct inodes *inodes)
{
	WITH_LOCK(&inodes->mu);

	return inodes->count;
}

void inode_forget(struct inodes *inodes, uint64_t id, uint64_t count)
{
	WITH_LOCK(&inodes->mu);
	struct node *node = *id_slot(inodes, id);

	if (!node)
		return;
	node->lookups -= count < node->lookups ? count : node->lookups;
	drop_if_unused(inodes, node);
	if (inodes->buckets > BUCKETS_FIRST && inodes->count < inodes->buckets / 8) {
		resize(inodes, inodes->buckets / 4);
		inodes->shrinks++;
	}
}

bool inode_have_shrunk(struct inodes *inodes)
{
	WITH_LOCK(&inodes->mu);

	if (inodes->most < MANY || inodes->count > inodes->most / 2)
		return false;
	inodes->most = inodes->count;
	return true;
}
