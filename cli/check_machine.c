/* What the machine has, apart from the cache. */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "cli/checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define FUSE_DEVICE   "/dev/fuse"
#define FUSE_CONF     "/etc/fuse.conf"
#define FUSE_CONF_MAX (64 << 10)
#define AUTHORITIES   "/etc/ssl/certs/ca-certificates.crt"
#define UPDATEDB_CONF "/etc/updatedb.conf"
#define FILE_SYSTEM   "fuse.fetchfs"

static void check_kernel(struct checks *checks)
{
	struct utsname name;
	char *rest;
	long major, minor;

	uname(&name);
	major = strtol(name.release, &rest, 10);
	minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
	if (major > 6 || (major == 6 && minor >= 9))
		checks_tell(checks, "kernel", FINDING_GOOD, NULL, "Linux %s", name.release);
	else
		checks_tell(checks, "kernel", FINDING_NOTE,
			"Linux 6.9 and later read complete files without the daemon", "Linux %s",
			name.release);
	if (syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0)
		checks_tell(checks, "landlock", FINDING_GOOD, NULL,
			"archives are unpacked where they see no files but their own");
	else
		checks_tell(checks, "landlock", FINDING_NOTE,
			"boot with lsm=landlock,… (Linux 5.13 and later)",
			"archives are unpacked without it, with the other confinements");
}

static bool says_user_allow_other(void)
{
	CLEANUP(str_freep) char *text = NULL;
	char *rest;
	char *line;

	if (fd_read_file(AT_FDCWD, FUSE_CONF, FUSE_CONF_MAX, &text, NULL) < 0)
		return false;
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (str_equal(line + strspn(line, " \t"), "user_allow_other"))
			return true;
	return false;
}

static void check_fuse(struct checks *checks)
{
	struct stat st;

	if (access(FUSE_DEVICE, R_OK | W_OK) < 0) {
		checks_tell(checks, "fuse", FINDING_BAD,
			errno == ENOENT ? "modprobe fuse; give a container the device " FUSE_DEVICE
					: "chmod 666 " FUSE_DEVICE,
			FUSE_DEVICE ": %s", strerror(errno));
		return;
	}
	if (geteuid() == 0) {
		checks_tell(checks, "fuse", FINDING_GOOD, NULL, "root can mount");
		return;
	}
	if (stat("/usr/bin/fusermount3", &st) < 0 || !(st.st_mode & S_ISUID)) {
		checks_tell(checks, "fuse", FINDING_BAD, "apt-get install fuse3",
			"fusermount3, which mounts for users, is not there, or not setuid");
		return;
	}
	checks_tell(checks, "fuse", FINDING_GOOD, NULL, "users can mount");
	if (!says_user_allow_other())
		checks_tell(checks, "allow_other", FINDING_NOTE,
			"put user_allow_other into " FUSE_CONF,
			"a mount of this user cannot be read by others");
}

static void check_clock(struct checks *checks)
{
	struct timex timex = {.modes = 0};
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	if (tm.tm_year + 1900 < 2026)
		checks_tell(checks, "clock", FINDING_BAD, "set it: certificates are not valid yet",
			"it is the year %d", tm.tm_year + 1900);
	else if (adjtimex(&timex) < 0)
		checks_tell(
			checks, "clock", FINDING_GOOD, NULL, "who keeps it cannot be asked here");
	else if (timex.status & STA_UNSYNC)
		checks_tell(checks, "clock", FINDING_NOTE,
			"run chrony or systemd-timesyncd, unless the host of this machine does",
			"nothing keeps it right; S3 refuses requests that are 15 minutes off");
	else
		checks_tell(checks, "clock", FINDING_GOOD, NULL, "it is kept right");
}

static int find_authorities(const struct fetchfs_setting *setting, void *arg)
{
	char **ret = arg;

	if (!str_equal(setting->key, "ca_file") || !setting->value)
		return 0;
	free(*ret);
	*ret = str_copy(setting->value);
	return 0;
}

static void check_authorities(struct checks *checks)
{
	const struct fetchfs_options options = {.config = checks->cli->config,
		.config_lenient = true,
		.environment = (const char *const *)environ};
	CLEANUP(str_freep) char *named = NULL;
	const char *file;
	struct stat st;

	/* (what is wrong with the configuration, check_cache() tells) */
	(void)fetchfs_config(&options, find_authorities, &named, NULL);
	file = named ? named : AUTHORITIES;
	if (stat(file, &st) == 0 && st.st_size > 0)
		checks_tell(checks, "authorities", FINDING_GOOD, NULL, "%s", file);
	else
		checks_tell(checks, "authorities", FINDING_BAD,
			named ? "correct ca_file in [fetch]"
			      : "apt-get install ca-certificates, or say ca_file in [fetch]",
			"%s is not there: no https origin is trusted", file);
}

/* It would walk over the mount each night. */
static void check_updatedb(struct checks *checks)
{
	CLEANUP(str_freep) char *text = NULL;

	if (fd_read_file(AT_FDCWD, UPDATEDB_CONF, FUSE_CONF_MAX, &text, NULL) < 0)
		return;
	if (strstr(text, FILE_SYSTEM))
		checks_tell(checks, "updatedb", FINDING_GOOD, NULL, "it leaves mounts alone");
	else
		checks_tell(checks, "updatedb", FINDING_NOTE,
			"add " FILE_SYSTEM " to PRUNEFS in " UPDATEDB_CONF,
			"it walks over mounts, and lists what is cached");
}

void check_machine(struct checks *checks)
{
	check_kernel(checks);
	check_fuse(checks);
	check_clock(checks);
	check_authorities(checks);
	check_updatedb(checks);
}
