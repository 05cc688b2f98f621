/* One request over one connection to an FTP server, by the thread that calls. */
#include "backends/lines_private.h"

#include "backends/codes.h"
#include "backends/easy.h"
#include "backends/limits.h"
#include "backends/tls.h"
#include "base/clock.h"
#include "base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define POLL_MS 100 /* what struct sink promises */
#define TICK_MS 50  /* how exactly limits are kept */

#define ACTIVE_TLS 0x080000 /* the version of libcurl */

/* ---- the connection ---- */

/* No answer comes any more, in particular not the one to QUIT: it is not waited for. */
static void hang_up(struct line *line, int how)
{
	for (size_t i = 0; i < line->sockets.count; i++)
		shutdown(line->sockets.rows[i].fd, how);
}

void line_free(struct line *line)
{
	if (!line)
		return;
	hang_up(line, SHUT_RDWR);
	if (line->easy)
		curl_easy_cleanup(line->easy);
	if (line->multi)
		curl_multi_cleanup(line->multi);
	sockets_release(&line->sockets);
	if (line->key)
		explicit_bzero(line->key, strlen(line->key));
	free(line->key);
	free(line->host);
	free(line);
}

int line_new(const char *host, const char *key, struct line **ret, struct err *err)
{
	struct line *line = calloc(1, sizeof(*line));

	if (!line)
		return err_oom(err);
	line->host = str_copy(host);
	line->key = str_copy(key);
	line->easy = curl_easy_init();
	line->multi = curl_multi_init();
	if (!line->host || !line->key || !line->easy || !line->multi) {
		line_free(line);
		return err_oom(err);
	}
	*ret = line;
	return 0;
}

bool line_is_quiet(const struct line *line)
{
	for (size_t i = 0; i < line->sockets.count; i++) {
		struct pollfd look = {.fd = line->sockets.rows[i].fd, .events = POLLIN};

		if (poll(&look, 1, 0) != 0)
			return false;
	}
	return true;
}

/* ---- a request ---- */

struct call {
	struct line *line;
	struct transfer transfer;
	int64_t now;
	int64_t polled;
	struct err *err;
	int r;             /* what a callback answered; < 0: it ends here, with @err */
	bool facts_wanted; /* MLSD is asked for */
};

/* As long as somebody else works, or thinks, the server is not slow. */
static int call_back(struct call *call, enum relay_event event, struct relay_buffer *buffer)
{
	const struct transfer_request *request = call->transfer.request;
	struct pace *pace = &call->transfer.pace;
	bool counts = pace_is_started(pace) && !call->transfer.paused;
	int r;

	if (counts)
		pace_pause(pace, clock_monotonic_ms());
	if (event == RELAY_ANSWER)
		r = request->on_answer(&call->transfer, request->arg, call->err);
	else
		r = request->on_body(buffer->bytes, buffer->len, request->arg, call->err);
	if (event == RELAY_BYTES)
		relay_hand_back(&call->transfer.relay, buffer);
	if (counts)
		pace_resume(pace, clock_monotonic_ms());
	return r;
}

/* Pass on what has come. */
static void pump(struct call *call)
{
	const struct transfer_request *request = call->transfer.request;

	while (call->r >= 0) {
		struct relay_buffer *buffer = NULL;
		struct err ignored = ERR_INIT;
		enum relay_event event = relay_next(&call->transfer.relay, 0, &buffer, &ignored);

		if (event != RELAY_ANSWER && event != RELAY_BYTES)
			break;
		call->r = call_back(call, event, buffer);
	}
	call->now = clock_monotonic_ms();
	if (call->r < 0 || call->now - call->polled < POLL_MS)
		return;
	if (request->ret_queued)
		*request->ret_queued = false;
	call->r = request->on_poll(request->arg, call->err);
	call->polled = call->now;
}

/* Nobody wants it any more, or it is past a limit. */
static bool is_over(struct call *call)
{
	pump(call);
	return call->r < 0 || limits_check(&call->transfer, &call->transfer.refusal) < 0;
}

/* Also each second while curl waits for an answer by itself. */
static int on_progress(
	void *arg, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up_now)
{
	(void)total;
	(void)now;
	(void)up_total;
	(void)up_now;
	return is_over(arg);
}

static int on_talk(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	struct call *call = arg;

	(void)easy;
	if (type != CURLINFO_HEADER_OUT)
		return 0;
	ftp_talk_say(&call->transfer.talk, data, size);
	if (str_equal(call->transfer.talk.verb, "QUIT"))
		hang_up(call->line, SHUT_RD);
	return 0;
}

static bool has_ended(const struct call *call, CURLcode *ret)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(call->line->multi, &left)))
		if (message->msg == CURLMSG_DONE) {
			*ret = message->data.result;
			return true;
		}
	return false;
}

/* Go on until curl says that it has ended, or we do. */
static CURLcode drive(struct call *call)
{
	struct transfer *transfer = &call->transfer;
	CURLcode code;
	int running;

	for (;;) {
		call->now = clock_monotonic_ms();
		if (curl_multi_perform(call->line->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (has_ended(call, &code))
			return code;
		if (is_over(call))
			return CURLE_ABORTED_BY_CALLBACK;
		if (!transfer->paused) {
			curl_multi_poll(call->line->multi, NULL, 0, TICK_MS, NULL);
			continue;
		}
		transfer->paused = false;
		pace_resume(&transfer->pace, call->now);
		code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* calls on_body */
		if (code != CURLE_OK)
			return code;
	}
}

static int begin(struct call *call)
{
	struct transfer *transfer = &call->transfer;
	CURL *easy = call->line->easy;

	call->now = call->polled = clock_monotonic_ms();
	transfer->now = &call->now;
	transfer->queued = call->now;
	transfer->sockets = &call->line->sockets;
	transfer->easy = easy;
	curl_easy_reset(easy);
	if (easy_prepare(transfer) < 0)
		return -1;
	if (transfer->request->ftp == TRANSFER_LIST && call->facts_wanted)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "MLSD");
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, call);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_talk);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, call);
	return curl_multi_add_handle(call->line->multi, easy) == CURLM_OK ? 0 : -1;
}

/* The server had closed the connection, or was about to, before it heard of this request. */
static bool was_stale(const struct call *call, CURLcode code)
{
	const struct transfer *transfer = &call->transfer;
	bool broke =
		code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING;

	if (transfer->opened || transfer->answered)
		return false;
	return transfer->talk.reply == 421 || (broke && transfer->talk.heard == 0);
}

static void run(struct call *call, CURLcode *ret, struct err *ret_end)
{
	struct transfer *transfer = &call->transfer;
	CURLcode code = begin(call) == 0 ? drive(call) : CURLE_OUT_OF_MEMORY;

	if (code == CURLE_OK)
		easy_finish(transfer, ret_end);
	else if (transfer->refusal.code)
		*ret_end = transfer->refusal;
	else if (call->r >= 0)
		codes_translate(transfer, (int)code, ret_end);
	curl_multi_remove_handle(call->line->multi, call->line->easy);
	transfer->easy = NULL;
	pump(call);
	*ret = code;
}

/* true: it is to be tried again, in another way. */
static bool run_once(struct line *line, const struct transfer_request *request, bool again,
	int *ret, struct err *err)
{
	struct call call = {.line = line, .facts_wanted = !line->no_facts, .err = err};
	struct err end = ERR_INIT;
	CURLcode code;
	bool once_more;

	transfer_init(&call.transfer, request);
	run(&call, &code, &end);
	if (code != CURLE_OK && request->ftp == TRANSFER_LIST &&
		ftp_talk_is_unknown(&call.transfer.talk, "MLSD"))
		line->no_facts = once_more = true;
	else
		once_more = !again && code != CURLE_OK && call.r >= 0 && was_stale(&call, code);
	if (call.r >= 0 && end.code && err)
		*err = end;
	*ret = call.r < 0 ? call.r : -end.code;
	transfer_release(&call.transfer);
	return once_more;
}

/* Older ones speak no TLS over a connection that the server opens, and wait for ever. */
static bool lacks_active_tls(const struct transfer_request *request)
{
	return request->ftp_active &&
	       (request->ftp_tls || str_equal(request->uri->scheme, "ftps")) &&
	       curl_version_info(CURLVERSION_NOW)->version_num < ACTIVE_TLS;
}

int line_run(struct line *line, const struct transfer_request *request, struct err *err)
{
	int r;

	if (lacks_active_tls(request))
		return err_set(err, ERR_USAGE, EPROTONOSUPPORT,
			"ftp_active and TLS together need libcurl 8.0");
	for (unsigned int tries = 0; run_once(line, request, tries > 0, &r, err); tries++)
		;
	return r;
}
