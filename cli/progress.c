#include "cli/progress.h"

#include "base/str.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_MIN   10
#define BAR_MAX   40
#define LINE_MAX_ 256

void progress_init(struct progress *progress, bool wanted, int64_t now_ms)
{
	const char *term = getenv("TERM");

	*progress = (struct progress){
		.shown = wanted && isatty(STDERR_FILENO) && term && !str_equal(term, "dumb"),
		.last_ms = now_ms,
	};
}

bool progress_due(const struct progress *progress, int64_t now_ms)
{
	return progress->shown && now_ms - progress->last_ms >= PROGRESS_INTERVAL_MS;
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

/* A moving mean over about two seconds: steady to look at, yet true soon after a change. */
static void update_rate(struct progress *progress, uint64_t bytes, int64_t now_ms)
{
	int64_t elapsed = now_ms - progress->last_ms;
	double current, weight;

	if (elapsed <= 0)
		return;
	current = bytes > progress->last_bytes ? (double)(bytes - progress->last_bytes) : 0.0;
	current = current * 1000.0 / (double)elapsed;
	weight = (double)elapsed / (2000.0 + (double)elapsed);
	progress->rate += progress->rate > 0.0 ? weight * (current - progress->rate) : current;
	progress->last_ms = now_ms;
	progress->last_bytes = bytes;
}

static void format_numbers(const struct progress *progress, const struct progress_state *state,
	char *text, size_t size)
{
	char bytes[UNITS_SIZE_TEXT], total[UNITS_SIZE_TEXT], rate[UNITS_SIZE_TEXT];
	char left[UNITS_SIZE_TEXT] = "";

	units_format_size(state->bytes, bytes);
	units_format_size(state->total_bytes, total);
	units_format_size((uint64_t)progress->rate, rate);
	if (state->total_known && state->all_begun && progress->rate >= 1.0 &&
		state->total_bytes >= state->bytes) {
		double seconds = (double)(state->total_bytes - state->bytes) / progress->rate;

		if (seconds < 1e9)
			units_format_duration(((int64_t)seconds + 1) * 1000, left);
	}
	snprintf(text, size, "%" PRIu64 "/%" PRIu64 "%s  %s%s%s  %s/s%s%s", state->done,
		state->begun, state->all_begun ? "" : "+", bytes, state->total_known ? " of " : "",
		state->total_known ? total : "", rate, *left ? "  left " : "", left);
}

/* "[#####.....] " of as many characters as the line has room for, or nothing. */
static void format_bar(const struct progress_state *state, size_t room, char *text)
{
	size_t width = room > BAR_MAX + 3 ? BAR_MAX : room < 3 ? 0 : room - 3;
	size_t full;

	*text = '\0';
	if (!state->total_known || state->total_bytes == 0 || width < BAR_MIN)
		return;
	full = (size_t)((double)width * (double)state->bytes / (double)state->total_bytes);
	if (full > width)
		full = width;
	text[0] = '[';
	memset(text + 1, '#', full);
	memset(text + 1 + full, '.', width - full);
	memcpy(text + 1 + width, "] ", 3);
}

void progress_draw(struct progress *progress, const struct progress_state *state, int64_t now_ms)
{
	char numbers[LINE_MAX_], bar[BAR_MAX + 4];
	size_t width = terminal_width();

	if (!progress->shown)
		return;
	update_rate(progress, state->bytes, now_ms);
	format_numbers(progress, state, numbers, sizeof(numbers));
	format_bar(state, width > strlen(numbers) + 1 ? width - strlen(numbers) - 1 : 0, bar);
	/* one column stays free: a full line makes some terminals go to the next */
	fprintf(stderr, "\r%s%.*s\033[K", bar, (int)(width - 1), numbers);
	fflush(stderr);
	progress->drawn = true;
}

void progress_clear(struct progress *progress)
{
	if (!progress->drawn)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	progress->drawn = false;
}
