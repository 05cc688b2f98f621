/* One file asked for over HTTP, over all its hops; the inside of http.c. */
#ifndef FETCHFS_BACKENDS_HTTP_EXCHANGE_H
#define FETCHFS_BACKENDS_HTTP_EXCHANGE_H

#include "backends/http.h"
#include "backends/question.h"

struct exchange {
	const struct backend_env *env;
	const struct backend_request *request;
	struct http_dialect *dialect; /* or NULL */
	bool head;
	struct sink *sink; /* NULL: HEAD, or not here yet */

	const struct uri *at; /* of this hop: the request's, or @target */
	struct uri target;    /* of the last redirect */
	char *location;       /* of the next one */
	char *headers[QUESTION_HEADERS];
	char *more_headers[HTTP_DIALECT_HEADERS]; /* the dialect's */
	const char *lines[QUESTION_HEADERS + HTTP_DIALECT_HEADERS + 1];
	struct transfer_request hop;
	struct transfer *asked; /* by begin_hop(), to be finished; NULL: none */

	struct transfer *transfer; /* of this hop, once it has answered */
	struct remote remote;      /* once the last hop has answered */
	bool streaming;            /* the body is what was asked for */
	bool enough;               /* all of it is here, though the server sends more */
	int64_t promised;          /* bytes, or -1 */
	uint64_t received;
	uint64_t drained;
	bool stopped;       /* whoever asked wants it no more */
	struct err verdict; /* what the answer means, kept until its body is drained */
	char *said;         /* the body of a refusal, for the dialect; with a NUL at its end */
	size_t said_len;
	long status; /* of this hop */
};

/* What the answer means, whose headers are in: @remote, @promised and @streaming, or -errno. */
int http_judge(struct exchange *exchange, struct transfer *transfer, struct err *err);

#endif
