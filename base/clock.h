/*
 * The two clocks. Modules below cli/ and fs/ take the time as an argument wherever it decides
 * anything; only the outermost callers ask here.
 */
#ifndef FETCHFS_BASE_CLOCK_H
#define FETCHFS_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* Seconds since 1970, UTC; may jump. For what is stored: fetched, expires. */
int64_t clock_wall(void);

/* The same in milliseconds. */
int64_t clock_wall_ms(void);

/* Milliseconds since an arbitrary moment; never goes back. For timeouts and rates. */
int64_t clock_monotonic_ms(void);

/* Milliseconds since the machine's start, also those that it slept. Of one boot only. */
int64_t clock_boot_ms(void);

/* A condition whose waits end by CLOCK_MONOTONIC; and the moment @ms milliseconds from now, for
 * them. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_monotonic_in(int64_t ms);

#endif
