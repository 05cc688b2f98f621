/*
 * Sizes and durations as people write them.
 */
#ifndef FETCHFS_BASE_UNITS_H
#define FETCHFS_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "10G", "512MiB", "1.5T", "4096": powers of 1024, K M G T P with or without B or iB, any case.
 * Bytes into *ret; -EINVAL, or -ERANGE beyond 2^63. */
int units_parse_size(const char *text, uint64_t *ret);

/* "60s", "5m", "2h", "1d", "500ms", "10" (seconds). Milliseconds into *ret; -EINVAL or -ERANGE. */
int units_parse_duration(const char *text, int64_t *ret_ms);

/* "1.5 GiB", "812 B": at most 15 characters and the NUL into @ret. */
#define UNITS_SIZE_TEXT 16
void units_format_size(uint64_t bytes, char *ret);

/* "3.2 s", "840 ms", "2m05s", "1h02m", "3d04h": at most 15 characters and the NUL into @ret. */
void units_format_duration(int64_t ms, char *ret);

#endif
