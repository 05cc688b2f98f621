#include "fetch/routes.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "fetch/credentials_oci.h"
#include "fetch/credentials_s3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct route *route_ref(struct route *route)
{
	atomic_fetch_add(&route->refs, 1);
	return route;
}

void route_unref(struct route *route)
{
	if (!route || atomic_fetch_sub(&route->refs, 1) > 1)
		return;
	uri_release(&route->uri);
	free(route->proxy);
	free(route->host);
	free(route);
}

bool route_same_place(const struct route *a, const struct route *b)
{
	return str_equal(a->uri.text, b->uri.text);
}

/* ---- which places there are ---- */

static const struct origin *section_of(const struct routes *routes)
{
	return config_origin(&routes->fetchfs->config, routes->target->uri.text);
}

void routes_init(struct routes *routes, struct fetchfs *fetchfs, const struct target *target)
{
	const struct origin *origin;

	/* who wants to know does not mean what a cache on the way remembers */
	*routes =
		(struct routes){.fetchfs = fetchfs, .target = target, .no_cache = target->refresh};
	/* a query that is a secret is told to nobody but the origin */
	origin = target->decision.secret_query ? NULL : section_of(routes);
	for (size_t i = 0; origin && i < origin->mirrors.count && i < ROUTES_PLACES - 1; i++)
		routes->places[routes->place_count++].mirror = origin->mirrors.items[i];
	routes->places[routes->place_count++].mirror = NULL;
}

static void forget_current(struct routes *routes)
{
	route_unref(routes->current);
	routes->current = NULL;
}

void routes_release(struct routes *routes)
{
	forget_current(routes);
	proxies_release(&routes->proxies);
}

/* "https://host:port", of a URI. NULL: out of memory. */
static char *host_name(const struct uri *uri)
{
	return str_printf("%s://%s%s%s", uri->scheme, uri->host, uri->port ? ":" : "",
		uri->port ? uri->port : "");
}

/* The same of the prefix of a mirror, which is canonical. */
static char *mirror_name(const char *prefix)
{
	const char *host = strstr(prefix, "://");
	size_t len = host ? (size_t)(host - prefix) + 3 : 0;

	return str_printf("%.*s", (int)(len + strcspn(prefix + len, "/")), prefix);
}

/* How welcome a place is: out < slow < fast < not measured; the origin only when it must be. */
static uint64_t merit(const struct routes *routes, const struct place *place, bool fastest)
{
	struct health *health = routes->fetchfs->health;
	uint64_t merit = 2;
	uint64_t rate;
	char *name;

	if (!place->mirror)
		return 2;
	name = mirror_name(place->mirror);
	if (!name)
		return 0;
	rate = fastest ? health_rate(health, name) : 0;
	if (health_is_out(health, name, clock_monotonic_ms()))
		merit = 1;
	else
		merit = rate ? 2 + rate : UINT64_MAX;
	free(name);
	return merit;
}

/* The best place that has not failed; false: all have. */
static bool choose_place(struct routes *routes)
{
	const struct origin *origin = section_of(routes);
	uint64_t best = 0;

	for (size_t i = 0; i < routes->place_count; i++) {
		const struct place *place = &routes->places[i];
		uint64_t merits;

		if (place->failed || place->useless || place->differs)
			continue;
		merits = merit(routes, place, origin && origin->fastest);
		if (merits > best) {
			best = merits;
			routes->place = i;
		}
	}
	return best > 0;
}

/* ---- how to get there ---- */

static int place_uri(const struct routes *routes, struct uri *ret, struct err *err)
{
	const struct uri *uri = &routes->target->uri;
	const char *mirror = routes->places[routes->place].mirror;
	char *text;
	int r;

	if (!mirror)
		return uri_copy(uri, ret, err);
	/* without userinfo, which is for the origin alone */
	text = str_printf("%s%s", mirror, uri->text + strlen(section_of(routes)->prefix));
	r = text ? uri_parse(text, ret, err) : err_oom(err);
	free(text);
	return r;
}

static int find_proxies(struct routes *routes, const struct uri *uri, struct err *err)
{
	const struct fetchfs *fetchfs = routes->fetchfs;
	const struct origin *origin = config_origin(&fetchfs->config, uri->text);
	const char *section = config_section_for(&fetchfs->config, uri);
	const char *text = origin && origin->proxy ? origin->proxy : fetchfs->config.proxy;
	char **environment = text || !fetchfs->daemon ? fetchfs->proxy_environment : NULL;
	CLEANUP(uri_release) struct uri where = {0};
	int r = 0;

	/* a cluster of Hadoop is reached directly, if its section does not say otherwise; and its
	 * client has a configuration of its own */
	if (str_equal(section, "hdfs") || str_equal(section, "hadoop")) {
		text = origin && origin->proxy ? origin->proxy : "direct";
	} else if (str_equal(section, "s3")) {
		r = credentials_s3_where(&fetchfs->config, uri, &where, err);
		uri = &where;
	} else if (str_equal(section, "oci")) {
		r = credentials_oci_where(&fetchfs->config, uri, &where, err);
		uri = &where;
	}
	if (r < 0)
		return r;
	proxies_release(&routes->proxies);
	memset(routes->proxy_failed, 0, sizeof(routes->proxy_failed));
	return proxies_for(
		text, (const char *const *)environment, uri, fetchfs->turn, &routes->proxies, err);
}

/* The first proxy that has not failed, and is not out if that can be had; false: all have failed.
 */
static bool choose_proxy(struct routes *routes)
{
	int64_t now = clock_monotonic_ms();
	bool found = false;

	for (size_t i = 0; i < routes->proxies.count; i++) {
		if (routes->proxy_failed[i])
			continue;
		if (!health_is_out(routes->fetchfs->health, routes->proxies.items[i], now)) {
			routes->proxy = i;
			return true;
		}
		if (!found)
			routes->proxy = i;
		found = true;
	}
	return found;
}

static int make_route(struct routes *routes, struct err *err)
{
	const struct place *place = &routes->places[routes->place];
	struct route *route = calloc(1, sizeof(*route));
	const char *proxy;
	int r;

	if (!route)
		return err_oom(err);
	atomic_init(&route->refs, 1);
	r = place_uri(routes, &route->uri, err);
	if (r == 0 && routes->proxies.count == 0)
		r = find_proxies(routes, &route->uri, err);
	if (r == 0) {
		route->backend = registry_find(routes->fetchfs->backends, route->uri.scheme, err);
		r = route->backend ? 0 : -EPROTONOSUPPORT;
	}
	if (r < 0) {
		route_unref(route);
		return r;
	}
	choose_proxy(routes);
	proxy = routes->proxies.items[routes->proxy];
	route->proxy = *proxy ? str_copy(proxy) : NULL;
	route->host = host_name(&route->uri);
	route->is_mirror = place->mirror != NULL;
	route->no_cache = routes->no_cache;
	if (!route->host || (*proxy && !route->proxy)) {
		route_unref(route);
		return err_oom(err);
	}
	routes->current = route;
	return 0;
}

int routes_current(struct routes *routes, struct route **ret, struct err *err)
{
	/* a mirror that makes no sense is one that does not work */
	while (!routes->current) {
		struct err why = ERR_INIT;

		if (!choose_place(routes)) {
			for (size_t i = 0; i < routes->place_count; i++)
				routes->places[i].failed = false;
			if (!choose_place(routes))
				return err_set(err, ERR_REMOTE, ENOENT, "no mirror has it");
		}
		if (make_route(routes, &why) == 0)
			break;
		if (why.code == ENOMEM || !routes->places[routes->place].mirror) {
			if (err)
				*err = why;
			return -why.code;
		}
		routes->places[routes->place].useless = true;
		proxies_release(&routes->proxies);
	}
	*ret = routes->current;
	return 0;
}

void route_fill(
	const struct fetchfs *fetchfs, const struct route *route, struct backend_request *request)
{
	const struct origin *origin = config_origin(&fetchfs->config, route->uri.text);

	request->uri = &route->uri;
	request->proxy = route->proxy;
	request->no_cache = route->no_cache;
	request->ftp_active = origin && origin->ftp_active;
	request->ftp_tls = origin && origin->ftp_tls;
}

int route_ask(struct fetchfs *fetchfs, const struct target *target, const struct route *route,
	int (*poll)(void *arg, struct err *err), void *poll_arg, route_question *question,
	void *arg, struct err *err)
{
	CLEANUP(credentials_release) struct credentials credentials = CREDENTIALS_INIT;
	struct backend_request request = {
		.guard = &target->decision.guard,
		.user = target_user(target),
		.poll = poll,
		.poll_arg = poll_arg,
	};
	int r = credentials_load(
		&fetchfs->config, &target->decision, &route->uri, &credentials, err);

	if (r < 0)
		return r;
	route_fill(fetchfs, route, &request);
	request.access = credentials_access(&credentials);
	return question(route->backend, fetchfs->env, &request, arg, err);
}

int route_stat(const struct backend *backend, const struct backend_env *env,
	const struct backend_request *request, void *arg, struct err *err)
{
	return backend->stat(env, request, arg, err);
}

/* ---- what went wrong, and whose fault it is ---- */

static bool is_proxys_fault(const struct routes *routes, const struct err *err)
{
	/* a connection that breaks in the middle breaks between the proxy and us */
	return routes->current->proxy && (err->kind == ERR_PROXY || err->kind == ERR_NETWORK);
}

/* Another proxy of the same place, if one is left. */
static bool next_proxy(struct routes *routes, const struct err *err)
{
	if (err->kind == ERR_PROXY)
		health_failed(routes->fetchfs->health, routes->current->proxy, clock_monotonic_ms(),
			err->retry_after);
	routes->proxy_failed[routes->proxy] = true;
	forget_current(routes);
	return choose_proxy(routes);
}

static bool next_place(struct routes *routes, const struct err *err)
{
	struct place *place = &routes->places[routes->place];
	char *name = place->mirror ? mirror_name(place->mirror) : NULL;

	if (err->code == ESTALE) {
		place->differs = true;
	} else if (err->retry) {
		if (name)
			health_failed(routes->fetchfs->health, name, clock_monotonic_ms(),
				err->retry_after);
		place->failed = true;
	} else {
		place->useless = place->mirror != NULL;
		place->failed = true;
	}
	free(name);
	forget_current(routes);
	proxies_release(&routes->proxies);
	return choose_place(routes);
}

/* Of what is left out nobody hears otherwise, as long as something else works. */
static void log_failure(const struct routes *routes, const struct err *err)
{
	CLEANUP(str_freep) char *shown = uri_display(&routes->current->uri);

	if (routes->current->proxy)
		log_debug("%s by proxy %zu of %zu: %s", shown ? shown : "?", routes->proxy + 1,
			routes->proxies.count, err->msg);
	else
		log_debug("%s: %s", shown ? shown : "?", err->msg);
}

bool routes_failed(struct routes *routes, const struct err *err)
{
	bool is_mirror = routes->places[routes->place].mirror != NULL;

	if (!routes->current || err->kind == ERR_CANCELLED || err->kind == ERR_SYSTEM ||
		err->kind == ERR_SPACE)
		return false;
	log_failure(routes, err);
	if (is_proxys_fault(routes, err) && next_proxy(routes, err))
		return true;
	/* the origin has the last word on what there is */
	if (!is_mirror && !err->retry && err->code != ESTALE)
		return false;
	return next_place(routes, err);
}

bool routes_are_left(const struct routes *routes)
{
	for (size_t i = 0; i < routes->place_count; i++)
		if (!routes->places[i].useless && !routes->places[i].differs)
			return true;
	return false;
}

bool routes_differ(const struct routes *routes)
{
	for (size_t i = 0; i < routes->place_count; i++)
		if (routes->places[i].differs)
			return true;
	return false;
}

void routes_afresh(struct routes *routes, bool changed)
{
	for (size_t i = 0; i < routes->place_count; i++)
		routes->places[i].differs = false;
	routes->no_cache = routes->no_cache || changed;
	forget_current(routes);
}

bool routes_corrupt(struct routes *routes, const struct err *err)
{
	struct place *place = &routes->places[routes->place];
	char *name;

	if (!routes->current)
		return false;
	log_failure(routes, err);
	/* through a proxy it may have been the proxy: the same place gets another chance */
	place->useless = place->mirror && (!routes->current->proxy || routes->no_cache);
	/* what else it has is not asked for first, for a while */
	name = place->useless ? mirror_name(place->mirror) : NULL;
	if (name)
		health_failed(routes->fetchfs->health, name, clock_monotonic_ms(), 0);
	free(name);
	routes->no_cache = true;
	forget_current(routes);
	proxies_release(&routes->proxies);
	return place->useless;
}
