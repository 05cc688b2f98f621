#include "backends/window.h"

#include "backends/easy.h"
#include "base/clock.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define BACKLOG_MUCH (64 * 1024)
#define LOOK_FROM    (256 * 1024) /* bytes of a body: what is smaller needs no look at its socket */
#define WINDOW_MIN   (16 * 1024)
#define WINDOW_MAX   (32 * 1024 * 1024) /* no kernel offers more by itself */
#define FAR          4 /* times the present window, which doubles at most from look to look */

/* SOCK_RCVBUF_LOCK of linux/socket.h, which does not go with the C library's headers. */
#define LOCK_RCVBUF 2

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

/*
 * TCP_WINDOW_CLAMP, tcp(7). While the kernel enlarges the buffer to what it has measured, it moves
 * the clamp with it, so that is suspended (SO_BUF_LOCK, Linux 5.14); SO_RCVBUF would end it for
 * good.
 */
static void clamp(struct transfer *transfer, int bytes)
{
	int lock = bytes < WINDOW_MAX ? LOCK_RCVBUF : 0;

	setsockopt(transfer->fd, SOL_SOCKET, SO_BUF_LOCK, &lock, sizeof(lock));
	setsockopt(transfer->fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &bytes, sizeof(bytes));
	transfer->narrowed = bytes < WINDOW_MAX;
}

static bool has_own_window(const struct transfer *transfer)
{
	long version = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
	return transfer->fd >= 0 && easy_speaks_http(transfer) && version <= CURL_HTTP_VERSION_1_1;
}

/* How long much has waited that this machine had not got to. */
static void note_backlog(struct transfer *transfer, uint64_t waiting)
{
	int64_t now = clock_monotonic_ms();

	if (transfer->behind_since)
		atomic_fetch_add(&transfer->behind_ms, now - transfer->behind_since);
	transfer->behind_since = waiting >= BACKLOG_MUCH ? now : 0;
}

/*
 * How far the server may send before it hears from us: as far as the window has ever reached, since
 * what was offered is not taken back. The kernel offers it beyond what waits.
 */
static void note_window(struct transfer *transfer, uint64_t waiting)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	uint64_t reach;

	getsockopt(transfer->fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	reach = transfer->received + waiting + info.tcpi_rcv_ssthresh;
	if (transfer->offered < reach)
		transfer->offered = reach;
	atomic_store(&transfer->window, transfer->offered - transfer->received);
}

/*
 * What is offered reaches to the end of what is wanted and no further, so that hardly anything is
 * on its way when the connection is broken off there: no more than came since the last look. As
 * long as the end is far, the kernel does not get there by itself.
 */
static void fit_window(struct transfer *transfer, uint64_t waiting)
{
	uint64_t wanted = atomic_load(&transfer->wanted);
	uint64_t here = transfer->received + waiting;
	uint64_t left = WINDOW_MAX;

	if (wanted)
		left = wanted > here ? wanted - here : 0;
	if (left < WINDOW_MAX && left < FAR * (transfer->offered - transfer->received))
		clamp(transfer, left > WINDOW_MIN ? (int)left : WINDOW_MIN);
	else
		window_restore(transfer);
}

void window_look(struct transfer *transfer)
{
	int waiting;

	if (transfer->received < LOOK_FROM || !has_own_window(transfer) ||
		ioctl(transfer->fd, FIONREAD, &waiting) < 0)
		return;
	note_backlog(transfer, (uint64_t)waiting);
	note_window(transfer, (uint64_t)waiting);
	fit_window(transfer, (uint64_t)waiting);
}

void window_restore(struct transfer *transfer)
{
	if (transfer->narrowed && sockets_has(transfer->sockets, transfer->fd))
		clamp(transfer, WINDOW_MAX);
}
