#include "fetch/credentials_s3.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "base/uri.h"
#include "fetch/aws_profile.h"
#include "fetch/config_values.h"
#include "fetch/credential_file.h"
#include "fetch/credentials_search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is found ---- */

static const char *variable(const struct config *config, const char *name)
{
	const struct config_list *list = &config->aws;
	size_t len = strlen(name);

	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->items[i], name, len) == 0 && list->items[i][len] == '=' &&
			list->items[i][len + 1])
			return list->items[i] + len + 1;
	return NULL;
}

const char *credentials_variable(const struct search *search, const char *a, const char *b)
{
	const char *value = variable(search->config, a);

	return value || !b ? value : variable(search->config, b);
}

void credentials_take(struct search *search, enum credentials_text text, char *value)
{
	char **place = &search->credentials->s3_text[text];

	if (*place)
		config_free_secret(value);
	else
		*place = value;
}

static int take_copy(struct search *search, enum credentials_text text, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return err_oom(search->err);
	credentials_take(search, text, copy);
	return 0;
}

bool credentials_has_keys(const struct search *search)
{
	char *const *texts = search->credentials->s3_text;

	return texts[KEY_ID] && texts[SECRET];
}

/* ---- a profile ---- */

/* Where else than in the file the keys of a profile may come from, and do not here. */
static const struct {
	const char *key;
	const char *what;
	bool wins; /* over keys of the profile: those are for whoever asks for the others */
} not_ours[] = {
	{"role_arn", "a role", true},
	{"source_profile", "a role", true},
	{"credential_source", "a role", true},
	{"credential_process", "a program that prints keys", false},
	{"sso_session", "single sign-on", false},
	{"sso_start_url", "single sign-on", false},
	{"sso_account_id", "single sign-on", false},
	{"login_session", "a login", false},
};

/* All three keys are those of one place. */
static void take_keys(struct search *search, const char *text, const char *name, bool is_config)
{
	static const struct {
		enum credentials_text text;
		const char *key;
	} keys[] = {
		{KEY_ID, "aws_access_key_id"},
		{SECRET, "aws_secret_access_key"},
		{TOKEN, "aws_session_token"},
	};

	if (credentials_has_keys(search))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		config_free_secret(search->credentials->s3_text[keys[i].text]);
		search->credentials->s3_text[keys[i].text] =
			aws_profile_get(text, name, is_config, keys[i].key);
	}
}

/* Of such a profile nobody gets what is everybody's, or another's, without a word. */
static int refuse_profile(struct search *search, const struct credential_file *file,
	const char *name, const char *key, const char *what)
{
	CLEANUP(str_freep)
	char *why = str_printf("profile %.100s: %s (%s) is not supported: take the keys that 'aws "
			       "configure export-credentials' prints",
		name, what, key);

	return credential_file_refuse(file, why ? why : what, search->err);
}

static int check_profile(struct search *search, const struct credential_file *file,
	const char *text, const char *name, bool is_config)
{
	for (size_t i = 0; !search->settled && i < ARRAY_SIZE(not_ours); i++) {
		CLEANUP(config_free_secretp)
		char *value = NULL;

		if (!not_ours[i].wins && credentials_has_keys(search))
			continue;
		value = aws_profile_get(text, name, is_config, not_ours[i].key);
		if (value)
			return refuse_profile(
				search, file, name, not_ours[i].key, not_ours[i].what);
	}
	return 0;
}

/* 1: it has the profile. 0: it has not, or is not there although it need not be. */
static int read_profile(struct search *search, const struct credential_file *file, const char *name,
	bool is_config, bool must_exist)
{
	CLEANUP(config_free_secretp) char *text = NULL;
	int missing = 0;
	int r = credential_file_read(file, &text, &missing, search->err);

	if (r < 0)
		return !must_exist && (missing == ENOENT || missing == ENOTDIR) ? 0 : r;
	if (!aws_profile_exists(text, name, is_config))
		return 0;
	take_keys(search, text, name, is_config);
	credentials_take(search, REGION, aws_profile_get(text, name, is_config, "region"));
	credentials_take(search, ENDPOINT, aws_profile_get(text, name, is_config, "endpoint_url"));
	r = check_profile(search, file, text, name, is_config);
	return r < 0 ? r : 1;
}

/* ---- the usual places ---- */

/* The path that a variable names, or that it has in the home; NULL: it has no place. */
static char *usual_file(const struct search *search, const char *name, const char *in_home)
{
	const char *path = credentials_variable(search, name, NULL);
	const char *home = credentials_variable(search, "HOME", NULL);

	if (path)
		return str_copy(path);
	return home && home[0] == '/' ? str_printf("%s/.aws/%s", home, in_home) : NULL;
}

static int search_files(struct search *search)
{
	const char *named = search->origin ? search->origin->profile : NULL;
	const char *name = named ? named : credentials_variable(search, "AWS_PROFILE", NULL);
	CLEANUP(str_freep)
	char *keys = usual_file(search, "AWS_SHARED_CREDENTIALS_FILE", "credentials");
	CLEANUP(str_freep) char *config = usual_file(search, "AWS_CONFIG_FILE", "config");
	const struct credential_file keys_file = {NULL, "s3 credentials", keys};
	const struct credential_file config_file = {NULL, "s3 configuration", config};
	const char *profile = name ? name : "default";
	int in_keys = keys ? read_profile(search, &keys_file, profile, false, false) : 0;
	int in_config = 0;

	if (in_keys >= 0 && config)
		in_config = read_profile(search, &config_file, profile, true, false);
	if (in_keys < 0 || in_config < 0)
		return in_keys < 0 ? in_keys : in_config;
	/* who names one does not mean "anybody" */
	if (name && !in_keys && !in_config)
		return err_set(
			search->err, ERR_POLICY, EACCES, "s3: there is no profile '%.100s'", name);
	if (name && !credentials_has_keys(search) && !search->credentials->s3_text[SOURCE_URI])
		return err_set(search->err, ERR_POLICY, EACCES,
			"s3: the profile '%.100s' has no keys: without any, it is 'anonymous = "
			"yes'",
			name);
	return 0;
}

static int search_environment(struct search *search)
{
	const char *id = credentials_variable(search, "AWS_ACCESS_KEY_ID", NULL);
	const char *secret = credentials_variable(search, "AWS_SECRET_ACCESS_KEY", NULL);
	bool named = search->origin && search->origin->profile;
	int r = 0;

	if (id && secret && !named) {
		r = take_copy(search, KEY_ID, id);
		if (r == 0)
			r = take_copy(search, SECRET, secret);
		if (r == 0)
			r = take_copy(search, TOKEN,
				credentials_variable(search, "AWS_SESSION_TOKEN", NULL));
		search->settled = r == 0;
	}
	if (r == 0)
		r = take_copy(search, REGION,
			credentials_variable(search, "AWS_REGION", "AWS_DEFAULT_REGION"));
	if (r == 0)
		r = take_copy(search, ENDPOINT,
			credentials_variable(search, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"));
	return r;
}

static int search_usual(struct search *search)
{
	bool named = search->origin && search->origin->profile;
	int r = search_environment(search);

	if (r == 0 && !named && !credentials_has_keys(search))
		r = credentials_lent_by_identity(search);
	if (r == 0)
		r = search_files(search);
	/* what lends keys to all on a machine comes last */
	if (r == 0 && !named && !credentials_variable(search, "AWS_PROFILE", NULL) &&
		!credentials_has_keys(search) && !search->credentials->s3_text[SOURCE_URI])
		r = credentials_lent_by_machine(search);
	return r;
}

static int search_file(struct search *search)
{
	const struct origin *origin = search->origin;
	const struct credential_file file = {origin, "credentials", origin->keys_file};
	const char *profile = origin->profile ? origin->profile : "default";
	CLEANUP(str_freep) char *why = NULL;
	int r = read_profile(search, &file, profile, false, true);

	if (r == 0)
		r = read_profile(search, &file, profile, true, true);
	if (r < 0)
		return r;
	if (r > 0 && credentials_has_keys(search))
		return 0;
	why = str_printf("it has no keys of the profile '%.100s'", profile);
	return credential_file_refuse(&file, why ? why : "it has no keys", search->err);
}

/* ---- what a request gets ---- */

static int search_keys(struct search *search, const struct decision *decision)
{
	if (!search->origin)
		return decision->ambient ? search_usual(search) : 0;
	if (search->origin->anonymous)
		return 0;
	return search->origin->keys_file ? search_file(search) : search_usual(search);
}

/* From the environment or a profile: as the section would have it. */
static int check_endpoint(struct search *search)
{
	char **endpoint = &search->credentials->s3_text[ENDPOINT];
	CLEANUP(uri_release) struct uri uri = {0};
	char *whole;

	if (!*endpoint)
		return 0;
	if (uri_parse(*endpoint, &uri, NULL) < 0 || !str_has_prefix(uri.scheme, "http") ||
		uri.query || uri.user)
		return err_set(search->err, ERR_USAGE, EINVAL,
			"s3: the endpoint that the environment or the profile has is no URI such "
			"as https://s3.example.org");
	whole = str_printf("%s%s", uri.text, str_has_suffix(uri.text, "/") ? "" : "/");
	if (!whole)
		return err_oom(search->err);
	free(*endpoint);
	*endpoint = whole;
	return 0;
}

/* What is sent in a header is one line. */
static int check_keys(struct search *search)
{
	static const enum credentials_text sent[] = {KEY_ID, SECRET, TOKEN, SOURCE_TOKEN};

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		const char *text = search->credentials->s3_text[sent[i]];
		char least = sent[i] == SOURCE_TOKEN ? ' ' : '!';

		for (; text && *text; text++)
			if (*text < least || *text > '~')
				return err_set(search->err, ERR_POLICY, EACCES,
					"s3: the keys that were found are none");
	}
	return 0;
}

static const char *if_set(const char *configured, const char *found)
{
	return configured ? configured : found;
}

static void conclude(const struct search *search, const struct decision *decision)
{
	struct credentials *credentials = search->credentials;
	const struct origin *origin = search->origin;
	char *const *texts = credentials->s3_text;
	bool signs = credentials_has_keys(search) && !decision->own_credentials;

	credentials->s3 = (struct access_s3){
		.endpoint = if_set(origin ? origin->endpoint : NULL, texts[ENDPOINT]),
		.region = if_set(origin ? origin->region : NULL, texts[REGION]),
		.style = origin ? (enum s3_style)origin->style : S3_STYLE_AUTO,
		.folders = origin && origin->list,
		.key_id = signs ? texts[KEY_ID] : NULL,
		.secret = signs ? texts[SECRET] : NULL,
		.token = signs ? texts[TOKEN] : NULL,
		.source = texts[SOURCE_URI] && !credentials_has_keys(search)
				  ? credentials->s3.source
				  : S3_SOURCE_GIVEN,
		.source_uri = texts[SOURCE_URI],
		.source_token = texts[SOURCE_TOKEN],
	};
	credentials->access.s3 = &credentials->s3;
	credentials->access.prefix = origin ? origin->prefix : "s3://";
}

int credentials_s3_load(const struct config *config, const struct decision *decision,
	const struct uri *uri, struct credentials *ret, struct err *err)
{
	const struct origin *origin = config_origin(config, uri->text);
	struct search search = {.config = config, .origin = origin, .credentials = ret, .err = err};
	int r = 0;

	if (origin && !decision->own_credentials && config_has_credentials(origin) &&
		!policy_serves(config, origin, decision->uid, decision->trusted))
		return err_set(err, ERR_POLICY, EACCES,
			"forbidden by policy: 'users = …' in [s3 \"%s\"] does not name uid %u",
			origin->prefix, (unsigned int)decision->uid);
	if (!decision->own_credentials)
		r = search_keys(&search, decision);
	if (r == 0)
		r = check_endpoint(&search);
	if (r == 0)
		r = check_keys(&search);
	if (r < 0) {
		credentials_s3_release(ret);
		return r;
	}
	conclude(&search, decision);
	return 0;
}

int credentials_s3_where(
	const struct config *config, const struct uri *uri, struct uri *ret, struct err *err)
{
	const struct search search = {.config = config};
	const struct origin *origin = config_origin(config, uri->text);
	const char *found =
		credentials_variable(&search, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
	CLEANUP(str_freep)
	char *amazon = str_printf("https://%s.s3.amazonaws.com/", uri->host);

	if (!amazon)
		return err_oom(err);
	if (origin && origin->endpoint)
		return uri_parse(origin->endpoint, ret, err);
	if (found && uri_parse(found, ret, NULL) == 0)
		return 0;
	return uri_parse(amazon, ret, err);
}

void credentials_s3_release(struct credentials *credentials)
{
	for (size_t i = 0; i < CREDENTIALS_S3_TEXTS; i++) {
		config_free_secret(credentials->s3_text[i]);
		credentials->s3_text[i] = NULL;
	}
}
