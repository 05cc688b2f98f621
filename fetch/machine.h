/*
 * Whether this machine has processors to spare. When it has not, whoever waits for bytes may well
 * be waiting for himself, and more connections only make more work. Thread-safe.
 */
#ifndef FETCHFS_FETCH_MACHINE_H
#define FETCHFS_FETCH_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct machine {
	pthread_mutex_t mu; /* guards what follows */
	int64_t looked_ms;  /* 0: never */
	uint64_t idle;      /* of all processors since the start, in the kernel's ticks */
	uint64_t total;
	bool busy;
};

void machine_init(struct machine *machine);
void machine_release(struct machine *machine);

/*
 * At @now (monotonic milliseconds): were the processors hardly ever idle lately? Looks at
 * /proc/stat (see proc(5)) a few times a second at most; what cannot be read is not busy.
 */
bool machine_is_busy(struct machine *machine, int64_t now);

#endif
