/*
 * rawserver: an HTTP origin that breaks the protocol, which originserver's library does not let it.
 *
 *	rawserver --port-file FILE --root DIR [--log FILE] [--cert FILE --key FILE]
 *
 * Plain HTTP and TLS on one free port of 127.0.0.1; one request a connection, unless it is told to
 * keep it. It ends on SIGTERM.
 * The path of a request is a chain of behaviours, see rawscript.h, and then the name of a file
 * below the root; what is answered well is 200, 206, 304, 404 and 412, with a strong ETag.
 *
 * Log and "/.stats" are originserver's.
 */
#include "tests/support/rawconn.h"
#include "tests/support/rawscript.h"
#include "tests/support/tally.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define REQUEST_MAX 65536
#define PATH_SIZE   4096
#define BLOCK_SIZE  ((size_t)64 * 1024)

struct server {
	int root;
	FILE *log;
	SSL_CTX *tls;
	struct tally tally;
};

/* One connection and its request. */
struct answer {
	struct server *server;
	struct rawconn conn;
	unsigned int number;
	bool again; /* not the first request of its connection */
	char request[REQUEST_MAX];
	char method[16];
	char path[PATH_SIZE];
	char range[64];
	unsigned int status;
	uint64_t sent;
	struct rawscript script;

	int fd;
	uint64_t size; /* of the file */
	uint64_t first;
	uint64_t length;
};

/* ---- the answer ---- */

static bool find_header(const struct answer *answer, const char *name, char *ret, size_t size)
{
	const char *line = answer->request;
	size_t len = strlen(name);

	while ((line = strstr(line, "\r\n"))) {
		line += 2;
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			line += len + 1;
			line += strspn(line, " ");
			snprintf(ret, size, "%.*s", (int)strcspn(line, "\r"), line);
			return true;
		}
	}
	return false;
}

/* 200, 206, 304, 404 or 412. */
static unsigned int find_file(struct answer *answer, const char *path, char etag[64])
{
	char text[RAWSCRIPT_LINE];
	struct stat st;
	uint64_t last;

	answer->fd = openat(answer->server->root, path + (*path == '/'), O_RDONLY | O_CLOEXEC);
	if (answer->fd < 0 || fstat(answer->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 404;
	snprintf(etag, 64, "\"%lx.%lx\"", (unsigned long)st.st_mtim.tv_sec,
		(unsigned long)st.st_mtim.tv_nsec);
	answer->size = (uint64_t)st.st_size;
	answer->length = answer->size;
	last = answer->size - 1;
	if (find_header(answer, "If-Match", text, sizeof(text)) && strcmp(text, etag) != 0)
		return 412;
	if (find_header(answer, "If-None-Match", text, sizeof(text)) && strcmp(text, etag) == 0)
		return 304;
	if (sscanf(answer->range, "bytes=%" SCNu64 "-%" SCNu64, &answer->first, &last) < 1 ||
		answer->first >= answer->size)
		return 200;
	if (last >= answer->size)
		last = answer->size - 1;
	answer->length = last - answer->first + 1;
	return 206;
}

static void put_length(const struct answer *answer, FILE *head)
{
	if (answer->script.framing == FRAMING_CHUNKED)
		fprintf(head, "Transfer-Encoding: chunked\r\n");
	else if (answer->script.framing == FRAMING_LENGTH && answer->script.length_text[0])
		fprintf(head, "Content-Length: %s\r\n", answer->script.length_text);
	else if (answer->script.framing == FRAMING_LENGTH)
		fprintf(head, "Content-Length: %" PRId64 "\r\n",
			(int64_t)answer->length + answer->script.lie);
}

static void put_head(const struct answer *answer, const char *etag, FILE *head)
{
	for (unsigned int i = 0; i < answer->script.interim; i++)
		fprintf(head, "HTTP/1.1 103 Early Hints\r\nLink: </%u>\r\n\r\n", i);
	if (answer->script.status_line[0])
		fprintf(head, "%s\r\n", answer->script.status_line);
	else
		fprintf(head, "HTTP/1.1 %u Raw\r\n", answer->status);
	if (!answer->script.keep)
		fprintf(head, "Connection: close\r\n");
	fprintf(head, "Accept-Ranges: bytes\r\n");
	if (etag[0])
		fprintf(head, "ETag: %s\r\n", etag);
	if (answer->status == 206)
		fprintf(head, "Content-Range: bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64 "\r\n",
			answer->first, answer->first + answer->length - 1, answer->size);
	put_length(answer, head);
	for (unsigned int i = 0; i < answer->script.many; i++)
		fprintf(head, "X-Many-%u: %u\r\n", i, i);
	if (answer->script.pad)
		fprintf(head, "X-Pad: %0*d\r\n", (int)answer->script.pad, 0);
	if (answer->script.line_len) {
		fwrite(answer->script.line, 1, answer->script.line_len, head);
		fputs("\r\n", head);
	}
	fputs("\r\n", head);
}

static void send_head(struct answer *answer, const char *etag)
{
	char *text = NULL;
	size_t len = 0;
	FILE *head = open_memstream(&text, &len);

	if (!head)
		abort();
	put_head(answer, etag, head);
	fclose(head);
	if (answer->script.head_max && answer->script.head_max < len) {
		rawconn_send(&answer->conn, text, (size_t)answer->script.head_max);
		rawconn_wait(&answer->conn);
		answer->conn.broken = true;
	}
	rawconn_send(&answer->conn, text, len);
	free(text);
}

static void send_block(struct answer *answer, const char *buf, size_t len)
{
	char size[32];

	if (answer->script.framing == FRAMING_CHUNKED) {
		snprintf(size, sizeof(size), "%zx\r\n", len);
		rawconn_send(&answer->conn, size, strlen(size));
	}
	if (rawconn_send(&answer->conn, buf, len))
		answer->sent += tally_take(&answer->server->tally, len);
	if (answer->script.framing == FRAMING_CHUNKED)
		rawconn_send(&answer->conn, "\r\n", 2);
}

/* False when it broke off. */
static bool send_body(struct answer *answer)
{
	uint64_t end =
		answer->script.stop_at < answer->length ? answer->script.stop_at : answer->length;
	char buf[BLOCK_SIZE];

	for (uint64_t at = 0; at < end && !answer->conn.broken;) {
		size_t len = end - at < sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		ssize_t n = pread(answer->fd, buf, len, (off_t)(answer->first + at));

		if (n <= 0)
			return false;
		send_block(answer, buf, (size_t)n);
		at += (uint64_t)n;
	}
	if (answer->script.stop_at < answer->length && answer->script.bad_size)
		rawconn_send(
			&answer->conn, answer->script.bad_size, strlen(answer->script.bad_size));
	return answer->script.stop_at >= answer->length && !answer->conn.broken;
}

static void send_garbage(struct answer *answer)
{
	char buf[4096];

	for (size_t at = 0; at < sizeof(buf); at += 256)
		if (getrandom(buf + at, 256, 0) < 0)
			abort();
	buf[0] = (char)0xff; /* not "HTTP" by chance */
	rawconn_send(&answer->conn, buf, sizeof(buf));
}

static void send_stats(struct answer *answer)
{
	char text[TALLY_JSON];
	char head[128];

	tally_json(&answer->server->tally, text);
	snprintf(
		head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(text));
	rawconn_send(&answer->conn, head, strlen(head));
	rawconn_send(&answer->conn, text, strlen(text));
}

/* The last chunk. */
static void send_last(struct answer *answer)
{
	static const char trailer[] = "X-Trailer: 0123456789012345678901234567890123456789\r\n";

	rawconn_send(&answer->conn, "0\r\n", 3);
	while (answer->script.trailers && !answer->conn.broken)
		rawconn_send(&answer->conn, trailer, strlen(trailer));
	rawconn_send(&answer->conn, "\r\n", 2);
}

static void respond(struct answer *answer)
{
	char etag[64] = "";
	const char *path = rawscript_read(
		&answer->script, answer->path, answer->method, &answer->server->tally);
	bool whole;

	answer->conn.bytewise = answer->script.bytewise;
	answer->conn.pause_us = answer->script.pause_us;
	answer->status = find_file(answer, path, etag);
	if (answer->status != 200 && answer->status != 206)
		answer->length = 0;
	if (answer->script.garbage) {
		send_garbage(answer);
		return;
	}
	if (answer->script.framing != FRAMING_NONE)
		send_head(answer, etag);
	if (strcmp(answer->method, "GET") != 0 || (answer->status != 200 && answer->status != 206))
		return;
	do
		whole = send_body(answer);
	while (whole && answer->script.endless);
	if (whole && answer->script.framing == FRAMING_CHUNKED && !answer->script.no_last)
		send_last(answer);
	rawconn_send(&answer->conn, answer->script.after, strlen(answer->script.after));
}

/* ---- connections ---- */

static bool read_request(struct answer *answer)
{
	size_t len = 0;

	do {
		ssize_t n =
			rawconn_read(&answer->conn, answer->request + len, REQUEST_MAX - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		answer->request[len] = '\0';
	} while (!strstr(answer->request, "\r\n\r\n"));
	if (!find_header(answer, "Range", answer->range, sizeof(answer->range)))
		strcpy(answer->range, "-");
	return sscanf(answer->request, "%15s %4095s", answer->method, answer->path) == 2;
}

/* Whether there may be another one on this connection. */
static bool serve_request(struct answer *answer)
{
	struct server *server = answer->server;

	if (strcmp(answer->path, TALLY_STATS) == 0) {
		send_stats(answer);
		rawconn_end(&answer->conn, RAWCONN_CLOSE);
		return false;
	}
	tally_begin(&server->tally, !answer->again);
	respond(answer);
	if (!answer->script.keep)
		rawconn_end(&answer->conn, answer->script.end);
	if (server->log)
		fprintf(server->log, "%s %s %s %u %" PRIu64 " %u\n", answer->method, answer->path,
			answer->range, answer->status, answer->sent, answer->number);
	if (answer->fd >= 0)
		close(answer->fd);
	tally_end(&server->tally);
	return answer->script.keep;
}

struct accepted {
	struct server *server;
	int sock;
	unsigned int number;
};

static void *serve_connection(void *arg)
{
	struct accepted *accepted = arg;
	struct answer *answer = calloc(1, sizeof(*answer));
	struct rawconn conn;
	bool again = false;
	bool open;

	if (!answer)
		abort();
	open = rawconn_accept(&conn, accepted->sock, accepted->server->tls);
	do {
		*answer = (struct answer){.server = accepted->server,
			.conn = conn,
			.number = accepted->number,
			.again = again,
			.fd = -1};
		again = true;
		if (!open || !read_request(answer)) {
			rawconn_end(&answer->conn, RAWCONN_NO_NOTIFY);
			break;
		}
	} while (serve_request(answer));
	free(answer);
	free(accepted);
	return NULL;
}

static void accept_all(struct server *server, int listener)
{
	for (unsigned int number = 1;; number++) {
		struct accepted *accepted = calloc(1, sizeof(*accepted));
		pthread_t thread;

		if (!accepted)
			abort();
		*accepted = (struct accepted){.server = server, .number = number};
		accepted->sock = accept(listener, NULL, NULL);
		if (accepted->sock < 0 ||
			pthread_create(&thread, NULL, serve_connection, accepted) != 0) {
			perror("rawserver: accept");
			exit(1);
		}
		pthread_detach(thread);
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port-file", required_argument, NULL, 'p'},
		{"root", required_argument, NULL, 'd'},
		{"log", required_argument, NULL, 'L'},
		{"cert", required_argument, NULL, 'c'},
		{"key", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	struct server server = {.root = -1, .tally = TALLY_INIT};
	const char *values['z'] = {NULL};
	int listener;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;)
		if (c != '?')
			values[c] = optarg;
	if (!values['p'] || !values['d'] || optind != argc) {
		fputs("usage: rawserver --port-file FILE --root DIR [--log FILE]\n"
		      "                 [--cert FILE --key FILE]\n",
			stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server.root = open(values['d'], O_PATH | O_DIRECTORY | O_CLOEXEC);
	server.log = values['L'] ? fopen(values['L'], "ae") : NULL;
	if (server.log)
		setvbuf(server.log, NULL, _IOLBF, 0);
	if (values['c'])
		server.tls = rawconn_load_tls(values['c'], values['k']);
	listener = rawconn_listen(values['p']);
	if (server.root < 0 || listener < 0 || (values['c'] && !server.tls)) {
		perror("rawserver: start");
		return 1;
	}
	accept_all(&server, listener);
	return 0;
}
