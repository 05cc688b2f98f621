#include "cli/html.h"

#include "base/str.h"
#include "base/units.h"

#include <inttypes.h>

/* What stands for @c where it would mean something, or NULL. */
static const char *entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void html_text(FILE *out, const char *text)
{
	while (*text) {
		const char *instead = entity(*text);
		size_t len = str_char_shown(text);

		if (instead)
			fputs(instead, out);
		else if (len > 0)
			fwrite(text, 1, len, out);
		else
			fputs("&#65533;", out);
		text += len > 0 ? len : 1;
	}
}

void html_size(FILE *out, uint64_t bytes)
{
	char text[UNITS_SIZE_TEXT];

	units_format_size(bytes, text);
	fputs(text, out);
}

/* Thousands apart, by spaces at which no line ends. */
static void write_number(FILE *out, uint64_t number)
{
	if (number >= 1000) {
		write_number(out, number / 1000);
		fprintf(out, "&#8239;%03" PRIu64, number % 1000);
	} else {
		fprintf(out, "%" PRIu64, number);
	}
}

void html_count(FILE *out, uint64_t count, const char *what)
{
	write_number(out, count);
	if (*what)
		fprintf(out, " %s%s", what, count == 1 ? "" : "s");
}

void html_open(FILE *out, const char *name, const char *title)
{
	fprintf(out, "<section class=\"%s\">\n<h2>%s</h2>\n", name, title);
}

void html_close(FILE *out)
{
	fputs("</section>\n", out);
}
