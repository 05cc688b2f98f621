#include "backends/oci_challenge.h"

#include "base/str.h"

#include <string.h>
#include <strings.h>

#define BLANKS " \t"
#define TOKEN  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~"

/* A name at *@at, which is moved behind it and the blanks there. Its length; 0: there is none. */
static size_t take_name(const char **at, const char **ret)
{
	size_t len = strspn(*at, TOKEN);

	*ret = *at;
	*at += len;
	*at += strspn(*at, BLANKS);
	return len;
}

/* The value at *@at, quoted or not, which is moved behind it. What is too long becomes "". */
static void take_value(const char **at, char ret[OCI_PARAMETER_MAX])
{
	const char *p = *at;
	bool quoted = *p == '"';
	size_t len = 0;

	for (p += quoted; *p; p++) {
		if (quoted ? *p == '"' : !strchr(TOKEN "/:@?=", *p))
			break;
		if (quoted && *p == '\\' && p[1])
			p++;
		if (len < OCI_PARAMETER_MAX)
			ret[len++] = *p;
	}
	ret[len < OCI_PARAMETER_MAX ? len : 0] = '\0';
	*at = p + (quoted && *p == '"');
}

static bool is(const char *name, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(name, word, len) == 0;
}

static void take_parameter(const char *name, size_t len, const char **at, struct oci_challenge *ret)
{
	char other[OCI_PARAMETER_MAX];
	char *value = other;

	if (is(name, len, "realm"))
		value = ret->realm;
	else if (is(name, len, "service"))
		value = ret->service;
	else if (is(name, len, "scope"))
		value = ret->scope;
	take_value(at, value);
}

/* The parameters of one challenge; it ends where another one begins, or nothing is understood. */
static void take_parameters(const char **at, struct oci_challenge *ret)
{
	for (;;) {
		const char *before = *at + strspn(*at, BLANKS ",");
		const char *next = before;
		const char *name;
		size_t len = take_name(&next, &name);

		if (len == 0 || *next != '=') {
			*at = before;
			return;
		}
		next += 1 + strspn(next + 1, BLANKS);
		take_parameter(name, len, &next, ret);
		*at = next;
	}
}

static void read_line(const char *at, struct oci_challenge *ret)
{
	for (;;) {
		struct oci_challenge found = {.basic = false};
		const char *name;
		size_t len;

		at += strspn(at, BLANKS ",");
		len = take_name(&at, &name);
		if (len == 0)
			return;
		take_parameters(&at, &found);
		if (is(name, len, "basic"))
			ret->basic = true;
		if (is(name, len, "bearer") && !ret->bearer && found.realm[0]) {
			found.basic = ret->basic;
			found.bearer = true;
			*ret = found;
		}
	}
}

void oci_challenge_read(const struct headers *headers, struct oci_challenge *ret)
{
	size_t at = 0;

	*ret = (struct oci_challenge){.basic = false};
	for (const char *line; (line = headers_next(headers, "WWW-Authenticate", &at));)
		read_line(line, ret);
}
