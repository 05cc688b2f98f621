/* fetchfs config: what is in force, and why. */
#include "base/cleanup.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum { OPTION_JSON = 1, OPTION_USER };

static const struct argp_option options[] = {
	{"json", OPTION_JSON, 0, 0, "print one JSON object for each setting", 0},
	{"user", OPTION_USER, "USER", 0,
		"as this user, by way of a mount of the caller's, would be answered", 0},
	{0},
};

struct show {
	const char *uri; /* or NULL: all settings */
	const char *user;
	uid_t uid;
	bool json;
	char *section; /* whose header was printed last, or NULL */
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show *show = state->input;
	const struct passwd *entry;

	switch (key) {
	case OPTION_JSON:
		show->json = true;
		return 0;
	case OPTION_USER:
		entry = getpwnam(arg);
		if (entry)
			show->uid = entry->pw_uid;
		else
			argp_error(state, "--user: there is no user %s", arg);
		show->user = arg;
		return 0;
	case ARGP_KEY_END:
		if (show->user && !show->uri)
			argp_error(state, "--user is for a URI");
		return 0;
	case ARGP_KEY_NO_ARGS:
		return 0;
	default:
		return cli_parse_only(key, arg, state, "URI", &show->uri);
	}
}

static int print_json(const struct fetchfs_setting *setting, void *arg)
{
	struct json json = {.out = stdout};

	(void)arg;
	json_open(&json, NULL, '{');
	if (*setting->section) {
		json_text(&json, "section", setting->section);
		json_text(&json, "prefix", setting->name);
	}
	json_text(&json, "key", setting->key);
	json_text(&json, "value", setting->value);
	json_text(&json, "file", setting->file);
	if (setting->file)
		json_number(&json, "line", setting->line);
	else
		json_null(&json, "line");
	json_close(&json, '}');
	return 0;
}

/* As a file that could be read again; what is nowhere said stands in comments. */
static int print_setting(const struct fetchfs_setting *setting, void *arg)
{
	struct show *show = arg;
	char *section = setting->name ? str_printf("[%s \"%s\"]", setting->section, setting->name)
				      : str_printf("[%s]", setting->section);

	if (!section)
		return -ENOMEM;
	if (!str_equal(section, show->section))
		printf("%s%s\n", show->section ? "\n" : "", section);
	str_freep(&show->section);
	show->section = section;
	if (setting->file)
		printf("# %s:%u\n%s = %s\n", setting->file, setting->line, setting->key,
			setting->value);
	else if (setting->value)
		printf("#%s = %s\n", setting->key, setting->value);
	else
		printf("#%s =\n", setting->key);
	return 0;
}

static int print_reason(const struct fetchfs_setting *setting, void *arg)
{
	(void)arg;
	printf("%-12s %s", setting->key, setting->value);
	if (setting->file)
		printf("  (%s:%u)", setting->file, setting->line);
	putchar('\n');
	return 0;
}

int cmd_config(struct cli *cli, int argc, char **argv)
{
	const struct argp argp = {.options = options, .parser = parse};
	const struct fetchfs_options where = {
		.config = cli->config,
		.environment = (const char *const *)environ,
	};
	CLEANUP(str_freep) char *shown = NULL;
	struct show show = {.uid = getuid()};
	struct fetchfs_request request = {0};
	struct err err = ERR_INIT;
	int r;

	cli_parse(cli, &argp, argc, argv, &show);
	request.uri = show.uri;
	request.uid = show.uid;
	request.through_mount = show.user;
	if (show.uri) {
		shown = cli_shown(show.uri);
		r = fetchfs_config_explain(
			&where, &request, show.json ? print_json : print_reason, &show, &err);
	} else {
		r = fetchfs_config(&where, show.json ? print_json : print_setting, &show, &err);
	}
	str_freep(&show.section);
	return r < 0 ? cli_fail(cli, shown, &err) : EXIT_DONE;
}
