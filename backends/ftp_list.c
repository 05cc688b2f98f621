#include "backends/ftp_list.h"

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOKENS_MAX 12 /* before a name */

/* One line, understood. */
struct item {
	char *name;
	bool is_folder;
	const char *target; /* of a link, or NULL */
};

/* ---- facts: "type=dir;modify=…; name" ---- */

static bool has_facts(const char *line)
{
	const char *blank = strchr(line, ' ');

	return blank && blank > line && blank[-1] == ';' &&
	       memchr(line, '=', (size_t)(blank - line));
}

/* 1: it is a name of the folder; 0: the folder itself, the one above, nothing that can be read. */
static int read_type(const char *type, struct item *item)
{
	static const char link[] = "OS.unix=slink:";

	item->is_folder = strcasecmp(type, "dir") == 0;
	if (strncasecmp(type, link, strlen(link)) == 0)
		item->target = type + strlen(link);
	return item->is_folder || item->target || strcasecmp(type, "file") == 0 ||
	       strcasecmp(type, "OS.unix=symlink") == 0;
}

static int read_facts(char *line, struct item *item)
{
	char *blank = strchr(line, ' ');
	char *rest = line;
	const char *fact;
	int known = 1; /* who does not say has only files, or expects us to try */

	*blank = '\0';
	item->name = blank + 1;
	while ((fact = strsep(&rest, ";")))
		if (strncasecmp(fact, "type=", 5) == 0)
			known = read_type(fact + 5, item);
	return known;
}

/* ---- for people ---- */

static bool is_month(const char *word)
{
	static const char *const months[] = {
		"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};

	for (size_t i = 0; i < ARRAY_SIZE(months); i++)
		if (strcasecmp(word, months[i]) == 0)
			return true;
	return false;
}

/* Whether @word has the form of @form, in which 9 stands for a digit. */
static bool looks_like(const char *word, const char *form)
{
	for (; *word && *form; word++, form++)
		if (*form == '9' ? !isdigit((unsigned char)*word) : *word != *form)
			return false;
	return !*word && !*form;
}

static bool is_day(const char *word)
{
	return looks_like(word, "9") || looks_like(word, "99");
}

static bool is_time(const char *word)
{
	return looks_like(word, "99:99") || looks_like(word, "9:99") || looks_like(word, "9999");
}

/* The words of a line, and where what follows each of them begins. */
struct words {
	char *word[TOKENS_MAX];
	char *after[TOKENS_MAX];
	size_t count;
};

static void split(char *copy, char *line, struct words *words)
{
	char *at = copy;

	words->count = 0;
	while (*at && words->count < TOKENS_MAX) {
		at += strspn(at, " \t");
		if (!*at)
			return;
		words->word[words->count] = at;
		at += strcspn(at, " \t");
		words->after[words->count++] = line + (at - copy);
		if (*at)
			*at++ = '\0';
	}
}

/* "Jan 31 12:00", "31 Jan 2020", "2020-01-31 12:00": the number of words at @i, 0: it is none. */
static size_t date_at(const struct words *words, size_t i)
{
	char *const *word = words->word + i;
	size_t left = words->count - i;

	if (left >= 3 && is_time(word[2]) &&
		((is_month(word[0]) && is_day(word[1])) || (is_day(word[0]) && is_month(word[1]))))
		return 3;
	return left >= 2 && looks_like(word[0], "9999-99-99") && is_time(word[1]) ? 2 : 0;
}

/* "name -> target": where the name ends. Its length is what the listing calls the link's size. */
static char *find_arrow(char *name, const char *size)
{
	size_t length = strtoul(size, NULL, 10);
	char *first = strstr(name, " -> ");

	for (char *arrow = first; arrow; arrow = strstr(arrow + 1, " -> "))
		if (strlen(arrow + 4) == length)
			return arrow;
	return first;
}

/* "drwxr-xr-x 2 owner group 4096 Jan 31 12:00 name" */
static bool read_unix(char *line, const struct words *words, struct item *item)
{
	size_t date = 0;
	size_t i = 2;
	char *arrow;

	if (words->count < 4 || strlen(words->word[0]) < 10 || !strchr("-dlbcpsD", line[0]))
		return false;
	while (i < words->count && (date = date_at(words, i)) == 0)
		i++;
	if (date == 0 || !*words->after[i + date - 1])
		return false;
	item->name = words->after[i + date - 1] + 1;
	item->is_folder = line[0] == 'd';
	if (line[0] == 'l' && (arrow = find_arrow(item->name, words->word[i - 1]))) {
		*arrow = '\0';
		item->target = arrow + 4;
	}
	if (!strchr("-dl", line[0])) /* a device, a pipe: nothing to be read */
		*item->name = '\0';
	return true;
}

/* "01-31-20  12:00PM  <DIR>  name" */
static bool read_dos(const struct words *words, struct item *item)
{
	char *const *word = words->word;

	if (words->count < 4 ||
		(!looks_like(word[0], "99-99-99") && !looks_like(word[0], "99-99-9999")))
		return false;
	item->is_folder = str_equal(word[2], "<DIR>");
	if (!item->is_folder && word[2][strspn(word[2], "0123456789")] != '\0')
		return false;
	item->name = words->after[2] + strspn(words->after[2], " ");
	return true;
}

/* ---- lines ---- */

/* Nothing but a name: what else a server may send becomes no path. */
static bool is_name(const char *name, size_t len)
{
	if (len == 0 || strlen(name) != len || str_equal(name, ".") || str_equal(name, ".."))
		return false;
	for (; *name; name++)
		if (*name == '/' || (unsigned char)*name < ' ' || *name == 0x7f)
			return false;
	return true;
}

/* Who walks folders would walk in a circle. (What else a link may be only its server knows.) */
static bool leads_back(const struct ftp_list *list, const char *target)
{
	size_t len = strlen(target);

	while (len > 1 && target[len - 1] == '/')
		len--;
	if (target[0] == '/')
		return len == 1 ||
		       (strncmp(list->folder, target, len) == 0 && list->folder[len] == '/');
	return target[strspn(target, "./")] == '\0';
}

static int read_line(struct ftp_list *list, struct err *err)
{
	struct item item = {.name = NULL};
	char copy[FTP_LIST_LINE];
	struct words words;
	size_t len = list->len;
	int known;

	if (len > 0 && list->line[len - 1] == '\r')
		len--;
	list->line[len] = '\0';
	if (len == 0 || strncasecmp(list->line, "total ", 6) == 0)
		return 0;
	if (has_facts(list->line)) {
		known = read_facts(list->line, &item);
	} else {
		memcpy(copy, list->line, len + 1);
		split(copy, list->line, &words);
		known = read_unix(list->line, &words, &item) || read_dos(&words, &item);
		if (!known)
			list->other++;
	}
	if (!item.name)
		return 0;
	list->understood++;
	/* a link's name ends before its line does */
	len = item.target ? strlen(item.name) : (size_t)(list->line + len - item.name);
	if (!known || !is_name(item.name, len))
		return 0;
	if (item.target && leads_back(list, item.target))
		return 0;
	return list->visit(item.name, item.is_folder, list->arg, err);
}

static int end_line(struct ftp_list *list, struct err *err)
{
	int r = list->too_long ? 0 : read_line(list, err);

	list->len = 0;
	list->too_long = false;
	return r;
}

int ftp_list_feed(struct ftp_list *list, const char *buf, size_t len, struct err *err)
{
	int r = 0;

	while (r == 0 && len > 0) {
		const char *end = memchr(buf, '\n', len);
		size_t piece = end ? (size_t)(end - buf) : len;

		if (piece >= sizeof(list->line) - list->len)
			list->too_long = true;
		if (!list->too_long) {
			memcpy(list->line + list->len, buf, piece);
			list->len += piece;
		}
		if (end)
			r = end_line(list, err);
		buf += end ? piece + 1 : piece;
		len -= end ? piece + 1 : piece;
	}
	return r;
}

int ftp_list_end(struct ftp_list *list, struct err *err)
{
	int r = end_line(list, err);

	if (r < 0 || list->understood > 0 || list->other == 0)
		return r;
	return err_set(err, ERR_REMOTE, ENOTDIR, "the server's listing is of no known form");
}
