/*
 * The texts of an XML document, found as its bytes come in. For answers of protocols: no document
 * type, and so no entities of its own, is accepted, and nothing is kept but what is being read.
 */
#ifndef FETCHFS_BACKENDS_XML_H
#define FETCHFS_BACKENDS_XML_H

#include "base/err.h"

#include <stddef.h>

#define XML_PATH_MAX 256                /* bytes; of elements that are open, "a/b/c" */
#define XML_TEXT_MAX ((size_t)8 * 1024) /* of one element */

/*
 * An element has ended: @path, of names as they stand there, leads to it, and @text is what stood
 * in it, without what its children hold. -errno, with its err, ends the document.
 */
typedef int xml_visit(const char *path, const char *text, void *arg, struct err *err);

struct xml;

/* *ret is for xml_free(). */
int xml_new(xml_visit *visit, void *arg, struct xml **ret, struct err *err);
void xml_free(struct xml *xml);
void xml_freep(struct xml **xml); /* for CLEANUP() */

/*
 * The next @len bytes, in UTF-8; @len 0: that was all. What @visit answered, -EBADMSG for what is
 * no well-formed XML or has a document type, -EFBIG over a limit.
 */
int xml_feed(struct xml *xml, const void *buf, size_t len, struct err *err);

#endif
