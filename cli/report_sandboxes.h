/*
 * Which sandbox has how much of a cache. Leases say what it has, the list of artifacts how large
 * that is:
 *
 *	report_sandboxes_load(fetchfs, uid, &sandboxes, err);
 *	for each artifact: report_sandboxes_see(&sandboxes, sha256, size);
 *	report_sandboxes_sum(&sandboxes);
 *
 * It takes as much memory as there are leases.
 */
#ifndef FETCHFS_CLI_REPORT_SANDBOXES_H
#define FETCHFS_CLI_REPORT_SANDBOXES_H

#include "fetch/fetchfs.h"
#include "sandbox/leases.h"

#define REPORT_URIS 4 /* that are told of one sandbox */

struct report_sandbox {
	const struct fetchfs_lease *first; /* has its directory, its user and since when */
	bool gone;                         /* the directory is; of the RANKING_ROWS largest */
	size_t files;
	size_t contents; /* that it has … */
	size_t unknown; /* … of which so many have no name any more that tells how large they are */
	uint64_t bytes;                /* of the others */
	const char *uris[REPORT_URIS]; /* some of what it has, each once, NULL behind the last */
};

struct report_use;

struct report_sandboxes {
	struct report_sandbox *items; /* after _sum() the largest first */
	size_t count;
	size_t files; /* of all */
	/* below: its own */
	struct leases leases;
	struct report_use *uses; /* who has which content, in the order of contents */
	size_t use_count;
	uid_t uid;
};

int report_sandboxes_load(
	struct fetchfs *fetchfs, uid_t uid, struct report_sandboxes *ret, struct err *err);

/* The content @sha256 has @size bytes. Returns how many sandboxes have it. */
size_t report_sandboxes_see(struct report_sandboxes *sandboxes, const char *sha256, uint64_t size);

void report_sandboxes_sum(struct report_sandboxes *sandboxes);
void report_sandboxes_release(struct report_sandboxes *sandboxes);

#endif
