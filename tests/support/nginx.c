#include "tests/support/nginx.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRIES           10 /* somebody else may have taken the port */
#define LOG_MAX         ((size_t)1024 * 1024)
#define CONNECTIONS_MAX 256

/* One process, which is its own worker. It tells the port's fate on its log of notices. */
static const char settings[] =
	"daemon off;\n"
	"master_process off;\n"
	"pid %1$s/pid;\n"
	"error_log %1$s/error.log notice;\n"
	"events { worker_connections 512; }\n"
	"http {\n"
	"log_format of '$connection $server_protocol';\n"
	"access_log %1$s/access.log of;\n"
	"client_body_temp_path %1$s/1; proxy_temp_path %1$s/2; fastcgi_temp_path %1$s/3;\n"
	"uwsgi_temp_path %1$s/4; scgi_temp_path %1$s/5;\n"
	"keepalive_requests 100000;\n"
	"server { listen 127.0.0.1:%2$u ssl http2; root %1$s/www;\n"
	"ssl_certificate %3$s; ssl_certificate_key %4$s; }\n"
	"}\n";

static void die(const char *what)
{
	perror(what);
	abort();
}

static char *write_settings(const struct nginx *nginx, unsigned int port, const struct tls *tls)
{
	CLEANUP(str_freep)
	char *text = str_printf(settings, nginx->dir, port, tls->cert, tls->key);
	char *path = str_printf("%s/nginx.conf", nginx->dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		die(path);
	return path;
}

void nginx_start(struct nginx *nginx, const struct tls *tls)
{
	for (int i = 0; i < TRIES; i++) {
		unsigned int port = leash_port();
		CLEANUP(str_freep) char *www = NULL;
		CLEANUP(str_freep) char *log = NULL;
		CLEANUP(str_freep) char *conf = NULL;

		*nginx = (struct nginx){.dir = tmpdir_make()};
		nginx->base = str_printf("https://127.0.0.1:%u", port);
		www = str_printf("%s/www", nginx->dir);
		log = str_printf("%s/error.log", nginx->dir);
		if (mkdir(www, 0755) < 0)
			die(www);
		conf = write_settings(nginx, port, tls);
		leash_start(&nginx->leash, "nginx -c \"$0\"", conf);
		if (leash_wait(log, "getrlimit", "emerg"))
			return;
		nginx_stop(nginx);
	}
	die("wait for nginx");
}

void nginx_stop(struct nginx *nginx)
{
	leash_stop(&nginx->leash);
	tmpdir_remove(nginx->dir);
	free(nginx->base);
	*nginx = (struct nginx){.dir = NULL};
}

size_t nginx_connections(struct nginx *nginx)
{
	CLEANUP(str_freep) char *path = str_printf("%s/access.log", nginx->dir);
	CLEANUP(str_freep) char *text = NULL;
	unsigned long seen[CONNECTIONS_MAX];
	size_t count = 0;
	char *rest;

	leash_stop(&nginx->leash);
	if (fd_read_file(AT_FDCWD, path, LOG_MAX, &text, NULL) < 0)
		die(path);
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		unsigned long number = strtoul(line, NULL, 10);
		size_t i = 0;

		if (!*line)
			continue;
		if (!strstr(line, "HTTP/2"))
			die(line);
		while (i < count && seen[i] != number)
			i++;
		if (i == count && count < CONNECTIONS_MAX)
			seen[count++] = number;
	}
	return count;
}
