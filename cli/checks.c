#include "cli/checks.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

static const char *word(enum finding finding)
{
	switch (finding) {
	case FINDING_GOOD:
		return "ok";
	case FINDING_NOTE:
		return "note";
	default:
		return "bad";
	}
}

void checks_tell(struct checks *checks, const char *what, enum finding finding, const char *remedy,
	const char *format, ...)
{
	char text[ERR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (finding == FINDING_BAD)
		checks->bad++;
	if (checks->json) {
		struct json json = {.out = stdout};

		json_open(&json, NULL, '{');
		json_text(&json, "what", what);
		json_text(&json, "finding", word(finding));
		json_text(&json, "text", text);
		json_text(&json, "remedy", remedy);
		json_close(&json, '}');
		return;
	}
	printf("%-4s %-14s %s\n", word(finding), what, text);
	if (remedy)
		printf("%-4s %-14s → %s\n", "", "", remedy);
}
