#include "cli/svg.h"

#include "base/units.h"
#include "cli/html.h"

#include <inttypes.h>

/* All in units of the picture. */
#define WIDTH  960
#define HEIGHT 230
#define LEFT   78
#define RIGHT  6
#define TOP    12
#define BOTTOM 26
#define PLOT_W (WIDTH - LEFT - RIGHT)
#define PLOT_H (HEIGHT - TOP - BOTTOM)
#define TEXT_H 14 /* of a line of text: nearer two are not readable */

#define NAMES  7  /* below the columns, at most */
#define NAME_W 90 /* at most, too */

void svg_format_size(uint64_t value, char *ret)
{
	_Static_assert(SVG_TEXT >= UNITS_SIZE_TEXT, "a size must fit");
	units_format_size(value, ret);
}

void svg_format_count(uint64_t value, char *ret)
{
	snprintf(ret, SVG_TEXT, "%" PRIu64, value);
}

void svg_bar(FILE *out, uint64_t part, uint64_t whole, const char *class)
{
	double share = whole > 0 ? (double)part / (double)whole : 0;
	int width = (int)(1000 * (share < 1 ? share : 1));

	fputs("<svg class=\"bar\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
	      "aria-hidden=\"true\"><rect class=\"ground\" width=\"1000\" height=\"10\"/>",
		out);
	if (part > 0)
		fprintf(out, "<rect class=\"%s\" width=\"%d\" height=\"10\"/>", class,
			width > 4 ? width : 4);
	fputs("</svg>", out);
}

/* The <title> of what it stands in: what is shown when somebody points at it. */
static void write_title(FILE *out, const char *name, const char *value)
{
	fputs("<title>", out);
	html_text(out, name);
	if (value) {
		fputs(": ", out);
		html_text(out, value);
	}
	fputs("</title>", out);
}

void svg_parts(FILE *out, const char *title, const struct svg_part *parts, size_t count,
	uint64_t whole, svg_format *format)
{
	uint64_t sum = 0;
	double x = 0, scale;

	for (size_t i = 0; i < count; i++)
		sum += parts[i].value;
	scale = 1000.0 / (double)(sum > whole ? sum : whole > 0 ? whole : 1);
	fputs("<svg class=\"parts\" viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" "
	      "role=\"img\">",
		out);
	write_title(out, title, NULL);
	fputs("<rect class=\"ground\" width=\"1000\" height=\"10\"/>", out);
	for (size_t i = 0; i < count; i++) {
		double width = (double)parts[i].value * scale;
		char text[SVG_TEXT];

		if (parts[i].value == 0)
			continue;
		format(parts[i].value, text);
		fprintf(out, "<rect class=\"%s\" x=\"%d\" width=\"%d\" height=\"10\">",
			parts[i].class, (int)x, width > 2 ? (int)(x + width) - (int)x : 2);
		write_title(out, parts[i].name, text);
		fputs("</rect>", out);
		x += width > 2 ? width : 2;
	}
	fputs("</svg>\n", out);
}

/* ---- columns ---- */

/* Values to places: the line stands at @zero, what is @up high reaches the top. */
struct scale {
	double up;
	double down;
	double unit; /* height of 1 */
	double zero;
};

/* The next round number, of which a half is round, too: 2, 3, 4, 6, 8, 12, 16 … for bytes, for
 * others 2, 4, 10, 20, 40, 100 … */
static double round_up(uint64_t value, bool by_powers_of_two)
{
	double least = (double)value, round = 2;

	while (by_powers_of_two && round < least)
		round *= 2;
	while (!by_powers_of_two && 5 * round < least)
		round *= 10;
	if (by_powers_of_two)
		return round * 3 / 4 >= least && round > 2 ? round * 3 / 4 : round;
	if (round >= least)
		return round;
	return 2 * round >= least ? 2 * round : 5 * round;
}

static uint64_t sum_of(const struct svg_columns *chart, size_t column, bool hangs)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < chart->series_count; i++)
		if (chart->series[i].hangs == hangs)
			sum += chart->series[i].values[column];
	return sum;
}

static struct scale choose_scale(const struct svg_columns *chart)
{
	uint64_t up = 0, down = 0;
	struct scale scale;

	for (size_t i = 0; i < chart->count; i++) {
		uint64_t above = sum_of(chart, i, false), below = sum_of(chart, i, true);

		up = above > up ? above : up;
		down = below > down ? below : down;
	}
	scale.up = up > 0 || down == 0 ? round_up(up, chart->by_powers_of_two) : 0;
	scale.down = down > 0 ? round_up(down, chart->by_powers_of_two) : 0;
	scale.unit = PLOT_H / (scale.up + scale.down);
	scale.zero = TOP + scale.up * scale.unit;
	return scale;
}

static void write_tick(FILE *out, const struct svg_columns *chart, double y, double value)
{
	char text[SVG_TEXT];

	chart->format(value < (double)INT64_MAX ? (uint64_t)value : INT64_MAX, text);
	fprintf(out, "<line class=\"%s\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>",
		value > 0 ? "grid" : "axis", LEFT, WIDTH - RIGHT, y, y);
	fprintf(out, "<text class=\"end\" x=\"%d\" y=\"%.1f\">", LEFT - 8, y + 4);
	html_text(out, text);
	fputs("</text>", out);
}

static void write_grid(FILE *out, const struct svg_columns *chart, const struct scale *scale)
{
	double half = scale->up * scale->unit / 2;

	write_tick(out, chart, TOP, scale->up);
	if (half >= TEXT_H)
		write_tick(out, chart, TOP + half, scale->up / 2);
	if (scale->up > 0 && scale->zero - TOP >= TEXT_H)
		write_tick(out, chart, scale->zero, 0);
	if (scale->down * scale->unit >= TEXT_H)
		write_tick(out, chart, TOP + PLOT_H, scale->down);
	fputs("\n", out);
}

static void write_column_title(
	FILE *out, const struct svg_columns *chart, size_t column, const char *name)
{
	fputs("<title>", out);
	html_text(out, name);
	for (size_t i = 0; i < chart->series_count; i++) {
		const struct svg_series *series = &chart->series[i];
		char text[SVG_TEXT];

		if (series->values[column] == 0)
			continue;
		chart->format(series->values[column], text);
		fputs("&#10;", out);
		html_text(out, series->name);
		fputs(": ", out);
		html_text(out, text);
	}
	fputs("</title>", out);
}

/* One colour of a column; what is there is seen, however little it is. */
static void write_block(FILE *out, const char *class, double x, double width, double y, double h)
{
	fprintf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
		class, x, y, width, h);
}

static void write_column(FILE *out, const struct svg_columns *chart, const struct scale *scale,
	size_t column, const char *name)
{
	double step = (double)PLOT_W / (double)chart->count;
	double gap = step > 80 ? (step - 64) / 2 : step * 0.1;
	double x = LEFT + (double)column * step;
	double above = scale->zero, below = above; /* what stands there, and what hangs there */

	fputs("<g>", out);
	write_column_title(out, chart, column, name);
	write_block(out, "touch", x, step, TOP, PLOT_H);
	for (size_t i = 0; i < chart->series_count; i++) {
		const struct svg_series *series = &chart->series[i];
		double h = (double)series->values[column] * scale->unit;

		if (series->values[column] == 0)
			continue;
		h = h < 1.5 ? 1.5 : h;
		above -= series->hangs ? 0 : h;
		write_block(out, series->class, x + gap, step - 2 * gap,
			series->hangs ? below : above, h);
		below += series->hangs ? h : 0;
	}
	fputs("</g>\n", out);
}

/* Below the middle of its column; near the edge it ends there. */
static void write_name(FILE *out, const struct svg_columns *chart, size_t column, const char *name)
{
	double step = (double)PLOT_W / (double)chart->count;
	double x = LEFT + ((double)column + 0.5) * step;
	bool is_near = x + NAME_W / 2.0 > WIDTH;

	fprintf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%d\">", is_near ? "end" : "middle",
		is_near ? WIDTH - RIGHT : x, HEIGHT - 8);
	html_text(out, name);
	fputs("</text>\n", out);
}

void svg_columns(FILE *out, const struct svg_columns *chart)
{
	struct scale scale = choose_scale(chart);
	size_t every = (chart->count + NAMES - 1) / NAMES;

	fprintf(out,
		"<div class=\"wide\"><svg class=\"columns\" viewBox=\"0 0 %d %d\" role=\"img\">",
		WIDTH, HEIGHT);
	write_title(out, chart->title, NULL);
	write_grid(out, chart, &scale);
	for (size_t i = 0; i < chart->count; i++) {
		char brief[SVG_TEXT], full[SVG_TEXT];

		chart->name(chart->arg, i, brief, full);
		write_column(out, chart, &scale, i, full);
		if (i % every == every / 2)
			write_name(out, chart, i, brief);
	}
	fputs("</svg></div>\n", out);
}
