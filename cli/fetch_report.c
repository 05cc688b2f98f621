#include "cli/fetch_report.h"

#include "base/clock.h"
#include "base/units.h"
#include "cli/json.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Each file's progress in JSON. */
#define TELL_MS 1000

void fetch_report_init(
	struct fetch_report *report, const struct cli *cli, bool json, uint64_t announced)
{
	int64_t now = clock_monotonic_ms();

	*report = (struct fetch_report){
		.cli = cli, .json = json, .announced = announced, .begun_ms = now, .told_ms = now};
	/* one screen is not for both */
	progress_init(&report->progress, !cli->quiet && !(json && isatty(STDOUT_FILENO)), now);
}

void fetch_report_clear(struct fetch_report *report)
{
	progress_clear(&report->progress);
}

/* ---- the jobs under way ---- */

static void keep(struct fetch_report *report, struct fetch_job *job)
{
	job->older = report->newest;
	if (job->older)
		job->older->newer = job;
	else
		report->oldest = job;
	report->newest = job;
	report->active++;
}

static void forget(struct fetch_report *report, struct fetch_job *job)
{
	if (job->newer)
		job->newer->older = job->older;
	else
		report->newest = job->older;
	if (job->older)
		job->older->newer = job->newer;
	else
		report->oldest = job->newer;
	report->active--;
	fetch_job_free(job);
}

/* ---- JSON ---- */

static void open_event(struct fetch_report *report, struct json *json, const char *event)
{
	json_open(json, NULL, '{');
	json_text(json, "event", event);
	json_thousandths(json, "time", clock_wall_ms());
	report->unwritten = true;
}

static void tell_start(struct fetch_report *report, struct fetch_job *job)
{
	struct json json = {.out = stdout};

	open_event(report, &json, "start");
	json_text(&json, "uri", fetch_job_shown(job));
	json_close(&json, '}');
}

static void tell_progress(struct fetch_report *report, struct fetch_job *job)
{
	struct json json = {.out = stdout};

	open_event(report, &json, "progress");
	json_text(&json, "uri", fetch_job_shown(job));
	json_number(&json, "bytes", job->bytes);
	json_known(&json, "size", job->size);
	json_number(&json, "rate", (int64_t)job->rate.per_second);
	json_close(&json, '}');
}

static void tell_end(struct fetch_report *report, struct fetch_job *job)
{
	bool failed = job->err.code != 0;
	struct json json = {.out = stdout};

	open_event(report, &json, failed ? "failed" : "done");
	json_text(&json, "uri", fetch_job_shown(job));
	json_text(&json, "state", fetchfs_state_name(failed ? FETCHFS_FAILED : job->state));
	json_number(&json, "bytes", job->bytes);
	json_known(&json, "size", job->size);
	json_text(&json, "sha256", *job->sha256 ? job->sha256 : NULL);
	json_bool(&json, "cached", job->cached && !failed);
	if (job->stands_in)
		json_text(&json, "stands_in", job->stands_in);
	json_error(&json, "error", &job->err);
	json_close(&json, '}');
}

static void tell_summary(struct fetch_report *report)
{
	struct json json = {.out = stdout};

	open_event(report, &json, "summary");
	json_number(&json, "done", (int64_t)report->done);
	json_number(&json, "failed", (int64_t)report->failed);
	json_number(&json, "bytes", (int64_t)report->bytes);
	json_thousandths(&json, "seconds", clock_monotonic_ms() - report->begun_ms);
	json_close(&json, '}');
}

/* What has been told goes out together. */
static void flush(struct fetch_report *report)
{
	if (report->unwritten && fflush(stdout) != 0 && !report->out_error)
		report->out_error = errno;
	report->unwritten = false;
}

/* ---- the terminal ---- */

static void add_job(struct progress_state *state, struct fetch_job *job, size_t room)
{
	uint64_t bytes = (uint64_t)job->bytes;
	int64_t size = job->size;

	state->bytes += bytes;
	if (size < 0)
		state->total_known = false;
	else
		state->total_bytes += (uint64_t)size;
	if (size > 0)
		state->part += (double)bytes / (double)size;
	if (state->bar_count < room)
		state->bars[state->bar_count++] = (struct progress_bar){
			.name = fetch_job_shown(job),
			.size = size,
			.bytes = bytes,
			.rate = job->rate.per_second,
		};
	else
		state->more++;
}

static void draw(struct fetch_report *report, bool all_begun, int64_t now)
{
	uint64_t done = report->done + report->failed;
	bool announced = report->announced > report->begun && !all_begun;
	struct progress_state state = {
		.done = done,
		.count = announced ? report->announced : report->begun,
		.count_known = announced || all_begun,
		.part = (double)done,
		.bytes = report->bytes,
		.total_bytes = report->bytes,
		.total_known = all_begun,
	};
	size_t room = progress_room();

	/* the oldest first: bars stay where they are */
	for (struct fetch_job *job = report->oldest; job; job = job->newer)
		add_job(&state, job, room);
	progress_draw(&report->progress, &state, now);
}

int fetch_report_tick(struct fetch_report *report, bool all_begun)
{
	int64_t now = clock_monotonic_ms();
	bool is_drawing = progress_due(&report->progress, now);
	bool is_telling = report->json && now >= report->told_ms + TELL_MS;

	if (is_drawing || is_telling) {
		for (struct fetch_job *job = report->oldest; job; job = job->newer) {
			fetch_job_look(job);
			rate_update(&job->rate, (uint64_t)job->bytes, now);
			if (is_telling && job->bytes > 0)
				tell_progress(report, job);
		}
	}
	if (is_telling)
		report->told_ms = now;
	if (is_drawing)
		draw(report, all_begun, now);
	flush(report);
	return -report->out_error;
}

/* ---- from the beginning to the end ---- */

void fetch_report_start(struct fetch_report *report, struct fetch_job *job)
{
	keep(report, job);
	report->begun++;
	if (report->json)
		tell_start(report, job);
}

static void say_done(struct fetch_report *report, struct fetch_job *job)
{
	char size[UNITS_SIZE_TEXT];

	if (job->stands_in) {
		fetch_report_clear(report);
		cli_warn_old(report->cli, fetch_job_shown(job), job->stands_in);
	}
	if (!report->cli->verbose)
		return;
	units_format_size((uint64_t)job->bytes, size);
	fetch_report_clear(report);
	fprintf(stderr, "fetchfs: %s: %s\n", fetch_job_shown(job), size);
}

int fetch_report_end(struct fetch_report *report, struct fetch_job *job, bool cancelled)
{
	int status = EXIT_DONE;

	fetch_job_look(job);
	if (!job->err.code)
		fetch_job_pin(job);
	if (!job->err.code) {
		report->done++;
		report->bytes += (uint64_t)job->bytes;
		say_done(report, job);
	} else {
		report->failed++;
		if (!cancelled) {
			fetch_report_clear(report);
			status = cli_fail(report->cli, fetch_job_shown(job), &job->err);
		}
	}
	if (report->json)
		tell_end(report, job);
	forget(report, job);
	return status;
}

void fetch_report_finish(struct fetch_report *report)
{
	fetch_report_clear(report);
	if (report->json)
		tell_summary(report);
	flush(report);
}
