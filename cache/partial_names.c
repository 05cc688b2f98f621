/* The files of partials: their names, finding them, and clearing them away. */
#include "base/cleanup.h"
#include "base/fault.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/group.h"
#include "cache/reconcile.h"
#include "cache/store_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * Changes of a folder that are so far apart surely have different times: two ticks of the slowest
 * clock of the kernel, or what file systems that know only seconds need.
 */
#define SAME_TIME_NS   INT64_C(20000000)
#define SAME_SECOND_NS INT64_C(2000000000)

void partial_name(const struct entry_key *key, uint32_t generation, char ret[PARTIAL_NAME_SIZE])
{
	entry_key_hex(key, ret);
	snprintf(ret + ENTRY_KEY_HEX_SIZE - 1, PARTIAL_NAME_SIZE - ENTRY_KEY_HEX_SIZE + 1,
		".%" PRIu32, generation);
}

void partial_data_file(const char *name, char ret[PARTIAL_FILE_SIZE])
{
	snprintf(ret, PARTIAL_FILE_SIZE, "%s.data", name);
}

void partial_map_file(const char *name, char ret[PARTIAL_FILE_SIZE])
{
	snprintf(ret, PARTIAL_FILE_SIZE, "%s.map", name);
}

bool partial_parse(const char *name, struct entry_key *ret_key, uint32_t *ret_generation)
{
	char hex[ENTRY_KEY_HEX_SIZE];
	unsigned long number;
	char *end;

	if (strlen(name) < ENTRY_KEY_HEX_SIZE || name[ENTRY_KEY_HEX_SIZE - 1] != '.')
		return false;
	memcpy(hex, name, sizeof(hex) - 1);
	hex[sizeof(hex) - 1] = '\0';
	name += ENTRY_KEY_HEX_SIZE;
	if (name[0] < '1' || name[0] > '9')
		return false;
	errno = 0;
	number = strtoul(name, &end, 10);
	if (errno != 0 || number >= UINT32_MAX)
		return false;
	if (end[0] != '\0' && strcmp(end, ".data") != 0 && strcmp(end, ".map") != 0)
		return false;
	if (!str_from_hex(hex, sizeof(ret_key->bytes), ret_key->bytes))
		return false;
	*ret_generation = (uint32_t)number;
	return true;
}

int partial_open_list(const struct store *store, DIR **ret, struct err *err)
{
	int r = fd_open_list(store->dir->partial_fd, ".", ret);

	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "open partial: %m") : 0;
}

static int64_t nanoseconds(struct timespec at)
{
	return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* When partial/ was last changed; 0 when that cannot be said. */
static int64_t when_changed(const struct store *store)
{
	struct stat st;

	if (!store->group || fstat(store->dir->partial_fd, &st) < 0)
		return 0;
	return nanoseconds(st.st_mtim);
}

/* It had no partials, and was @changed before. What comes later changes it to another time, if
 * that is not too short ago for the clock of the file system. */
static void remember_none(const struct store *store, int64_t changed)
{
	int64_t apart = changed % 1000000000 == 0 ? SAME_SECOND_NS : SAME_TIME_NS;
	struct timespec now;

	/* the clock that file systems stamp by, which may stand still for a while */
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (changed > 0 && nanoseconds(now) - changed > apart)
		group_found_no_partials(store->group, changed);
}

int partial_newest(
	const struct store *store, const struct entry_key *key, uint32_t *ret, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	int64_t changed = when_changed(store);
	const struct dirent *item;
	uint32_t newest = 0;
	bool none = true;
	int r;

	*ret = 0;
	if (changed > 0 && group_no_partials(store->group, changed))
		return 0;
	r = partial_open_list(store, &list, err);
	if (r < 0)
		return r;
	while ((item = readdir(list))) {
		struct entry_key other;
		uint32_t generation;

		if (!partial_parse(item->d_name, &other, &generation))
			continue;
		none = false;
		if (memcmp(&other, key, sizeof(other)) == 0 && generation > newest)
			newest = generation;
	}
	if (none)
		remember_none(store, changed);
	*ret = newest;
	return 0;
}

bool partial_is_there(const struct store *store, const struct entry_key *key)
{
	uint32_t newest;

	return partial_newest(store, key, &newest, NULL) < 0 || newest > 0;
}

/* Tell those who read a generation along that it will never be complete. *ret_digest: what its
 * leader had made of it, or zeros. */
static void abandon(const struct store *store, const char *map_file, struct digest *ret_digest)
{
	struct ranges_header header;
	struct ranges *ranges;

	*ret_digest = (struct digest){{0}};
	if (ranges_open(store->dir->partial_fd, map_file, &ranges, NULL) < 0)
		return;
	if (ranges_load(ranges, &header, NULL) == 0) {
		if (partial_has_object(store, &header))
			*ret_digest = header.digest;
		if (header.state != RANGES_DONE && header.state != RANGES_FAILED) {
			header.state = RANGES_ABANDONED;
			/* or they see a dead leader: no worse */
			ranges_store(ranges, &header, NULL);
		}
	}
	ranges_free(ranges);
}

static int clear_one(const struct store *store, const char *name, struct err *err)
{
	static const struct digest none;
	char file[PARTIAL_FILE_SIZE];
	struct digest digest;
	int r;

	partial_map_file(name, file);
	abandon(store, file, &digest);
	partial_data_file(name, file);
	r = fault_hit("partial.unlink") ? -errno
					: store_remove(store, store->dir->partial_fd, file);
	if (r == 0) {
		/* the map last: it is what a data file is found by */
		partial_map_file(name, file);
		r = store_remove(store, store->dir->partial_fd, file);
	}
	if (r < 0)
		return err_set(err, ERR_SYSTEM, -r, "remove partial/%s: %m", file);
	/* its object may have no row, and then nobody would know of it any more */
	if (!digest_equal(&digest, &none))
		(void)reconcile_object(store, &digest, NULL);
	return catalog_unreserve(store->catalog, name, err);
}

int partial_clear(
	const struct store *store, const struct entry_key *key, uint32_t last, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	int r = partial_open_list(store, &list, err);

	/* removing while reading skips nothing: POSIX promises it for names not yet returned */
	while (r == 0 && (item = readdir(list))) {
		char name[PARTIAL_NAME_SIZE];
		struct entry_key other;
		uint32_t generation;

		if (!partial_parse(item->d_name, &other, &generation) || generation > last)
			continue;
		if (memcmp(&other, key, sizeof(other)) != 0)
			continue;
		partial_name(key, generation, name);
		r = clear_one(store, name, err);
	}
	cachedir_bump(store->dir, key);
	return r;
}
