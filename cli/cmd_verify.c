/* fetchfs verify: read all of the cache, and say what is not what it should be. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "cli/progress.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX 64

enum { OPTION_FULL = 1, OPTION_REPAIR, OPTION_JSON, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"full", OPTION_FULL, 0, 0, "by SHA-256, not only by a fast hash", 0},
	{"repair", OPTION_REPAIR, 0, 0, "fetch again at once what is damaged or missing", 0},
	{"jobs", 'j', "N", 0, "read N at a time (default: one for each processor)", 0},
	{"json", OPTION_JSON, 0, 0, "print a JSON object for each finding, and for the whole", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "the cache behind this mount", 0},
	{0},
};

/* To be fetched again. */
struct wish {
	char *uri;
	bool executable;
	struct wish *next;
};

struct verify {
	struct cli *cli;
	const char *mount;
	bool full;
	bool repair;
	bool json;
	unsigned int jobs;

	/* below: of the run */
	uint64_t objects; /* of the cache, when it began */
	uint64_t bytes;
	struct progress progress;
	struct wish *wishes;
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct verify *verify = state->input;

	switch (key) {
	case OPTION_FULL:
		verify->full = true;
		return 0;
	case OPTION_REPAIR:
		verify->repair = true;
		return 0;
	case 'j':
		verify->jobs = cli_parse_jobs(arg, state, JOBS_MAX);
		return 0;
	case OPTION_JSON:
		verify->json = true;
		return 0;
	case OPTION_MOUNT:
		verify->mount = arg;
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

/* ---- what is told ---- */

static const char *word(const struct fetchfs_damage *damage)
{
	return damage->missing ? "missing" : "damaged";
}

static void print_json(const struct fetchfs_damage *damage)
{
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "found", word(damage));
	json_text(&json, "uri", damage->uri);
	json_text(&json, "sha256", damage->sha256);
	json_bool(&json, "pinned", damage->pinned);
	json_close(&json, '}');
}

static void wish(struct verify *verify, const struct fetchfs_damage *damage)
{
	struct wish *wish = malloc(sizeof(*wish));
	struct err err = ERR_INIT;

	if (wish)
		*wish = (struct wish){str_copy(damage->uri), damage->executable, verify->wishes};
	if (!wish || !wish->uri) {
		free(wish);
		err_oom(&err);
		verify->status = cli_worst(verify->status, cli_fail(verify->cli, NULL, &err));
		return;
	}
	verify->wishes = wish;
}

static void found(const struct fetchfs_damage *damage, void *arg)
{
	struct verify *verify = arg;
	const char *subject = damage->uri ? damage->uri : damage->sha256;
	struct err err = ERR_INIT;

	progress_clear(&verify->progress);
	if (verify->json)
		print_json(damage);
	err_set(&err, ERR_INTEGRITY, EBADMSG, "%s: removed%s", word(damage),
		verify->repair || !damage->uri ? "" : ", and fetched again by who needs it");
	if (!verify->repair || !damage->uri || !damage->can_be_asked)
		verify->status = cli_worst(verify->status, cli_fail(verify->cli, subject, &err));
	else
		wish(verify, damage);
}

static void tick(const struct fetchfs_verified *so_far, void *arg)
{
	struct verify *verify = arg;
	struct progress_state state = {
		.done = so_far->objects,
		.count = verify->objects > so_far->objects ? verify->objects : so_far->objects,
		.count_known = true,
		.part = (double)so_far->objects,
		.bytes = so_far->bytes,
		.total_bytes = verify->bytes,
		.total_known = so_far->bytes <= verify->bytes,
	};
	int64_t now = clock_monotonic_ms();

	if (progress_due(&verify->progress, now))
		progress_draw(&verify->progress, &state, now);
}

static void sum_up(const struct verify *verify, const struct fetchfs_verified *sum, int64_t ms)
{
	char bytes[UNITS_SIZE_TEXT], duration[UNITS_SIZE_TEXT];
	struct json json = {.out = stdout};

	if (verify->json) {
		json_open(&json, NULL, '{');
		json_number(&json, "objects", (int64_t)sum->objects);
		json_number(&json, "bytes", (int64_t)sum->bytes);
		json_number(&json, "damaged", (int64_t)sum->damaged);
		json_number(&json, "missing", (int64_t)sum->missing);
		json_thousandths(&json, "seconds", ms);
		json_close(&json, '}');
	} else if (!verify->cli->quiet) {
		units_format_size(sum->bytes, bytes);
		units_format_duration(ms, duration);
		printf("%" PRIu64 " objects, %s, in %s: %" PRIu64 " damaged, %" PRIu64 " missing\n",
			sum->objects, bytes, duration, sum->damaged, sum->missing);
	}
}

/* ---- again ---- */

static int fetch_again(struct fetchfs *fetchfs, const struct wish *wish, struct err *err)
{
	const struct fetchfs_request request = {.uri = wish->uri,
		.uid = getuid(),
		.executable = wish->executable,
		.prefetch = true};
	struct fetchfs_file *file;
	int r = fetchfs_get(fetchfs, &request, &file, err);

	if (r < 0)
		return r;
	r = fetchfs_file_wait_until(file, FETCHFS_UNTIL_COMPLETE, 0, 0, -1, err);
	fetchfs_file_free(file);
	return r;
}

static void repair(struct verify *verify, struct fetchfs *fetchfs)
{
	struct wish *next;

	for (struct wish *wish = verify->wishes; wish; wish = next) {
		struct err err = ERR_INIT;

		next = wish->next;
		if (fetch_again(fetchfs, wish, &err) < 0)
			verify->status =
				cli_worst(verify->status, cli_fail(verify->cli, wish->uri, &err));
		else if (!verify->cli->quiet && !verify->json)
			printf("%s: fetched again\n", wish->uri);
		free(wish->uri);
		free(wish);
	}
	verify->wishes = NULL;
}

static int run(struct verify *verify, struct fetchfs *fetchfs)
{
	const struct fetchfs_verify how = {
		.full = verify->full,
		.threads = verify->jobs,
		.found = found,
		.tick = tick,
		.arg = verify,
	};
	int64_t begun_ms = clock_monotonic_ms();
	struct fetchfs_verified sum;
	struct fetchfs_usage usage;
	struct err err = ERR_INIT;
	int r = fetchfs_usage(fetchfs, &usage, &err);

	if (r == 0) {
		verify->objects = usage.objects;
		verify->bytes = usage.used - usage.reserved;
		progress_init(&verify->progress, !verify->cli->quiet && !verify->json, begun_ms);
		r = fetchfs_verify(fetchfs, &how, &sum, &err);
		progress_clear(&verify->progress);
	}
	if (r == 0)
		sum_up(verify, &sum, clock_monotonic_ms() - begun_ms);
	else
		verify->status = cli_worst(verify->status, cli_fail(verify->cli, NULL, &err));
	repair(verify, fetchfs);
	return verify->status;
}

int cmd_verify(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	struct verify verify = {.cli = cli, .jobs = processors > 0 ? (unsigned int)processors : 1};
	CLEANUP(str_freep) char *cache = NULL;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &verify);
	progress_prepare();
	r = mounted_use_cache(cli, mounted_directory(cli, verify.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	verify.status = run(&verify, fetchfs);
	fetchfs_close(fetchfs);
	return verify.status;
}
