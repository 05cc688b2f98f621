/* What a tree in the making may come to: its room, and the limits of [unpack]. */
#include "base/units.h"
#include "fetch/treemaker_private.h"

#include <errno.h>
#include <string.h>

/* What an entry may occupy beside its data: its inode, and its name in a folder that grows. */
#define ENTRY_ROOM UINT64_C(512)
#define NAME_ROOM  UINT64_C(2) /* for each byte */

/* @bytes more are about to be occupied. */
int treemaker_take_room(struct treemaker *maker, uint64_t bytes, struct err *err)
{
	uint64_t granted;
	int r;

	if (maker->used + bytes > maker->granted) {
		uint64_t least = maker->used + bytes;

		r = maker->ask(maker->arg, least + UNPACK_STEP, least, &granted, err);
		if (r < 0)
			return r;
		maker->granted = granted;
	}
	maker->used += bytes;
	return 0;
}

/* The entry that is being made is one too many, or too large, as @err says already. */
static int too_much(const struct treemaker *maker, struct err *err)
{
	char shown[ENTRYNAME_SHOWN];

	entryname_show(maker->name.path, shown);
	return err_context(err, "entry %s", shown);
}

int treemaker_count_entry(struct treemaker *maker, const char *name, struct err *err)
{
	if (maker->entries >= maker->limits->entries) {
		err_set(err, ERR_USAGE, E2BIG, "more than %u entries ([unpack] entries)",
			maker->limits->entries);
		return too_much(maker, err);
	}
	maker->entries++;
	return treemaker_take_room(maker, ENTRY_ROOM + NAME_ROOM * strlen(name), err);
}

int treemaker_count_logical(struct treemaker *maker, uint64_t bytes, struct err *err)
{
	char limit[UNITS_SIZE_TEXT];

	if (bytes <= maker->limits->size && maker->logical <= maker->limits->size - bytes) {
		maker->logical += bytes;
		return 0;
	}
	units_format_size(maker->limits->size, limit);
	err_set(err, ERR_USAGE, E2BIG, "the whole unpacks to more than %s ([unpack] size)", limit);
	return too_much(maker, err);
}

int treemaker_count_written(struct treemaker *maker, uint64_t bytes, struct err *err)
{
	maker->written += bytes;
	if (maker->written <= UNPACK_RATIO_FROM ||
		maker->written / maker->limits->ratio <= maker->archive_size)
		return 0;
	err_set(err, ERR_USAGE, E2BIG,
		"the whole unpacks to more than %u times its size ([unpack] ratio)",
		maker->limits->ratio);
	return too_much(maker, err);
}
