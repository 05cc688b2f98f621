#include "tests/support/squid.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "tests/support/tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TRIES 10 /* somebody else may have taken the port */

static const char settings[] = "http_port 127.0.0.1:%u\n"
			       "pid_filename none\n"
			       "visible_hostname localhost\n"
			       "cache_mem 16 MB\n"
			       "maximum_object_size_in_memory 1 MB\n"
			       "cache_log %s/cache.log\n"
			       "access_log none\n"
			       "coredump_dir %s\n"
			       "pinger_enable off\n"
			       "netdb_filename none\n"
			       "shutdown_lifetime 0 seconds\n"
			       "max_filedescriptors 256\n"
			       "auth_param basic program /usr/lib/squid/basic_fake_auth\n"
			       "auth_param basic children 1\n"
			       "acl refused port 2\n"
			       "acl locked url_regex locked\n"
			       "acl known proxy_auth REQUIRED\n"
			       "http_access deny refused\n"
			       "http_access allow locked known\n"
			       "http_access deny locked\n"
			       "http_access allow all\n";

static void die(const char *what)
{
	perror(what);
	abort();
}

static char *write_settings(const struct squid *squid)
{
	CLEANUP(str_freep)
	char *text = str_printf(settings, squid->port, squid->dir, squid->dir);
	char *path = str_printf("%s/squid.conf", squid->dir);
	CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		die(path);
	return path;
}

void squid_start(struct squid *squid)
{
	for (int i = 0; i < TRIES; i++) {
		CLEANUP(str_freep) char *conf = NULL;
		CLEANUP(str_freep) char *log = NULL;

		*squid = (struct squid){.dir = tmpdir_make(), .port = leash_port()};
		squid->uri = str_printf("http://127.0.0.1:%u", squid->port);
		log = str_printf("%s/cache.log", squid->dir);
		chmod(squid->dir, 0777); /* started by root it writes as another user */
		conf = write_settings(squid);
		leash_start(&squid->leash, "squid -N -f \"$0\"", conf);
		if (leash_wait(log, "Accepting HTTP Socket connections", "FATAL"))
			return;
		squid_stop(squid);
	}
	die("wait for squid");
}

void squid_stop(struct squid *squid)
{
	leash_stop(&squid->leash);
	tmpdir_remove(squid->dir);
	free(squid->uri);
	*squid = (struct squid){.dir = NULL};
}
