/* The behaviours of the scripted origin: what a path asks for beside its file. */
#include "tests/support/originserver.h"

#include <stdlib.h>
#include <string.h>

void origin_sleep_ms(uint64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

void origin_date(time_t when, char ret[HTTP_DATE])
{
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(ret, HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

static void be_status(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->status = (unsigned int)strtoul(arg, NULL, 10);
}

static bool is_get(const struct origin_answer *answer)
{
	return strcmp(answer->method, "GET") == 0;
}

/* How often this path came before; each behaviour of it counts for itself. */
static unsigned int seen_before(struct origin_answer *answer, bool count)
{
	char key[PATH_SIZE + 32];

	snprintf(key, sizeof(key), "%zu %s", strlen(answer->chain), answer->path);
	return tally_seen(&answer->server->tally, key, count);
}

static void be_flaky(struct origin_answer *answer, const char *arg, const char *rest)
{
	unsigned int times = (unsigned int)strtoul(arg, NULL, 10);

	(void)rest;
	if (seen_before(answer, true) < times)
		answer->status = 503;
}

/* WHEN/N/STATUS */
static void be_retry_after(struct origin_answer *answer, const char *arg, const char *rest)
{
	const char *when = arg + (arg[0] == 'd');
	char *end;
	long seconds = strtol(when, &end, 10);
	unsigned long times = *end == '/' ? strtoul(end + 1, &end, 10) : 0;

	(void)rest;
	if (*end != '/' || seen_before(answer, true) >= times)
		return;
	answer->status = (unsigned int)strtoul(end + 1, NULL, 10);
	if (arg[0] == 'd')
		origin_date(time(NULL) + seconds, answer->retry_after);
	else
		snprintf(answer->retry_after, sizeof(answer->retry_after), "%ld", seconds);
}

static void be_first(struct origin_answer *answer, const char *arg, const char *rest)
{
	unsigned long times = *arg ? strtoul(arg, NULL, 10) : 1;

	(void)rest;
	answer->skip = !is_get(answer) || seen_before(answer, true) >= times;
}

static void be_etag_after(struct origin_answer *answer, const char *arg, const char *rest)
{
	unsigned long times = strtoul(arg, NULL, 10);

	(void)rest;
	answer->changed = seen_before(answer, is_get(answer)) >= times;
}

/* N/STATUS */
static void be_status_after(struct origin_answer *answer, const char *arg, const char *rest)
{
	char *end;
	unsigned long times = strtoul(arg, &end, 10);

	(void)rest;
	if (*end == '/' && seen_before(answer, is_get(answer)) >= times)
		answer->status = (unsigned int)strtoul(end + 1, NULL, 10);
}

static void be_other_head(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->changed = !is_get(answer);
}

static void be_short(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->stop_at = strtoull(arg, NULL, 10);
}

static void be_stall(struct origin_answer *answer, const char *arg, const char *rest)
{
	be_short(answer, arg, rest);
	answer->stall = true;
}

static void be_hang(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->hang = true;
}

static void be_latency(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)answer;
	(void)rest;
	origin_sleep_ms(strtoull(arg, NULL, 10));
}

static void be_at_most(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->part_max = strtoull(arg, NULL, 10);
}

static void be_rate(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->rate = strtoull(arg, NULL, 10);
}

static void be_redirect(struct origin_answer *answer, const char *arg, const char *rest)
{
	unsigned long hops = strtoul(arg, NULL, 10);

	if (hops == 0)
		return;
	answer->status = 302;
	snprintf(answer->location, sizeof(answer->location), "/redirect/%lu%s", hops - 1, rest);
}

static void be_goto(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->status = 301;
	snprintf(answer->location, sizeof(answer->location), "%s", arg);
	MHD_http_unescape(answer->location);
}

static void be_loop(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->status = 302;
	snprintf(answer->location, sizeof(answer->location), "/loop");
}

static void be_folder(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->status = 301;
	snprintf(answer->location, sizeof(answer->location), "%.*s/", PATH_SIZE - 2, answer->path);
}

static void be_header(struct origin_answer *answer, const char *arg, const char *rest)
{
	const char *slash = strchr(arg, '/');

	(void)rest;
	if (!slash || answer->extras == EXTRA_MAX)
		return;
	snprintf(answer->extra[answer->extras].name, sizeof(answer->extra[0].name), "%.*s",
		(int)(slash - arg), arg);
	snprintf(answer->extra[answer->extras].value, sizeof(answer->extra[0].value), "%s",
		slash + 1);
	MHD_http_unescape(answer->extra[answer->extras++].value);
}

static void be_unless(struct origin_answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	if (MHD_lookup_connection_value(answer->connection, MHD_HEADER_KIND, arg))
		answer->status = 418;
}

/* Behaviours that only set a flag. */
#define FLAG(name)                                                                                 \
	static void be_##name(struct origin_answer *answer, const char *arg, const char *rest)     \
	{                                                                                          \
		(void)arg;                                                                         \
		(void)rest;                                                                        \
		answer->name = true;                                                               \
	}
FLAG(corrupt)
FLAG(no_head)
FLAG(no_ranges)
FLAG(wrong_range)
FLAG(chunked)
FLAG(no_validators)
FLAG(weak)
FLAG(changing)

static const struct behaviour {
	const char *name;
	unsigned int args; /* segments that belong to it */
	void (*apply)(struct origin_answer *answer, const char *arg, const char *rest);
} behaviours[] = {
	{"status", 1, be_status},
	{"flaky", 1, be_flaky},
	{"corrupt", 0, be_corrupt},
	{"short", 1, be_short},
	{"stall", 1, be_stall},
	{"hang", 0, be_hang},
	{"latency", 1, be_latency},
	{"rate", 1, be_rate},
	{"redirect", 1, be_redirect},
	{"goto", 1, be_goto},
	{"loop", 0, be_loop},
	{"folder", 0, be_folder},
	{"nohead", 0, be_no_head},
	{"otherhead", 0, be_other_head},
	{"noranges", 0, be_no_ranges},
	{"wrongrange", 0, be_wrong_range},
	{"atmost", 1, be_at_most},
	{"chunked", 0, be_chunked},
	{"novalidators", 0, be_no_validators},
	{"weak", 0, be_weak},
	{"changing", 0, be_changing},
	{"header", 2, be_header},
	{"unless", 1, be_unless},
	{"retryafter", 3, be_retry_after},
	{"first", 1, be_first},
	{"once", 0, be_first},
	{"etagafter", 1, be_etag_after},
	{"statusafter", 2, be_status_after},
};

static const struct behaviour *find_behaviour(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		if (strlen(behaviours[i].name) == len && memcmp(behaviours[i].name, name, len) == 0)
			return &behaviours[i];
	return NULL;
}

const char *origin_behave(struct origin_answer *answer, const char *path)
{
	const char *name = path + 1;
	size_t len = strcspn(name, "/");
	const struct behaviour *behaviour = find_behaviour(name, len);
	const char *arg = name + len + (name[len] == '/');
	const char *rest = name + len;
	bool skip = answer->skip;
	char args[PATH_SIZE];

	answer->skip = false;
	if (!behaviour)
		return NULL;
	for (unsigned int i = 0; i < behaviour->args && *rest; i++)
		rest += 1 + strcspn(rest + 1, "/");
	snprintf(args, sizeof(args), "%.*s", rest > arg ? (int)(rest - arg) : 0, arg);
	answer->chain = path;
	if (!skip)
		behaviour->apply(answer, args, rest);
	return rest;
}
