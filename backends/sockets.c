#include "backends/sockets.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#define WINDOW_MIN (16 * 1024)

/* An address of either family. */
union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void sockets_add(struct sockets *sockets, int fd)
{
	if (sockets->count == sockets->room) {
		size_t room = sockets->room ? sockets->room * 2 : 16;
		int *fds = reallocarray(sockets->fds, room, sizeof(*fds));

		if (!fds)
			return;
		sockets->fds = fds;
		sockets->room = room;
	}
	sockets->fds[sockets->count++] = fd;
}

void sockets_remove(struct sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->count; i++) {
		if (sockets->fds[i] == fd) {
			sockets->fds[i] = sockets->fds[--sockets->count];
			return;
		}
	}
}

void sockets_release(struct sockets *sockets)
{
	free(sockets->fds);
	*sockets = (struct sockets){0};
}

static int port_of(const union address *address)
{
	return ntohs(
		address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

static bool is_local_port(int fd, int port)
{
	union address address = {0};
	socklen_t len = sizeof(address);

	return getsockname(fd, &address.any, &len) == 0 && port_of(&address) == port;
}

static bool is_peer(int fd, const char *ip, int port)
{
	union address address = {0};
	socklen_t len = sizeof(address);
	char text[INET6_ADDRSTRLEN];
	const void *bytes = &address.v4.sin_addr;

	if (getpeername(fd, &address.any, &len) < 0 || port_of(&address) != port)
		return false;
	if (address.any.sa_family == AF_INET6)
		bytes = &address.v6.sin6_addr;
	return inet_ntop(address.any.sa_family, bytes, text, sizeof(text)) && str_equal(text, ip);
}

int sockets_find(const struct sockets *sockets, int local_port, const char *ip, int port)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (is_local_port(sockets->fds[i], local_port) &&
			is_peer(sockets->fds[i], ip, port))
			return sockets->fds[i];
	return -1;
}

int sockets_waiting(int fd)
{
	int waiting = 0;

	return ioctl(fd, FIONREAD, &waiting) < 0 ? -errno : waiting;
}

uint64_t sockets_window(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0 ? 0 : info.tcpi_rcv_ssthresh;
}

void sockets_limit_window(int fd, uint64_t bytes)
{
	int clamp = bytes < SOCKET_WINDOW_MAX ? (int)bytes : SOCKET_WINDOW_MAX;

	if (clamp < WINDOW_MIN)
		clamp = WINDOW_MIN;
	setsockopt(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, &clamp, sizeof(clamp));
}
