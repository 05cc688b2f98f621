/*
 * The largest of however many there are, and the sums of all.
 *
 *	struct ranking ranking = {0};
 *
 *	ranking_add(&ranking, &(struct ranking_row){.name = uri, .count = 1, .bytes = size}, err);
 *	for (size_t i = 0; i < ranking.shown; i++)        the largest first
 *		puts(ranking.rows[i].name);
 *	ranking_release(&ranking);
 */
#ifndef FETCHFS_CLI_RANKING_H
#define FETCHFS_CLI_RANKING_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RANKING_ROWS 20

struct ranking_row {
	char *name;
	uint64_t count; /* of artifacts */
	uint64_t bytes;
	int64_t used; /* seconds since 1970, -1: not known */
	size_t sandboxes;
	bool pinned;
	bool is_private;
};

struct ranking {
	struct ranking_row
		rows[RANKING_ROWS]; /* no row here is smaller than one that was left out */
	size_t shown;
	/* of all, shown or not */
	uint64_t names;
	uint64_t count;
	uint64_t bytes;
};

/* A copy of @row, if it is among the largest. */
int ranking_add(struct ranking *ranking, const struct ranking_row *row, struct err *err);

/* All that is not shown, as one row without a name. */
struct ranking_row ranking_rest(const struct ranking *ranking);

void ranking_release(struct ranking *ranking);

#endif
