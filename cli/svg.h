/*
 * Pictures of numbers, as SVG within a page. Their colours are the page's: each part and series has
 * a class of its style. What a part is, is told when it is pointed at.
 */
#ifndef FETCHFS_CLI_SVG_H
#define FETCHFS_CLI_SVG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SVG_TEXT 48

/* The text of a value into @ret, of SVG_TEXT. */
typedef void svg_format(uint64_t value, char *ret);
void svg_format_size(uint64_t value, char *ret);
void svg_format_count(uint64_t value, char *ret);

/* A bar that shows @part of @whole, as wide as its place is. */
void svg_bar(FILE *out, uint64_t part, uint64_t whole, const char *class);

/* A whole and its parts, one after the other. */
struct svg_part {
	const char *name;
	uint64_t value;
	const char *class;
};
void svg_parts(FILE *out, const char *title, const struct svg_part *parts, size_t count,
	uint64_t whole, svg_format *format);

/* Columns side by side, in each of which the series stand on one another, or hang from the line. */
#define SVG_COLUMNS_MAX 60
struct svg_series {
	const char *name;
	const char *class;
	bool hangs;
	uint64_t values[SVG_COLUMNS_MAX];
};
struct svg_columns {
	const char *title;
	const struct svg_series *series;
	size_t series_count;
	size_t count; /* of columns */
	svg_format *format;
	bool by_powers_of_two; /* is what the scale goes by, else of ten */
	/* What stands below column @n, and what it is called when pointed at, each of SVG_TEXT. */
	void (*name)(const void *arg, size_t n, char *ret_short, char *ret_long);
	const void *arg;
};
void svg_columns(FILE *out, const struct svg_columns *chart);

#endif
