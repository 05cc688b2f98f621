#include "fetch/machine.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define LOOK_MS      200
#define BUSY_PERCENT 30 /* less than so much of the time was idle */

void machine_init(struct machine *machine)
{
	*machine = (struct machine){.looked_ms = 0};
	pthread_mutex_init(&machine->mu, NULL);
}

void machine_release(struct machine *machine)
{
	pthread_mutex_destroy(&machine->mu);
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal … */
static bool read_ticks(uint64_t *ret_idle, uint64_t *ret_total)
{
	CLEANUP(fd_closep) int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	uint64_t t[8] = {0};
	char line[256];
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	if (sscanf(line,
		    "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		    " %" SCNu64 " %" SCNu64,
		    &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6], &t[7]) != 8)
		return false;
	*ret_idle = t[3] + t[4];
	*ret_total = t[0] + t[1] + t[2] + t[3] + t[4] + t[5] + t[6] + t[7];
	return true;
}

bool machine_is_busy(struct machine *machine, int64_t now)
{
	uint64_t idle;
	uint64_t total;
	WITH_LOCK(&machine->mu);

	if (machine->looked_ms && now - machine->looked_ms < LOOK_MS)
		return machine->busy;
	if (!read_ticks(&idle, &total))
		return false;
	machine->busy = machine->looked_ms && total > machine->total &&
			(idle - machine->idle) * 100 < (total - machine->total) * BUSY_PERCENT;
	machine->looked_ms = now;
	machine->idle = idle;
	machine->total = total;
	return machine->busy;
}
