/* fetchfs report: what the cache holds, for whom, and what it did lately, for people to look at. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "cli/newfile.h"
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* It shows what only the caller may see. */
#define PAGE_MODE 0600

enum { OPTION_JSON = 1, OPTION_MOUNT, OPTION_HTML };

static const struct argp_option options[] = {
	{"html", OPTION_HTML, "FILE", 0, "write it as a page into FILE (-: stdout)", 0},
	{"json", OPTION_JSON, 0, 0, "print one JSON object", 0},
	{"mount", OPTION_MOUNT, "DIR", 0, "of the cache behind this mount", 0},
	{0},
};

struct request {
	const char *mount;
	const char *page;
	bool as_json;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct request *request = state->input;

	switch (key) {
	case OPTION_HTML:
		request->page = arg;
		return 0;
	case OPTION_JSON:
		request->as_json = true;
		return 0;
	case OPTION_MOUNT:
		request->mount = arg;
		return 0;
	case ARGP_KEY_END:
		if (request->page && request->as_json)
			argp_error(state, "--html or --json, not both");
		return 0;
	default:
		return cli_parse_none(key, arg, state);
	}
}

/* Through a stream of its own, whose end tells what could not be written. */
static int write_page(const struct report *report, int fd, const char *path, struct err *err)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	FILE *out = own < 0 ? NULL : fdopen(own, "w");
	bool failed;
	int code = errno;

	if (!out) {
		if (own >= 0)
			close(own);
		return err_set(err, ERR_SYSTEM, code, "write %s: %m", path);
	}
	report_html(report, out);
	failed = ferror(out) != 0;
	/* why an earlier write has failed is not known any more */
	code = fclose(out) != 0 ? errno : failed ? EIO : 0;
	return code ? err_set(err, ERR_SYSTEM, code, "write %s: %m", path) : 0;
}

static int write_file(const struct report *report, const char *path, struct err *err)
{
	CLEANUP(newfile_release) struct newfile file = {.fd = -1};
	int r = newfile_open(path, PAGE_MODE, &file, err);

	if (r == 0)
		r = write_page(report, file.fd, path, err);
	return r < 0 ? r : newfile_commit(&file, err);
}

static int show(const struct request *request, const struct report *report, struct err *err)
{
	if (request->page && !str_equal(request->page, "-"))
		return write_file(report, request->page, err);
	if (request->page)
		report_html(report, stdout);
	else if (request->as_json)
		report_json(report, stdout);
	else
		report_text(report, stdout);
	return 0; /* cli_finish() tells what could not be written */
}

int cmd_report(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	CLEANUP(report_release) struct report report = {.uid = getuid(), .now = clock_wall()};
	CLEANUP(str_freep) char *cache = NULL;
	struct request request = {0};
	struct fetchfs *fetchfs;
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &request);
	report.mount = mounted_directory(cli, request.mount);
	r = mounted_use_cache(cli, report.mount, &cache, &err);
	if (r == 0)
		r = cli_open(cli, &fetchfs, &err);
	if (r < 0)
		return cli_fail(cli, NULL, &err);
	report.cache = fetchfs_cache_path(fetchfs);
	r = report_gather(fetchfs, &report, &err);
	if (r == 0)
		r = show(&request, &report, &err);
	fetchfs_close(fetchfs);
	return r < 0 ? cli_fail(cli, NULL, &err) : EXIT_DONE;
}
