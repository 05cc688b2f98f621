#include "backends/sockets.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

void sockets_release(struct sockets *sockets)
{
	free(sockets->rows);
	*sockets = (struct sockets){.rows = NULL};
}

static struct socket_row *add_row(struct sockets *sockets)
{
	size_t room = sockets->room ? 2 * sockets->room : 16;
	struct socket_row *rows;

	if (sockets->count < sockets->room)
		return &sockets->rows[sockets->count++];
	rows = reallocarray(sockets->rows, room, sizeof(*rows));
	if (!rows)
		return NULL;
	sockets->rows = rows;
	sockets->room = room;
	return &sockets->rows[sockets->count++];
}

int sockets_open(struct sockets *sockets, int family, int type, int protocol)
{
	struct socket_row *row = add_row(sockets);

	if (!row)
		return -1;
	*row = (struct socket_row){.fd = socket(family, type | SOCK_CLOEXEC, protocol)};
	if (row->fd >= 0)
		return row->fd;
	sockets->count--;
	return -1;
}

int sockets_close(struct sockets *sockets, int fd)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->rows[i].fd == fd) {
			sockets->rows[i] = sockets->rows[--sockets->count];
			break;
		}
	return close(fd);
}

static int port_of(const union address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->v4.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

/* Both ends of a connection, which never change. false: it is none yet. */
static bool know(struct socket_row *row)
{
	union address here = {.any = {.sa_family = AF_UNSPEC}};
	union address peer = {.any = {.sa_family = AF_UNSPEC}};
	socklen_t here_len = sizeof(here);
	socklen_t peer_len = sizeof(peer);

	if (row->port != 0)
		return true;
	if (getsockname(row->fd, &here.any, &here_len) < 0 ||
		getpeername(row->fd, &peer.any, &peer_len) < 0)
		return false;
	if (peer.any.sa_family == AF_INET)
		inet_ntop(AF_INET, &peer.v4.sin_addr, row->ip, sizeof(row->ip));
	else
		inet_ntop(AF_INET6, &peer.v6.sin6_addr, row->ip, sizeof(row->ip));
	row->peer_port = port_of(&peer);
	row->port = port_of(&here);
	return row->port != 0;
}

int sockets_find(struct sockets *sockets, const char *ip, int port, int local)
{
	for (size_t i = 0; i < sockets->count; i++) {
		struct socket_row *row = &sockets->rows[i];

		/* several connections may have one local port */
		if (know(row) && row->port == local && row->peer_port == port &&
			str_equal(row->ip, ip))
			return row->fd;
	}
	return -1;
}

bool sockets_have_one_peer(int a, int b)
{
	struct socket_row rows[] = {{.fd = a}, {.fd = b}};

	return know(&rows[0]) && know(&rows[1]) && str_equal(rows[0].ip, rows[1].ip);
}

bool sockets_has(const struct sockets *sockets, int fd)
{
	for (size_t i = 0; fd >= 0 && i < sockets->count; i++)
		if (sockets->rows[i].fd == fd)
			return true;
	return false;
}

static struct socket_row *row_of(struct sockets *sockets, int fd)
{
	for (size_t i = 0; fd >= 0 && i < sockets->count; i++)
		if (sockets->rows[i].fd == fd)
			return &sockets->rows[i];
	return NULL;
}

void sockets_heard(struct sockets *sockets, int fd, int64_t now)
{
	struct socket_row *row = row_of(sockets, fd);

	if (row)
		row->heard_ms = now;
}

void sockets_break(struct sockets *sockets, int fd, int64_t since)
{
	struct socket_row *row = row_of(sockets, fd);

	if (row && row->heard_ms <= since)
		shutdown(fd, SHUT_RDWR);
}
