#include "backends/transfer_private.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS       50 /* how exactly stalls are noticed */
#define IDLE_MS       60000
#define POLL_MS       100 /* what struct sink promises */
#define POOL_MAX      32  /* easy handles kept for the next request */
#define BUFFER_SIZE   (512L * 1024)
#define QUEUE_WAIT_MS (24L * 3600 * 1000) /* for a connection of the pool */

_Static_assert(TRANSFER_TEXT_MAX >= CURL_ERROR_SIZE, "room for what curl says");

struct transfers {
	CURLM *multi;
	pthread_t thread;
	pthread_mutex_t mu;
	struct transfer *first_command; /* guarded by mu */
	struct transfer *last_command;  /* guarded by mu */
	bool stop;                      /* guarded by mu */

	/* the curl thread's */
	struct transfer *running;
	CURL *pool[POOL_MAX];
	size_t pooled;
	int64_t now;
};

/* ---- codes of curl ---- */

static const struct {
	CURLcode code;
	int error;
	enum err_kind kind;
	bool retry;
} translations[] = {
	{CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_COULDNT_CONNECT, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, ERR_NETWORK, true},
	{CURLE_PEER_FAILED_VERIFICATION, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_CACERT_BADFILE, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_CONNECT_ERROR, EHOSTUNREACH, ERR_NETWORK, true},
	{CURLE_SSL_CERTPROBLEM, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_ISSUER_ERROR, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_SSL_INVALIDCERTSTATUS, EHOSTUNREACH, ERR_NETWORK, false},
	{CURLE_URL_MALFORMAT, EINVAL, ERR_USAGE, false},
	{CURLE_UNSUPPORTED_PROTOCOL, EBADMSG, ERR_REMOTE, false}, /* HTTP/0.9: no status line */
	{CURLE_WEIRD_SERVER_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_PASS_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_PASV_REPLY, EBADMSG, ERR_REMOTE, false},
	{CURLE_FTP_WEIRD_227_FORMAT, EBADMSG, ERR_REMOTE, false},
	{CURLE_LOGIN_DENIED, EACCES, ERR_REMOTE, false},
	{CURLE_REMOTE_FILE_NOT_FOUND, ENOENT, ERR_REMOTE, false},
	{CURLE_REMOTE_ACCESS_DENIED, ENOENT, ERR_REMOTE, false}, /* a folder on the way */
	{CURLE_FTP_COULDNT_USE_REST, EOPNOTSUPP, ERR_REMOTE, false},
	{CURLE_BAD_DOWNLOAD_RESUME, EOPNOTSUPP, ERR_REMOTE, false},
	{CURLE_RANGE_ERROR, EOPNOTSUPP, ERR_REMOTE, false},
};

/* What curl says, in our style: one line, the first word in lower case unless it is a name. */
static void curl_text(const struct transfer *transfer, CURLcode code, char *ret, size_t size)
{
	const char *text = transfer->text[0] ? transfer->text : curl_easy_strerror(code);
	size_t len;

	snprintf(ret, size, "%s", text);
	if (isupper((unsigned char)ret[0]) && !isupper((unsigned char)ret[1]))
		ret[0] = (char)tolower((unsigned char)ret[0]);
	ret[strcspn(ret, "\r\n")] = '\0';
	len = strlen(ret);
	while (len > 0 && (ret[len - 1] == '.' || ret[len - 1] == ' '))
		ret[--len] = '\0';
}

static void translate(const struct transfer *transfer, CURLcode code, struct err *ret)
{
	char text[CURL_ERROR_SIZE];

	if (code == CURLE_OUT_OF_MEMORY) {
		err_oom(ret);
		return;
	}
	if (code == CURLE_PARTIAL_FILE && transfer->length >= 0) {
		err_set_retry(ret, ERR_NETWORK, EIO, 0,
			"body shorter than promised: %llu of %lld bytes",
			(unsigned long long)transfer->received, (long long)transfer->length);
		return;
	}
	curl_text(transfer, code, text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(translations); i++)
		if (translations[i].code == code) {
			err_set(ret, translations[i].kind, translations[i].error, "%s", text);
			ret->retry = translations[i].retry;
			return;
		}
	/* whatever else curl knows happened to a connection that stood */
	err_set_retry(ret, ERR_NETWORK, EIO, 0, "%s", text);
}

/* ---- curl's callbacks, on the curl thread ---- */

/*
 * The transfer has its turn. Until here it may have waited for a connection of the pool, which is
 * nobody's fault: curl counts its limit from the beginning, so the wait is added.
 */
static void begin_turn(struct transfer *transfer)
{
	transfer->moved = transfer->owner->now;
	if (transfer->began)
		return;
	transfer->began = transfer->owner->now;
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

	(void)purpose;
	begin_turn(transfer);
	transfer->refusal.code = 0;
	if (guard && guard->address(
			     guard, transfer->request->uri, &address->addr, &transfer->refusal) < 0)
		return CURL_SOCKET_BAD;
	transfer->opened = true;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
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
	(void)local_port;
	begin_turn(transfer);
	transfer->connected = true;
	if (!transfer->opened && transfer->request->guard && guard_reused(transfer, ip, port) < 0)
		return CURL_PREREQFUNC_ABORT;
	return CURL_PREREQFUNC_OK;
}

static void publish_answer(struct transfer *transfer)
{
	curl_off_t length = -1;
	curl_off_t filetime = -1;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &transfer->status);
	curl_easy_getinfo(transfer->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	curl_easy_getinfo(transfer->easy, CURLINFO_FILETIME_T, &filetime);
	transfer->length = length >= 0 ? length : SIZE_UNKNOWN;
	transfer->filetime = filetime >= 0 ? filetime : TIME_UNKNOWN;
	transfer->answered = true;
	relay_answer(&transfer->relay);
}

static bool is_http(const struct transfer *transfer)
{
	return str_has_prefix(transfer->request->uri->scheme, "http");
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t whole = size * count;
	size_t len = whole;
	long status = 0;

	transfer->moved = transfer->owner->now;
	if (transfer->answered || !is_http(transfer)) /* trailers; ftp's conversation */
		return whole;
	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	if (len > 0)
		return headers_add(&transfer->headers, line, len, &transfer->refusal) < 0 ? 0
											  : whole;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= 200)
		publish_answer(transfer);
	else
		headers_clear(&transfer->headers); /* of "100 continue" and the like */
	return whole;
}

static size_t on_body(char *buf, size_t size, size_t count, void *arg)
{
	struct transfer *transfer = arg;
	size_t len = size * count;
	int r;

	transfer->moved = transfer->owner->now;
	if (transfer->request->no_body) /* curl writes the facts of a file of ftp here, too */
		return len;
	if (!transfer->answered)
		publish_answer(transfer);

	r = relay_put(&transfer->relay, buf, len,
		transfer->length < 0 ? -1 : transfer->length - (int64_t)transfer->received);
	if (r == -EAGAIN) {
		transfer->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (r < 0) {
		err_oom(&transfer->refusal);
		return 0;
	}
	transfer->received += len;
	transfer->unread = true;
	return len;
}

/* ---- the curl thread ---- */

static void end(struct transfers *transfers, struct transfer *transfer, const struct err *err)
{
	if (transfer->prev)
		transfer->prev->next = transfer->next;
	else if (transfers->running == transfer)
		transfers->running = transfer->next;
	if (transfer->next)
		transfer->next->prev = transfer->prev;

	if (transfer->easy) {
		curl_multi_remove_handle(transfers->multi, transfer->easy);
		curl_easy_reset(transfer->easy);
		if (transfers->pooled < POOL_MAX)
			transfers->pool[transfers->pooled++] = transfer->easy;
		else
			curl_easy_cleanup(transfer->easy);
		transfer->easy = NULL;
	}
	curl_slist_free_all(transfer->header_list);
	relay_end(&transfer->relay, err);
}

static void set_limits(CURL *easy, const struct transfer_request *request)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https,ftp,ftps");
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
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

static void set_callbacks(CURL *easy, struct transfer *transfer)
{
	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->text);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	curl_easy_setopt(easy, CURLOPT_RESOLVER_START_DATA, transfer);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_connected);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
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

static void set_request(CURL *easy, const struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;

	curl_easy_setopt(easy, CURLOPT_URL, request->uri->text);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	if (request->uri->user)
		curl_easy_setopt(easy, CURLOPT_USERNAME, request->uri->user);
	if (request->uri->password)
		curl_easy_setopt(easy, CURLOPT_PASSWORD, request->uri->password);
	if (request->no_body)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	curl_easy_setopt(easy, CURLOPT_FILETIME, 1L);

	if (!is_http(transfer)) {
		set_range(easy, request);
		return;
	}
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "fetchfs/" FETCHFS_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->header_list);
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	if (str_equal(request->uri->scheme, "https")) /* a stream rather than a connection */
		curl_easy_setopt(easy, CURLOPT_PIPEWAIT, 1L);
}

static int make_header_list(struct transfer *transfer)
{
	const char *const *header = transfer->request->headers;

	for (; header && *header; header++) {
		struct curl_slist *longer = curl_slist_append(transfer->header_list, *header);

		if (!longer)
			return -ENOMEM;
		transfer->header_list = longer;
	}
	return 0;
}

static void start(struct transfers *transfers, struct transfer *transfer)
{
	struct err err = ERR_INIT;

	transfer->easy =
		transfers->pooled ? transfers->pool[--transfers->pooled] : curl_easy_init();
	if (!transfer->easy || make_header_list(transfer) < 0) {
		err_oom(&err);
		end(transfers, transfer, &err);
		return;
	}
	set_limits(transfer->easy, transfer->request);
	set_callbacks(transfer->easy, transfer);
	set_request(transfer->easy, transfer);

	transfer->queued = transfers->now;
	transfer->next = transfers->running;
	if (transfer->next)
		transfer->next->prev = transfer;
	transfers->running = transfer;
	if (curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK) {
		err_oom(&err);
		end(transfers, transfer, &err);
	}
}

static void end_badly(struct transfers *transfers, struct transfer *transfer, CURLcode code)
{
	struct err err = transfer->refusal;

	if (!err.code)
		translate(transfer, code, &err);
	end(transfers, transfer, &err);
}

static void obey(struct transfers *transfers, struct transfer *transfer, unsigned int commands)
{
	struct err err = ERR_INIT;
	CURLcode code;

	if (commands & COMMAND_CANCEL) {
		err_set(&err, ERR_CANCELLED, EINTR, "cancelled");
		end(transfers, transfer, &err);
	} else if (commands & COMMAND_START) {
		start(transfers, transfer);
	} else {
		transfer->paused = false;
		transfer->moved = transfers->now;
		code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* calls on_body */
		if (code != CURLE_OK)
			end_badly(transfers, transfer, code);
	}
}

/*
 * The next command. As long as a transfer is in the list or has a running easy handle its caller
 * is inside transfer_run(): it takes itself off the list, under the lock, before it leaves.
 */
static bool take_command(
	struct transfers *transfers, struct transfer **ret, unsigned int *ret_commands)
{
	WITH_LOCK(&transfers->mu);

	for (;;) {
		struct transfer *transfer = transfers->first_command;

		if (!transfer)
			return false;
		transfers->first_command = transfer->next_command;
		if (!transfers->first_command)
			transfers->last_command = NULL;
		transfer->next_command = NULL;
		*ret = transfer;
		*ret_commands = transfer->commands;
		transfer->commands = 0;
		if (transfer->easy || (*ret_commands & COMMAND_START))
			return true;
	}
}

static void reap(struct transfers *transfers)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(transfers->multi, &left))) {
		CURLcode code = message->data.result;
		struct err err = ERR_INIT;
		char *private = NULL;
		struct transfer *transfer;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		transfer = (struct transfer *)(void *)private;
		if (code != CURLE_OK) {
			end_badly(transfers, transfer, code);
			continue;
		}
		if (!transfer->answered)
			publish_answer(transfer);
		end(transfers, transfer, &err);
	}
}

/* Wake those who got bytes; end those who got none for too long. */
static void tick(struct transfers *transfers)
{
	struct transfer *next;

	for (struct transfer *transfer = transfers->running; transfer; transfer = next) {
		const struct backend_env *env = transfer->request->env;
		int64_t now = transfers->now;
		struct err err = ERR_INIT;

		next = transfer->next;
		if (transfer->unread)
			relay_flush(&transfer->relay);
		transfer->unread = false;

		if (!transfer->began)
			continue;
		if (transfer->connected && !transfer->paused &&
			now - transfer->moved >= env->stall_ms)
			err_set_retry(&err, ERR_NETWORK, ETIMEDOUT, 0,
				"stalled: not one byte for %u ms", env->stall_ms);
		else if (env->total_ms && now - transfer->began >= env->total_ms)
			err_set_retry(&err, ERR_NETWORK, ETIMEDOUT, 0, "not finished within %u ms",
				env->total_ms);
		if (err.code)
			end(transfers, transfer, &err);
	}
}

static bool is_stopped(struct transfers *transfers)
{
	WITH_LOCK(&transfers->mu);

	return transfers->stop;
}

static void *run(void *arg)
{
	struct transfers *transfers = arg;
	struct transfer *transfer;
	unsigned int commands;
	int running;

	while (!is_stopped(transfers)) {
		transfers->now = clock_monotonic_ms();
		while (take_command(transfers, &transfer, &commands))
			obey(transfers, transfer, commands);
		curl_multi_perform(transfers->multi, &running);
		reap(transfers);
		tick(transfers);
		curl_multi_poll(
			transfers->multi, NULL, 0, transfers->running ? TICK_MS : IDLE_MS, NULL);
	}
	return NULL;
}

int transfers_new(
	unsigned int connections, unsigned int per_host, struct transfers **ret, struct err *err)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));
	sigset_t all;
	sigset_t before;
	int r;

	if (!transfers || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(transfers);
		return err_oom(err);
	}
	pthread_mutex_init(&transfers->mu, NULL);
	transfers->multi = curl_multi_init();
	if (!transfers->multi) {
		transfers_free(transfers);
		return err_oom(err);
	}
	curl_multi_setopt(transfers->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections);
	curl_multi_setopt(transfers->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)per_host);
	curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, (long)connections);
	curl_multi_setopt(transfers->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);

	/* signals are for the threads of the program */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&transfers->thread, NULL, run, transfers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r) {
		transfers->thread = 0;
		transfers_free(transfers);
		return err_set(err, ERR_SYSTEM, r, "start the thread of transfers: %m");
	}
	pthread_setname_np(transfers->thread, "transfers");
	*ret = transfers;
	return 0;
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	if (transfers->thread) {
		pthread_mutex_lock(&transfers->mu);
		transfers->stop = true;
		pthread_mutex_unlock(&transfers->mu);
		curl_multi_wakeup(transfers->multi);
		pthread_join(transfers->thread, NULL);
	}
	while (transfers->pooled > 0)
		curl_easy_cleanup(transfers->pool[--transfers->pooled]);
	curl_multi_cleanup(transfers->multi);
	curl_global_cleanup();
	pthread_mutex_destroy(&transfers->mu);
	free(transfers);
}

/* ---- what the calling thread uses ---- */

void transfers_command(struct transfer *transfer, enum command command)
{
	struct transfers *transfers = transfer->owner;

	pthread_mutex_lock(&transfers->mu);
	if (!transfer->commands) {
		if (transfers->last_command)
			transfers->last_command->next_command = transfer;
		else
			transfers->first_command = transfer;
		transfers->last_command = transfer;
	}
	transfer->commands |= command;
	pthread_mutex_unlock(&transfers->mu);
	curl_multi_wakeup(transfers->multi);
}

void transfers_forget(struct transfer *transfer)
{
	struct transfers *transfers = transfer->owner;
	struct transfer *before = NULL;
	WITH_LOCK(&transfers->mu);

	if (!transfer->commands)
		return;
	for (struct transfer **at = &transfers->first_command; *at; at = &(*at)->next_command) {
		if (*at == transfer) {
			*at = transfer->next_command;
			if (transfers->last_command == transfer)
				transfers->last_command = before;
			return;
		}
		before = *at;
	}
}

int64_t transfer_date(const char *text)
{
	time_t date = curl_getdate(text, NULL);

	return date < 0 ? TIME_UNKNOWN : (int64_t)date;
}
