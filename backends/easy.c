#include "backends/easy.h"

#include "backends/tls.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BUFFER_SIZE   (512L * 1024)
#define INTERIM_MAX   100 /* "103 early hints" and the like before one answer */
#define BACKLOG_MUCH  (64 * 1024)
#define LOOK_FROM     (256 * 1024) /* bytes of a body: what is smaller needs no look at its socket */
#define QUEUE_WAIT_MS (24L * 3600 * 1000) /* for a connection of the pool */

_Static_assert(TRANSFER_TEXT_MAX >= CURL_ERROR_SIZE, "room for what curl says");

/* ---- curl's callbacks, on the curl thread ---- */

/*
 * The transfer has its turn. Until here it may have waited for a connection of the pool, which is
 * nobody's fault: curl counts its limit from the beginning, so the wait is added.
 */
static void begin_turn(struct transfer *transfer)
{
	if (transfer->began)
		return;
	transfer->began = *transfer->now;
	curl_easy_setopt(transfer->easy, CURLOPT_CONNECTTIMEOUT_MS,
		(long)(transfer->began - transfer->queued) +
			(long)transfer->request->env->connect_ms);
}

static int on_resolve(void *state, void *reserved, void *arg)
{
	(void)state;
	(void)reserved;
	begin_turn(arg);
	return 0;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;
	const struct guard *guard = transfer->request->guard;
	int fd;

	(void)purpose;
	begin_turn(transfer);
	transfer->refusal.code = 0;
	if (guard && !transfer->request->proxy &&
		guard->address(guard, transfer->request->uri, &address->addr, &transfer->refusal) <
			0)
		return CURL_SOCKET_BAD;
	transfer->opened = true;
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd >= 0)
		sockets_add(transfer->sockets, fd);
	return fd;
}

/* Perhaps long after the transfer that opened it. */
static int on_close(void *arg, curl_socket_t fd)
{
	sockets_remove(arg, fd);
	return close(fd);
}

/* May the request go out over a connection that somebody else opened? */
static int guard_reused(struct transfer *transfer, const char *ip, int port)
{
	const struct guard *guard = transfer->request->guard;
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1)
		return guard->address(
			guard, transfer->request->uri, (struct sockaddr *)&v4, &transfer->refusal);
	if (inet_pton(AF_INET6, ip, &v6.sin6_addr) == 1)
		return guard->address(
			guard, transfer->request->uri, (struct sockaddr *)&v6, &transfer->refusal);
	return err_set(&transfer->refusal, ERR_POLICY, EACCES, "peer address %s is unknown", ip);
}

static int on_connected(void *arg, char *ip, char *local_ip, int port, int local_port)
{
	struct transfer *transfer = arg;

	(void)local_ip;
	begin_turn(transfer);
	str_fit(transfer->peer, sizeof(transfer->peer), ip);
	transfer->peer_port = port;
	transfer->local_port = local_port;
	transfer->socket = SOCKET_NONE;
	transfer->asked = *transfer->now;
	if (!transfer->opened && transfer->request->guard && !transfer->request->proxy &&
		guard_reused(transfer, ip, port) < 0)
		return CURL_PREREQFUNC_ABORT;
	return CURL_PREREQFUNC_OK;
}

/* The headers are in, or there are none: tell the calling thread what the origin answered. */
static void tell_answer(struct transfer *transfer)
{
	curl_off_t length = -1;
	curl_off_t filetime = -1;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &filetime);
	transfer->length = length >= 0 ? length : SIZE_UNKNOWN;
	transfer->filetime = filetime >= 0 ? filetime : TIME_UNKNOWN;
	transfer->answered = true;
	transfer->answered_ms = *transfer->now;
	relay_answer(&transfer->relay);
	transfer->unread = true;
}

/* With an origin of http, or with an HTTP proxy that speaks ftp for us. */
static bool speaks_http(const struct transfer *transfer)
{
	return str_has_prefix(transfer->request->uri->scheme, "http") ||
	       transfer_is_proxied_ftp(transfer->request->uri, transfer->request->proxy);
}

/* Bytes of the answer came. What a server says before it was asked (ftp) is none. */
static void heard(struct transfer *transfer, size_t len)
{
	if (!transfer->asked)
		return;
	if (!pace_is_started(&transfer->pace))
		pace_start(&transfer->pace, *transfer->now, transfer->request->env->stall_ms);
	pace_add(&transfer->pace, *transfer->now, len);
}

/* The end of the headers: of an answer that counts, or of "100 continue" and the like. */
static int end_headers(struct transfer *transfer, struct err *err)
{
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) {
		headers_clear(&transfer->headers);
		if (++transfer->interim > INTERIM_MAX)
			return err_set(err, ERR_REMOTE, EBADMSG, "more than %d interim answers",
				INTERIM_MAX);
		return 0;
	}
	/* RFC 9112, 6.3: nobody knows where such a body ends */
	if (headers_disagree(&transfer->headers, "Content-Length"))
		return err_set(err, ERR_REMOTE, EBADMSG, "contradictory content-lengths");
	/* to a HEAD, too, some send the end of a body in chunks: the next answer would begin with
	 * it */
	if (transfer->request->no_body && headers_find(&transfer->headers, "Transfer-Encoding"))
		curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
	tell_answer(transfer);
	return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t whole = size * count;
	size_t len = whole;
	int r;

	heard(transfer, whole);
	if (transfer->dropped || transfer->answered ||
		!speaks_http(transfer)) /* trailers; ftp's conversation */
		return whole;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	r = len > 0 ? headers_add(&transfer->headers, line, len, &transfer->refusal)
		    : end_headers(transfer, &transfer->refusal);
	return r < 0 ? 0 : whole;
}

/* Only with HTTP/1 is it the request's own: streams of HTTP/2 share their connection. */
static int own_socket(const struct transfer *transfer)
{
	long version = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
	if (!speaks_http(transfer) || version > CURL_HTTP_VERSION_1_1)
		return -1;
	return sockets_find(
		transfer->sockets, transfer->local_port, transfer->peer, transfer->peer_port);
}

/* How long much has waited that we had not got to. */
static void note_backlog(struct transfer *transfer, uint64_t waiting)
{
	int64_t now = clock_monotonic_ms();

	if (transfer->behind_since)
		atomic_fetch_add(&transfer->behind_ms, now - transfer->behind_since);
	transfer->behind_since = waiting >= BACKLOG_MUCH ? now : 0;
}

/*
 * How far the server may send before it hears from us: as far as the window has ever reached, since
 * what was offered is not taken back.
 */
static void note_window(struct transfer *transfer, uint64_t waiting)
{
	uint64_t reach = transfer->received + waiting + sockets_window(transfer->socket);

	if (transfer->offered < reach)
		transfer->offered = reach;
	atomic_store(&transfer->window, transfer->offered - transfer->received);
}

/*
 * The window that is offered to the server reaches to the end of what is wanted and no further, so
 * that nothing is on its way when the connection is broken off there.
 */
static void fit_window(struct transfer *transfer, uint64_t waiting)
{
	uint64_t wanted = atomic_load(&transfer->wanted);
	uint64_t here = transfer->received + waiting;
	uint64_t left = SOCKET_WINDOW_MAX;

	if (wanted)
		left = wanted > here ? wanted - here : 0;
	if (left >= SOCKET_WINDOW_MAX && !transfer->narrowed)
		return;
	transfer->narrowed = left < SOCKET_WINDOW_MAX;
	sockets_limit_window(transfer->socket, left);
}

/* A part of a body was taken from its socket: how much is left there, and how much may follow? */
static void look_at_socket(struct transfer *transfer)
{
	int waiting;

	if (transfer->socket == SOCKET_NONE)
		transfer->socket = own_socket(transfer);
	waiting = transfer->socket >= 0 ? sockets_waiting(transfer->socket) : -1;
	if (waiting < 0)
		return;
	note_backlog(transfer, (uint64_t)waiting);
	note_window(transfer, (uint64_t)waiting);
	fit_window(transfer, (uint64_t)waiting);
}

/* The next one to use the connection finds it as it was. */
static void restore_window(struct transfer *transfer)
{
	if (transfer->narrowed)
		sockets_limit_window(transfer->socket, SOCKET_WINDOW_MAX);
	transfer->narrowed = false;
}

static size_t on_body(char *buf, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;
	int r;

	if (transfer->dropped ||
		transfer->request->no_body) /* curl writes the facts of a file of ftp here, too */
		return len;
	if (!transfer->answered)
		tell_answer(transfer);

	r = relay_put(&transfer->relay, buf, len,
		transfer->length < 0 ? -1 : transfer->length - (int64_t)transfer->received);
	if (r == -EAGAIN) {
		transfer->paused = true;
		pace_pause(&transfer->pace, *transfer->now);
		return CURL_WRITEFUNC_PAUSE;
	}
	if (r < 0) {
		err_oom(&transfer->refusal);
		return 0;
	}
	heard(transfer, len);
	transfer->received += len;
	if (transfer->received >= LOOK_FROM)
		look_at_socket(transfer);
	transfer->unread = true;
	return len;
}

/* Also the last time, when the connection is still there: how TLS ended is asked only here. */
static int on_progress(
	void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	struct transfer *transfer = arg;
	const struct curl_tlssessioninfo *session = NULL;

	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &session);
	if (session && session->internals && session->backend == CURLSSLBACKEND_OPENSSL)
		transfer->unannounced = !tls_is_ended(session->internals);
	return 0;
}

/*
 * Only the end of its connection ended the body (HTTP/1, neither length nor chunks), and TLS did
 * not say that it ends: anybody on the way could have cut it.
 */
static bool is_cut(const struct transfer *transfer)
{
	long version = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
	return transfer->unannounced && !transfer->request->no_body && transfer->length < 0 &&
	       transfer->status >= 200 && transfer->status < 300 && transfer->status != 204 &&
	       version <= CURL_HTTP_VERSION_1_1 &&
	       !headers_find(&transfer->headers, "Transfer-Encoding");
}

int easy_finish(struct transfer *transfer, struct err *err)
{
	restore_window(transfer);
	if (!transfer->answered)
		tell_answer(transfer);
	if (is_cut(transfer))
		return err_set_retry(err, ERR_NETWORK, EIO, 0,
			"body cut: the connection broke off, and TLS did not announce an end");
	return 0;
}

/* ---- the request, as curl wants it ---- */

static void set_limits(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* do not wait for a resolver */
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, QUEUE_WAIT_MS);
	curl_easy_setopt(easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, QUEUE_WAIT_MS / 1000);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, BUFFER_SIZE);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_FTP_SKIP_PASV_IP, 1L);
	curl_easy_setopt(easy, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_NOCWD);
	if (request->env->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, request->env->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these and no others */
	}
}

/* Neither proxy variables nor exceptions of theirs count. */
static void set_proxy(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy ? request->proxy : "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L); /* not the origin's answer */
	if (request->env->ca_file) {
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, request->env->ca_file);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
	}
}

static void set_callbacks(CURL *easy, struct transfer *transfer)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->sockets);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	if (str_equal(transfer->request->uri->scheme, "https")) {
		curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
	}
}

static void set_range(CURL *easy, const struct transfer_request *request)
{
	char range[48];

	if (request->length > 0) {
		snprintf(range, sizeof(range), "%llu-%llu", (unsigned long long)request->offset,
			(unsigned long long)(request->offset + request->length - 1));
		curl_easy_setopt(easy, CURLOPT_RANGE, range);
	} else if (request->offset > 0) {
		curl_easy_setopt(easy, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)request->offset);
	}
}

/* What goes with this request; NULL: nothing of it is for this place. */
static const struct access *access_of(const struct transfer_request *request)
{
	const struct access *access = request->access;

	return access && uri_is_below(access->prefix, request->uri->text) ? access : NULL;
}

static void set_access(CURL *easy, const struct transfer_request *request)
{
	const struct access *access = access_of(request);
	const struct uri *uri = request->uri;
	bool has_own = uri->user || uri->password;
	const char *user = has_own || !access ? uri->user : access->user;
	const char *password = has_own || !access ? uri->password : access->password;

	if (user)
		curl_easy_setopt(easy, CURLOPT_USERNAME, user);
	if (password)
		curl_easy_setopt(easy, CURLOPT_PASSWORD, password);
	if (access && access->netrc && !user && !password) {
		curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
		curl_easy_setopt(easy, CURLOPT_NETRC_FILE, access->netrc);
	}
	if (access && access->client_cert) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, access->client_cert);
		curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* ask nobody at a terminal */
	}
}

static void set_request(CURL *easy, const struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;

	curl_easy_setopt(easy, CURLOPT_URL, request->uri->text);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	if (request->no_body)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);

	if (!speaks_http(transfer)) {
		set_range(easy, request);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "fetchfs/" FETCHFS_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->header_list);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	if (request->own_connection) {
		curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	if (str_equal(request->uri->scheme, "https")) /* a stream rather than a connection */
		curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

static int add_header(struct transfer *transfer, const char *header)
{
	struct curl_slist *longer = curl_slist_append(transfer->header_list, header);

	if (!longer)
		return -ENOMEM;
	transfer->header_list = longer;
	return 0;
}

static int add_headers(struct transfer *transfer, const char *const *header)
{
	int r = 0;

	for (; r == 0 && header && *header; header++)
		r = add_header(transfer, *header);
	return r;
}

static int add_bearer(struct transfer *transfer, const char *token)
{
	char *header = str_printf("Authorization: Bearer %s", token);
	int r = header ? add_header(transfer, header) : -ENOMEM;

	if (header)
		explicit_bzero(header, strlen(header));
	free(header);
	return r;
}

static int make_header_list(struct transfer *transfer)
{
	const struct access *access = access_of(transfer->request);
	const struct uri *uri = transfer->request->uri;
	int r = add_headers(transfer, transfer->request->headers);

	if (r == 0 && access)
		r = add_headers(transfer, access->headers);
	if (r == 0 && access && access->bearer && !uri->user && !uri->password)
		r = add_bearer(transfer, access->bearer);
	return r;
}

int easy_prepare(struct transfer *transfer)
{
	int r = make_header_list(transfer);

	if (r < 0)
		return r;
	set_limits(transfer->easy, transfer->request);
	set_proxy(transfer->easy, transfer->request);
	set_callbacks(transfer->easy, transfer);
	set_access(transfer->easy, transfer->request);
	set_request(transfer->easy, transfer);
	return 0;
}
