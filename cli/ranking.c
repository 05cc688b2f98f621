#include "cli/ranking.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>

int ranking_add(struct ranking *ranking, const struct ranking_row *row, struct err *err)
{
	size_t place = ranking->shown;
	char *name;

	ranking->names++;
	ranking->count += row->count;
	ranking->bytes += row->bytes;
	while (place > 0 && ranking->rows[place - 1].bytes < row->bytes)
		place--;
	if (place == RANKING_ROWS)
		return 0;
	name = str_copy(row->name);
	if (!name)
		return err_oom(err);
	if (ranking->shown == RANKING_ROWS)
		free(ranking->rows[--ranking->shown].name);
	memmove(&ranking->rows[place + 1], &ranking->rows[place],
		(ranking->shown - place) * sizeof(ranking->rows[0]));
	ranking->rows[place] = *row;
	ranking->rows[place].name = name;
	ranking->shown++;
	return 0;
}

struct ranking_row ranking_rest(const struct ranking *ranking)
{
	struct ranking_row rest = {.count = ranking->count, .bytes = ranking->bytes, .used = -1};

	for (size_t i = 0; i < ranking->shown; i++) {
		rest.count -= ranking->rows[i].count;
		rest.bytes -= ranking->rows[i].bytes;
	}
	return rest;
}

void ranking_release(struct ranking *ranking)
{
	for (size_t i = 0; i < ranking->shown; i++)
		free(ranking->rows[i].name);
	*ranking = (struct ranking){.shown = 0};
}
