#include "backends/codes.h"
#include "backends/commands.h"
#include "backends/easy.h"
#include "backends/limits.h"
#include "backends/lines.h"
#include "backends/reuse.h"
#include "backends/window.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/libcurl.h"
#include "base/str.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS     50 /* how exactly stalls are noticed */
#define IDLE_MS     60000
#define SWEEP_MS    10000
#define LOOK_MS     100 /* whether those who wait for a connection are still wanted */
#define REST_US     150
#define REST_MIN    16 /* transfers */
#define REST_PART   2
#define BRIEF_MS    20 /* what is small is told in one piece if all of it comes within this */
#define BRIEF_MAX   65536
#define STREAMS_MAX 1000L
#define POOL_MAX    64 /* easy handles kept for the next request */

struct transfers {
	long connections;
	long per_host;
	struct lines *lines;

	pthread_mutex_t mu; /* of who wakes it */
	atomic_bool is_awake;
	CURLM *multi;
	pthread_t thread;

	struct commands commands;
	atomic_bool stop;
	atomic_bool hurry;

	/* the curl thread's */
	struct sockets sockets;
	struct transfer *running;
	CURL *pool[POOL_MAX];
	size_t pooled;
	unsigned int count; /* running at the last tick */
	unsigned int moved; /* who got bytes, or ended, in this round */
	int64_t now;
	int64_t swept;
};

/* ---- the curl thread ---- */

/*
 * Keep the handle for another request if this one went through to its end. With HTTP/2, libcurl
 * (7.88) keeps what came for a paused one in spite of all that is done to end it: it is let go
 * before, and to be sure no other request gets the handle.
 */
static void put_away(struct transfers *transfers, struct transfer *transfer, bool complete)
{
	CURL *easy = transfer->easy;

	transfer->dropped = true;
	if (transfer->paused)
		curl_easy_pause(easy, CURLPAUSE_CONT);
	curl_multi_remove_handle(transfers->multi, easy);
	transfer->easy = NULL;
	if (!complete || transfers->pooled == POOL_MAX) {
		curl_easy_cleanup(easy);
		return;
	}
	curl_easy_reset(easy);
	transfers->pool[transfers->pooled++] = easy;
}

/* Whoever called transfer_start() has something to do now. */
static void tell_ready(struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;

	if (!transfer->told_ready)
		request->on_ready(request->ready_arg, false);
	transfer->told_ready = true;
}

/* The relay is the last that is touched, unless nobody is there yet who would free it. */
static void end_relay(struct transfer *transfer, const struct err *err)
{
	const struct transfer_request *request = transfer->request;
	bool untold = !transfer->told_ready;
	bool whole = !err->code && transfer->status >= 200 && transfer->status < 300;

	relay_end(&transfer->relay, err);
	if (untold)
		request->on_ready(request->ready_arg, whole);
}

static void end(struct transfers *transfers, struct transfer *transfer, const struct err *err)
{
	if (transfer->prev)
		transfer->prev->next = transfer->next;
	else if (transfers->running == transfer)
		transfers->running = transfer->next;
	if (transfer->next)
		transfer->next->prev = transfer->prev;

	transfers->moved++;
	if (transfer->easy)
		put_away(transfers, transfer, !err->code);
	curl_slist_free_all(transfer->header_list);
	end_relay(transfer, err);
}

static void start(struct transfers *transfers, struct transfer *transfer)
{
	struct err err = ERR_INIT;

	transfer->sockets = &transfers->sockets;
	transfer->easy =
		transfers->pooled ? transfers->pool[--transfers->pooled] : curl_easy_init();
	if (!transfer->easy || easy_prepare(transfer) < 0) {
		err_oom(&err);
		end(transfers, transfer, &err);
		return;
	}
	transfer->fd = -1;
	transfer->queued = transfers->now;
	transfer->now = &transfers->now;
	transfer->next = transfers->running;
	if (transfer->next)
		transfer->next->prev = transfer;
	transfers->running = transfer;
	if (curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK) {
		err_oom(&err);
		end(transfers, transfer, &err);
	}
}

/* The same over a new connection. */
static bool start_again(struct transfers *transfers, struct transfer *transfer)
{
	curl_multi_remove_handle(transfers->multi, transfer->easy);
	easy_again(transfer);
	return curl_multi_add_handle(transfers->multi, transfer->easy) == CURLM_OK;
}

static void end_badly(struct transfers *transfers, struct transfer *transfer, CURLcode code)
{
	struct err err = transfer->refusal;

	if (!err.code && reuse_is_to_blame(transfer, (int)code) && start_again(transfers, transfer))
		return;
	if (!err.code)
		codes_translate(transfer, code, &err);
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
		pace_resume(&transfer->pace, transfers->now);
		code = curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* calls on_body */
		if (code != CURLE_OK)
			end_badly(transfers, transfer, code);
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
		easy_finish(transfer, &err);
		end(transfers, transfer, &err);
	}
}

/* Whether the end of it is so near that whoever waits is better woken once, by that. */
static bool is_brief(const struct transfers *transfers, const struct transfer *transfer)
{
	return transfer->length >= 0 && transfer->length <= BRIEF_MAX &&
	       transfers->now - transfer->answered_ms < BRIEF_MS;
}

/* It is past a limit. */
static void give_up(struct transfers *transfers, struct transfer *transfer, const struct err *err)
{
	sockets_break(&transfers->sockets, transfer->fd, limits_silence(transfer, transfers->now));
	end(transfers, transfer, err);
}

/* Whether whoever began it, and has no thread to wait with, does not want it any more. */
static bool is_unwanted(const struct transfers *transfers, struct transfer *transfer)
{
	const struct transfer_request *request = transfer->request;

	if (!request->on_queued || transfers->now - transfer->looked < LOOK_MS)
		return false;
	transfer->looked = transfers->now;
	return request->on_queued(request->queued_arg, NULL) != 0;
}

static bool is_late(const struct transfers *transfers, struct transfer *transfer)
{
	if (transfer->told_ready || atomic_load(&transfers->hurry))
		return true;
	if (transfer->began)
		return transfers->now - transfer->began >= TRANSFER_READY_MS;
	return is_unwanted(transfers, transfer);
}

/* Wake those who got bytes; end those who are past a limit. */
static void tick(struct transfers *transfers)
{
	struct transfer *next;

	transfers->count = 0;
	for (struct transfer *transfer = transfers->running; transfer; transfer = next) {
		struct err err = ERR_INIT;

		next = transfer->next;
		transfers->count++;
		if (transfer->unread) {
			transfers->moved++;
			window_look(transfer);
		}
		if (transfer->unread && !is_brief(transfers, transfer)) {
			relay_flush(&transfer->relay);
			transfer->unread = false;
			tell_ready(transfer);
		}
		if (is_late(transfers, transfer))
			tell_ready(transfer);

		if (limits_check(transfer, &err) < 0)
			give_up(transfers, transfer, &err);
	}
}

/*
 * Each look costs curl a system call for each transfer: with many of them, as long as there is
 * little to read, a few answers are waited for.
 */
static void rest(struct transfers *transfers)
{
	static const struct timespec time = {.tv_nsec = REST_US * 1000};

	if (transfers->count >= REST_MIN && transfers->moved < transfers->count / REST_PART)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Idle connections of others' threads, which have nothing to do, either. */
static void sweep(struct transfers *transfers)
{
	if (transfers->now - transfers->swept < SWEEP_MS)
		return;
	transfers->swept = transfers->now;
	lines_sweep(transfers->lines, transfers->now);
}

static void *run(void *arg)
{
	struct transfers *transfers = arg;
	struct transfer *transfer;
	unsigned int commands;
	int running;

	while (!atomic_load(&transfers->stop)) {
		transfers->now = clock_monotonic_ms();
		while (commands_take(&transfers->commands, &transfer, &commands))
			obey(transfers, transfer, commands);
		transfers->moved = 0;
		curl_multi_perform(transfers->multi, &running);
		reap(transfers);
		tick(transfers);
		sweep(transfers);
		rest(transfers);
		curl_multi_poll(
			transfers->multi, NULL, 0, transfers->running ? TICK_MS : IDLE_MS, NULL);
	}
	return NULL;
}

int transfers_new(
	unsigned int connections, unsigned int per_host, struct transfers **ret, struct err *err)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));
	int r;

	if (!transfers)
		return err_oom(err);
	pthread_mutex_init(&transfers->mu, NULL);
	commands_init(&transfers->commands);
	transfers->connections = (long)connections;
	transfers->per_host = (long)per_host;
	r = lines_new(connections, per_host, &transfers->lines, err);
	if (r < 0) {
		transfers_free(transfers);
		return r;
	}
	*ret = transfers;
	return 0;
}

static int make_multi(struct transfers *transfers, struct err *err)
{
	int r = libcurl_load(err);

	if (r < 0)
		return r;
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_oom(err);
	transfers->multi = curl_multi_init();
	if (!transfers->multi) {
		curl_global_cleanup();
		return err_oom(err);
	}
	curl_multi_setopt(transfers->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, transfers->connections);
	curl_multi_setopt(transfers->multi, CURLMOPT_MAX_HOST_CONNECTIONS, transfers->per_host);
	curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, transfers->connections);
	curl_multi_setopt(transfers->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
	/* as many streams as the server allows */
	curl_multi_setopt(transfers->multi, CURLMOPT_MAX_CONCURRENT_STREAMS, STREAMS_MAX);
	return 0;
}

static int start_thread(struct transfers *transfers, struct err *err)
{
	sigset_t all;
	sigset_t before;
	int r;

	/* signals are for the threads of the program */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&transfers->thread, NULL, run, transfers);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r)
		return err_set(err, ERR_SYSTEM, r, "start the thread of transfers: %m");
	pthread_setname_np(transfers->thread, "transfers");
	return 0;
}

int transfers_awake(struct transfers *transfers, struct err *err)
{
	int r = 0;

	if (atomic_load(&transfers->is_awake))
		return 0;
	WITH_LOCK(&transfers->mu);
	if (!transfers->multi)
		r = make_multi(transfers, err);
	if (r == 0 && !atomic_load(&transfers->is_awake))
		r = start_thread(transfers, err);
	if (r == 0)
		atomic_store(&transfers->is_awake, true);
	return r;
}

static void wake(struct transfers *transfers)
{
	if (atomic_load(&transfers->is_awake))
		curl_multi_wakeup(transfers->multi);
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	if (atomic_load(&transfers->is_awake)) {
		atomic_store(&transfers->stop, true);
		wake(transfers);
		pthread_join(transfers->thread, NULL);
	}
	while (transfers->pooled > 0)
		curl_easy_cleanup(transfers->pool[--transfers->pooled]);
	lines_free(transfers->lines);
	if (transfers->multi) {
		curl_multi_cleanup(transfers->multi); /* closes what is open */
		curl_global_cleanup();
	}
	sockets_release(&transfers->sockets);
	commands_release(&transfers->commands);
	pthread_mutex_destroy(&transfers->mu);
	free(transfers);
}

/* ---- what the calling thread uses ---- */

struct lines *transfers_lines(struct transfers *transfers)
{
	return transfers->lines;
}

void transfers_hurry(struct transfers *transfers)
{
	atomic_store(&transfers->hurry, true);
	wake(transfers);
}

void transfers_command(struct transfer *transfer, enum command command)
{
	struct transfers *transfers = transfer->owner;

	/* whoever gave an earlier one wakes it for all: it takes them until there are no more */
	if (commands_give(&transfers->commands, transfer, command))
		wake(transfers);
}

void transfers_forget(struct transfer *transfer)
{
	commands_forget(&transfer->owner->commands, transfer);
}

int64_t transfer_date(const char *text)
{
	time_t date = curl_getdate(text, NULL);

	return date < 0 ? TIME_UNKNOWN : (int64_t)date;
}
