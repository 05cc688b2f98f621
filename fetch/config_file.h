/*
 * The syntax of a configuration file, and nothing of what it means.
 *
 *	# a comment; so is a line that begins with ';'
 *	[section]
 *	[section "name"]
 *	key = value
 *	key: value
 *		more of the same key
 *
 * Blanks around keys and values, blank lines, CR before LF and a byte order mark do not matter. A
 * line that begins with a blank goes on with the key above it, unless it is itself 'key = …'. A
 * value goes up to the end of its line. Control characters, and lines of more than
 * CONFIG_LINE_MAX bytes, are refused.
 */
#ifndef FETCHFS_FETCH_CONFIG_FILE_H
#define FETCHFS_FETCH_CONFIG_FILE_H

#include "base/err.h"

#include <stdbool.h>

#define CONFIG_LINE_MAX (16 * 1024)

/* One line that says something. The strings are valid until the next one is asked for. */
struct config_line {
	unsigned int number;      /* from 1 */
	bool is_section;          /* else it is a key with a value */
	const char *section;      /* the section it begins or stands in; NULL: none yet */
	const char *section_name; /* the part in quotes, or NULL */
	const char *key;
	const char *value;
	bool continued; /* more of the key above */
};

/* A text being read. */
struct config_file {
	const char *rest;
	struct config_line line;
	char *text; /* the current line, cut into words */
	char *section;
	char *key;
};

/* @text stays the caller's, and must outlive @file. */
void config_file_init(struct config_file *file, const char *text);
void config_file_release(struct config_file *file);

/* Go to the next line, file->line. 1, 0 at the end, or -errno: -EINVAL for what is no line of a
 * configuration; its number is in file->line.number, and the text does not repeat it. */
int config_file_next(struct config_file *file, struct err *err);

/* @s without the blanks around it; cuts its end off. */
char *config_trim(char *s);

#endif
