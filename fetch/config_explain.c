/* Why a request is allowed or not, and what is in force for it: fetchfs_config_explain(). */
#include "base/cleanup.h"
#include "base/str.h"
#include "fetch/config_said.h"
#include "fetch/config_values.h"
#include "fetch/fetchfs.h"
#include "fetch/policy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct explain {
	const struct config *config;
	const struct fetchfs_request *request;
	const struct uri *uri;
	bool trusted;
	bool allowed;
	struct decision decision; /* if allowed */
	fetchfs_visit_setting *visit;
	void *arg;
	struct err *err;
};

/* @said: where; or NULL. @value is taken; NULL: out of memory. */
static int tell(
	const struct explain *explain, const char *key, char *value, const struct config_said *said)
{
	CLEANUP(str_freep) char *text = value;
	const struct fetchfs_setting setting = {
		.section = "",
		.key = key,
		.value = text,
		.file = said ? said->file : NULL,
		.line = said ? said->line : 0,
	};

	return text ? explain->visit(&setting, explain->arg) : err_oom(explain->err);
}

/* The first line of the section of @prefix, or NULL. */
static const struct config_said *said_of_section(const struct config *config, const char *prefix)
{
	for (size_t i = 0; i < config->said_count; i++)
		if (str_equal(config->said[i].prefix, prefix))
			return &config->said[i];
	return NULL;
}

static int tell_rule(const struct explain *explain)
{
	const struct config *config = explain->config;
	const struct config_said *said = NULL;
	struct policy_rule rule;

	policy_rule(config, explain->uri, &rule);
	if (rule.denied)
		return tell(explain, "rule", str_printf("deny = %s", rule.deny),
			config_said_prefix(config, "deny", rule.deny));
	if (rule.allow && (said = config_said_prefix(config, "allow", rule.allow)))
		return tell(explain, "rule", str_printf("allow = %s", rule.allow), said);
	if (rule.allow)
		return tell(explain, "rule", str_printf("the section of %s", rule.allow),
			said_of_section(config, rule.allow));
	if (str_equal(explain->uri->scheme, "file") &&
		(!explain->trusted || explain->request->through_mount))
		return tell(explain, "rule",
			str_copy("open below the folders that 'file' in [policy] names"),
			config_said_last(config, "policy", "file"));
	if (explain->trusted)
		return tell(explain, "rule", str_copy("asked by the owner of the cache"), NULL);
	if (policy_is_open(explain->uri->scheme))
		return tell(explain, "rule",
			str_copy(config->private_allowed
					 ? "open to everybody, at all addresses but metadata"
					 : "open to everybody, at public addresses"),
			config->private_allowed ? config_said_last(config, "policy", "private")
						: NULL);
	return tell(explain, "rule", str_copy("open to the owner of the cache only"), NULL);
}

static int tell_scope(const struct explain *explain)
{
	const struct decision *decision = &explain->decision;
	const struct origin *origin = decision->origin;

	if (!*decision->scope)
		return tell(explain, "visible", str_copy("to everybody"), NULL);
	if (decision->own_credentials)
		return tell(explain, "visible", str_copy("to who knows the user and the password"),
			NULL);
	if (origin && !decision->secret_query)
		return tell(explain, "visible",
			str_printf("to the users of [%s \"%s\"]", config_section_of(origin),
				origin->prefix),
			said_of_section(explain->config, origin->prefix));
	return tell(explain, "visible",
		str_printf("to user %u%s", (unsigned int)decision->uid,
			decision->secret_query ? ": a query may be a secret" : ""),
		NULL);
}

static int tell_credentials(const struct explain *explain)
{
	const struct decision *decision = &explain->decision;
	const char *whose = "none";

	if (decision->own_credentials)
		whose = "those of the URI";
	else if (decision->ambient)
		whose = "what this user's environment has";
	else if (decision->origin && config_has_credentials(decision->origin))
		whose = "those of the section";
	return tell(explain, "credentials", str_copy(whose), NULL);
}

/* What was said in the section of the URI, each with its line. */
static int tell_section(const struct explain *explain)
{
	const struct config *config = explain->config;
	const struct origin *origin = config_origin(config, explain->uri->text);
	int r = 0;

	if (!origin)
		return 0;
	r = tell(explain, "section",
		str_printf("[%s \"%s\"]", config_section_of(origin), origin->prefix),
		said_of_section(config, origin->prefix));
	for (size_t i = 0; r == 0 && i < config->said_count; i++)
		if (str_equal(config->said[i].prefix, origin->prefix))
			r = tell(explain, config->said[i].key, strdup(config->said[i].value),
				&config->said[i]);
	return r;
}

static int tell_all(const struct explain *explain, const struct err *why)
{
	int r = tell(explain, "uri", uri_display(explain->uri), NULL);

	if (r == 0)
		r = tell(
			explain, "policy", str_copy(explain->allowed ? "allowed" : why->msg), NULL);
	if (r == 0)
		r = tell_rule(explain);
	if (r == 0 && explain->allowed)
		r = tell_scope(explain);
	if (r == 0 && explain->allowed)
		r = tell_credentials(explain);
	return r == 0 ? tell_section(explain) : r;
}

int fetchfs_config_explain(const struct fetchfs_options *options,
	const struct fetchfs_request *request, fetchfs_visit_setting *visit, void *arg,
	struct err *err)
{
	static const uint8_t no_secret[DIGEST_SIZE]; /* the scope itself is not shown */
	CLEANUP(config_release) struct config config = {0};
	CLEANUP(uri_release) struct uri uri = {0};
	struct explain explain = {
		.config = &config,
		.request = request,
		.uri = &uri,
		.trusted = request->uid == geteuid(),
		.visit = visit,
		.arg = arg,
		.err = err,
	};
	struct err why = ERR_INIT;
	int r = uri_of_text(request->uri, &uri, err);

	if (r == 0)
		r = config_load(options->config, options->environment, options->config_lenient,
			&config, err);
	if (r < 0)
		return r;
	r = policy_decide(&config, &uri, request->uid, geteuid(), request->through_mount, no_secret,
		&explain.decision, &why);
	if (r < 0 && why.kind != ERR_POLICY) {
		*err = why;
		return r;
	}
	explain.allowed = r == 0;
	return tell_all(&explain, &why);
}
