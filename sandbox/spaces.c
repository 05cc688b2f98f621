#include "sandbox/spaces.h"

#include "base/cleanup.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define OWN "/proc/self/ns/mnt"

/* nsfs.h of Linux 6.11 */
#ifndef NS_GET_MNTNS_ID
#define NS_GET_MNTNS_ID _IOR(0xb7, 5, uint64_t)
#endif

int spaces_of(const char *path, uint64_t *ret)
{
	CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint64_t id;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, NS_GET_MNTNS_ID, &id) == 0) {
		*ret = id;
		return 0;
	}
	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = st.st_ino;
	return 0;
}

uint64_t spaces_own(void)
{
	uint64_t own;

	return spaces_of(OWN, &own) == 0 ? own : 0;
}

/* Numbers of inodes begin where ids will not come to. */
static bool is_it(const char *path, uint64_t space)
{
	uint64_t number;
	struct stat st;

	return (spaces_of(path, &number) == 0 && number == space) ||
	       (stat(path, &st) == 0 && st.st_ino == space);
}

bool spaces_is_own(uint64_t space)
{
	return is_it(OWN, space);
}

static void dir_closep(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

int spaces_user_of(uint64_t space)
{
	CLEANUP(dir_closep) DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc))) {
		char path[sizeof("/proc/") + sizeof(entry->d_name) + sizeof("/ns/mnt")];

		if (*entry->d_name < '0' || *entry->d_name > '9')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", entry->d_name);
		if (is_it(path, space))
			return (int)strtol(entry->d_name, NULL, 10);
	}
	return 0;
}
