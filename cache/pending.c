#include "cache/pending.h"

#include "cache/group.h"
#include "cache/store_private.h"
#include "cache/tree.h"

#include <fcntl.h>
#include <sys/stat.h>

/* false: there is no such file. */
static bool add_blocks(const struct cachedir *dir, const char *file, uint64_t *sum)
{
	struct stat st;

	if (fstatat(dir->partial_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*sum += (uint64_t)st.st_blocks * 512;
	return true;
}

uint64_t pending_of(const struct cachedir *dir, const char *partial, uint64_t bytes)
{
	char data[PARTIAL_FILE_SIZE];
	char map[PARTIAL_FILE_SIZE];
	struct entry_key key;
	uint32_t generation;
	uint64_t blocks = 0;

	if (!partial_parse(partial, &key, &generation) || group_is_key(&key))
		return bytes;
	partial_data_file(partial, data);
	partial_map_file(partial, map);
	if (add_blocks(dir, data, &blocks)) {
		(void)add_blocks(dir, map, &blocks);
		return bytes > blocks ? bytes - blocks : 0;
	}
	/* an object by now: all but its row */
	if (add_blocks(dir, map, &blocks))
		return 0;
	/* a tree: its earlier steps are used up */
	return bytes < TREE_STEP ? bytes : TREE_STEP;
}
