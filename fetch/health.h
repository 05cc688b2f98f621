/*
 * What this process has seen lately of those it downloads from: hosts, mirrors and proxies, each by
 * a name. Who failed is left out for a while, longer each time, and tried again later; who works is
 * remembered with its speed. Thread-safe; times are monotonic milliseconds.
 */
#ifndef FETCHFS_FETCH_HEALTH_H
#define FETCHFS_FETCH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct health;

struct health *health_new(void); /* NULL: out of memory */
void health_free(struct health *health);

/* @retry_after: what it asked to be left alone for, in seconds; 0: nothing. */
void health_failed(struct health *health, const char *name, int64_t now, unsigned int retry_after);

/* @bytes came from it in @ms (0 and 0: it answered). Its failures are forgotten. */
void health_worked(struct health *health, const char *name, uint64_t bytes, int64_t ms);

bool health_is_out(struct health *health, const char *name, int64_t now);

/* Bytes per second of one connection, a moving mean; 0: not known. */
uint64_t health_rate(struct health *health, const char *name);

/* A connection to it is being used, or is not any more; and how many are, @name NULL: to all. */
void health_enter(struct health *health, const char *name);
void health_leave(struct health *health, const char *name);
unsigned int health_running(struct health *health, const char *name);

#endif
