/*
 * The sockets of all connections that are open, and the receive window of one.
 *
 * libcurl (7.88) does not tell a running request which socket it uses, only both ends' addresses;
 * so the sockets that were opened for it are kept here, and looked up by these. For one thread.
 */
#ifndef FETCHFS_BACKENDS_SOCKETS_H
#define FETCHFS_BACKENDS_SOCKETS_H

#include <stddef.h>
#include <stdint.h>

struct sockets {
	int *fds;
	size_t count;
	size_t room;
};

/* Never fails: a socket for which there is no memory is not found later. */
void sockets_add(struct sockets *sockets, int fd);
void sockets_remove(struct sockets *sockets, int fd);
void sockets_release(struct sockets *sockets);

/* The socket from @local_port to @ip, as text, and @port; -1: it is not known. */
int sockets_find(const struct sockets *sockets, int local_port, const char *ip, int port);

/* The most that a kernel offers by itself, in bytes. */
#define SOCKET_WINDOW_MAX (32 * 1024 * 1024)

/* Bytes that have come and were not yet received, or -errno. */
int sockets_waiting(int fd);

/* How many bytes the kernel offers to receive beyond those, at most. */
uint64_t sockets_window(int fd);

/* Offer no more than @bytes, and no less than a few; SOCKET_WINDOW_MAX: as the kernel likes.
 * TCP_WINDOW_CLAMP, tcp(7): other than by SO_RCVBUF, the kernel's tuning stays on. */
void sockets_limit_window(int fd, uint64_t bytes);

#endif
