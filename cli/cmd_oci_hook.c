/* fetchfs oci-hook: artifacts into a container, asked for by annotations of its bundle. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/libcurl.h"
#include "base/str.h"
#include "base/user.h"
#include "cli/cli.h"
#include "cli/oci.h"
#include "cli/oci_spaces.h"
#include "sandbox/container.h"
#include "sandbox/spaces.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTION_USER = 1 };

static const struct argp_option options[] = {
	{"user", OPTION_USER, "USER", 0, "fetch for this user, whatever the bundle says", 0},
	{0},
};

enum stage { STAGE_UNKNOWN, CREATE_RUNTIME, CREATE_CONTAINER, POSTSTOP };

static const char *const stages[] = {
	[CREATE_RUNTIME] = "createRuntime",
	[CREATE_CONTAINER] = "createContainer",
	[POSTSTOP] = "poststop",
};

struct order {
	enum stage stage;
	const char *user;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct order *order = state->input;

	switch (key) {
	case OPTION_USER:
		order->user = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (order->stage != STAGE_UNKNOWN)
			argp_error(state, "too many arguments");
		for (size_t i = CREATE_RUNTIME; i < ARRAY_SIZE(stages); i++)
			if (str_equal(arg, stages[i]))
				order->stage = (enum stage)i;
		if (order->stage == STAGE_UNKNOWN)
			argp_error(state,
				"'%s' is no stage: createRuntime, createContainer or poststop",
				arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int read_state(struct oci *oci, struct err *err)
{
	CLEANUP(str_freep) char *text = malloc(OCI_TEXT_MAX + 1);
	size_t len;

	if (!text)
		return err_oom(err);
	len = fread(text, 1, OCI_TEXT_MAX + 1, stdin);
	if (ferror(stdin))
		return err_set(err, ERR_SYSTEM, EIO, "read the state from stdin");
	if (len > OCI_TEXT_MAX)
		return err_set(err, ERR_USAGE, EFBIG, "the state is too large");
	return oci_read_state(text, len, oci, err);
}

/* Inside, the first process has another number, which some runtimes do not tell. */
static enum stage find_stage(const struct oci *oci)
{
	if (str_equal(oci->status, "stopped"))
		return POSTSTOP;
	return oci->pid <= 0 || oci_spaces_is_inside(oci->pid) ? CREATE_CONTAINER : CREATE_RUNTIME;
}

/* ---- what is asked for ---- */

/* All that both steps know of the container. */
struct work {
	struct cli *cli;
	const struct oci *oci;
	struct plan plan;
	struct user user;
	struct user owner;
	struct prepared *results;
	struct container container;
};

static void work_release(struct work *work)
{
	plan_release(&work->plan);
	user_release(&work->user);
	user_release(&work->owner);
	free(work->results);
}

/* "/opt/models/": opt/models. */
static int move_plan(struct plan *plan, const char *directory, struct err *err)
{
	CLEANUP(str_freep) char *folder = str_copy(directory ? directory : "/");
	size_t len;

	if (!folder)
		return err_oom(err);
	if (*folder != '/')
		return err_set(err, ERR_USAGE, EINVAL, "must begin with '/'");
	for (len = strlen(folder); len > 1 && folder[len - 1] == '/'; len--)
		folder[len - 1] = '\0';
	return plan_move(plan, folder + 1, err);
}

static int make_plan(const struct oci *oci, struct plan *plan, struct err *err)
{
	enum plan_method method = PLAN_AUTO;

	if (plan_add_spec(plan, oci->uris, strlen(oci->uris), err) < 0)
		return err_context(err, "fetchfs.uris");
	if (move_plan(plan, oci->directory, err) < 0)
		return err_context(err, "fetchfs.directory");
	if (oci->method && plan_method_parse(oci->method, &method, err) < 0)
		return err_context(err, "fetchfs.method");
	if (plan_finish(plan, method, err) < 0)
		return -err->code;
	/* whoever writes annotations would decide over the cached bytes of all */
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].method == PLAN_HARDLINK)
			return err_set(err, ERR_POLICY, EACCES,
				"%s: no hardlink for a container: its root may write to the file",
				plan->items[i].name);
	return 0;
}

/* Without a user namespace its root is ours, and could undo mounts if it has the capability. */
static int find_owner(struct work *work, struct err *err)
{
	const struct oci *oci = work->oci;
	int r = user_find(NULL, &work->owner, err);

	if (r < 0)
		return r;
	work->plan.confined = oci->uid != 0 && !oci->sys_admin;
	work->plan.no_bind = !work->plan.confined;
	if (!oci->user_space)
		return 0;
	r = oci_spaces_map(oci->pid, 0, 0, &work->owner.uid, &work->owner.gid, err);
	if (r < 0)
		return r;
	work->owner.other = work->owner.uid != geteuid();
	/* inside, the owner of the cache could write to it if root there made a mount writable */
	work->plan.confined = !oci_spaces_maps_to(oci->pid, geteuid());
	work->plan.no_bind = !work->plan.confined;
	return 0;
}

static int find_user(struct work *work, const char *asked, struct err *err)
{
	const struct oci *oci = work->oci;
	const char *name = asked ? asked : oci->user ? oci->user : work->plan.user;
	uid_t uid = oci->uid;
	gid_t gid;
	int r;

	if (name)
		return user_find(name, &work->user, err);
	if (oci->user_space) {
		r = oci_spaces_map(oci->pid, oci->uid, 0, &uid, &gid, err);
		if (r < 0)
			return r;
	}
	return user_of_uid(uid, &work->user, err);
}

static int work_init(struct work *work, const char *user, struct err *err)
{
	int r = make_plan(work->oci, &work->plan, err);

	if (r == 0)
		r = find_owner(work, err);
	if (r == 0)
		r = find_user(work, user, err);
	if (r < 0)
		return r;
	work->results = calloc(work->plan.count + 1, sizeof(*work->results));
	if (!work->results)
		return err_oom(err);
	work->container = (struct container){
		.root = work->oci->root,
		.user = &work->user,
		.owner = &work->owner,
	};
	return 0;
}

/* ---- the stages ---- */

typedef int step(struct fetchfs *fetchfs, const struct container *container,
	const struct plan *plan, struct prepared *ret, struct err *err);

/* Each item that failed gets its line. */
static int do_step(struct work *work, step *take)
{
	const struct plan *plan = &work->plan;
	struct cli *cli = work->cli;
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int status = EXIT_DONE;
	int r;

	if (cli_open(cli, &fetchfs, &err) < 0)
		return cli_fail(cli, NULL, &err);
	r = take(fetchfs, &work->container, plan, work->results, &err);
	fetchfs_close(fetchfs);
	if (r == 0)
		return EXIT_DONE;
	for (size_t i = 0; i < plan->count; i++)
		if (work->results[i].err.code)
			status = cli_worst(
				status, cli_fail(cli, plan->items[i].shown, &work->results[i].err));
	if (err.code || status == EXIT_DONE)
		status = cli_worst(status, cli_fail(cli, NULL, &err));
	return status;
}

/* In a process of its own, which brings its threads: who has some cannot change namespaces. */
static int fetch_apart(struct work *work)
{
	struct err err = ERR_INIT;
	pid_t parent = getpid();
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
			_exit(EXIT_FAILED);
		status = do_step(work, container_fetch);
		fflush(NULL);
		_exit(status);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (pid < 0) {
		err_set(&err, ERR_SYSTEM, errno, "fork: %m");
		return cli_fail(work->cli, NULL, &err);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILED;
}

/*
 * Inside its user namespace the container could not open the cache: so its mount namespace is
 * entered from out here.
 */
static int create_for_user_space(struct work *work)
{
	struct err err = ERR_INIT;
	int status = fetch_apart(work);

	if (status != EXIT_DONE)
		return status;
	/* later it would be loaded from what the container sees */
	if (libcurl_load(&err) < 0 || oci_spaces_enter(work->oci->pid, &err) < 0)
		return cli_fail(work->cli, NULL, &err);
	return do_step(work, container_place);
}

static int create(struct cli *cli, const struct order *order, const struct oci *oci)
{
	CLEANUP(work_release) struct work work = {.cli = cli, .oci = oci};
	struct err err = ERR_INIT;

	if (order->stage == CREATE_CONTAINER && oci->user_space)
		return EXIT_DONE; /* it is all there */
	if (order->stage == CREATE_RUNTIME && oci->pid <= 0) {
		err_set(&err, ERR_USAGE, EINVAL, "state: pid: is missing");
		return cli_fail(cli, NULL, &err);
	}
	if (work_init(&work, order->user, &err) < 0)
		return cli_fail(cli, NULL, &err);
	if (order->stage == CREATE_CONTAINER) {
		work.container.space = spaces_own();
		return do_step(&work, container_place);
	}
	if (oci_spaces_mount(oci->pid, &work.container.space, &err) < 0)
		return cli_fail(cli, NULL, &err);
	return oci->user_space ? create_for_user_space(&work) : do_step(&work, container_fetch);
}

static void left_alone(const char *name, void *arg)
{
	const struct cli *cli = arg;

	if (!cli->quiet)
		fprintf(stderr, "fetchfs: oci-hook: %s was replaced by another file: left alone\n",
			name);
}

static void poststop(struct cli *cli, const struct oci *oci)
{
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r = cli_open(cli, &fetchfs, &err);

	if (r == 0) {
		r = container_release(fetchfs, oci->root, left_alone, cli, &err);
		fetchfs_close(fetchfs);
	}
	if (r < 0)
		cli_fail(cli, oci->root, &err);
}

/* A state without annotations asks for nothing; but they may have been in a bundle elsewhere. */
static int no_bundle(const struct cli *cli, const struct err *err)
{
	if (!cli->quiet)
		fprintf(stderr, "fetchfs: oci-hook: %s: nothing is done\n", err->msg);
	return EXIT_DONE;
}

static int run(struct cli *cli, struct order *order, struct oci *oci, struct err *err)
{
	int r = oci_read_bundle(oci, err);

	if (order->stage == STAGE_UNKNOWN)
		order->stage = find_stage(oci);
	if (r == -ENOENT && order->stage != POSTSTOP && !oci->uris)
		return no_bundle(cli, err);
	if (r == -ENOENT && oci->root && order->stage == POSTSTOP)
		r = 0;
	if (r < 0)
		return cli_fail(cli, NULL, err);
	if (!oci->uris)
		return EXIT_DONE;
	if (order->stage != POSTSTOP)
		return create(cli, order, oci);
	poststop(cli, oci);
	return EXIT_DONE;
}

int cmd_oci_hook(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(oci_release) struct oci oci = {0};
	struct order order = {0};
	struct err err = ERR_INIT;
	int status;

	cli_parse(cli, &argp, argc, argv, &order);
	if (read_state(&oci, &err) < 0)
		status = cli_fail(cli, NULL, &err);
	else
		status = run(cli, &order, &oci, &err);
	/* what cannot be released must not keep the container from being deleted */
	return order.stage == POSTSTOP ? EXIT_DONE : status;
}
