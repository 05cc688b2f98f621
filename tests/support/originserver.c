/*
 * originserver: an HTTP origin that misbehaves on request.
 *
 *	originserver [--port-file FILE] --root DIR [--rate BYTES] [--latency MS] [--no-ranges]
 *	             [--chunked] [--log FILE] [--trace FILE] [--with-parent]
 *	             [--total-rate BYTES] [--die-after BYTES] [--max-connections N]
 *	             [--retry-after SECONDS]
 *	             [--tls-cert FILE --tls-key FILE] [--folders page|slash]
 *
 * It listens on a free port of 127.0.0.1, writes the port to --port-file (or to stdout) once it
 * answers, and ends on SIGTERM (--with-parent: also when its parent ends). --rate is bytes per
 * second of one connection, --total-rate of all together; --latency comes before each answer.
 * After --die-after bytes of bodies the process is gone. --max-connections answers 503 to a request
 * while N others are under way, and says --retry-after with it. With a certificate (PEM) it speaks
 * https. A folder without a slash gets 404; --folders: a page, as GitHub gives it, or a redirect to
 * itself with a slash, where the page is. The path of a request is a chain of behaviours and then
 * the name of a file below the root:
 *
 *	/FILE                      200, 206, 304, 404, 412, 416, as a good server does
 *	/FOLDER/                   its index.html
 *	/status/503/FILE           that status, with a short body
 *	/flaky/2/FILE              503 for the first two requests of this path
 *	/corrupt/FILE              another first byte than the file has
 *	/short/N/FILE              the headers promise the file, the body ends after N bytes
 *	/stall/N/FILE              N bytes of the body, and then nothing
 *	/hang/FILE                 no answer at all
 *	/latency/MS/FILE           answers so much later
 *	/rate/BYTES/FILE           bytes per second
 *	/redirect/N/FILE           N hops, relative ones
 *	/goto/ESCAPED-URI          one hop to there
 *	/loop                      to itself
 *	/folder/FILE               to itself with a slash at the end
 *	/nohead/FILE               405 to HEAD
 *	/otherhead/FILE            HEAD tells another ETag
 *	/noranges/FILE             knows no ranges
 *	/wrongrange/FILE           answers a range with another one
 *	/atmost/N/FILE             answers a range with its first N bytes
 *	/chunked/FILE              no Content-Length
 *	/novalidators/FILE         neither ETag nor Last-Modified
 *	/weak/FILE                 a weak ETag
 *	/changing/FILE             another ETag each time
 *	/header/NAME/VALUE/FILE    one more header; VALUE is percent-encoded
 *	/unless/NAME/FILE          418 to a request with that header
 *	/retryafter/WHEN/N/STATUS/FILE  that status for the first N requests of this path, with a
 *	                           Retry-After of WHEN: seconds, or dSECONDS for a date
 *	/first/N/BEHAVIOUR…        what follows behaves so for the first N GETs of this path only
 *	/once/BEHAVIOUR…           the same as /first/1/
 *	/etagafter/N/FILE          after N GETs of this path another ETag, and each byte XOR 1
 *	/statusafter/N/STATUS/FILE after N GETs of this path that status
 *	/.stats                    counters, see tally.h; neither counted nor logged
 *
 * PUT is answered as GET is. HEAD does not count where GETs are counted, and is answered well by
 * /first/.
 *
 * The log has a line per request, written when it is over (a client may be faster):
 *
 *	METHOD PATH RANGE STATUS BYTES CONNECTION
 *
 * RANGE is "-" without one, BYTES what went out of the body, CONNECTION counts from 1.
 *
 * The trace has a line per request, written when it comes: milliseconds since 1970, METHOD, PATH
 * and each header as it was, "Name: value", with tabs between them.
 */
#include "tests/support/originserver.h"

#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

/* The path is kept as it came: %2F is no slash, and the log shows what was asked for. */
static void *on_request(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct origin_answer *answer = calloc(1, sizeof(*answer));

	if (!answer)
		return NULL;
	answer->server = arg;
	answer->connection = connection;
	answer->fd = -1;
	answer->stop_at = UINT64_MAX;
	answer->rate = answer->server->rate;
	answer->no_ranges = answer->server->no_ranges;
	answer->chunked = answer->server->chunked;
	snprintf(answer->path, sizeof(answer->path), "%s", uri);
	return answer;
}

static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static enum MHD_Result answer_stats(struct origin_answer *answer)
{
	struct MHD_Response *response;
	char text[TALLY_JSON];

	tally_json(&answer->server->tally, text);
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	origin_add_header(response, "Content-Type", "application/json");
	return origin_queue(answer, response, 200);
}

static enum MHD_Result trace_header(
	void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	fprintf(arg, "\t%s: %s", name, value ? value : "");
	return MHD_YES;
}

static void trace(const struct origin_answer *answer)
{
	FILE *file = answer->server->trace;
	struct timespec now;

	if (!file)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	flockfile(file);
	fprintf(file, "%lld\t%s\t%s", (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000,
		answer->method, answer->path);
	MHD_get_connection_values(answer->connection, MHD_HEADER_KIND, trace_header, file);
	fputc('\n', file);
	funlockfile(file);
}

/* Count the request, note it, and see whether there is room for it. */
static void meet(struct origin_answer *answer, struct peer *peer)
{
	struct origin_server *server = answer->server;
	const char *range = origin_request_header(answer, "Range");

	answer->conn = peer->number;
	snprintf(answer->range, sizeof(answer->range), "%s", range ? range : "-");
	trace(answer);
	answer->crowded = tally_begin(&server->tally, !peer->met) > server->max_running &&
			  server->max_running > 0;
	peer->met = true;
	answer->counted = true;
}

static enum MHD_Result on_headers(void *arg, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_size,
	void **request)
{
	struct origin_answer *answer = *request;
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	char path[PATH_SIZE];
	const char *at = path;

	(void)arg;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (!answer)
		return MHD_NO;
	if (!answer->seen) {
		answer->seen = true;
		return MHD_YES;
	}
	snprintf(path, sizeof(path), "%s", url);
	snprintf(answer->method, sizeof(answer->method), "%s", method);
	if (strcmp(path, TALLY_STATS) == 0)
		return answer_stats(answer);
	meet(answer, info->socket_context);
	if (answer->crowded) {
		snprintf(answer->retry_after, sizeof(answer->retry_after), "%s",
			answer->server->retry_after);
		return origin_answer_text(answer, 503);
	}
	if (answer->server->latency_ms)
		origin_sleep_ms(answer->server->latency_ms);

	for (const char *next = at; next && *next; next = origin_behave(answer, at))
		at = next;
	if (answer->hang) {
		origin_wait_for_hangup(answer);
		return MHD_NO;
	}
	if (strcmp(method, "HEAD") != 0 && strcmp(method, "GET") != 0 && strcmp(method, "PUT") != 0)
		return origin_answer_text(answer, 501);
	if (answer->no_head && strcmp(method, "HEAD") == 0)
		return origin_answer_text(answer, 405);
	if (answer->status)
		return origin_answer_text(answer, answer->status);
	return origin_answer_file(answer, at);
}

/* What was given to the socket of a connection that the client broke off, and never left it. */
static uint64_t unsent(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct tcp_info tcp = {0};
	socklen_t len = sizeof(tcp);
	int bytes = 0;

	if (!info || getsockopt(info->connect_fd, IPPROTO_TCP, TCP_INFO, &tcp, &len) < 0 ||
		tcp.tcpi_state != TCP_CLOSE)
		return 0;
	return ioctl(info->connect_fd, SIOCOUTQNSD, &bytes) == 0 && bytes > 0 ? (uint64_t)bytes : 0;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct origin_answer *answer = *request;
	uint64_t stayed;

	(void)arg;
	(void)code;
	if (!answer)
		return;
	stayed = unsent(connection);
	answer->sent -= stayed < answer->sent ? stayed : answer->sent;
	if (answer->server->log && answer->counted)
		fprintf(answer->server->log, "%s %s %s %u %" PRIu64 " %u\n", answer->method,
			answer->path, answer->range, answer->status, answer->sent, answer->conn);
	if (answer->counted) /* what is over is in the log */
		tally_end(&answer->server->tally);
	if (answer->fd >= 0)
		close(answer->fd);
	free(answer);
	*request = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct origin_server *server = arg;
	struct peer *peer = *context;

	(void)connection;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		peer = calloc(1, sizeof(*peer));
		if (!peer)
			abort();
		peer->number = ++server->connections;
		*context = peer;
	} else {
		free(peer);
	}
}

static struct MHD_Daemon *start(struct origin_server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_CERT, 0, server->tls_cert},
		{MHD_OPTION_HTTPS_MEM_KEY, 0, server->tls_key},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem none = {MHD_OPTION_END, 0, NULL};
	unsigned int flags =
		MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;

	return MHD_start_daemon(server->tls_cert ? flags | MHD_USE_TLS : flags, 0, NULL, NULL,
		on_headers, server, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_URI_LOG_CALLBACK,
		on_request, server, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, server,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, server, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U,
		MHD_OPTION_CONNECTION_LIMIT, 1024U, MHD_OPTION_ARRAY,
		server->tls_cert ? tls : &none, MHD_OPTION_END);
}

/* Whoever sees the file sees all of it. */
static bool write_port(const char *file, unsigned int port)
{
	char temporary[PATH_SIZE];
	FILE *f;

	if (!file) {
		printf("%u\n", port);
		return fflush(stdout) == 0;
	}
	snprintf(temporary, sizeof(temporary), "%s.new", file);
	f = fopen(temporary, "we");
	if (!f)
		return false;
	fprintf(f, "%u\n", port);
	return fclose(f) == 0 && rename(temporary, file) == 0;
}

/* A small file, whole; NULL when it cannot be read. */
static char *read_text(const char *path)
{
	char text[65536];
	FILE *f = fopen(path, "re");
	size_t len = f ? fread(text, 1, sizeof(text) - 1, f) : 0;

	if (f)
		fclose(f);
	text[len] = '\0';
	return len > 0 ? strdup(text) : NULL;
}

static int usage(void)
{
	fputs("usage: originserver [--port-file FILE] --root DIR [--rate BYTES] [--latency MS]\n"
	      "                    [--no-ranges] [--chunked] [--log FILE] [--trace FILE]\n"
	      "                    [--with-parent] [--total-rate BYTES] [--die-after BYTES]\n"
	      "                    [--max-connections N] [--retry-after SECONDS]\n"
	      "                    [--tls-cert FILE --tls-key FILE] [--folders page|slash]\n",
		stderr);
	return 2;
}

static int serve(struct origin_server *server, const char *port_file)
{
	struct MHD_Daemon *daemon;
	const union MHD_DaemonInfo *info;
	sigset_t ends;
	int signal_number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);
	signal(SIGPIPE, SIG_IGN);

	daemon = start(server);
	info = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (!info || !write_port(port_file, info->port)) {
		perror("originserver: start");
		return 1;
	}
	sigwait(&ends, &signal_number);
	server->quit = true;
	MHD_stop_daemon(daemon);
	tally_release(&server->tally);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"port-file", required_argument, NULL, 'p'},
		{"root", required_argument, NULL, 'd'},
		{"rate", required_argument, NULL, 'r'},
		{"latency", required_argument, NULL, 'l'},
		{"log", required_argument, NULL, 'L'},
		{"no-ranges", no_argument, NULL, 'n'},
		{"chunked", no_argument, NULL, 'c'},
		{"with-parent", no_argument, NULL, 'w'},
		{"trace", required_argument, NULL, 'T'},
		{"total-rate", required_argument, NULL, 'R'},
		{"die-after", required_argument, NULL, 'D'},
		{"max-connections", required_argument, NULL, 'M'},
		{"retry-after", required_argument, NULL, 'A'},
		{"tls-cert", required_argument, NULL, 't'},
		{"tls-key", required_argument, NULL, 'k'},
		{"folders", required_argument, NULL, 'F'},
		{NULL, 0, NULL, 0},
	};
	struct origin_server server = {.root = -1, .retry_after = "", .tally = TALLY_INIT};
	const char *port_file = NULL;
	int status;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		if (c == 'p')
			port_file = optarg;
		else if (c == 'd')
			server.root = open(optarg, O_PATH | O_DIRECTORY | O_CLOEXEC);
		else if (c == 'r')
			server.rate = strtoull(optarg, NULL, 10);
		else if (c == 'l')
			server.latency_ms = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'L')
			server.log = fopen(optarg, "ae");
		else if (c == 'n')
			server.no_ranges = true;
		else if (c == 'c')
			server.chunked = true;
		else if (c == 'F')
			server.folders = optarg[0];
		else if (c == 'T')
			server.trace = fopen(optarg, "ae");
		else if (c == 'R')
			server.tally.rate = strtoull(optarg, NULL, 10);
		else if (c == 'D')
			server.tally.die_after = strtoull(optarg, NULL, 10);
		else if (c == 'M')
			server.max_running = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'A')
			server.retry_after = optarg;
		else if (c == 'w')
			prctl(PR_SET_PDEATHSIG, SIGTERM);
		else if (c == 't')
			server.tls_cert = read_text(optarg);
		else if (c == 'k')
			server.tls_key = read_text(optarg);
		else
			return usage();
	}
	if (server.root < 0 || optind != argc)
		return usage();
	if (server.log)
		setvbuf(server.log, NULL, _IOLBF, 0);
	if (server.trace)
		setvbuf(server.trace, NULL, _IOLBF, 0);
	status = serve(&server, port_file);
	free(server.tls_cert);
	free(server.tls_key);
	return status;
}
