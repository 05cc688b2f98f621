#include "fetch/zipnames.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Records and their fields, as APPNOTE 4.3 has them. */
#define END_SIZE      22
#define END_COMMENT   65535
#define LOCATOR_SIZE  20
#define END64_SIZE    56
#define ENTRY_SIZE    46
#define ENTRY_FLAGS   8
#define ENTRY_OFFSET  42
#define LOCAL_FLAGS   6
#define EXTRA_ZIP64   1
#define UNKNOWN_32    UINT32_C(0xffffffff)
#define VARIABLE_MAX  (3 * 65535)
#define BIT_11_OF_TWO 8 /* in the second byte of the flags */

/* The central directory. */
struct list {
	uint64_t start;  /* in the file */
	uint64_t before; /* bytes in front of the zip: of a program that unpacks itself */
};

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] | at[1] << 8);
}

static uint32_t get_32(const uint8_t *at)
{
	return get_16(at) | (uint32_t)get_16(at + 2) << 16;
}

static uint64_t get_64(const uint8_t *at)
{
	return get_32(at) | (uint64_t)get_32(at + 4) << 32;
}

static bool read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	return offset <= INT64_MAX && fd_pread_full(fd, buf, len, offset) == (ssize_t)len;
}

static bool is_record(const uint8_t *at, uint8_t third, uint8_t fourth)
{
	return at[0] == 'P' && at[1] == 'K' && at[2] == third && at[3] == fourth;
}

/* A zip of more than 4 GiB, or 65,535 entries, has another end in front of the end. */
static bool find_list_64(int fd, uint64_t end, struct list *ret)
{
	uint8_t locator[LOCATOR_SIZE];
	uint8_t record[END64_SIZE];

	if (end < LOCATOR_SIZE || !read_at(fd, locator, sizeof(locator), end - LOCATOR_SIZE) ||
		!is_record(locator, 6, 7))
		return false;
	if (!read_at(fd, record, sizeof(record), get_64(locator + 8)) || !is_record(record, 6, 6))
		return false;
	*ret = (struct list){.start = get_64(record + 48)};
	return true;
}

static bool find_list(int fd, uint64_t size, struct list *ret)
{
	size_t len = size < END_SIZE + END_COMMENT ? (size_t)size : END_SIZE + END_COMMENT;
	CLEANUP(str_freep) char *tail = malloc(len + 1);
	const uint8_t *bytes = (const uint8_t *)tail;

	if (!tail || len < END_SIZE || !read_at(fd, tail, len, size - len))
		return false;
	for (size_t at = len - END_SIZE + 1; at-- > 0;) {
		uint64_t end = size - len + at;
		uint64_t list_size = get_32(bytes + at + 12);
		uint64_t list_start = get_32(bytes + at + 16);

		if (!is_record(bytes + at, 5, 6))
			continue;
		if (find_list_64(fd, end, ret))
			return true;
		if (list_size > end || list_start > end - list_size)
			return false;
		*ret = (struct list){
			.start = end - list_size, .before = end - list_size - list_start};
		return true;
	}
	return false;
}

static bool add_place(struct zipnames *names, uint64_t place)
{
	if (names->count == names->size) {
		size_t size = names->size ? names->size * 2 : 64;
		uint64_t *more = reallocarray(names->places, size, sizeof(*more));

		if (!more)
			return false;
		names->places = more;
		names->size = size;
	}
	names->places[names->count++] = place;
	return true;
}

/* Where the entry's own header is: in a big zip it says so in an extra field, after the sizes that
 * did not fit, either. UINT64_MAX: nowhere. */
static uint64_t local_offset(const uint8_t *entry, const uint8_t *extra, size_t extra_len)
{
	uint32_t offset = get_32(entry + ENTRY_OFFSET);
	size_t before = 0;

	if (offset != UNKNOWN_32)
		return offset;
	before += get_32(entry + 24) == UNKNOWN_32 ? 8 : 0;
	before += get_32(entry + 20) == UNKNOWN_32 ? 8 : 0;
	for (size_t at = 0; at + 4 <= extra_len;) {
		size_t len = get_16(extra + at + 2);

		if (len > extra_len - at - 4)
			break;
		if (get_16(extra + at) == EXTRA_ZIP64)
			return before + 8 <= len ? get_64(extra + at + 4 + before) : UINT64_MAX;
		at += 4 + len;
	}
	return UINT64_MAX;
}

static int compare_places(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* The entry at @at; *at moves behind it. */
static bool note_entry(
	struct zipnames *names, int fd, const struct list *list, uint8_t *buf, uint64_t *at)
{
	const uint8_t *entry = buf;
	size_t name_len;
	size_t extra_len;
	uint64_t local;

	if (!read_at(fd, buf, ENTRY_SIZE, *at) || !is_record(entry, 1, 2))
		return false;
	name_len = get_16(entry + 28);
	extra_len = get_16(entry + 30);
	if (entry[ENTRY_FLAGS + 1] & BIT_11_OF_TWO) {
		if (!read_at(fd, buf + ENTRY_SIZE, extra_len, *at + ENTRY_SIZE + name_len))
			return false;
		local = local_offset(entry, entry + ENTRY_SIZE, extra_len);
		if (local == UINT64_MAX || !add_place(names, *at + ENTRY_FLAGS + 1) ||
			!add_place(names, list->before + local + LOCAL_FLAGS + 1))
			return false;
	}
	*at += ENTRY_SIZE + name_len + extra_len + get_16(entry + 32);
	return true;
}

void zipnames_find(struct zipnames *names, int fd, uint64_t size, size_t max)
{
	CLEANUP(str_freep) char *buf = malloc(ENTRY_SIZE + VARIABLE_MAX);
	struct list list;
	uint64_t at;

	if (!buf || !find_list(fd, size, &list))
		return;
	at = list.start;
	for (size_t i = 0; i < max && note_entry(names, fd, &list, (uint8_t *)buf, &at); i++)
		;
	if (names->count > 0)
		qsort(names->places, names->count, sizeof(*names->places), compare_places);
}

void zipnames_release(struct zipnames *names)
{
	free(names->places);
	*names = (struct zipnames){NULL};
}

void zipnames_hide(const struct zipnames *names, void *buf, size_t len, uint64_t offset)
{
	uint8_t *bytes = buf;
	size_t low = 0;
	size_t high = names->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->places[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < names->count && names->places[low] - offset < len; low++)
		bytes[names->places[low] - offset] &= (uint8_t)~BIT_11_OF_TWO;
}
