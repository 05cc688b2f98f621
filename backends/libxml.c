/* What stands in for libxml2; see base/library.h. */
#include "backends/libxml.h"

#include "base/library.h"

#include <libxml/HTMLparser.h>

/* The parameters have our names, not those that this version of it has in its headers. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */

static struct library library = LIBRARY_INIT(FETCHFS_LIBXML);

#define FUNCTION(type, name, params, args) LIBRARY_FUNCTION(&library, type, name, params, args)

int libxml_load(struct err *err)
{
	return library_load(&library, err);
}

FUNCTION(void, xmlInitParser, (void), ())
FUNCTION(void, xmlStopParser, (xmlParserCtxtPtr parser), (parser))
FUNCTION(htmlParserCtxtPtr, htmlCreatePushParserCtxt,
	(htmlSAXHandlerPtr handler, void *arg, const char *chunk, int size, const char *name,
		xmlCharEncoding encoding),
	(handler, arg, chunk, size, name, encoding))
FUNCTION(int, htmlCtxtUseOptions, (htmlParserCtxtPtr parser, int options), (parser, options))
FUNCTION(int, htmlParseChunk,
	(htmlParserCtxtPtr parser, const char *chunk, int size, int terminate),
	(parser, chunk, size, terminate))
FUNCTION(void, htmlFreeParserCtxt, (htmlParserCtxtPtr parser), (parser))

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
