/*
 * One connection to an FTP server: lines.c says who may use it, line.c runs a request over it.
 */
#ifndef FETCHFS_BACKENDS_LINES_PRIVATE_H
#define FETCHFS_BACKENDS_LINES_PRIVATE_H

#include "backends/sockets.h"
#include "backends/transfer.h"

struct line {
	void *multi; /* CURLM, with at most this connection */
	void *easy;  /* CURL; it remembers the TLS session, which data connections have to share */
	struct sockets sockets;
	char *host;
	char *key;     /* host and all that logs in: a secret */
	bool no_facts; /* the server knows no MLSD */

	/* guarded by the lines' mutex */
	struct line *next;
	bool busy;
	int64_t idle_since;
};

/* @host and @key are copied. */
int line_new(const char *host, const char *key, struct line **ret, struct err *err);

/* Waits for no answer. */
void line_free(struct line *line);

/* Nothing has come over the connection that nobody asked for, such as its end. */
bool line_is_quiet(const struct line *line);

/* Run the request, over a new connection if need be. */
int line_run(struct line *line, const struct transfer_request *request, struct err *err);

#endif
