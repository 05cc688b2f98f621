/* Bodies over TLS whose connection ends in different ways. */
#include "base/fd.h"
#include "tests/unit/backends/fixture.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define SIZE 5000

/* A server of one answer. */
struct server {
	SSL_CTX *ctx;
	int fd;
	unsigned int port;
	pthread_t thread;
	bool empty;
	bool with_length;
	bool with_notify;
};

static void answer(const struct server *server, SSL *ssl)
{
	char body[SIZE];
	char buf[4096];
	int len;

	for (size_t i = 0; i < SIZE; i++)
		body[i] = (char)origin_byte(i);
	SSL_read(ssl, buf, sizeof(buf));
	len = snprintf(buf, sizeof(buf), "HTTP/1.1 200 OK\r\n%sConnection: close\r\n\r\n",
		server->with_length ? "Content-Length: 5000\r\n" : "");
	SSL_write(ssl, buf, len);
	if (!server->empty)
		SSL_write(ssl, body, SIZE);
	if (server->with_notify)
		SSL_shutdown(ssl);
}

static void *serve(void *arg)
{
	struct server *server = arg;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
	SSL *ssl = SSL_new(server->ctx);
	char rest;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) == 1)
		answer(server, ssl);
	SSL_free(ssl);
	shutdown(fd, SHUT_WR); /* FIN, not RST: all that was sent arrives */
	while (read(fd, &rest, 1) > 0)
		;
	close(fd);
	return NULL;
}

static void start(struct server *server, const struct tls *tls)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);

	server->ctx = SSL_CTX_new(TLS_server_method());
	cr_assert_eq(SSL_CTX_use_certificate_file(server->ctx, tls->cert, SSL_FILETYPE_PEM), 1);
	cr_assert_eq(SSL_CTX_use_PrivateKey_file(server->ctx, tls->key, SSL_FILETYPE_PEM), 1);
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(server->fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(server->fd, 8), 0);
	cr_assert_eq(getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	cr_assert_eq(pthread_create(&server->thread, NULL, serve, server), 0);
}

static int fetch(struct server *server, struct collect *got, struct err *err)
{
	WITH_TLS_FIXTURE(f);
	char uri[64];
	int r;

	start(server, &f.tls);
	snprintf(uri, sizeof(uri), "https://127.0.0.1:%u/a", server->port);
	r = fixture_fetch(&f, uri, (struct backend_request){.offset = 0}, got, err);
	registry_close(f.env); /* its connection, which the server waits for */
	f.env = NULL;
	pthread_join(server->thread, NULL);
	close(server->fd);
	SSL_CTX_free(server->ctx);
	return r;
}

Test(truncated, body_of_the_promised_length_is_whole_however_it_ends)
{
	struct server server = {.with_length = true};
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&server, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, SIZE));
}

Test(truncated, body_without_length_is_whole_when_tls_says_that_it_ends)
{
	struct server server = {.with_notify = true};
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&server, &got, &err), 0, "%s", err.msg);
	cr_assert(fixture_right(&got, 0, SIZE));
	cr_assert_eq(got.remote.size, SIZE_UNKNOWN);
}

Test(truncated, body_without_length_that_nobody_ended_is_an_error)
{
	struct server server = {.with_length = false};
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&server, &got, &err), -EIO, "%s", err.msg);
	cr_assert_eq(err.kind, ERR_NETWORK);
	cr_assert(err.retry);
	cr_assert_str_eq(
		err.msg, "body cut: the connection broke off, and TLS did not announce an end");
}

Test(truncated, body_that_is_cut_before_its_first_byte_is_an_error)
{
	struct server server = {.empty = true};
	WITH_COLLECT(got);
	struct err err = ERR_INIT;

	cr_assert_eq(fetch(&server, &got, &err), -EIO, "%s", err.msg);
	cr_assert(err.retry);
}
