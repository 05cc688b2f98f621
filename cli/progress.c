#include "cli/progress.h"

#include "base/str.h"
#include "base/units.h"
#include "cli/columns.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     120 /* of one line: longer ones are not easier to read */
#define ROWS_DEFAULT    24
#define BAR_MIN         10
#define BAR_MAX         40
#define BAR_OF_FILE     20
#define BAR_OF_FILE_MIN 10
#define NUMBERS_MAX     128
#define GUESS_AFTER_MS  1000

/* A terminal of 80 columns has a short bar for each file; narrower than that, the bar, and then the
 * numbers, are left out. */
#define COLUMNS_FOR_LONG_BAR 96
#define COLUMNS_FOR_BAR      72
#define COLUMNS_FOR_NUMBERS  48
#define COLUMNS_FOR_PERCENT  12

#define CLEAR_LINE "\033[K"
#define CLEAR_REST "\033[J"

/* What goes to the terminal, in one piece. */
struct frame {
	char text[(PROGRESS_BARS_MAX + 3) * (COLUMNS_BYTES(COLUMNS_MAX) + 16)];
	size_t len;
	size_t lines;
	size_t widest;
	size_t columns; /* that a line may have */
};

static sigset_t being_continued(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	return set;
}

void progress_prepare(void)
{
	sigset_t set = being_continued();

	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void progress_init(struct progress *progress, bool wanted, int64_t now_ms)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.shown = wanted && isatty(STDERR_FILENO) && term && !str_equal(term, "dumb"),
		.begun_ms = now_ms,
		.due_ms = now_ms + PROGRESS_INTERVAL_MS,
	};
}

bool progress_due(const struct progress *progress, int64_t now_ms)
{
	return progress->shown && now_ms >= progress->due_ms;
}

/* ---- the terminal ---- */

/* Without job control everybody is. */
static bool is_in_foreground(void)
{
	pid_t foreground = tcgetpgrp(STDERR_FILENO);

	return foreground < 0 || foreground == getpgrp();
}

/* Whether it may be drawn on. What was drawn before a stop is not where it was, and forgotten. */
static bool own_terminal(struct progress *progress)
{
	const struct timespec at_once = {0};
	sigset_t set = being_continued();
	bool owned = is_in_foreground();

	if (sigtimedwait(&set, NULL, &at_once) == SIGCONT || !owned)
		progress->lines = 0;
	return owned;
}

static struct winsize terminal_size(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0)
		size = (struct winsize){.ws_col = 0};
	if (size.ws_col == 0)
		size.ws_col = COLUMNS_DEFAULT;
	if (size.ws_row == 0)
		size.ws_row = ROWS_DEFAULT;
	return size;
}

size_t progress_room(void)
{
	size_t rows = terminal_size().ws_row;
	/* without the total, "+12 more", and a line of what was printed before */
	size_t room = rows > 3 ? rows - 3 : 0;

	return room < PROGRESS_BARS_MAX ? room : PROGRESS_BARS_MAX;
}

static void frame_add(struct frame *frame, const char *text)
{
	size_t len = strlen(text);

	if (len > sizeof(frame->text) - frame->len)
		len = sizeof(frame->text) - frame->len;
	memcpy(frame->text + frame->len, text, len);
	frame->len += len;
}

/* @line is of at most frame->columns columns. */
static void frame_line(struct frame *frame, const char *line)
{
	if (frame->lines++ > 0)
		frame_add(frame, "\n");
	frame_add(frame, line);
	frame_add(frame, CLEAR_LINE);
}

/* To the first column of the first of @lines lines, from anywhere in the last one. */
static void frame_home(struct frame *frame, size_t lines)
{
	char up[32];

	frame_add(frame, "\r");
	if (lines < 2)
		return;
	snprintf(up, sizeof(up), "\033[%zuA", lines - 1);
	frame_add(frame, up);
}

static void frame_show(const struct frame *frame)
{
	fwrite(frame->text, 1, frame->len, stderr);
	fflush(stderr);
}

/* ---- lines ---- */

/* "[#####.....] " of @width marks into @text. */
static void format_bar(double share, size_t width, char *text)
{
	size_t full = share > 0.0 ? (size_t)((double)width * share) : 0;

	if (full > width)
		full = width;
	text[0] = '[';
	memset(text + 1, '#', full);
	memset(text + 1 + full, '.', width - full);
	memcpy(text + 1 + width, "] ", 3);
}

static void format_percent(const struct progress_bar *bar, char *text, size_t size)
{
	double percent = bar->size > 0 ? 100.0 * (double)bar->bytes / (double)bar->size : 0.0;

	if (bar->size < 0)
		str_fit(text, size, "-");
	else
		snprintf(text, size, "%d%%", percent < 100.0 ? (int)percent : 100);
}

static void add_bar(struct frame *frame, const struct progress_bar *bar)
{
	char name[COLUMNS_BYTES(COLUMNS_MAX)], marks[BAR_OF_FILE + 4] = "", percent[8];
	char numbers[NUMBERS_MAX] = "", bytes[UNITS_SIZE_TEXT], rate[UNITS_SIZE_TEXT];
	char line[sizeof(name) + sizeof(marks) + sizeof(numbers)];
	size_t room = frame->columns;

	format_percent(bar, percent, sizeof(percent));
	units_format_size(bar->bytes, bytes);
	units_format_size((uint64_t)bar->rate, rate);
	if (frame->columns >= COLUMNS_FOR_NUMBERS)
		snprintf(numbers, sizeof(numbers), "  %4s %10s %10s/s", percent, bytes, rate);
	else if (frame->columns >= COLUMNS_FOR_PERCENT)
		snprintf(numbers, sizeof(numbers), " %4s", percent);
	if (frame->columns >= COLUMNS_FOR_BAR)
		format_bar(bar->size > 0 ? (double)bar->bytes / (double)bar->size : 0.0,
			frame->columns >= COLUMNS_FOR_LONG_BAR ? BAR_OF_FILE : BAR_OF_FILE_MIN,
			marks);
	room -= strlen(numbers);
	if (*marks)
		room -= strlen(marks) + 1;
	columns_fit(bar->name, room, name);
	snprintf(line, sizeof(line), "%s%s%s%s", name, *marks ? " " : "", marks, numbers);
	frame_line(frame, line);
}

static void add_more(struct frame *frame, uint64_t more)
{
	char text[40], line[COLUMNS_BYTES(COLUMNS_MAX)];

	snprintf(text, sizeof(text), "+%" PRIu64 " more", more);
	columns_fit(text, strlen(text) < frame->columns ? strlen(text) : frame->columns, line);
	frame_line(frame, line);
}

/* How much of the whole is done, 0 to 1; -1: nobody knows. */
static double share_of(const struct progress_state *state)
{
	if (state->total_known && state->total_bytes > 0)
		return (double)state->bytes / (double)state->total_bytes;
	if (state->count_known && state->count > 0)
		return state->part / (double)state->count;
	return -1.0;
}

/* By the rate, if it is known how many bytes will come; else the rest is taken to be as fast. */
static void format_left(double rate, const struct progress_state *state, int64_t elapsed_ms,
	char *text, size_t size)
{
	char duration[UNITS_SIZE_TEXT];
	double share = share_of(state);
	double seconds = -1.0;

	*text = '\0';
	if (state->total_known && rate >= 1.0 && state->total_bytes >= state->bytes)
		seconds = (double)(state->total_bytes - state->bytes) / rate;
	else if (!state->total_known && share > 0.0 && elapsed_ms >= GUESS_AFTER_MS)
		seconds = (double)elapsed_ms / 1000.0 * (1.0 - share) / share;
	if (seconds < 0.0 || seconds >= 1e9)
		return;
	units_format_duration(((int64_t)seconds + 1) * 1000, duration);
	snprintf(text, size, "  left %s", duration);
}

/* Whole pieces, as many as there is room for: all of it is ASCII. */
static void join(const char *const *pieces, size_t count, size_t room, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		size_t more = strlen(pieces[i]);

		if (len + more > room && i > 0)
			continue;
		if (more > room)
			more = room;
		memcpy(ret + len, pieces[i], more);
		len += more;
	}
	ret[len] = '\0';
}

static void add_total(
	struct frame *frame, double rate, int64_t elapsed_ms, const struct progress_state *state)
{
	char bytes[UNITS_SIZE_TEXT], total[UNITS_SIZE_TEXT], speed[UNITS_SIZE_TEXT];
	char count[48], came[2 * UNITS_SIZE_TEXT + 8], fast[UNITS_SIZE_TEXT + 8];
	char left[UNITS_SIZE_TEXT + 8], numbers[NUMBERS_MAX], line[BAR_MAX + NUMBERS_MAX + 4] = "";
	const char *const pieces[] = {count, came, fast, left};
	double share = share_of(state);
	size_t room = 0;

	units_format_size(state->bytes, bytes);
	units_format_size(state->total_bytes, total);
	units_format_size((uint64_t)rate, speed);
	snprintf(count, sizeof(count), "%" PRIu64 "/%" PRIu64 "%s", state->done, state->count,
		state->count_known ? "" : "+");
	snprintf(came, sizeof(came), "  %s%s%s", bytes, state->total_known ? " of " : "",
		state->total_known ? total : "");
	snprintf(fast, sizeof(fast), "  %s/s", speed);
	format_left(rate, state, elapsed_ms, left, sizeof(left));
	join(pieces, ARRAY_SIZE(pieces), frame->columns, numbers);
	if (frame->columns > strlen(numbers) + 3)
		room = frame->columns - strlen(numbers) - 3;
	room = room < BAR_MAX ? room : BAR_MAX;
	if (share >= 0.0 && room >= BAR_MIN)
		format_bar(share, room, line);
	strcat(line, numbers);
	frame_line(frame, line);
}

/* ---- all of it ---- */

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
	size_t width = terminal_size().ws_col;
	struct frame frame = {.lines = 0};

	if (!progress->shown)
		return;
	progress->due_ms = now_ms + PROGRESS_INTERVAL_MS;
	if (!own_terminal(progress))
		return;
	/* one column stays free: a full line makes some terminals go to the next */
	frame.columns = width > COLUMNS_MAX ? COLUMNS_MAX : width > 1 ? width - 1 : 1;
	rate_update(&progress->rate, state->bytes, now_ms);

	/* lines that a terminal has broken when it became narrower: nobody knows where they are */
	if (progress->lines > 0 && width <= progress->widest)
		frame_add(&frame, "\r\n");
	else
		frame_home(&frame, progress->lines);
	for (size_t i = 0; i < state->bar_count; i++)
		add_bar(&frame, &state->bars[i]);
	if (state->more > 0 && progress_room() > 0)
		add_more(&frame, state->more);
	add_total(&frame, progress->rate.per_second, now_ms - progress->begun_ms, state);
	frame_add(&frame, CLEAR_REST);
	frame_show(&frame);
	progress->lines = frame.lines;
	progress->widest = frame.columns;
}

void progress_clear(struct progress *progress)
{
	struct frame frame = {.lines = 0};

	if (progress->lines > 0)
		own_terminal(progress); /* or else it is forgotten */
	if (progress->lines == 0)
		return;
	frame_home(&frame, progress->lines);
	frame_add(&frame, CLEAR_REST);
	frame_show(&frame);
	progress->lines = 0;
}
