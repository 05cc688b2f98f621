/*
 * The JSON of a plan: types and field names, nothing else. What the values mean is plan.c's
 * business. Jansson stays in spec.c.
 */
#ifndef FETCHFS_SANDBOX_SPEC_H
#define FETCHFS_SANDBOX_SPEC_H

#include "base/err.h"
#include "sandbox/plan.h"

#include <stddef.h>

struct spec;

int spec_parse(const char *text, size_t len, struct spec **ret, struct err *err);
void spec_freep(struct spec **spec); /* for CLEANUP() */

size_t spec_count(const struct spec *spec);

/* What it says as a whole in @field ("user"), or NULL; the caller's to free(). */
int spec_string(const struct spec *spec, const char *field, char **ret, struct err *err);

/* Item @i. Its strings are the caller's; shown is NULL, and name when there is no output_file. */
int spec_item(const struct spec *spec, size_t i, struct plan_item *ret, struct err *err);

#endif
