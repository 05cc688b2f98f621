#include "cache/transfers.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"
#include "cache/store_private.h"

#include <dirent.h>
#include <errno.h>

static void free_ranges(struct ranges **ranges)
{
	ranges_free(*ranges);
}

/* Whoever leads says so twice a second. */
#define SILENCE_MS 5000

/* Whether the next leader would take up what is there. */
static bool is_resumable(const struct ranges_header *header)
{
	return (header->state == RANGES_ACTIVE || header->state == RANGES_FAILED) &&
	       !header->mixed && header->version.strong && header->version.ranges &&
	       header->version.size >= 0;
}

static bool is_silent(const struct ranges *ranges)
{
	int64_t beat;

	return ranges_last_beat(ranges, &beat, NULL) == 0 && beat > 0 &&
	       clock_monotonic_ms() - beat >= SILENCE_MS;
}

/* What goes on with a map. false: nothing, it is about to disappear. */
static bool find_state(const struct ranges *ranges, const struct ranges_header *header, bool is_led,
	enum transfer_state *ret)
{
	if (!is_led) {
		*ret = TRANSFER_INTERRUPTED;
		return is_resumable(header);
	}
	*ret = header->state == RANGES_STARTING ? TRANSFER_WAITING : TRANSFER_ACTIVE;
	if (is_silent(ranges))
		*ret = TRANSFER_STOPPED;
	return header->state == RANGES_STARTING || header->state == RANGES_ACTIVE;
}

/* 1: it is one. 0: none, or not any more. */
static int look(const struct store *store, const char *name, struct transfer *ret, struct err *err)
{
	CLEANUP(free_ranges) struct ranges *ranges = NULL;
	struct ranges_header header;
	uint32_t generation;
	int is_led, r;

	if (!str_has_suffix(name, ".map") || !partial_parse(name, &ret->key, &generation))
		return 0;
	/* first: a map that has a successful end by the next look is no interrupted one */
	is_led = cachedir_is_led(store->dir, &ret->key);
	if (is_led < 0)
		return err_set(
			err, ERR_SYSTEM, -is_led, "look at the lock of partial/%s: %m", name);
	r = ranges_open(store->dir->partial_fd, name, &ranges, err);
	if (r == 0)
		r = ranges_load(ranges, &header, err);
	if (r == -ENOENT || r == -EBADMSG) /* it ended; or is none of ours */
		return 0;
	if (r == 0)
		r = ranges_arrived(ranges, header.version.size, &ret->bytes, err);
	if (r < 0)
		return r;
	ret->label = header.label;
	ret->size = header.version.size;
	return find_state(ranges, &header, is_led, &ret->state);
}

int transfers_arrived(
	const struct store *store, const struct entry_key *key, uint64_t *ret, struct err *err)
{
	char name[PARTIAL_NAME_SIZE];
	char file[PARTIAL_FILE_SIZE];
	struct transfer transfer;
	uint32_t newest;
	int r = partial_newest(store, key, &newest, err);

	*ret = 0;
	if (r < 0 || newest == 0)
		return r;
	partial_name(key, newest, name);
	partial_map_file(name, file);
	r = look(store, file, &transfer, err);
	if (r == 1)
		*ret = transfer.bytes;
	return r < 0 ? r : 0;
}

int transfers_visit(
	const struct store *store, transfers_visitor *visitor, void *arg, struct err *err)
{
	CLEANUP(fd_close_list) DIR *list = NULL;
	const struct dirent *item;
	unsigned int looked_at = 0;
	int r = partial_open_list(store, &list, err);

	while (r == 0 && looked_at < TRANSFERS_MAX && (item = readdir(list))) {
		struct transfer transfer;

		r = look(store, item->d_name, &transfer, err);
		looked_at++;
		if (r == 1)
			r = visitor(&transfer, arg);
	}
	return r;
}
