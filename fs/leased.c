#include "fs/leased.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* A lease, and what it takes to ask for what it is on. */
struct leased {
	struct fetchfs_lease lease;
	struct fetchfs_request request;
	char digest[sizeof("sha256:") + FETCHFS_SHA256_SIZE];
};

static bool has_content(const struct fetchfs_lease *lease)
{
	return lease->sha256[strspn(lease->sha256, "0")] != '\0';
}

/* The table of mounts shows tokens to everybody: who has one shall not have another URI by it. */
static int find(struct fs *fs, const struct node *node, struct leased *ret, struct err *err)
{
	int r = fetchfs_lease_find(fs->fetchfs, node->wanted.token, &ret->lease, err);

	if (r == -ENOENT || (r == 0 && !str_equal(ret->lease.key, node->key)))
		return err_set(err, ERR_USAGE, ESTALE, "no lease has this name (any more)");
	if (r < 0)
		return r;
	ret->request = ops_request(node, (uid_t)ret->lease.uid);
	if (has_content(&ret->lease) || *ret->lease.expected) {
		snprintf(ret->digest, sizeof(ret->digest), "sha256:%s",
			has_content(&ret->lease) ? ret->lease.sha256 : ret->lease.expected);
		ret->request.digest = ret->digest;
	}
	return 0;
}

/* What the lease keeps: -ENOENT when it has yet to come. */
static int get_kept(
	struct fs *fs, const struct leased *leased, struct fetchfs_file **ret, struct err *err)
{
	if (!has_content(&leased->lease))
		return -ENOENT;
	return fetchfs_get_leased(fs->fetchfs, &leased->lease, false, false, ret, err);
}

int leased_get(struct fs *fs, const struct node *node, struct fetchfs_file **ret, struct err *err)
{
	struct leased leased;
	int r = find(fs, node, &leased, err);

	if (r < 0)
		return r;
	r = get_kept(fs, &leased, ret, err);
	if (r != -ENOENT)
		return r;
	if (fs->options->known_only)
		return err_set(err, ERR_POLICY, ENOENT, "it is not in the cache");
	return fetchfs_get(fs->fetchfs, &leased.request, ret, err);
}

bool leased_learn(struct fs *fs, struct node *node, const struct facts *facts)
{
	/* what has no version may be anything: it is not for the kernel to keep */
	return facts->version && facts->size >= 0 &&
	       (inode_learn(fs->inodes, node, facts) || inode_renew(fs->inodes, node, facts));
}

void leased_closed(struct fs *fs, struct node *node, struct fetchfs_file *file)
{
	CLEANUP(fetchfs_info_release) struct fetchfs_info info = {.size = -1};
	struct facts facts;

	if (fetchfs_file_info(file, &info, NULL) < 0 || info.state != FETCHFS_COMPLETE)
		return;
	facts = inode_facts_of(&info);
	(void)inode_learn(fs->inodes, node, &facts);
}

int leased_find(struct fs *fs, const struct node *node, struct fetchfs_info *ret, struct err *err)
{
	struct fetchfs_file *file = NULL;
	struct leased leased;
	int r = find(fs, node, &leased, err);

	if (r < 0)
		return r;
	r = get_kept(fs, &leased, &file, err);
	if (r == -ENOENT)
		return fetchfs_find(fs->fetchfs, &leased.request, ret, err);
	if (r == 0)
		r = fetchfs_file_info(file, ret, err);
	fetchfs_file_free(file);
	return r;
}
