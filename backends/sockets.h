/*
 * The sockets of the curl thread, found by what libcurl (7.88) tells of a connection before a
 * request goes out over it: its addresses, but not its socket; and when something last came in.
 *
 * For one thread.
 */
#ifndef FETCHFS_BACKENDS_SOCKETS_H
#define FETCHFS_BACKENDS_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockets {
	struct socket_row {
		int fd;
		int port;                  /* here; 0: not connected when it was last looked at */
		char ip[INET6_ADDRSTRLEN]; /* the peer, once the port is known */
		int peer_port;
		int64_t heard_ms;
	} * rows;
	size_t count;
	size_t room;
};

void sockets_release(struct sockets *sockets);

/* As socket(), close-on-exec. -1: none can be had. */
int sockets_open(struct sockets *sockets, int family, int type, int protocol);
/* As close(). */
int sockets_close(struct sockets *sockets, int fd);

/* The one that is connected from @local_port to @port of @ip ("127.0.0.1", "::1"); or -1. */
int sockets_find(struct sockets *sockets, const char *ip, int port, int local_port);

/* Whether @fd is still one of them: libcurl closes connections by itself. */
bool sockets_has(const struct sockets *sockets, int fd);

/* Whether both are connected to one address; ports may differ. */
bool sockets_have_one_peer(int a, int b);

/* Something came in over @fd, which may be -1, at @now (monotonic ms). */
void sockets_heard(struct sockets *sockets, int fd, int64_t now);

/*
 * A request over @fd (or -1) was answered too late. If nothing else has come in over it since
 * @since either, end it for all that share it: libcurl would try again, over HTTP/2, on a dead
 * connection.
 */
void sockets_break(struct sockets *sockets, int fd, int64_t since);

#endif
