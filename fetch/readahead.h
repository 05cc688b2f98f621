/*
 * How far to read ahead of readers who get their bytes by requests of their own: little while they
 * jump, twice as much each time they go on where they were. A few readers at different places of
 * one file are told apart.
 */
#ifndef FETCHFS_FETCH_READAHEAD_H
#define FETCHFS_FETCH_READAHEAD_H

#include <stdbool.h>
#include <stdint.h>

#define READAHEAD_READERS 8

/* What was fetched for one reader lately; all in bytes. */
struct readahead_run {
	uint64_t end;      /* up to where */
	uint64_t length;   /* how much at once; 0: nothing yet */
	bool answered;     /* the reader has got bytes of it since: what he asks for next is new */
	unsigned int used; /* readahead.clock, then */
};

struct readahead {
	struct readahead_run runs[READAHEAD_READERS];
	unsigned int clock;
};

/* Somebody waits for the chunk that begins at @at: how many bytes to ask for from there. */
uint64_t readahead_miss(struct readahead *readahead, uint64_t at);

/*
 * Somebody has read up to @end, without waiting. How many bytes to ask for now, from *ret_at on, so
 * that he will not have to; 0: nothing.
 */
uint64_t readahead_hit(struct readahead *readahead, uint64_t end, uint64_t *ret_at);

/* The run that begins at @at will not be longer than @length after all. */
void readahead_cut(struct readahead *readahead, uint64_t at, uint64_t length);

#endif
