/*
 * The parts of the page that report_html() makes. Each writes a section of its own, or nothing if
 * there is nothing to show in it.
 */
#ifndef FETCHFS_CLI_REPORT_PAGE_H
#define FETCHFS_CLI_REPORT_PAGE_H

#include "cli/report.h"

extern const char report_style[]; /* CSS; what its classes are called is known here only */

void report_page_space(const struct report *report, FILE *out);
void report_page_traffic(const struct report *report, FILE *out);
void report_page_answers(const struct report *report, FILE *out);
void report_page_ages(const struct report *report, FILE *out);

void report_page_origins(const struct report *report, FILE *out);
void report_page_users(const struct report *report, FILE *out);
void report_page_largest(const struct report *report, FILE *out);
void report_page_pinned(const struct report *report, FILE *out);
void report_page_evicted(const struct report *report, FILE *out);
void report_page_sandboxes(const struct report *report, FILE *out);

#endif
