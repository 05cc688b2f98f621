#include "fetch/machine.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
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
	char *at = line + strlen("cpu ");

	if (n <= at - line)
		return false;
	line[n] = '\0';
	*ret_total = 0;
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		t[i] = strtoull(at, &at, 10);
		*ret_total += t[i];
	}
	*ret_idle = t[3] + t[4];
	return *ret_total > 0;
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
