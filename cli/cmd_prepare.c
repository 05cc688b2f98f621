/* fetchfs prepare: artifacts into the directory of a task. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/units.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/mounted.h"
#include "sandbox/folder.h"
#include "sandbox/plan.h"
#include "sandbox/prepare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	OPTION_SPEC = 1,
	OPTION_DIGESTS,
	OPTION_METHOD,
	OPTION_USER,
	OPTION_MOUNT,
	OPTION_TIMEOUT,
	OPTION_KEEP_GOING,
	OPTION_CONFINED,
	OPTION_EXTRACT,
	OPTION_LAZY,
	OPTION_DRY_RUN,
	OPTION_JSON,
};

#define TIMEOUT_MAX_S (365 * 86400)

static const struct argp_option options[] = {
	{"spec", OPTION_SPEC, "FILE", 0, "a JSON list of what to place ('-': stdin)", 0},
	{"digests", OPTION_DIGESTS, "URI", 0, "a file as of sha256sum, which lists all digests", 0},
	{"method", OPTION_METHOD, "METHOD", 0,
		"auto (default), bind, reflink, hardlink, symlink or copy", 0},
	{"user", OPTION_USER, "USER", 0, "for this user (root only)", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "by the cache of this mount, into which symlinks lead",
		0},
	{"timeout", OPTION_TIMEOUT, "SECONDS", 0, "give up what is not here, and unpacked, by then",
		0},
	{"keep-going", OPTION_KEEP_GOING, 0, 0, "what went well stays although others failed", 0},
	{"confined", OPTION_CONFINED, 0, 0,
		"the user, be it root, cannot undo mounts: it has no CAP_SYS_ADMIN outside", 0},
	{"extract", OPTION_EXTRACT, 0, 0,
		"unpack the URIs given here that are archives; a spec says so for each item", 0},
	{"lazy", OPTION_LAZY, 0, 0,
		"bind what is not cached yet to the mount, which fetches it when it is read", 0},
	{"dry-run", OPTION_DRY_RUN, 0, 0,
		"only say what would be placed how, and what would be fetched for it", 0},
	{"json", OPTION_JSON, 0, 0, "print a JSON list of what is in place", 0},
	{0},
};

struct order {
	const char *spec;
	const char *digests;
	const char *user;
	const char *mount;
	const char *directory;
	char **uris;
	enum plan_method method;
	int64_t timeout_ms;
	bool keep_going;
	bool confined;
	bool extract;
	bool lazy;
	bool dry_run;
	bool json;
};

/* "2.5": seconds. */
static int64_t parse_timeout(const char *text, struct argp_state *state)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds > 0 && seconds <= TIMEOUT_MAX_S))
		argp_error(state, "--timeout: a number of seconds, not \"%s\"", text);
	return seconds < 0.001 ? 1 : (int64_t)(seconds * 1000);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct order *order = state->input;
	struct err err = ERR_INIT;

	switch (key) {
	case OPTION_SPEC:
		order->spec = arg;
		return 0;
	case OPTION_DIGESTS:
		order->digests = arg;
		return 0;
	case OPTION_METHOD:
		if (plan_method_parse(arg, &order->method, &err) < 0)
			argp_error(state, "%s", err.msg);
		return 0;
	case OPTION_USER:
		order->user = arg;
		return 0;
	case OPTION_MOUNT:
		order->mount = arg;
		return 0;
	case OPTION_TIMEOUT:
		order->timeout_ms = parse_timeout(arg, state);
		return 0;
	case OPTION_KEEP_GOING:
		order->keep_going = true;
		return 0;
	case OPTION_CONFINED:
		order->confined = true;
		return 0;
	case OPTION_EXTRACT:
		order->extract = true;
		return 0;
	case OPTION_LAZY:
		order->lazy = true;
		return 0;
	case OPTION_DRY_RUN:
		order->dry_run = true;
		return 0;
	case OPTION_JSON:
		order->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		order->directory = state->argv[state->next];
		order->uris = state->argv + state->next + 1;
		return 0;
	case ARGP_KEY_END:
		if (!order->directory)
			argp_error(state, "a directory is missing");
		if (!order->spec && (!order->uris || !*order->uris))
			argp_error(state, "what is to be placed? Say URIs or --spec");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int read_all(FILE *in, char **ret, size_t *ret_len)
{
	CLEANUP(str_freep) char *text = malloc(PLAN_SPEC_MAX + 1);
	size_t len;

	if (!text)
		return -ENOMEM;
	len = fread(text, 1, PLAN_SPEC_MAX + 1, in);
	if (ferror(in))
		return -EIO;
	if (len > PLAN_SPEC_MAX)
		return -EFBIG;
	*ret = str_steal(&text);
	*ret_len = len;
	return 0;
}

static int add_spec(struct plan *plan, const char *file, struct err *err)
{
	CLEANUP(str_freep) char *text = NULL;
	size_t len = 0;
	int r;

	if (str_equal(file, "-"))
		r = read_all(stdin, &text, &len);
	else
		r = fd_read_file(AT_FDCWD, file, PLAN_SPEC_MAX, &text, &len);
	if (r < 0)
		return err_set(err, ERR_USAGE, -r, "read spec %s: %m", file);
	return plan_add_spec(plan, text, len, err);
}

static int make_plan(const struct order *order, struct plan *plan, struct err *err)
{
	int r = 0;

	plan->mount = order->mount;
	plan->timeout_ms = order->timeout_ms;
	plan->keep_going = order->keep_going;
	plan->confined = order->confined;
	plan->lazy = order->lazy;
	plan->dry_run = order->dry_run;
	if (order->digests && !(plan->digests = str_copy(order->digests)))
		return err_oom(err);
	if (order->spec)
		r = add_spec(plan, order->spec, err);
	for (char **uri = order->uris; *uri && r == 0; uri++)
		r = plan_add_uri(plan, *uri, order->extract, err);
	return r < 0 ? r : plan_finish(plan, order->method, err);
}

static void print_dry(struct json *json, const struct prepared *result)
{
	json_text(json, "state", fetchfs_state_name(result->state));
	if (result->is_size_known)
		json_number(json, "size", (int64_t)result->size);
	else
		json_text(json, "size", NULL);
	json_text(json, "sha256", *result->sha256 ? result->sha256 : NULL);
}

static void print_item(struct json *json, const char *directory, const struct plan *plan,
	const struct plan_item *item, const struct prepared *result)
{
	CLEANUP(str_freep) char *name = prepare_name(item, result);
	CLEANUP(str_freep)
	char *path = name && *name ? str_printf("%s/%s", directory, name) : str_copy(directory);

	json_open(json, NULL, '{');
	json_text(json, "uri", item->shown);
	json_text(json, "path", path);
	if (result->err.code) {
		json_error(json, "error", &result->err);
	} else {
		json_text(json, "method", plan_method_name(result->method));
		json_bool(json, "extracted", result->extracted);
		json_bool(json, "lazy", result->lazy);
		if (plan->dry_run) {
			print_dry(json, result);
		} else {
			json_number(json, "size", (int64_t)result->size);
			json_text(json, "sha256", result->lazy ? NULL : result->sha256);
		}
	}
	json_close(json, '}');
}

static int print_json(const char *directory, const struct plan *plan,
	const struct prepared *results, struct err *err)
{
	struct json json = {.out = stdout};
	CLEANUP(str_freep) char *absolute = NULL;
	int r;

	r = folder_absolute(directory, &absolute, err);
	if (r < 0)
		return r;
	json_open(&json, NULL, '[');
	for (size_t i = 0; i < plan->count; i++)
		print_item(&json, absolute, plan, &plan->items[i], &results[i]);
	json_close(&json, ']');
	return 0;
}

/* What would be done; what cannot be, is complained of. */
static void print_dry_run(const struct plan *plan, const struct prepared *results)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct prepared *result = &results[i];
		char size[UNITS_SIZE_TEXT] = "-";

		if (result->err.code)
			continue;
		if (result->is_size_known)
			units_format_size(result->size, size);
		printf("%-8s  %-8s  %11s  %s%s\n", plan_method_name(result->method),
			result->state == FETCHFS_COMPLETE ? "cached"
			: result->lazy                    ? "lazy"
							  : "to fetch",
			size, plan->items[i].name, plan->items[i].extract ? ": unpacked" : "");
	}
}

static void tell(const struct plan *plan, const struct prepared *results)
{
	for (size_t i = 0; i < plan->count; i++)
		if (!results[i].err.code)
			fprintf(stderr, "fetchfs: %s: %s%s%s\n", plan->items[i].name,
				plan_method_name(results[i].method),
				results[i].lazy          ? ", lazy"
				: results[i].extracted   ? ", unpacked"
				: plan->items[i].extract ? ", no archive: as it is"
							 : "",
				results[i].was_there ? ", was there" : "");
}

/* Each item that failed gets its line. After a Ctrl-C, what it cancelled is no news. */
static int complain(const struct cli *cli, const struct plan *plan, const struct prepared *results,
	bool interrupted, const struct err *err)
{
	int status = EXIT_DONE;

	for (size_t i = 0; i < plan->count && !interrupted; i++)
		if (results[i].err.code)
			status = cli_worst(
				status, cli_fail(cli, plan->items[i].shown, &results[i].err));
	if (err->code)
		status = cli_worst(status, cli_fail(cli, NULL, err));
	return cli_worst(status, interrupted ? EXIT_FAILED : EXIT_DONE);
}

/* Of the plan, of the listing, or of a fragment. */
static void warn_weak(struct cli *cli, const struct plan *plan, const struct prepared *results)
{
	for (size_t i = 0; i < plan->count; i++) {
		char fragment[FETCHFS_DIGEST_SIZE];

		cli_fragment(plan->items[i].uri, fragment);
		cli_warn_weak(cli, *results[i].digest ? results[i].digest : fragment,
			plan->items[i].shown);
	}
}

static void stop(void *arg)
{
	fetchfs_cancel_all(arg);
}

static int run(struct cli *cli, const struct order *order, const struct plan *plan,
	const struct user *user, struct prepared *results)
{
	struct interrupt interrupt;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int status = EXIT_DONE;
	bool in_place;
	int r;

	interrupt_block(&interrupt);
	if (cli_open(cli, &fetchfs, &err) < 0) {
		interrupt_release(&interrupt);
		return cli_fail(cli, NULL, &err);
	}
	r = interrupt_watch(&interrupt, stop, fetchfs, &err);
	if (r == 0)
		r = prepare_run(fetchfs, order->directory, plan, user, results, &err);
	warn_weak(cli, plan, results);
	in_place = r == 0 || (plan->keep_going && err.code == 0);
	if (in_place && order->json && print_json(order->directory, plan, results, &err) < 0)
		r = -err.code;
	if (plan->dry_run && !order->json && err.code == 0)
		print_dry_run(plan, results);
	else if (in_place && cli->verbose && !plan->dry_run)
		tell(plan, results);
	if (r < 0)
		status = complain(cli, plan, results, interrupt_caught(&interrupt), &err);
	interrupt_unwatch(&interrupt);
	fetchfs_close(fetchfs);
	fflush(stdout);
	interrupt_release(&interrupt);
	return status;
}

int cmd_prepare(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(plan_release) struct plan plan = {0};
	CLEANUP(user_release) struct user user = {0};
	CLEANUP(str_freep) char *cache = NULL;
	CLEANUP(str_freep) char *mount = NULL;
	struct order order = {.method = PLAN_AUTO};
	struct prepared *results;
	struct err err = ERR_INIT;
	int status;

	cli_parse(cli, &argp, argc, argv, &order);
	cli->only_existing = order.dry_run;
	order.mount = mounted_directory(cli, order.mount);
	if (mounted_use_cache(cli, order.mount, &cache, &err) < 0)
		return cli_fail(cli, NULL, &err);
	if (order.mount && folder_absolute(order.mount, &mount, &err) < 0)
		return cli_fail(cli, NULL, &err);
	order.mount = mount;
	if (order.lazy && order.mount && mounted_check_fetches(order.mount, &err) < 0)
		return cli_fail(cli, NULL, &err);
	if (make_plan(&order, &plan, &err) < 0)
		return cli_fail(cli, NULL, &err);
	if (user_find(order.user ? order.user : plan.user, &user, &err) < 0)
		return cli_fail(cli, NULL, &err);
	results = calloc(plan.count + 1, sizeof(*results));
	if (!results) {
		err_oom(&err);
		return cli_fail(cli, NULL, &err);
	}
	status = run(cli, &order, &plan, &user, results);
	free(results);
	return status;
}
