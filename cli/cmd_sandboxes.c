/* fetchfs sandboxes: who uses what, by which method, and since when. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "sandbox/gc.h"
#include "sandbox/leases.h"

#include <stdio.h>
#include <time.h>

enum { OPTION_JSON = 1, OPTION_MOUNT };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each file", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "of the cache behind this mount", 0},
	{0},
};

struct request {
	const char *mount;
	bool as_json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_JSON:
		request->as_json = true;
		return 0;
	case OPTION_MOUNT:
		request->mount = arg;
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

static const char *uri_of(const struct fetchfs_lease *lease)
{
	return lease->uri && *lease->uri ? lease->uri : NULL;
}

static void print_json(const struct fetchfs_lease *lease, bool gone)
{
	CLEANUP(str_freep) char *user = cli_user_name(lease->uid);
	CLEANUP(str_freep) char *method = leases_method(lease);
	struct json json = {.out = stdout};

	json_open(&json, NULL, '{');
	json_text(&json, "directory", lease->directory);
	json_bool(&json, "gone", gone);
	json_text(&json, "user", user);
	json_text(&json, "name", lease->name);
	json_text(&json, "method", method);
	json_bool(&json, "extracted", leases_is_extracted(lease));
	json_text(&json, "uri", uri_of(lease));
	json_text(&json, "sha256", leases_knows_content(lease) ? lease->sha256 : NULL);
	json_number(&json, "since", lease->since);
	json_close(&json, '}');
}

static void print_head(const struct fetchfs_lease *lease, bool gone)
{
	CLEANUP(str_freep) char *user = cli_user_name(lease->uid);
	time_t since = (time_t)lease->since;
	char text[32] = "";
	struct tm tm;

	if (localtime_r(&since, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s  %s  since %s%s\n", lease->directory, user ? user : "-", text,
		gone ? "  (gone: fetchfs gc)" : "");
}

static void print_line(const struct fetchfs_lease *lease)
{
	CLEANUP(str_freep) char *method = leases_method(lease);
	CLEANUP(str_freep) char *name = str_copy(lease->name);

	/* an archive may have told it */
	if (name)
		str_make_plain(name);
	printf("    %-8s  %s  %s%s\n", method ? method : "", name ? name : "",
		uri_of(lease) ? uri_of(lease) : "-",
		leases_is_extracted(lease) ? "  (unpacked)" : "");
}

/* The files of one directory. */
static void print_group(const struct leases *leases, size_t from, size_t end, bool as_json)
{
	bool gone = gc_is_gone(&leases->items[from]);
	bool first = true;

	for (size_t i = from; i < end; i++) {
		const struct fetchfs_lease *lease = &leases->items[i];

		if (!leases_is_of_file(lease) && !leases_is_pending(lease))
			continue;
		if (as_json) {
			print_json(lease, gone);
			continue;
		}
		if (first)
			print_head(lease, gone);
		first = false;
		print_line(lease);
	}
}

int cmd_sandboxes(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(leases_release) struct leases leases = {0};
	CLEANUP(str_freep) char *cache = NULL;
	struct request request = {0};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &request);
	r = mounted_use_cache(cli, mounted_directory(cli, request.mount), &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	r = leases_load(fetchfs, &leases, &err);
	fetchfs_close(fetchfs);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	leases_sort(&leases);
	for (size_t from = 0, end; from < leases.count; from = end) {
		end = leases_group_end(&leases, from);
		print_group(&leases, from, end, request.as_json);
	}
	return EXIT_DONE;
}
