#include "backends/lines.h"
#include "backends/transfer_private.h"

#include "base/clock.h"
#include "base/str.h"

#include <stdlib.h>

#define POLL_MS 100 /* what struct sink promises */

static int hand_over(struct transfer *transfer, struct relay_buffer *buffer, struct err *err)
{
	const struct transfer_request *request = transfer->request;
	int r = request->on_body(buffer->bytes, buffer->len, request->arg, err);

	if (relay_hand_back(&transfer->relay, buffer))
		transfers_command(transfer, COMMAND_RESUME);
	return r;
}

/* Pass on what comes. *ret_ended: the end was seen, and @err is what it said. */
static int follow(struct transfer *transfer, bool *ret_ended, struct err *err)
{
	const struct transfer_request *request = transfer->request;
	int64_t polled = clock_monotonic_ms();
	int r = 0;

	while (r >= 0) {
		struct relay_buffer *buffer = NULL;
		struct err end = ERR_INIT;

		switch (relay_next(&transfer->relay, POLL_MS, &buffer, &end)) {
		case RELAY_ANSWER:
			r = request->on_answer(transfer, request->arg, err);
			break;
		case RELAY_BYTES:
			r = hand_over(transfer, buffer, err);
			break;
		case RELAY_END:
			*ret_ended = true;
			if (end.code && err)
				*err = end;
			return -end.code;
		case RELAY_TIMEOUT:
			break;
		}
		if (r >= 0 && clock_monotonic_ms() - polled >= POLL_MS) {
			r = request->on_poll(request->arg, err);
			polled = clock_monotonic_ms();
		}
	}
	return r;
}

/* After a callback said no: stop the curl thread's part and wait until it lets go. */
static void cancel(struct transfer *transfer)
{
	struct relay_buffer *buffer = NULL;
	struct err ignored = ERR_INIT;
	enum relay_event event;

	transfers_command(transfer, COMMAND_CANCEL);
	while ((event = relay_next(&transfer->relay, POLL_MS, &buffer, &ignored)) != RELAY_END)
		if (event == RELAY_BYTES)
			relay_hand_back(&transfer->relay, buffer);
}

void transfer_init(struct transfer *transfer, const struct transfer_request *request)
{
	*transfer = (struct transfer){
		.request = request,
		.length = SIZE_UNKNOWN,
		.filetime = TIME_UNKNOWN,
		.fd = -1,
		.told_ready = !request->on_ready,
		.talk = FTP_TALK_INIT,
	};
	transfer->talk.has_tls = str_equal(request->uri->scheme, "ftps");
	relay_init(&transfer->relay);
}

void transfer_release(struct transfer *transfer)
{
	relay_release(&transfer->relay);
	headers_release(&transfer->headers);
}

int transfer_start(struct transfers *transfers, const struct transfer_request *request,
	struct transfer **ret, struct err *err)
{
	struct transfer *transfer;
	int r = transfers_awake(transfers, err);

	if (r < 0)
		return r;
	transfer = malloc(sizeof(*transfer));
	if (!transfer)
		return err_oom(err);
	transfer_init(transfer, request);
	transfer->owner = transfers;
	*ret = transfer;
	transfers_command(transfer, COMMAND_START);
	return 0;
}

int transfer_finish(struct transfer *transfer, struct err *err)
{
	bool ended = false;
	int r = follow(transfer, &ended, err);

	if (!ended)
		cancel(transfer);
	transfers_forget(transfer);
	transfer_release(transfer);
	free(transfer);
	return r;
}

int transfer_run(
	struct transfers *transfers, const struct transfer_request *request, struct err *err)
{
	struct transfer *transfer;
	int r = transfers_awake(transfers, err);

	if (r < 0)
		return r;
	if (str_has_prefix(request->uri->scheme, "ftp") &&
		!transfer_is_proxied_ftp(request->uri, request->proxy))
		return lines_run(transfers_lines(transfers), request, err);
	r = transfer_start(transfers, request, &transfer, err);
	return r < 0 ? r : transfer_finish(transfer, err);
}

bool transfer_is_proxied_ftp(const struct uri *uri, const char *proxy)
{
	return proxy && str_has_prefix(proxy, "http") && str_equal(uri->scheme, "ftp");
}

long transfer_status(const struct transfer *transfer)
{
	return transfer->status;
}

int64_t transfer_length(const struct transfer *transfer)
{
	return transfer->length;
}

int64_t transfer_filetime(const struct transfer *transfer)
{
	return transfer->filetime;
}

const struct ftp_talk *transfer_talk(const struct transfer *transfer)
{
	return &transfer->talk;
}

bool transfer_is_queued(const struct transfer *transfer)
{
	return !atomic_load(&transfer->had_turn);
}

uint64_t transfer_window(const struct transfer *transfer)
{
	return atomic_load(&transfer->window);
}

int64_t transfer_behind_ms(const struct transfer *transfer)
{
	return atomic_load(&transfer->behind_ms);
}

void transfer_want(struct transfer *transfer, uint64_t bytes)
{
	atomic_store(&transfer->wanted, bytes);
}

const char *transfer_header(const struct transfer *transfer, const char *name)
{
	return headers_find(&transfer->headers, name);
}

const struct headers *transfer_headers(const struct transfer *transfer)
{
	return &transfer->headers;
}
