#include "backends/xml.h"

#include "base/str.h"

#include <errno.h>
#include <expat.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

struct xml {
	XML_Parser parser;
	xml_visit *visit;
	void *arg;
	char path[XML_PATH_MAX];
	char text[XML_TEXT_MAX + 1]; /* of the innermost element, since its last child */
	size_t len;
	int r; /* what is wrong; not 0: nothing follows */
	struct err err;
};

static void stop(struct xml *xml, int r)
{
	xml->r = r;
	XML_StopParser(xml->parser, XML_FALSE);
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
	const XML_Char *public, int has_internal)
{
	struct xml *xml = arg;

	(void)name;
	(void)system;
	(void)public;
	(void)has_internal;
	stop(xml, err_set(&xml->err, ERR_REMOTE, EBADMSG, "XML with a document type"));
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *xml = arg;
	size_t len = strlen(xml->path);
	size_t more = strlen(name);

	(void)attributes;
	if (xml->r < 0)
		return;
	if (len + more + 2 > sizeof(xml->path)) {
		stop(xml, err_set(&xml->err, ERR_REMOTE, EFBIG, "XML that is nested too deeply"));
		return;
	}
	if (len > 0)
		xml->path[len++] = '/';
	memcpy(xml->path + len, name, more + 1);
	xml->len = 0;
}

static void XMLCALL on_end(void *arg, const XML_Char *name)
{
	struct xml *xml = arg;
	char *slash;
	int r;

	(void)name;
	if (xml->r < 0)
		return;
	xml->text[xml->len] = '\0';
	r = xml->visit(xml->path, xml->text, xml->arg, &xml->err);
	if (r < 0)
		stop(xml, r);
	slash = strrchr(xml->path, '/');
	*(slash ? slash : xml->path) = '\0';
	xml->len = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int len)
{
	struct xml *xml = arg;

	if (xml->r < 0)
		return;
	if ((size_t)len > XML_TEXT_MAX - xml->len) {
		stop(xml,
			err_set(&xml->err, ERR_REMOTE, EFBIG, "XML with a text that is too long"));
		return;
	}
	memcpy(xml->text + xml->len, text, (size_t)len);
	xml->len += (size_t)len;
}

int xml_new(xml_visit *visit, void *arg, struct xml **ret, struct err *err)
{
	struct xml *xml = calloc(1, sizeof(*xml));

	if (!xml)
		return err_oom(err);
	xml->visit = visit;
	xml->arg = arg;
	xml->parser = XML_ParserCreate("UTF-8");
	if (!xml->parser) {
		free(xml);
		return err_oom(err);
	}
	XML_SetUserData(xml->parser, xml);
	XML_SetElementHandler(xml->parser, on_start, on_end);
	XML_SetCharacterDataHandler(xml->parser, on_text);
	XML_SetStartDoctypeDeclHandler(xml->parser, on_doctype);
	*ret = xml;
	return 0;
}

void xml_free(struct xml *xml)
{
	if (!xml)
		return;
	XML_ParserFree(xml->parser);
	free(xml);
}

void xml_freep(struct xml **xml)
{
	xml_free(*xml);
}

static int failed(struct xml *xml)
{
	enum XML_Error code = XML_GetErrorCode(xml->parser);

	if (code == XML_ERROR_NO_MEMORY)
		return err_oom(&xml->err);
	return err_set(&xml->err, ERR_REMOTE, EBADMSG, "no XML: %.100s", XML_ErrorString(code));
}

int xml_feed(struct xml *xml, const void *buf, size_t len, struct err *err)
{
	if (xml->r == 0 && len > INT_MAX)
		xml->r = err_set(&xml->err, ERR_REMOTE, EFBIG, "XML in too large a piece");
	if (xml->r == 0 && XML_Parse(xml->parser, buf, (int)len, len == 0) == XML_STATUS_ERROR &&
		xml->r == 0)
		xml->r = failed(xml);
	if (xml->r < 0 && err)
		*err = xml->err;
	return xml->r;
}
