#include "base/fault.h"

#ifdef FETCHFS_FAULTS

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_MAX   8
#define NAME_SIZE   64
#define EXIT_FAULT  70 /* EX_SOFTWARE of sysexits.h */
#define ERRNO_LIMIT 134
#define WAIT_MAX_MS 60000

/* What a step does apart from setting an errno, which is positive. */
enum { WHAT_EXIT = -1, WHAT_KILL = -2, WHAT_WAIT = -3 };

struct step {
	char name[NAME_SIZE]; /* or "*" */
	unsigned long nth;    /* from 1 */
	int what;             /* an errno, or WHAT_* */
	unsigned int wait_ms; /* WHAT_WAIT */
	atomic_ulong reached;
};

static struct step steps[STEPS_MAX];
static size_t step_count;
static atomic_ulong reached_all;

static bool parse_wait(const char *text, unsigned int *ret)
{
	char *end;
	unsigned long ms = strtoul(text, &end, 10);

	*ret = (unsigned int)ms;
	return ms > 0 && ms <= WAIT_MAX_MS && str_equal(end, "ms");
}

static int parse_what(const char *text)
{
	if (str_equal(text, "exit"))
		return WHAT_EXIT;
	if (str_equal(text, "kill"))
		return WHAT_KILL;
	for (int code = 1; code < ERRNO_LIMIT; code++)
		if (str_equal(text, strerrorname_np(code)))
			return code;
	return 0;
}

/* "NAME[:N[:WHAT]]", which is cut up. */
static int parse_step(char *text, struct step *ret)
{
	const char *name = strsep(&text, ":");
	const char *nth = strsep(&text, ":");
	char *end = NULL;

	if (!*name || !str_fit(ret->name, sizeof(ret->name), name))
		return -EINVAL;

	ret->nth = nth ? strtoul(nth, &end, 10) : 1;
	if (ret->nth == 0 || (nth && *end))
		return -EINVAL;

	if (text && parse_wait(text, &ret->wait_ms))
		ret->what = WHAT_WAIT;
	else
		ret->what = text ? parse_what(text) : EIO;
	if (ret->what == 0)
		return -EINVAL;

	atomic_store(&ret->reached, 0);
	return 0;
}

int fault_setup(const char *plan)
{
	CLEANUP(str_freep) char *copy = str_copy(plan);
	char *rest = copy;
	char *text;

	atomic_store(&reached_all, 0);
	step_count = 0;
	if (plan && !copy)
		return -ENOMEM;

	while ((text = strsep(&rest, ","))) {
		if (step_count == STEPS_MAX || parse_step(text, &steps[step_count]) < 0) {
			step_count = 0;
			return -EINVAL;
		}
		step_count++;
	}
	return 0;
}

/* Whether that is a failure. */
static bool strike(const struct step *step)
{
	if (step->what == WHAT_EXIT)
		_exit(EXIT_FAULT);
	if (step->what == WHAT_KILL)
		kill(getpid(), SIGKILL);
	if (step->what == WHAT_WAIT) {
		usleep(step->wait_ms * 1000);
		return false;
	}
	errno = step->what;
	return true;
}

bool fault_hit(const char *name)
{
	const struct step *now[STEPS_MAX];
	size_t count = 0;
	bool hit = false;

	/* all are counted before one of them may take its time */
	atomic_fetch_add(&reached_all, 1);
	for (size_t i = 0; i < step_count; i++) {
		struct step *step = &steps[i];

		if (!str_equal(step->name, "*") && !str_equal(step->name, name))
			continue;
		if (atomic_fetch_add(&step->reached, 1) + 1 != step->nth)
			continue;
		now[count++] = step;
	}
	for (size_t i = 0; i < count; i++)
		hit |= strike(now[i]);
	return hit;
}

unsigned long fault_count(void)
{
	return atomic_load(&reached_all);
}

#endif
