#include "tests/support/rawconn.h"

#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TLS_HANDSHAKE 0x16 /* first byte of a client that speaks TLS (RFC 8446, 5.1) */

bool rawconn_accept(struct rawconn *conn, int sock, SSL_CTX *tls)
{
	unsigned char first = 0;
	int on = 1;

	*conn = (struct rawconn){.sock = sock};
	setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (recv(sock, &first, 1, MSG_PEEK) != 1)
		return false;
	if (first != TLS_HANDSHAKE)
		return true;
	conn->ssl = tls ? SSL_new(tls) : NULL;
	return conn->ssl && SSL_set_fd(conn->ssl, sock) == 1 && SSL_accept(conn->ssl) == 1;
}

ssize_t rawconn_read(struct rawconn *conn, void *buf, size_t size)
{
	return conn->ssl ? SSL_read(conn->ssl, buf, (int)size) : recv(conn->sock, buf, size, 0);
}

static ssize_t send_some(struct rawconn *conn, const char *buf, size_t len)
{
	if (conn->bytewise)
		len = 1;
	if (conn->ssl)
		return SSL_write(conn->ssl, buf, len < 16384 ? (int)len : 16384);
	return send(conn->sock, buf, len, MSG_NOSIGNAL);
}

bool rawconn_send(struct rawconn *conn, const void *buf, size_t len)
{
	struct timespec pause = {.tv_nsec = (long)conn->pause_us * 1000};
	const char *p = buf;

	while (len > 0 && !conn->broken) {
		ssize_t n = send_some(conn, p, len);

		if (n <= 0) {
			conn->broken = true;
			break;
		}
		p += n;
		len -= (size_t)n;
		if (conn->bytewise && conn->pause_us)
			nanosleep(&pause, NULL);
	}
	return !conn->broken;
}

void rawconn_wait(struct rawconn *conn)
{
	struct pollfd fd = {.fd = conn->sock, .events = POLLRDHUP};

	poll(&fd, 1, -1);
}

/* The header of a record, and a part of what it announces. */
static void send_half_record(struct rawconn *conn)
{
	static const unsigned char half[] = {0x17, 3, 3, 0x40, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

	send(conn->sock, half, sizeof(half), MSG_NOSIGNAL);
}

void rawconn_end(struct rawconn *conn, enum rawconn_end how)
{
	struct linger reset = {.l_onoff = 1};

	if (how == RAWCONN_CUT_TLS)
		send_half_record(conn);
	else if (how == RAWCONN_RESET)
		setsockopt(conn->sock, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	else if (how == RAWCONN_CLOSE && conn->ssl && !conn->broken)
		SSL_shutdown(conn->ssl);
	SSL_free(conn->ssl);
	close(conn->sock);
}

int rawconn_listen(const char *port_file)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char temporary[PATH_MAX];
	FILE *file;

	snprintf(temporary, sizeof(temporary), "%s.new", port_file);
	if (bind(sock, (struct sockaddr *)&address, size) < 0 || listen(sock, 128) < 0 ||
		getsockname(sock, (struct sockaddr *)&address, &size) < 0)
		return -1;
	file = fopen(temporary, "we");
	if (!file)
		return -1;
	fprintf(file, "%u\n", ntohs(address.sin_port));
	return fclose(file) == 0 && rename(temporary, port_file) == 0 ? sock : -1;
}

SSL_CTX *rawconn_load_tls(const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	if (!tls || SSL_CTX_use_certificate_file(tls, cert, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		return NULL;
	return tls;
}
