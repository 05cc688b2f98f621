/*
 * JSON (RFC 8259) written as it comes, one value a line.
 *
 *	struct json json = { .out = stdout };
 *
 *	json_open(&json, NULL, '{');
 *	json_text(&json, "uri", info->uri);
 *	json_close(&json, '}');              the outermost one ends the line
 *
 * @key is NULL for members of a list and for the outermost value. Bytes that are no UTF-8 become
 * U+FFFD. Errors stay in the stream, for whoever closes it.
 */
#ifndef FETCHFS_BASE_JSON_H
#define FETCHFS_BASE_JSON_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *out;
	unsigned int depth;
	bool follows; /* a comma comes before the next member */
};

void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_text(struct json *json, const char *key, const char *value); /* NULL: null */
void json_number(struct json *json, const char *key, int64_t value);
/* @value / 1000, not negative: seconds, given in milliseconds. */
void json_thousandths(struct json *json, const char *key, int64_t value);
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

/* {"errno": "ENOENT", "kind": "remote", "message": …, "retry": false}, or null when there is no
 * error. */
void json_error(struct json *json, const char *key, const struct err *err);

/* A number, or null when it is negative: a size or a time that is not known. */
void json_known(struct json *json, const char *key, int64_t value);

#endif
