/*
 * The ways to an artifact: its mirrors and its origin, each through a proxy or directly; and which
 * of them to take now.
 *
 * A download tries one way after the other: mirrors as listed or the fastest first, the origin
 * last, each through its proxies in their order; who failed lately (health.h) comes after all who
 * did not. A failure is put down to whom it belongs to, the proxy, or the place behind it, and
 * only that is left out. When every way has failed the round is over: the caller waits, or gives
 * up, and the next round begins with all ways but those that can never work.
 *
 * For one thread at a time; routes themselves are shared by counting references.
 */
#ifndef FETCHFS_FETCH_ROUTES_H
#define FETCHFS_FETCH_ROUTES_H

#include "fetch/config.h"
#include "fetch/health.h"
#include "fetch/proxies.h"
#include "fetch/target.h"

#include <stdatomic.h>

#define ROUTES_PLACES (1 + CONFIG_MIRRORS_MAX) /* the origin, and mirrors */

/* One way; immutable. */
struct route {
	atomic_uint refs;
	const struct backend *backend;
	struct uri uri; /* what to ask for there */
	char *proxy;    /* or NULL: directly */
	char *host;     /* its name in health.h */
	bool is_mirror;
	bool no_cache; /* the copy that a cache on the way had was bad */
};

struct route *route_ref(struct route *route);
void route_unref(struct route *route);

/* Whether both lead to the same place, by whatever proxy. */
bool route_same_place(const struct route *a, const struct route *b);

struct place {
	const char *mirror; /* the configuration's prefix; NULL: the origin itself */
	bool failed;        /* in this round */
	bool useless;       /* in all rounds: it lacks the file */
	bool differs;       /* it has another version than the one that was begun */
};

struct routes {
	struct fetchfs *fetchfs;
	const struct target *target;
	struct place places[ROUTES_PLACES];
	size_t place_count;
	size_t place;           /* the current one */
	struct proxies proxies; /* of the current place */
	bool proxy_failed[PROXIES_MAX];
	size_t proxy;
	bool no_cache;
	struct route *current; /* NULL: to be chosen */
};

/* @target must live longer. For routes_release(). */
void routes_init(struct routes *routes, struct fetchfs *fetchfs, const struct target *target);
void routes_release(struct routes *routes);

/* The way to take now, still the routes'. It stays the same until something fails. */
int routes_current(struct routes *routes, struct route **ret, struct err *err);

/*
 * @err happened on the current way. true: another one is left; try it at once. false: that was the
 * last one of the round, and @err is what to report.
 */
bool routes_failed(struct routes *routes, const struct err *err);

/* What the place, the way there and the configuration of the place say about a request. */
void route_fill(
	const struct fetchfs *fetchfs, const struct route *route, struct backend_request *request);

/* A question to a backend, whose answer goes to @arg. */
typedef int route_question(const struct backend *backend, const struct backend_env *env,
	const struct backend_request *request, void *arg, struct err *err);

/* Ask it by @route; @poll as in struct backend_request. */
int route_ask(struct fetchfs *fetchfs, const struct target *target, const struct route *route,
	int (*poll)(void *arg, struct err *err), void *poll_arg, route_question *question,
	void *arg, struct err *err);

/* What the artifact is, without its body: @arg is a struct remote. */
int route_stat(const struct backend *backend, const struct backend_env *env,
	const struct backend_request *request, void *arg, struct err *err);

/* Whether another round may bring more of the version that was begun: a place is left that is not
 * known to lack it. */
bool routes_are_left(const struct routes *routes);

/* Whether a place has another version. */
bool routes_differ(const struct routes *routes);

/*
 * What was begun is given up: whoever has another version is asked again. @changed: because there
 * is another one, which some caches on the way may not know of yet.
 */
void routes_afresh(struct routes *routes, bool changed);

/*
 * The bytes that came were not the right ones, as @err says, though nobody noticed on the way:
 * caches are told to ask again, and a mirror that brought them itself is left out, here, and for a
 * while by whoever comes later. true: by that a way is ruled out, and others are left.
 */
bool routes_corrupt(struct routes *routes, const struct err *err);

#endif
