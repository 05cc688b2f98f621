/* Which socket a connection has. */
#include "backends/sockets.h"

#include "base/cleanup.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS 40

static int listen_on(struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_eq(bind(fd, (struct sockaddr *)address, len), 0);
	cr_assert_eq(listen(fd, CONNECTIONS), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

static int connect_to(struct sockets *sockets, const struct sockaddr_in *address)
{
	int fd = sockets_open(sockets, AF_INET, SOCK_STREAM, 0);

	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

static int port_of(int fd)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	return ntohs(address.sin_port);
}

Test(sockets, are_found_by_both_ends_for_as_long_as_they_are_open)
{
	CLEANUP(sockets_release) struct sockets sockets = {.rows = NULL};
	struct sockaddr_in address;
	int listener = listen_on(&address);
	int port = ntohs(address.sin_port);
	int fds[CONNECTIONS];
	int ports[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++) {
		fds[i] = connect_to(&sockets, &address);
		ports[i] = port_of(fds[i]);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		cr_assert_eq(sockets_find(&sockets, "127.0.0.1", port, ports[i]), fds[i]);
		cr_assert_eq(sockets_find(&sockets, "127.0.0.2", port, ports[i]), -1);
		cr_assert_eq(sockets_find(&sockets, "127.0.0.1", port - 1, ports[i]), -1);
	}
	for (int i = 0; i < CONNECTIONS; i += 2)
		cr_assert_eq(sockets_close(&sockets, fds[i]), 0);
	for (int i = 0; i < CONNECTIONS; i++)
		cr_assert_eq(
			sockets_find(&sockets, "127.0.0.1", port, ports[i]), i % 2 ? fds[i] : -1);
	for (int i = 1; i < CONNECTIONS; i += 2)
		sockets_close(&sockets, fds[i]);
	close(listener);
}

Test(sockets, end_when_nothing_has_come_since)
{
	CLEANUP(sockets_release) struct sockets sockets = {.rows = NULL};
	struct sockaddr_in address;
	int listener = listen_on(&address);
	int heard = connect_to(&sockets, &address);
	int silent = connect_to(&sockets, &address);
	char byte;

	sockets_heard(&sockets, heard, 1000);
	sockets_heard(&sockets, silent, 900);
	sockets_heard(&sockets, -1, 5000);
	sockets_break(&sockets, heard, 999);
	sockets_break(&sockets, silent, 999);
	sockets_break(&sockets, -1, 999);
	cr_assert_eq(recv(heard, &byte, 1, MSG_DONTWAIT), -1, "it ended");
	cr_assert_eq(recv(silent, &byte, 1, MSG_DONTWAIT), 0, "it goes on");
	sockets_close(&sockets, heard);
	sockets_close(&sockets, silent);
	close(listener);
}
