/*
 * One request over libcurl, of which nothing is seen here.
 *
 * A single thread runs one CURLM, so that connections and HTTP/2 streams are shared between all
 * callers. The body goes from that thread to the calling thread through a bounded buffer; when the
 * caller (disk, hashing) is slower than the network, the connection is paused. Everything that
 * calls back does so on the calling thread, apart from on_ready and the guard, which must be
 * thread-safe.
 *
 * With FTP servers each thread speaks for itself (lines.h); for transfer_run() that makes no
 * difference, and transfer_start() is not for them.
 *
 * Redirects are not followed here (http.c does, asking the guard for each hop). Proxy variables,
 * ~/.netrc, cookies and content decoding are off. Curl codes become errors here.
 */
#ifndef FETCHFS_BACKENDS_TRANSFER_H
#define FETCHFS_BACKENDS_TRANSFER_H

#include "backends/backend.h"
#include "backends/headers.h"

struct transfers;

/* @connections and @per_host bound the connections open at the same time. */
int transfers_new(
	unsigned int connections, unsigned int per_host, struct transfers **ret, struct err *err);

/* Load libcurl and start its thread, as the first request does otherwise. Any thread. */
int transfers_awake(struct transfers *transfers, struct err *err);
void transfers_free(struct transfers *transfers);

struct transfer; /* one request in flight, seen from its callbacks */

/* What is asked of an FTP server. */
enum transfer_ftp {
	TRANSFER_FILE,
	TRANSFER_ENTER, /* whether the path, which ends in a slash, is a folder; with no_body */
	TRANSFER_LIST,  /* what is in it, as ftp_list.h reads it */
};

struct transfer_request {
	const struct uri *uri;      /* with user and password, if it has them */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL (HTTP) */
	bool own_connection;        /* HTTP/1.1, which shares none */
	bool no_body;               /* HEAD; for ftp: size and time only */
	const char *method;         /* NULL: GET, or as no_body says (HTTP) */
	const char *form;           /* the body of a POST, or NULL (HTTP) */
	uint64_t offset;            /* ftp: REST. HTTP sends a Range header of its own making */
	uint64_t length;
	const struct backend_env *env; /* limits and CA */
	const struct guard *guard;
	const char *proxy;           /* see struct backend_request */
	const struct access *access; /* or NULL; sent only if the URI is below its prefix */
	const char *without_tls;     /* or NULL: what to do if the server speaks no TLS */

	enum transfer_ftp ftp; /* these are for ftp and ftps only */
	bool ftp_active;       /* the server connects to us for the data */
	bool ftp_tls;          /* AUTH TLS, for commands and data, or nothing (ftp) */
	bool *ret_queued;      /* or NULL: before on_poll, whether it waits for its turn */

	/* All on the calling thread; @arg is handed through. poll as in struct sink. */
	int (*on_answer)(
		struct transfer *transfer, void *arg, struct err *err); /* headers are in */
	int (*on_body)(const void *buf, size_t len, void *arg, struct err *err);
	int (*on_poll)(void *arg, struct err *err);
	void *arg;

	/* For transfer_start(), or NULL: once, on the curl thread, which it must not keep. */
	void (*on_ready)(void *arg, bool whole);
	void *ready_arg;
	/* Likewise, or NULL: asked while the request waits for its turn. Not 0: it is ready. */
	int (*on_queued)(void *arg, struct err *err);
	void *queued_arg;
};

/*
 * Run the request and wait for its end. An HTTP status of 4xx or 5xx is no error here: look at
 * transfer_status() in on_answer. on_answer is called once, before the body and also without one.
 */
int transfer_run(
	struct transfers *transfers, const struct transfer_request *request, struct err *err);

/*
 * The two parts of it, for who has no thread to wait with: transfer_start() sends the request,
 * which must live until transfer_finish() has done the rest: once on_ready was called, and waiting
 * for nothing if that said @whole. It is called at the latest TRANSFER_READY_MS after the request
 * had its turn, however silent the server is, and at once after transfers_hurry().
 */
#define TRANSFER_READY_MS 100
int transfer_start(struct transfers *transfers, const struct transfer_request *request,
	struct transfer **ret, struct err *err);
int transfer_finish(struct transfer *transfer, struct err *err);
void transfers_hurry(struct transfers *transfers);

long transfer_status(const struct transfer *transfer); /* 200, 226 …; 0: none */

/* Content-Length (ftp: of what is to come), or SIZE_UNKNOWN. */
int64_t transfer_length(const struct transfer *transfer);

struct ftp_talk;
/* What was said to the FTP server, and by it. */
const struct ftp_talk *transfer_talk(const struct transfer *transfer);

/* The last header @name of the final answer, without surrounding blanks, or NULL. Valid in
 * on_answer. */
const char *transfer_header(const struct transfer *transfer, const char *name);
const struct headers *transfer_headers(const struct transfer *transfer); /* all; likewise */

/* The time of the file (Last-Modified, MDTM) in seconds since 1970, or TIME_UNKNOWN. */
int64_t transfer_filetime(const struct transfer *transfer);

/* Whether an HTTP proxy is to speak ftp for us: the answers are then those of HTTP. */
bool transfer_is_proxied_ftp(const struct uri *uri, const char *proxy);

/* See struct sink. Valid from transfer_start() on. */
bool transfer_is_queued(const struct transfer *transfer);

/* See struct sink. Valid in on_answer, and later on its thread. */
uint64_t transfer_window(const struct transfer *transfer);
int64_t transfer_behind_ms(const struct transfer *transfer);

/* No more than the first @bytes of the body will be taken; 0: all. May be said again and again, on
 * the calling thread. It slows nothing down: it spares what would be sent in vain. */
void transfer_want(struct transfer *transfer, uint64_t bytes);

/* A date as headers write it (RFC 9110, 5.6.7), in seconds since 1970, or TIME_UNKNOWN. */
int64_t transfer_date(const char *text);

#endif
