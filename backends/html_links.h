/*
 * The links of an HTML page, found as its bytes come in.
 */
#ifndef FETCHFS_BACKENDS_HTML_LINKS_H
#define FETCHFS_BACKENDS_HTML_LINKS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The href of an <a>, entities undone, as it stands there. @is_base: of a <base>, which those that
 * follow are relative to. -errno, with its err, ends the page.
 */
typedef int html_link(const char *href, bool is_base, void *arg, struct err *err);

struct html_links;

/* *ret is for html_links_free(). */
int html_links_new(html_link *visit, void *arg, struct html_links **ret, struct err *err);
void html_links_free(struct html_links *links);

/*
 * The next @len bytes of any HTML, in UTF-8, however broken; @len 0: that was all. What @visit
 * answered, or -EFBIG for what no listing has: tags of many kilobytes, hundreds of open elements.
 */
int html_links_feed(struct html_links *links, const void *buf, size_t len, struct err *err);

#endif
