/*
 * One request between its two threads: transfer.c has the curl thread, transfer_run.c the calling
 * one. They meet in the relay (bytes, to the caller) and in the list of commands (to curl).
 */
#ifndef FETCHFS_BACKENDS_TRANSFER_PRIVATE_H
#define FETCHFS_BACKENDS_TRANSFER_PRIVATE_H

#include "backends/ftp_talk.h"
#include "backends/headers.h"
#include "backends/pace.h"
#include "backends/relay.h"
#include "backends/sockets.h"
#include "backends/transfer.h"

#include <stdatomic.h>

#define TRANSFER_TEXT_MAX 256

struct curl_slist;

/* What the calling thread wants of the curl thread. */
enum command {
	COMMAND_START = 1,
	COMMAND_RESUME = 2,
	COMMAND_CANCEL = 4,
};

struct transfer {
	const struct transfer_request *request;
	struct transfers *owner;
	struct sockets *sockets; /* the curl thread's */
	struct relay relay;      /* to the calling thread */

	/* guarded by the lock of commands.h */
	unsigned int commands;
	struct transfer *next_command;

	/* written by the curl thread, read by the caller once the answer is in */
	struct headers headers;
	long status;
	int64_t length;
	int64_t filetime;

	/* written by the curl thread at any time */
	atomic_uint_fast64_t window;
	atomic_int_fast64_t behind_ms;
	atomic_bool had_turn;

	/* written by the calling thread at any time */
	atomic_uint_fast64_t wanted; /* of the body, in bytes; 0: all */

	/* the curl thread's */
	int64_t behind_since; /* monotonic ms; 0: it keeps up */
	void *easy;           /* CURL; NULL: not started, or ended */
	struct curl_slist *header_list;
	const int64_t *now;    /* the curl thread's clock, ms */
	struct transfer *next; /* of owner->running */
	struct transfer *prev;
	int64_t queued; /* when curl got it */
	int64_t looked; /* when it was last asked whether it shall still wait */
	int64_t began;  /* when it got its turn; 0: it waits for a connection */
	int64_t asked;  /* when the request went out; 0: there is no connection yet */
	int64_t answered_ms;
	struct pace pace; /* of what comes; started by the first byte of the answer */
	uint64_t received;
	uint64_t offered;     /* bytes of the body that the server may have been allowed to send */
	unsigned int interim; /* answers before the answer */
	size_t trailers;      /* bytes of headers after the body */
	int fd;               /* of the connection, when asked; -1: not known */
	bool opened;          /* a connection of its own */
	bool leftovers;       /* of another request, on its connection */
	bool answered;
	bool unannounced; /* TLS did not say that the connection ends */
	bool paused;
	bool narrowed;   /* the window of its socket is smaller than the kernel would have it */
	bool dropped;    /* it is about to end: nobody wants what comes */
	bool unread;     /* something was put since the last flush */
	bool told_ready; /* or nobody wants to be told */
	struct ftp_talk talk; /* ftp, without an HTTP proxy that speaks it for us */
	struct err refusal;   /* why we broke it off ourselves */
	char text[TRANSFER_TEXT_MAX];
};

/* A transfer with nothing done yet. For transfer_release(). */
void transfer_init(struct transfer *transfer, const struct transfer_request *request);
void transfer_release(struct transfer *transfer);

/* The connections that are run by who asks (ftp). */
struct lines *transfers_lines(struct transfers *transfers);

/* Tell the curl thread. */
void transfers_command(struct transfer *transfer, enum command command);

/* Nobody may find the transfer any more: its memory is about to go. It has ended. */
void transfers_forget(struct transfer *transfer);

#endif
