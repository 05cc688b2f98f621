#include "cli/notify.h"

#include "base/fd.h"
#include "base/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define VARIABLE "NOTIFY_SOCKET"

static int notify_fd = -1;

int notify_open(struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *name = getenv(VARIABLE);
	size_t len = name ? strlen(name) : 0;
	int fd;

	if (len == 0)
		return 0;
	if ((name[0] != '/' && name[0] != '@') || len >= sizeof(address.sun_path))
		return err_set(err, ERR_USAGE, EINVAL, "$" VARIABLE " names no socket: %s", name);
	memcpy(address.sun_path, name, len);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0) {
		err_set(err, ERR_SYSTEM, errno, "$" VARIABLE ": %s: %m", name);
		fd_close(&fd);
		return -err->code;
	}
	notify_fd = fd;
	unsetenv(VARIABLE);
	return 0;
}

void notify_send(const char *state)
{
	if (notify_fd >= 0 && send(notify_fd, state, strlen(state), MSG_NOSIGNAL) < 0)
		log_warning("the service manager does not hear: %s", strerror(errno));
}
