/*
 * HTTP for the backends whose protocols ride on it: whole files and parts, conditions, redirects
 * and broken bodies are http.c's, and what such a protocol does otherwise is a dialect.
 *
 * The request has the http(s) URI to ask. Its access, headers and user, are sent as to any server:
 * a dialect that has credentials of its own keeps them to itself and makes headers of them, for
 * each place that is asked anew.
 */
#ifndef FETCHFS_BACKENDS_HTTP_H
#define FETCHFS_BACKENDS_HTTP_H

#include "backends/backend.h"
#include "backends/transfer.h"

#define HTTP_DIALECT_HEADERS 8
#define HTTP_REFUSAL_MAX                                                                           \
	((size_t)16 * 1024) /* of a refusal's body, what more there is is dropped */

/* All on the calling thread (but headers() of the first request: on that of http_begin()). NULL: as
 * HTTP has it. Lives for as long as the request. */
struct http_dialect {
	const char *method; /* instead of GET */
	const char *form;   /* sent by POST (application/x-www-form-urlencoded); or NULL */
	bool no_pages;      /* what is text/html is a file as any, and never stands for a folder */
	const char *without_tls; /* what to do if who is asked first speaks no TLS; or NULL */

	/*
	 * The lines that a request to @at has beside the usual ones, from malloc(), into @ret,
	 * which is all NULL. Asked for each redirect, too: who @at is decides what it may be told.
	 */
	int (*headers)(struct http_dialect *dialect, const struct uri *at, bool head,
		char *ret[HTTP_DIALECT_HEADERS], struct err *err);

	/*
	 * An answer that is neither a success nor "unchanged": who is to be asked instead, as a
	 * Location would say it, from malloc(); NULL in *ret: it is judged as any.
	 */
	int (*moved)(struct http_dialect *dialect, const struct transfer *transfer,
		const struct uri *at, char **ret, struct err *err);

	/*
	 * What a 200 is that means something else than the whole file: facts of it, and how many
	 * bytes come, -1: nobody knows. Then the URI says which part of which version is wanted,
	 * and no header does. *ret is what the headers say.
	 */
	int (*judge)(struct http_dialect *dialect, const struct transfer *transfer,
		struct remote *ret, int64_t *ret_promised, struct err *err);

	/* What else the answer says that brings the whole: adds to @remote. */
	void (*answered)(struct http_dialect *dialect, const struct transfer *transfer,
		struct remote *remote);

	/*
	 * Likewise of each success, be it a part or an answer to HEAD, before anybody is told:
	 * what is known better replaces what the answer says. -errno: it is not what was asked for.
	 */
	int (*told)(struct http_dialect *dialect, const struct transfer *transfer,
		struct remote *remote, struct err *err);

	/* What a refusal, which @err has as its status says it, means by its @body (a text, "" if
	 * there is none). -errno. */
	int (*refused)(
		struct http_dialect *dialect, long status, const char *body, struct err *err);
};

/* As struct backend has them; @dialect: NULL: none. */
int http_stat(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct remote *ret, struct err *err);
int http_fetch(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct sink *sink, struct err *err);

struct http_call;

/* @request and @dialect must live until http_finish() has returned. */
int http_begin(const struct backend_env *env, const struct backend_request *request,
	struct http_dialect *dialect, struct http_call **ret, struct err *err);
int http_finish(struct http_call *call, struct sink *sink, struct err *err);

#endif
