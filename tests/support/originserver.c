/*
 * originserver: an HTTP origin that misbehaves on request.
 *
 *	originserver [--port-file FILE] --root DIR [--rate BYTES] [--latency MS] [--no-ranges]
 *	             [--chunked] [--log FILE] [--trace FILE] [--with-parent]
 *	             [--total-rate BYTES] [--die-after BYTES] [--max-connections N]
 *	             [--tls-cert FILE --tls-key FILE]
 *
 * It listens on a free port of 127.0.0.1, writes the port to --port-file (or to stdout) once it
 * answers, and ends on SIGTERM (--with-parent: also when its parent ends). --rate is bytes per
 * second of one connection, --total-rate of all together; --latency comes before each answer.
 * After --die-after bytes of bodies the process is gone. --max-connections answers 503 to a request
 * while N others are under way. With a certificate (PEM) it speaks https. The path of a request is
 * a chain of behaviours and then the name of a file below the root:
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
 *	/noranges/FILE             knows no ranges
 *	/wrongrange/FILE           answers a range with another one
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
 *	/.stats                    counters, see tally.h; neither counted nor logged
 *
 * HEAD does not count where GETs are counted, and is answered well by /first/.
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
#include "tests/support/tally.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)256 * 1024)
#define EXTRA_MAX  4
#define PATH_SIZE  4096
#define HTTP_DATE  40

struct server {
	int root;
	FILE *log;
	uint64_t rate;
	unsigned int latency_ms;
	bool no_ranges;
	bool chunked;
	char *tls_cert; /* PEM */
	char *tls_key;
	atomic_uint connections;
	atomic_uint changes;
	atomic_bool quit;
	unsigned int max_running; /* 0: any number */
	FILE *trace;
	struct tally tally;
};

/* A connection. */
struct peer {
	unsigned int number; /* from 1 on */
	bool met;            /* a request came over it */
};

/* One request: what its path asks for, and what has become of it. */
struct answer {
	struct server *server;
	struct MHD_Connection *connection;
	char method[8];
	char path[PATH_SIZE]; /* as it came */
	char range[64];
	unsigned int conn;
	bool counted;
	bool crowded; /* too many are under way */
	bool seen;    /* the headers; MHD closes the connection when it is answered at once */
	_Atomic uint64_t sent;

	const char *chain; /* of behaviours, from the one that is being applied */
	bool skip;         /* the next one is not applied */

	unsigned int status; /* 0: by the file */
	uint64_t rate;
	uint64_t stop_at; /* bytes of the body before it breaks off or stalls */
	bool corrupt;
	bool stall;
	bool hang;
	bool no_head;
	bool no_ranges;
	bool wrong_range;
	bool chunked;
	bool no_validators;
	bool weak;
	bool changing;
	bool changed;
	char retry_after[HTTP_DATE];
	char location[PATH_SIZE];
	struct {
		char name[64];
		char value[256];
	} extra[EXTRA_MAX];
	size_t extras;

	int fd;
	uint64_t first; /* byte of the file that the body begins with */
	uint64_t length;
	struct timespec began;
};

/* ---- behaviours ---- */

static void sleep_ms(uint64_t ms)
{
	struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&t, NULL);
}

static void http_date(time_t when, char ret[HTTP_DATE])
{
	struct tm utc;

	gmtime_r(&when, &utc);
	strftime(ret, HTTP_DATE, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

static void be_status(struct answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->status = (unsigned int)strtoul(arg, NULL, 10);
}

static bool is_get(const struct answer *answer)
{
	return strcmp(answer->method, "GET") == 0;
}

/* How often this path came before; each behaviour of it counts for itself. */
static unsigned int seen_before(struct answer *answer, bool count)
{
	char key[PATH_SIZE + 32];

	snprintf(key, sizeof(key), "%zu %s", strlen(answer->chain), answer->path);
	return tally_seen(&answer->server->tally, key, count);
}

static void be_flaky(struct answer *answer, const char *arg, const char *rest)
{
	unsigned int times = (unsigned int)strtoul(arg, NULL, 10);

	(void)rest;
	if (seen_before(answer, true) < times)
		answer->status = 503;
}

/* WHEN/N/STATUS */
static void be_retry_after(struct answer *answer, const char *arg, const char *rest)
{
	const char *when = arg + (arg[0] == 'd');
	char *end;
	long seconds = strtol(when, &end, 10);
	unsigned long times = *end == '/' ? strtoul(end + 1, &end, 10) : 0;

	(void)rest;
	if (*end != '/' || seen_before(answer, true) >= times)
		return;
	answer->status = (unsigned int)strtoul(end + 1, NULL, 10);
	if (arg[0] == 'd')
		http_date(time(NULL) + seconds, answer->retry_after);
	else
		snprintf(answer->retry_after, sizeof(answer->retry_after), "%ld", seconds);
}

static void be_first(struct answer *answer, const char *arg, const char *rest)
{
	unsigned long times = *arg ? strtoul(arg, NULL, 10) : 1;

	(void)rest;
	answer->skip = !is_get(answer) || seen_before(answer, true) >= times;
}

static void be_etag_after(struct answer *answer, const char *arg, const char *rest)
{
	unsigned long times = strtoul(arg, NULL, 10);

	(void)rest;
	answer->changed = seen_before(answer, is_get(answer)) >= times;
}

static void be_short(struct answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->stop_at = strtoull(arg, NULL, 10);
}

static void be_stall(struct answer *answer, const char *arg, const char *rest)
{
	be_short(answer, arg, rest);
	answer->stall = true;
}

static void be_hang(struct answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->hang = true;
}

static void be_latency(struct answer *answer, const char *arg, const char *rest)
{
	(void)answer;
	(void)rest;
	sleep_ms(strtoull(arg, NULL, 10));
}

static void be_rate(struct answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->rate = strtoull(arg, NULL, 10);
}

static void be_redirect(struct answer *answer, const char *arg, const char *rest)
{
	unsigned long hops = strtoul(arg, NULL, 10);

	if (hops == 0)
		return;
	answer->status = 302;
	snprintf(answer->location, sizeof(answer->location), "/redirect/%lu%s", hops - 1, rest);
}

static void be_goto(struct answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	answer->status = 301;
	snprintf(answer->location, sizeof(answer->location), "%s", arg);
	MHD_http_unescape(answer->location);
}

static void be_loop(struct answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->status = 302;
	snprintf(answer->location, sizeof(answer->location), "/loop");
}

static void be_folder(struct answer *answer, const char *arg, const char *rest)
{
	(void)arg;
	(void)rest;
	answer->status = 301;
	snprintf(answer->location, sizeof(answer->location), "%.*s/", PATH_SIZE - 2, answer->path);
}

static void be_header(struct answer *answer, const char *arg, const char *rest)
{
	const char *slash = strchr(arg, '/');

	(void)rest;
	if (!slash || answer->extras == EXTRA_MAX)
		return;
	snprintf(answer->extra[answer->extras].name, sizeof(answer->extra[0].name), "%.*s",
		(int)(slash - arg), arg);
	snprintf(answer->extra[answer->extras].value, sizeof(answer->extra[0].value), "%s",
		slash + 1);
	MHD_http_unescape(answer->extra[answer->extras++].value);
}

static void be_unless(struct answer *answer, const char *arg, const char *rest)
{
	(void)rest;
	if (MHD_lookup_connection_value(answer->connection, MHD_HEADER_KIND, arg))
		answer->status = 418;
}

/* Behaviours that only set a flag. */
#define FLAG(name)                                                                                 \
	static void be_##name(struct answer *answer, const char *arg, const char *rest)            \
	{                                                                                          \
		(void)arg;                                                                         \
		(void)rest;                                                                        \
		answer->name = true;                                                               \
	}
FLAG(corrupt)
FLAG(no_head)
FLAG(no_ranges)
FLAG(wrong_range)
FLAG(chunked)
FLAG(no_validators)
FLAG(weak)
FLAG(changing)

static const struct behaviour {
	const char *name;
	unsigned int args; /* segments that belong to it */
	void (*apply)(struct answer *answer, const char *arg, const char *rest);
} behaviours[] = {
	{"status", 1, be_status},
	{"flaky", 1, be_flaky},
	{"corrupt", 0, be_corrupt},
	{"short", 1, be_short},
	{"stall", 1, be_stall},
	{"hang", 0, be_hang},
	{"latency", 1, be_latency},
	{"rate", 1, be_rate},
	{"redirect", 1, be_redirect},
	{"goto", 1, be_goto},
	{"loop", 0, be_loop},
	{"folder", 0, be_folder},
	{"nohead", 0, be_no_head},
	{"noranges", 0, be_no_ranges},
	{"wrongrange", 0, be_wrong_range},
	{"chunked", 0, be_chunked},
	{"novalidators", 0, be_no_validators},
	{"weak", 0, be_weak},
	{"changing", 0, be_changing},
	{"header", 2, be_header},
	{"unless", 1, be_unless},
	{"retryafter", 3, be_retry_after},
	{"first", 1, be_first},
	{"once", 0, be_first},
	{"etagafter", 1, be_etag_after},
};

static const struct behaviour *find_behaviour(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		if (strlen(behaviours[i].name) == len && memcmp(behaviours[i].name, name, len) == 0)
			return &behaviours[i];
	return NULL;
}

/* Take one behaviour off the front of @path: what is left, beginning with '/', or NULL if the
 * path names a file. */
static const char *apply_first(struct answer *answer, const char *path)
{
	const char *name = path + 1;
	size_t len = strcspn(name, "/");
	const struct behaviour *behaviour = find_behaviour(name, len);
	const char *arg = name + len + (name[len] == '/');
	const char *rest = name + len;
	bool skip = answer->skip;
	char args[PATH_SIZE];

	answer->skip = false;
	if (!behaviour)
		return NULL;
	for (unsigned int i = 0; i < behaviour->args && *rest; i++)
		rest += 1 + strcspn(rest + 1, "/");
	snprintf(args, sizeof(args), "%.*s", rest > arg ? (int)(rest - arg) : 0, arg);
	answer->chain = path;
	if (!skip)
		behaviour->apply(answer, args, rest);
	return rest;
}

/* ---- bodies ---- */

/* Until the client has gone or the server ends. */
static void wait_for_hangup(struct answer *answer)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(answer->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct pollfd fd = {.fd = info->connect_fd, .events = POLLRDHUP};

	while (!answer->server->quit && poll(&fd, 1, 50) == 0)
		;
}

/* How many of @wanted bytes the rate allows now; waits until it is at least one. */
static size_t throttle(struct answer *answer, uint64_t sent, size_t wanted)
{
	for (;;) {
		struct timespec now;
		double seconds;
		uint64_t allowed;

		clock_gettime(CLOCK_MONOTONIC, &now);
		seconds = (double)(now.tv_sec - answer->began.tv_sec) +
			  (double)(now.tv_nsec - answer->began.tv_nsec) / 1e9;
		allowed = (uint64_t)((seconds + 0.01) * (double)answer->rate);
		if (allowed > sent)
			return allowed - sent < wanted ? (size_t)(allowed - sent) : wanted;
		sleep_ms(5);
	}
}

static ssize_t give_body(void *arg, uint64_t pos, char *buf, size_t max)
{
	struct answer *answer = arg;
	ssize_t n;

	if (pos >= answer->length)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (pos >= answer->stop_at) {
		if (answer->stall)
			wait_for_hangup(answer);
		return MHD_CONTENT_READER_END_WITH_ERROR;
	}
	if (max > answer->length - pos)
		max = (size_t)(answer->length - pos);
	if (max > answer->stop_at - pos)
		max = (size_t)(answer->stop_at - pos);
	if (answer->rate)
		max = throttle(answer, pos, max);
	max = tally_take(&answer->server->tally, max);
	n = pread(answer->fd, buf, max, (off_t)(answer->first + pos));
	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	for (ssize_t i = 0; answer->changed && i < n; i++)
		buf[i] ^= 1;
	if (answer->corrupt && answer->first + pos == 0)
		buf[0] ^= 1;
	answer->sent = pos + (uint64_t)n;
	return n;
}

static void add(struct MHD_Response *response, const char *name, const char *value)
{
	MHD_add_response_header(response, name, value);
}

static enum MHD_Result queue(
	struct answer *answer, struct MHD_Response *response, unsigned int status)
{
	enum MHD_Result result;

	for (size_t i = 0; i < answer->extras; i++)
		add(response, answer->extra[i].name, answer->extra[i].value);
	answer->status = status;
	result = MHD_queue_response(answer->connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct answer *answer, unsigned int status)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "status %u\n", status);
	struct MHD_Response *response = MHD_create_response_from_buffer(
		status == 304 ? 0 : (size_t)len, text, MHD_RESPMEM_MUST_COPY);

	add(response, "Content-Type", "text/plain; charset=us-ascii");
	if (answer->location[0])
		add(response, "Location", answer->location);
	if (answer->retry_after[0])
		add(response, "Retry-After", answer->retry_after);
	else if ((status == 429 || status == 503) && !answer->crowded)
		add(response, "Retry-After", "7");
	if (strcmp(answer->method, "HEAD") != 0)
		answer->sent = tally_take(&answer->server->tally, (size_t)len);
	return queue(answer, response, status);
}

/* ---- files ---- */

static const char *request_header(const struct answer *answer, const char *name)
{
	return MHD_lookup_connection_value(answer->connection, MHD_HEADER_KIND, name);
}

/* The status that the conditions of the request ask for, or 0. */
static unsigned int check_conditions(
	const struct answer *answer, const char *etag, const char *modified)
{
	const char *none = request_header(answer, "If-None-Match");
	const char *since = request_header(answer, "If-Modified-Since");
	const char *match = request_header(answer, "If-Match");
	const char *unmodified = request_header(answer, "If-Unmodified-Since");

	if (answer->no_validators)
		return 0;
	if (match && strcmp(match, etag) != 0)
		return 412;
	if (!match && unmodified && strcmp(unmodified, modified) != 0)
		return 412;
	if (none && strcmp(none, etag) == 0)
		return 304;
	if (!none && since && strcmp(since, modified) == 0)
		return 304;
	return 0;
}

/* The part asked for, by "bytes=A-B", "bytes=A-" or "bytes=-N". The status: 200, 206 or 416. */
static unsigned int take_range(struct answer *answer, uint64_t size)
{
	const char *text = request_header(answer, "Range");
	char *end;
	uint64_t last;

	answer->length = size;
	if (!text || answer->no_ranges || strncmp(text, "bytes=", 6) != 0)
		return 200;
	text += 6;
	if (*text == '-') {
		last = strtoull(text + 1, NULL, 10);
		answer->first = last < size ? size - last : 0;
		answer->length = size - answer->first;
		return 206;
	}
	answer->first = strtoull(text, &end, 10);
	last = end[0] == '-' && end[1] ? strtoull(end + 1, NULL, 10) : size - 1;
	if (answer->first >= size)
		return 416;
	if (last >= size)
		last = size - 1;
	answer->length = last - answer->first + 1;
	return 206;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static const char *content_type(const char *path)
{
	return ends_with(path, "/") || ends_with(path, ".html") ? "text/html"
								: "application/octet-stream";
}

static struct MHD_Response *file_response(
	struct answer *answer, uint64_t size, const char *etag, const char *modified, bool part)
{
	struct MHD_Response *response = MHD_create_response_from_callback(
		answer->chunked ? MHD_SIZE_UNKNOWN : answer->length,
		answer->rate ? BLOCK_SIZE / 16 : BLOCK_SIZE, give_body, answer, NULL);
	char text[128];

	if (!answer->no_validators) {
		add(response, "ETag", etag);
		add(response, "Last-Modified", modified);
	}
	if (!answer->no_ranges)
		add(response, "Accept-Ranges", "bytes");
	if (part) {
		uint64_t first = answer->first + (answer->wrong_range ? 1 : 0);

		snprintf(text, sizeof(text), "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, first,
			first + answer->length - 1, size);
		add(response, "Content-Range", text);
	}
	add(response, "Content-Type", content_type(answer->path));
	return response;
}

/* The file below the root that @path names, with a slash before it. */
static void find_name(const char *path, char ret[PATH_SIZE])
{
	snprintf(ret, PATH_SIZE, "%s%s", path, ends_with(path, "/") ? "index.html" : "");
	MHD_http_unescape(ret);
}

static enum MHD_Result answer_file(struct answer *answer, const char *path)
{
	char name[PATH_SIZE];
	char etag[96];
	char modified[HTTP_DATE];
	struct stat st;
	unsigned int status;

	find_name(path, name);
	if (!name[0] || strstr(name, "/../"))
		return answer_text(answer, 404);
	answer->fd = openat(answer->server->root, name + 1, O_RDONLY | O_CLOEXEC);
	if (answer->fd < 0 || fstat(answer->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return answer_text(answer, 404);

	snprintf(etag, sizeof(etag), "%s\"%" PRIx64 ".%lx-%" PRIx64 "%s%x%s\"",
		answer->weak ? "W/" : "", (uint64_t)st.st_mtim.tv_sec,
		(unsigned long)st.st_mtim.tv_nsec, (uint64_t)st.st_size,
		answer->changing ? "-" : "", answer->changing ? ++answer->server->changes : 0,
		answer->changed ? "~" : "");
	http_date(st.st_mtim.tv_sec, modified);
	status = check_conditions(answer, etag, modified);
	if (status == 304) { /* the headers are those of the file */
		answer->length = (uint64_t)st.st_size;
		return queue(answer,
			file_response(answer, (uint64_t)st.st_size, etag, modified, false), 304);
	}
	if (status)
		return answer_text(answer, status);
	status = take_range(answer, (uint64_t)st.st_size);
	if (status == 416)
		return answer_text(answer, 416);
	clock_gettime(CLOCK_MONOTONIC, &answer->began);
	return queue(answer,
		file_response(answer, (uint64_t)st.st_size, etag, modified, status == 206), status);
}

/* ---- the daemon ---- */

/* The path is kept as it came: %2F is no slash, and the log shows what was asked for. */
static void *on_request(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct answer *answer = calloc(1, sizeof(*answer));

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

static enum MHD_Result answer_stats(struct answer *answer)
{
	struct MHD_Response *response;
	char text[TALLY_JSON];

	tally_json(&answer->server->tally, text);
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
	add(response, "Content-Type", "application/json");
	return queue(answer, response, 200);
}

static enum MHD_Result trace_header(
	void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	fprintf(arg, "\t%s: %s", name, value ? value : "");
	return MHD_YES;
}

static void trace(const struct answer *answer)
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
static void meet(struct answer *answer, struct peer *peer)
{
	struct server *server = answer->server;
	const char *range = request_header(answer, "Range");

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
	struct answer *answer = *request;
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
	if (answer->crowded)
		return answer_text(answer, 503);
	if (answer->server->latency_ms)
		sleep_ms(answer->server->latency_ms);

	for (const char *next = at; next && *next; next = apply_first(answer, at))
		at = next;
	if (answer->hang) {
		wait_for_hangup(answer);
		return MHD_NO;
	}
	if (strcmp(method, "HEAD") != 0 && strcmp(method, "GET") != 0)
		return answer_text(answer, 501);
	if (answer->no_head && strcmp(method, "HEAD") == 0)
		return answer_text(answer, 405);
	if (answer->status)
		return answer_text(answer, answer->status);
	return answer_file(answer, at);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request,
	enum MHD_RequestTerminationCode code)
{
	struct answer *answer = *request;

	(void)arg;
	(void)connection;
	(void)code;
	if (!answer)
		return;
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
	struct server *server = arg;
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

static struct MHD_Daemon *start(struct server *server)
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
	      "                    [--max-connections N] [--tls-cert FILE --tls-key FILE]\n",
		stderr);
	return 2;
}

static int serve(struct server *server, const char *port_file)
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
		{"tls-cert", required_argument, NULL, 't'},
		{"tls-key", required_argument, NULL, 'k'},
		{NULL, 0, NULL, 0},
	};
	struct server server = {.root = -1, .tally = TALLY_INIT};
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
		else if (c == 'T')
			server.trace = fopen(optarg, "ae");
		else if (c == 'R')
			server.tally.rate = strtoull(optarg, NULL, 10);
		else if (c == 'D')
			server.tally.die_after = strtoull(optarg, NULL, 10);
		else if (c == 'M')
			server.max_running = (unsigned int)strtoul(optarg, NULL, 10);
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
