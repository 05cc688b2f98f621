#include "backends/html_links.h"

#include "backends/libxml.h"
#include "base/str.h"

#include <errno.h>
#include <libxml/HTMLparser.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The library takes time that grows with the square of both. */
#define DEPTH_MAX 256
#define TAG_MAX   65536 /* bytes, of a tag, a comment, a script */
#define PIECE     4096  /* that the library is given at once, at most */

struct html_links {
	htmlParserCtxtPtr parser;
	html_link *visit;
	void *arg;
	int r; /* what it answered; not 0: nothing follows */
	struct err err;
	char piece[PIECE];
	size_t len; /* of it, gathered */
};

static void begin_element(void *arg, const xmlChar *name, const xmlChar **attributes)
{
	struct html_links *links = arg;
	bool is_base = str_equal((const char *)name, "base");

	if (links->r == 0 && links->parser->nameNr > DEPTH_MAX)
		links->r = err_set(
			&links->err, ERR_REMOTE, EFBIG, "more than %d open elements", DEPTH_MAX);
	if (links->r < 0)
		xmlStopParser(links->parser);
	if (!attributes || (!is_base && !str_equal((const char *)name, "a")))
		return;
	for (; links->r == 0 && attributes[0]; attributes += 2)
		if (str_equal((const char *)attributes[0], "href") && attributes[1])
			links->r = links->visit(
				(const char *)attributes[1], is_base, links->arg, &links->err);
	if (links->r < 0)
		xmlStopParser(links->parser);
}

/* Without a tree: of a page of any length only what is being read takes memory. */
static htmlSAXHandler handler = {.startElement = begin_element};

int html_links_new(html_link *visit, void *arg, struct html_links **ret, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct html_links *links;
	int r = libxml_load(err);

	if (r < 0)
		return r;
	pthread_once(&once, xmlInitParser);
	links = calloc(1, sizeof(*links));
	if (!links)
		return err_oom(err);
	links->visit = visit;
	links->arg = arg;
	links->parser =
		htmlCreatePushParserCtxt(&handler, links, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
	if (!links->parser) {
		free(links);
		return err_oom(err);
	}
	htmlCtxtUseOptions(links->parser, HTML_PARSE_RECOVER | HTML_PARSE_NONET |
						  HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
						  HTML_PARSE_IGNORE_ENC);
	*ret = links;
	return 0;
}

void html_links_free(struct html_links *links)
{
	if (!links)
		return;
	htmlFreeParserCtxt(links->parser);
	free(links);
}

/*
 * The first @len bytes of what is gathered. What the library answers is about the HTML, which may
 * be as it likes. It remembers up to where it looked for the end of a tag, but not in which kind of
 * quotes that was (2.9.14), and would never find it: it has to begin at the tag again, which it
 * does for each piece of one, up to TAG_MAX.
 */
static void parse(struct html_links *links, size_t len, bool is_end)
{
	const xmlParserInput *input;

	links->parser->checkIndex = 0;
	htmlParseChunk(links->parser, links->piece, (int)len, is_end);
	links->len -= len;
	memmove(links->piece, links->piece + len, links->len);
	input = links->parser->input;
	if (links->r == 0 && input && input->end - input->cur > TAG_MAX)
		links->r = err_set(&links->err, ERR_REMOTE, EFBIG,
			"a tag, comment or script of more than %d bytes", TAG_MAX);
}

/* Of a full piece, what comes before its last tag, which may not have ended: after a script whose
 * end tag is cut the library finds nothing more. A tag that takes all of it is cut. */
static size_t before_last_tag(const struct html_links *links)
{
	const char *tag = memrchr(links->piece, '<', links->len);

	return tag && tag > links->piece ? (size_t)(tag - links->piece) : links->len;
}

int html_links_feed(struct html_links *links, const void *buf, size_t len, struct err *err)
{
	const char *from = buf;
	bool is_end = len == 0;

	while (links->r == 0 && len > 0) {
		size_t room = PIECE - links->len;
		size_t some = len < room ? len : room;

		memcpy(links->piece + links->len, from, some);
		links->len += some;
		from += some;
		len -= some;
		if (links->len == PIECE)
			parse(links, before_last_tag(links), false);
	}
	if (links->r == 0 && is_end)
		parse(links, links->len, true);
	if (links->r < 0 && err)
		*err = links->err;
	return links->r;
}
