#include "cli/complete.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/mounted.h"
#include "sandbox/plan.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define URIS_MAX       200 /* that are offered at once */
#define WORDS_MAX      1024
#define LINE_MAX_BYTES (64 << 10)

/* A command line, up to the cursor. */
struct line {
	char **words;
	int count;
	const char *word;   /* the last one, which is to be completed */
	const char *before; /* what stands before @word in the shell's: "--method=" */
	size_t before_len;
	int command;           /* its place in words */
	const char *mount;     /* --mount, or NULL */
	const char *pending;   /* the argument that the option before @word takes, or NULL */
	unsigned int place;    /* of @word among the command's arguments, from 0 */
	bool is_all_arguments; /* "--" was there */
};

static const struct argp_option own_options[] = {
	{"help", 0, 0, 0, "tell what there is", 0},
	{"usage", 0, 0, 0, "the same, shorter", 0},
	{"version", 0, 0, 0, "tell the version", 0},
	{0},
};

static const struct argp own_argp = {.options = own_options};

static void offer(const struct line *line, const char *text, const char *description)
{
	if (!str_has_prefix(text, line->word))
		return;
	printf("%.*s%s", (int)line->before_len, line->before, text);
	if (description)
		printf("\t%.*s", (int)strcspn(description, "\n\v"), description);
	putchar('\n');
}

/* ---- options ---- */

static const struct argp_option *find_in(
	const struct argp_option *options, const char *name, size_t len)
{
	for (; options && (options->name || options->key || options->doc); options++)
		if (options->name && strlen(options->name) == len &&
			strncmp(options->name, name, len) == 0)
			return options;
	return NULL;
}

static const struct argp_option *find_short_in(const struct argp_option *options, char letter)
{
	for (; options && (options->name || options->key || options->doc); options++)
		if (options->key == letter)
			return options;
	return NULL;
}

/* "--name" or "--name=value" with @len letters of a name; or "-x". */
static const struct argp_option *find_option(const struct argp *argp, const char *word)
{
	bool is_long = str_has_prefix(word, "--");
	const struct argp_option *found =
		is_long ? find_in(argp->options, word + 2, strcspn(word + 2, "="))
			: find_short_in(argp->options, word[1]);

	for (const struct argp_child *child = argp->children; !found && child && child->argp;
		child++)
		found = find_option(child->argp, word);
	return found;
}

static void offer_options(const struct line *line, const struct argp *argp)
{
	for (const struct argp_option *option = argp->options;
		option && (option->name || option->key || option->doc); option++) {
		CLEANUP(str_freep)
		char *text = option->name ? str_printf("--%s", option->name) : NULL;

		if (text)
			offer(line, text, option->doc);
	}
	for (const struct argp_child *child = argp->children; child && child->argp; child++)
		offer_options(line, child->argp);
}

/* ---- the kinds of arguments, by what the help calls them ---- */

static void offer_users(const struct line *line)
{
	const struct passwd *entry;

	setpwent();
	while ((entry = getpwent()))
		offer(line, entry->pw_name, NULL);
	endpwent();
}

static void offer_methods(const struct line *line)
{
	for (enum plan_method method = PLAN_AUTO; method <= PLAN_COPY; method++)
		offer(line, plan_method_name(method), NULL);
}

static void offer_stages(const struct line *line)
{
	offer(line, "createRuntime", NULL);
	offer(line, "createContainer", NULL);
	offer(line, "poststop", NULL);
}

struct uris {
	const struct line *line;
	unsigned int count;
};

static int offer_uri(const struct fetchfs_info *info, void *arg)
{
	struct uris *uris = arg;

	offer(uris->line, info->uri, NULL);
	return ++uris->count == URIS_MAX;
}

static void offer_uris(const struct line *line, struct cli *cli)
{
	CLEANUP(str_freep) char *cache = NULL;
	struct uris uris = {.line = line};
	struct fetchfs *fetchfs;

	/* who cannot be told anything is told nothing */
	cli->only_existing = true;
	if (mounted_use_cache(cli, mounted_directory(cli, line->mount), &cache, NULL) < 0 ||
		cli_open(cli, &fetchfs, NULL) < 0)
		return;
	(void)fetchfs_list(fetchfs, line->word, getuid(), offer_uri, &uris, NULL);
	fetchfs_close(fetchfs);
}

/* @kind: as "URI…|PATTERN…" in a synopsis, "FILE" of an option; the first one counts. */
static void offer_kind(const struct line *line, struct cli *cli, const char *kind)
{
	size_t len = strcspn(kind, " …|]");
	CLEANUP(str_freep) char *name = str_printf("%.*s", (int)len, kind);

	if (str_equal(name, "URI") || str_equal(name, "PREFIX"))
		offer_uris(line, cli);
	else if (str_equal(name, "FILE") || str_equal(name, "DIR"))
		puts(*name == 'F' ? ":files" : ":folders");
	else if (str_equal(name, "USER"))
		offer_users(line);
	else if (str_equal(name, "METHOD"))
		offer_methods(line);
	else if (str_equal(name, "STAGE"))
		offer_stages(line);
}

/* The argument at line->place of a synopsis like "[-i FILE] DIR [URI…]"; options are passed over.
 */
static void offer_argument(const struct line *line, struct cli *cli, const char *synopsis)
{
	const char *last = NULL;
	unsigned int place = 0;

	for (const char *p = synopsis; *p; p += strspn(p, " ")) {
		size_t len = strcspn(p, str_has_prefix(p, "[-") ? "]" : " ");

		if (!str_has_prefix(p, "[-")) {
			last = p + (*p == '[');
			if (place++ == line->place || memmem(p, len, "…", strlen("…")))
				break;
		} else {
			len += p[len] == ']';
		}
		p += len;
	}
	if (last && (place > line->place || strstr(last, "…")))
		offer_kind(line, cli, last);
}

/* ---- where the cursor is ---- */

/* An option before the cursor. Its argument may be the next word: passed over, or wanted. */
static void pass_option(struct line *line, struct cli *cli, const struct argp *argp, int *i)
{
	const struct argp_option *option = find_option(argp, line->words[*i]);
	const char *value = strchr(line->words[*i], '=');

	if (!option || !option->arg)
		return;
	if (value)
		value++;
	else if (*i == line->count - 2)
		line->pending = option->arg;
	else
		value = line->words[++*i];
	if (str_equal(option->name, "cache"))
		cli->cache = value;
	else if (str_equal(option->name, "config"))
		cli->config = value;
	else if (str_equal(option->name, "mount"))
		line->mount = value;
}

/* Look at the words from @from up to the last; that of the first argument, or 0. */
static int walk(struct line *line, struct cli *cli, const struct argp *argp, int from, bool all)
{
	for (int i = from; i < line->count - 1; i++) {
		const char *word = line->words[i];

		if (!line->is_all_arguments && str_equal(word, "--"))
			line->is_all_arguments = true;
		else if (!line->is_all_arguments && word[0] == '-' && word[1])
			pass_option(line, cli, argp, &i);
		else if (!all)
			return i + 1;
		else
			line->place++;
	}
	return 0;
}

/* "--method=h": what is completed is the "h". */
static const char *split_value(struct line *line, const struct argp *argp)
{
	const char *value = str_has_prefix(line->word, "--") ? strchr(line->word, '=') : NULL;
	const struct argp_option *option = value ? find_option(argp, line->word) : NULL;

	if (!option)
		return NULL;
	line->before = line->word;
	line->before_len = (size_t)(value + 1 - line->word);
	line->word = value + 1;
	return option->arg;
}

/* Offer what may stand at the cursor; false: an argument. */
static bool offer_of_options(struct line *line, struct cli *cli, const struct argp *argp)
{
	if (!line->pending && !line->is_all_arguments)
		line->pending = split_value(line, argp);
	if (line->pending)
		offer_kind(line, cli, line->pending);
	else if (line->is_all_arguments || *line->word != '-')
		return false;
	else
		offer_options(line, argp);
	return true;
}

static void with_own(const struct argp *argp, struct argp *both, struct argp_child children[3])
{
	children[0] = (struct argp_child){.argp = argp};
	children[1] = (struct argp_child){.argp = &own_argp};
	children[2] = (struct argp_child){0};
	*both = (struct argp){.children = children};
}

/* In the place of a command's parsing: now it is known which options it has. */
static void explain(struct cli *cli, const struct argp *argp)
{
	struct line *line = cli->explain_arg;
	struct argp_child children[3];
	struct argp both;

	with_own(argp, &both, children);
	(void)walk(line, cli, &both, line->command, true);
	if (!offer_of_options(line, cli, &both))
		offer_argument(line, cli, argp->args_doc);
	exit(EXIT_DONE);
}

/* The words of stdin point into @text. How many there are, the last one, if none other, empty. */
static int read_words(char text[LINE_MAX_BYTES + 1], char *words[WORDS_MAX])
{
	size_t len = fread(text, 1, LINE_MAX_BYTES, stdin);
	int count = 0;

	/* what is cut off is a longer line than anybody has typed */
	text[len] = '\0';
	for (size_t at = 0; at < len && count < WORDS_MAX; at += strlen(text + at) + 1)
		words[count++] = text + at;
	if (count == 0)
		words[count++] = text;
	return count;
}

int complete_run(void)
{
	static char text[LINE_MAX_BYTES + 1];
	static char *words[WORDS_MAX];
	struct line line = {.words = words, .count = read_words(text, words)};
	struct cli cli = {.explain = explain, .explain_arg = &line};
	const struct command *command;
	struct argp_child children[3];
	struct argp both;

	line.word = words[line.count - 1];
	with_own(&cli_global_argp, &both, children);
	line.command = walk(&line, &cli, &both, 0, false);
	if (line.command > 0) {
		char *argv[] = {words[line.command - 1], NULL};

		command = command_find(argv[0]);
		if (!command)
			return EXIT_FAILED;
		cli.command = command->name;
		return command->run(&cli, 1, argv);
	}
	if (!offer_of_options(&line, &cli, &both))
		for (command = command_table; command->name; command++)
			offer(&line, command->name, command->summary);
	return EXIT_DONE;
}
