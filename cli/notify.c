#include "cli/notify.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define VARIABLE "NOTIFY_SOCKET"

static int notify_fd = -1; /* the process has one manager */

void notify_open(void)
{
	/* who does not listen shall not hold us up */
	const struct timeval limit = {.tv_sec = 1};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = getenv(VARIABLE);
	size_t len = name ? strlen(name) : 0;
	int fd;

	if (len == 0)
		return;
	if ((name[0] != '/' && name[0] != '@') || len >= sizeof(address.sun_path)) {
		log_warning("$" VARIABLE " names no socket that can be used: %s", name);
		return;
	}
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
		connect(fd, (struct sockaddr *)&address,
			(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		log_warning("$" VARIABLE ": %s: %s", name, strerror(errno));
		fd_close(&fd);
		return;
	}
	notify_fd = fd;
	unsetenv(VARIABLE);
}

void notify_send(const char *state)
{
	if (notify_fd >= 0 && send(notify_fd, state, strlen(state), MSG_NOSIGNAL) < 0)
		log_warning("the service manager does not hear: %s", strerror(errno));
}
