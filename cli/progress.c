#include "cli/progress.h"

#include "base/str.h"
#include "base/units.h"
#include "cli/columns.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     120 /* of one line: longer ones are not easier to read */
#define ROWS_DEFAULT    24
#define BAR_MIN         10
#define BAR_MAX         40
#define BAR_OF_FILE     20
#define NUMBERS_MAX     128

/* Narrower than that, the bar, and then the numbers, are left out. */
#define COLUMNS_FOR_BAR     80
#define COLUMNS_FOR_NUMBERS 48
#define COLUMNS_FOR_PERCENT 12

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

void progress_init(struct progress *progress, bool wanted, int64_t now_ms)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.shown = wanted && isatty(STDERR_FILENO) && term && !str_equal(term, "dumb"),
		.due_ms = now_ms + PROGRESS_INTERVAL_MS,
	};
}

bool progress_due(const struct progress *progress, int64_t now_ms)
{
	return progress->shown && now_ms >= progress->due_ms;
}

/* ---- the terminal ---- */

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
static void format_bar(uint64_t bytes, uint64_t total, size_t width, char *text)
{
	size_t full = total > 0 ? (size_t)((double)width * (double)bytes / (double)total) : 0;

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
		format_bar(bar->bytes, bar->size > 0 ? (uint64_t)bar->size : 0, BAR_OF_FILE, marks);
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

static void format_left(double rate, const struct progress_state *state, char *text)
{
	double seconds;

	*text = '\0';
	if (!state->total_known || !state->all_begun || rate < 1.0 ||
		state->total_bytes < state->bytes)
		return;
	seconds = (double)(state->total_bytes - state->bytes) / rate;
	if (seconds < 1e9)
		units_format_duration(((int64_t)seconds + 1) * 1000, text);
}

static void add_total(struct frame *frame, double rate, const struct progress_state *state)
{
	char bytes[UNITS_SIZE_TEXT], total[UNITS_SIZE_TEXT], speed[UNITS_SIZE_TEXT];
	char left[UNITS_SIZE_TEXT], numbers[NUMBERS_MAX], line[BAR_MAX + NUMBERS_MAX + 4] = "";
	size_t room = 0;

	units_format_size(state->bytes, bytes);
	units_format_size(state->total_bytes, total);
	units_format_size((uint64_t)rate, speed);
	format_left(rate, state, left);
	snprintf(numbers, sizeof(numbers), "%" PRIu64 "/%" PRIu64 "%s  %s%s%s  %s/s%s%s",
		state->done, state->begun, state->all_begun ? "" : "+", bytes,
		state->total_known ? " of " : "", state->total_known ? total : "", speed,
		*left ? "  left " : "", left);
	if (frame->columns > strlen(numbers) + 3)
		room = frame->columns - strlen(numbers) - 3;
	room = room < BAR_MAX ? room : BAR_MAX;
	if (state->total_known && state->total_bytes > 0 && room >= BAR_MIN)
		format_bar(state->bytes, state->total_bytes, room, line);
	/* of a line that is too long the beginning counts: all of it is ASCII */
	strcat(line, numbers);
	if (strlen(line) > frame->columns)
		line[frame->columns] = '\0';
	frame_line(frame, line);
}

/* ---- all of it ---- */

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
	size_t width = terminal_size().ws_col;
	struct frame frame = {.lines = 0};

	if (!progress->shown)
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
	add_total(&frame, progress->rate.per_second, state);
	frame_add(&frame, CLEAR_REST);
	frame_show(&frame);
	progress->lines = frame.lines;
	progress->widest = frame.columns;
	progress->due_ms = now_ms + PROGRESS_INTERVAL_MS;
}

void progress_clear(struct progress *progress)
{
	struct frame frame = {.lines = 0};

	if (progress->lines == 0)
		return;
	frame_home(&frame, progress->lines);
	frame_add(&frame, CLEAR_REST);
	frame_show(&frame);
	progress->lines = 0;
}
