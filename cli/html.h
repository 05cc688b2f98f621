/*
 * Text in a page, whoever it is from: a URI, a folder's name, somebody else's error.
 */
#ifndef FETCHFS_CLI_HTML_H
#define FETCHFS_CLI_HTML_H

#include <stdint.h>
#include <stdio.h>

/* @text as the text of an element, or between the double quotes of an attribute: nothing in it is
 * obeyed. What is no character, or is none to be seen, becomes U+FFFD. */
void html_text(FILE *out, const char *text);

/* "1.5 GiB" */
void html_size(FILE *out, uint64_t bytes);

/* "1 artifact", "1 234 artifacts" */
void html_count(FILE *out, uint64_t count, const char *what);

/* A part of the page under a title of ours, of whose name it is one word; and its end. */
void html_open(FILE *out, const char *name, const char *title);
void html_close(FILE *out);

#endif
