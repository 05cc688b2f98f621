/*
 * mount.fetchfs: fetchfs as mount(8) calls it for a line of fstab or for `mount -t fetchfs`, under
 * that name or as mount.fuse.fetchfs:
 *
 *	mount.fetchfs SOURCE FOLDER [-sfnvrw] [-N NAMESPACE] [-t TYPE] [-o OPTIONS]
 *
 * SOURCE is the cache's folder if it begins with a slash and no option names another, else a mere
 * word; mount(8) shows it. Of OPTIONS those that are for mount(8) itself, or mean nothing here, are
 * left out; the others are fetchfs mount's.
 */
#ifndef FETCHFS_CLI_MOUNTHELPER_H
#define FETCHFS_CLI_MOUNTHELPER_H

#include <stdbool.h>

/* Whether @program, as it was called (argv[0]), is a mount helper's name. */
bool mounthelper_is(const char *program);

/*
 * Do it: @run is called with the words of `fetchfs mount`, and returns that command's exit status.
 * Returns one of mount(8)'s: 0, 1 for a wrong call, 2 without memory, 32 for a failed mount.
 */
int mounthelper_run(int argc, char **argv, int (*run)(int argc, char **argv));

#endif
