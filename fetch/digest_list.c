#include "fetch/digest_list.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdefABCDEF"
#define TAG_CHARS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-"

struct listed {
	const char *name; /* in the text */
	struct checksum checksum;
};

/* Sorted by name, then the best kind first: a list made to collide costs no more than another. */
struct digest_list {
	char *text; /* cut into names */
	struct listed *files;
	size_t count;
	size_t room;
};

/* Where in a clear-signed message a line is. */
enum armour { ARMOUR_NONE, ARMOUR_HEADERS, ARMOUR_MESSAGE, ARMOUR_SIGNATURE };

void digest_list_free(struct digest_list *list)
{
	if (!list)
		return;
	free(list->files);
	free(list->text);
	free(list);
}

void digest_list_freep(struct digest_list **list)
{
	digest_list_free(*list);
	*list = NULL;
}

static int wrong(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, EINVAL, "%s", why);
}

static int add(struct digest_list *list, const char *name, const struct checksum *checksum,
	struct err *err)
{
	if (list->count == list->room) {
		size_t room = list->room ? 2 * list->room : 64;
		struct listed *files = reallocarray(list->files, room, sizeof(*files));

		if (!files)
			return err_oom(err);
		list->files = files;
		list->room = room;
	}
	while (str_has_prefix(name, "./"))
		name += 2;
	list->files[list->count++] = (struct listed){name, *checksum};
	return 0;
}

/* Undo the escapes of @name, in place. */
static int unescape(char *name, struct err *err)
{
	char *to = name;

	for (const char *from = name; *from; from++) {
		char c = *from;

		if (c == '\\') {
			switch (*++from) {
			case '\\':
				break;
			case 'n':
				c = '\n';
				break;
			case 'r':
				c = '\r';
				break;
			default:
				return wrong(err, "an escape in the name that nobody writes");
			}
		}
		*to++ = c;
	}
	*to = '\0';
	return 0;
}

static int add_escaped(struct digest_list *list, char *name, bool escaped,
	const struct checksum *checksum, struct err *err)
{
	int r = escaped ? unescape(name, err) : 0;

	if (r == 0 && !*name)
		r = wrong(err, "a digest without a name");
	return r < 0 ? r : add(list, name, checksum, err);
}

/* "SHA256 (name) = HEX", or with fewer blanks, as openssl writes it. 0: done; 1: of another form */
static int read_bsd(struct digest_list *list, char *line, bool escaped, struct err *err)
{
	size_t tag = strspn(line, TAG_CHARS);
	char *name = line + tag + (line[tag] == ' ');
	struct checksum checksum;
	enum checksum_kind kind;
	char *hex = strrchr(name, '=');
	char *end = hex;
	int r;

	if (tag == 0 || *name++ != '(' || !hex)
		return 1;
	if (end > name && end[-1] == ' ')
		end--;
	if (end <= name || *--end != ')')
		return 1;
	hex += 1 + (hex[1] == ' ');
	kind = checksum_kind_find(line, tag);
	if (kind == CHECKSUM_NONE)
		return 0;
	r = checksum_parse_hex(hex, &checksum, NULL);
	if (r < 0 || checksum.kind != kind)
		return wrong(err, "the digest is not of the length that its kind has");
	*end = '\0';
	return add_escaped(list, name, escaped, &checksum, err);
}

/* "HEX  name", "HEX *name". 0: done; 1: of another form */
static int read_gnu(struct digest_list *list, char *line, bool escaped, struct err *err)
{
	size_t digits = strspn(line, HEX_DIGITS);
	struct checksum checksum;
	char *name = line + digits;

	/* the shortest that anybody lists is CRC-32 */
	if (digits < 8 || name[0] != ' ' || (name[1] != ' ' && name[1] != '*'))
		return 1;
	*name = '\0';
	if (checksum_parse_hex(line, &checksum, NULL) < 0)
		return 0;
	return add_escaped(list, name + 2, escaped, &checksum, err);
}

/* 1: the line is of the armour, and tells nothing. */
static int pass_armour(enum armour *armour, const char *line)
{
	if (str_equal(line, "-----BEGIN PGP SIGNED MESSAGE-----")) {
		*armour = ARMOUR_HEADERS;
		return 1;
	}
	if (str_equal(line, "-----BEGIN PGP SIGNATURE-----")) {
		*armour = ARMOUR_SIGNATURE;
		return 1;
	}
	switch (*armour) {
	case ARMOUR_HEADERS:
		if (!*line)
			*armour = ARMOUR_MESSAGE;
		return 1;
	case ARMOUR_SIGNATURE:
		if (str_equal(line, "-----END PGP SIGNATURE-----"))
			*armour = ARMOUR_NONE;
		return 1;
	default:
		return 0;
	}
}

static int read_line(
	struct digest_list *list, enum armour *armour, char *line, size_t len, struct err *err)
{
	bool escaped;
	int r;

	if (len > DIGEST_LIST_LINE_MAX)
		return wrong(err, "longer than any name");
	if (strlen(line) < len)
		return wrong(err, "it holds a NUL");
	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	if (pass_armour(armour, line))
		return 0;
	if (*armour == ARMOUR_MESSAGE && str_has_prefix(line, "- "))
		line += 2;
	if (line[strspn(line, " \t")] == '\0' || *line == '#' || *line == ';')
		return 0;

	escaped = *line == '\\';
	line += escaped;
	r = read_gnu(list, line, escaped, err);
	if (r > 0)
		r = read_bsd(list, line, escaped, err);
	return r > 0 ? wrong(err, "neither a digest nor a comment") : r;
}

static int compare(const void *a, const void *b)
{
	const struct listed *x = a;
	const struct listed *y = b;
	int r = strcmp(x->name, y->name);

	return r ? r : (int)y->checksum.kind - (int)x->checksum.kind;
}

int digest_list_parse(char *text, size_t len, struct digest_list **ret, struct err *err)
{
	CLEANUP(digest_list_freep) struct digest_list *list = calloc(1, sizeof(*list));
	enum armour armour = ARMOUR_NONE;
	unsigned long number = 1;
	char *line = text;

	if (!list) {
		free(text);
		return err_oom(err);
	}
	list->text = text;
	for (; line < text + len; number++) {
		size_t left = (size_t)(text + len - line);
		char *end = memchr(line, '\n', left);
		size_t length = end ? (size_t)(end - line) : left;
		int r;

		line[length] = '\0';
		r = read_line(list, &armour, line, length, err);
		if (r < 0)
			return err_context(err, "line %lu", number);
		line += length + 1;
	}
	if (list->count > 0)
		qsort(list->files, list->count, sizeof(*list->files), compare);
	*ret = list;
	list = NULL;
	return 0;
}

/* The first line for @name; count: none. */
static size_t first_of(const struct digest_list *list, const char *name)
{
	size_t from = 0;
	size_t to = list->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (strcmp(list->files[middle].name, name) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	if (from < list->count && str_equal(list->files[from].name, name))
		return from;
	return list->count;
}

int digest_list_find(
	const struct digest_list *list, const char *name, struct checksum *ret, struct err *err)
{
	size_t first = first_of(list, name);
	const struct listed *file = list->files + first;

	if (first == list->count)
		return err_set(err, ERR_USAGE, ENOENT, "no line for '%s'", name);
	for (size_t i = first + 1; i < list->count; i++) {
		const struct listed *next = list->files + i;

		if (next->checksum.kind != file->checksum.kind || !str_equal(next->name, name))
			break;
		if (!checksum_equal(&next->checksum, &file->checksum))
			return err_set(err, ERR_USAGE, EINVAL, "two different %s for '%s'",
				checksum_kind_name(file->checksum.kind), name);
	}
	*ret = file->checksum;
	return 0;
}
