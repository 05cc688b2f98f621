#include "backends/easy.h"

#include "backends/reuse.h"
#include "backends/tls.h"
#include "backends/window.h"
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

#define INTERIM_MAX 100 /* "103 early hints" and the like before one answer */

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
	atomic_store(&transfer->had_turn, true);
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

/* Where an FTP server says that its data is: not where other services of its host are. */
static int check_data_port(const struct sockaddr *address, struct err *err)
{
	unsigned int port = 0;

	if (address->sa_family == AF_INET)
		port = ntohs(((const struct sockaddr_in *)address)->sin_port);
	if (address->sa_family == AF_INET6)
		port = ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
	if (port >= IPPORT_RESERVED)
		return 0;
	return err_set(
		err, ERR_POLICY, EACCES, "the server sends us to port %u for its data", port);
}

/* May there be a connection to @address, or one from it? */
static int check_address(struct transfer *transfer, const struct sockaddr *address)
{
	const struct transfer_request *request = transfer->request;
	const struct guard *guard = request->guard;
	/* the request has gone out: this one is for the data */
	bool is_data = transfer->asked && !easy_speaks_http(transfer);
	int r = 0;

	if (request->proxy)
		return 0;
	if (is_data && request->ftp_active)
		return 0; /* where we listen: on_accept() looks who comes */
	if (is_data)
		r = check_data_port(address, &transfer->refusal);
	return r == 0 && guard ? guard->address(guard, request->uri, address, &transfer->refusal)
			       : r;
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *transfer = arg;

	(void)purpose;
	begin_turn(transfer);
	transfer->refusal.code = 0;
	if (check_address(transfer, &address->addr) < 0)
		return CURL_SOCKET_BAD;
	transfer->opened = true;
	return sockets_open(
		transfer->sockets, address->family, address->socktype, address->protocol);
}

/* Bring the data only from whom it was asked of: anybody may connect. */
static int on_accept(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	struct transfer *transfer = arg;

	if (purpose != CURLSOCKTYPE_ACCEPT || sockets_have_one_peer(fd, transfer->fd))
		return CURL_SOCKOPT_OK;
	err_set(&transfer->refusal, ERR_REMOTE, EACCES,
		"somebody else connected to bring the data");
	return CURL_SOCKOPT_ERROR;
}

static int on_close(void *arg, curl_socket_t fd)
{
	return sockets_close(arg, fd);
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
	transfer->asked = *transfer->now;
	if (!transfer->opened && transfer->request->guard && !transfer->request->proxy &&
		guard_reused(transfer, ip, port) < 0)
		return CURL_PREREQFUNC_ABORT;
	transfer->fd = sockets_find(transfer->sockets, ip, port, local_port);
	transfer->leftovers = !transfer->opened && reuse_has_leftovers(transfer);
	return transfer->leftovers ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
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

/* Bytes of the answer came. What a server says before it was asked (ftp) is none. */
static void heard(struct transfer *transfer, size_t len)
{
	if (!transfer->asked)
		return;
	sockets_heard(transfer->sockets, transfer->fd, *transfer->now);
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
	tell_answer(transfer);
	return 0;
}

/* What follows the body says nothing that counts, but it must have an end. */
static int add_trailer(struct transfer *transfer, size_t len, struct err *err)
{
	transfer->trailers += len;
	if (transfer->trailers <= HEADERS_MAX)
		return 0;
	return err_set(err, ERR_REMOTE, EBADMSG, "trailers are longer than %zu bytes", HEADERS_MAX);
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t whole = size * count;
	size_t len = whole;
	int r;

	heard(transfer, whole);
	if (!easy_speaks_http(transfer))
		return ftp_talk_hear(&transfer->talk, line, whole, &transfer->refusal) < 0 ? 0
											   : whole;
	if (transfer->dropped)
		return whole;
	if (transfer->answered)
		return add_trailer(transfer, whole, &transfer->refusal) < 0 ? 0 : whole;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	r = len > 0 ? headers_add(&transfer->headers, line, len, &transfer->refusal)
		    : end_headers(transfer, &transfer->refusal);
	return r < 0 ? 0 : whole;
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
	window_restore(transfer);
	if (!transfer->answered)
		tell_answer(transfer);
	if (is_cut(transfer))
		return err_set_retry(err, ERR_NETWORK, EIO, 0,
			"body cut: the connection broke off, and TLS did not announce an end");
	return 0;
}

void easy_listen(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

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
	if (transfer->request->ftp_active) {
		curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_accept);
		curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer);
	}
	if (str_equal(transfer->request->uri->scheme, "https")) {
		curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
		curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
		curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
	}
}
