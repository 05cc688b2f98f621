#include "fetch/confine.h"

#include "fetch/unpack.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The largest window that xz, zstd and 7z are commonly made with needs far less. */
#define MEMORY_MAX (UINT64_C(1) << 30)

#define DESCRIPTORS_MAX 32

/* Sanitizers reserve terabytes. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY 0
#else
#define LIMIT_MEMORY 1
#endif

static int set_limit(int resource, uint64_t value, struct err *err)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return err_set(err, ERR_SYSTEM, errno, "confine: limits: %m");
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit((__rlimit_resource_t)resource, &limit) < 0)
		return err_set(err, ERR_SYSTEM, errno, "confine: limits: %m");
	return 0;
}

static int set_limits(uint64_t file_size, struct err *err)
{
	int r = set_limit(RLIMIT_CORE, 0, err);

	if (r == 0)
		r = set_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, err);
	if (r == 0)
		r = set_limit(RLIMIT_FSIZE, file_size, err);
	if (r == 0 && LIMIT_MEMORY)
		r = set_limit(RLIMIT_AS, MEMORY_MAX, err);
	return r;
}

static int drop_privileges(struct err *err)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	/* who has none cannot drop them from the bounding set, either: nothing can bring them back
	 */
	for (unsigned long cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		;
	if (syscall(SYS_capset, &header, none) < 0)
		return err_set(err, ERR_SYSTEM, errno, "confine: capabilities: %m");
	return 0;
}

/* ---- Landlock: files ---- */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

#define LANDLOCK_OF_1                                                                              \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |                              \
		LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                       \
		LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
		LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |                       \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |                       \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                     \
		LANDLOCK_ACCESS_FS_MAKE_SYM)

#define LANDLOCK_NEEDED                                                                            \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |                             \
		LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |                     \
		LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM |                        \
		LANDLOCK_ACCESS_FS_REFER)

/* Only below @fd. Where it cannot be had, or cannot allow links between folders, it is left out. */
static void restrict_files(int fd)
{
	CLEANUP(fd_closep) int ruleset = -1;
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = LANDLOCK_OF_1 | LANDLOCK_ACCESS_FS_REFER};
	struct landlock_path_beneath_attr rule = {
		.allowed_access = LANDLOCK_NEEDED, .parent_fd = fd};
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 2)
		return;
	if (version >= 3) {
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
		rule.allowed_access |= LANDLOCK_ACCESS_FS_TRUNCATE;
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0)
		(void)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

/* ---- seccomp: system calls ---- */

/* What reading an archive and making files takes, and a C library besides. */
static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(pwrite64),
	SCMP_SYS(lseek),
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(close),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(mkdirat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(ftruncate),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#ifdef __NR_fstat64 /* of 32 bits */
	SCMP_SYS(fstat64),
	SCMP_SYS(fstatat64),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(_llseek),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(futex_time64),
#endif
};

static int add_rules(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* memory that is no code, and modes without setuid and its like */
	for (int i = 0; r == 0 && i < 2; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW,
			i == 0 ? SCMP_SYS(mmap) : SCMP_SYS(mprotect), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* of anything but the archive, which is the cache's */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fchmod), 2,
			SCMP_A0(SCMP_CMP_NE, UNPACK_ARCHIVE_FD),
			SCMP_A1(SCMP_CMP_MASKED_EQ, (scmp_datum_t)~0777U, 0));
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(utimensat), 1,
			SCMP_A0(SCMP_CMP_NE, UNPACK_ARCHIVE_FD));
#ifdef __NR_utimensat_time64
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(utimensat_time64), 1,
			SCMP_A0(SCMP_CMP_NE, UNPACK_ARCHIVE_FD));
#endif
#ifdef __NR_mmap2
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap2), 1,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
#endif
	return r;
}

static void release_filter(scmp_filter_ctx *filter)
{
	if (*filter)
		seccomp_release(*filter);
}

static int restrict_calls(struct err *err)
{
	CLEANUP(release_filter) scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? add_rules(filter) : -ENOMEM;

	if (r == 0)
		r = seccomp_load(filter);
	return r < 0 ? err_set(err, ERR_SYSTEM, -r, "confine: seccomp: %m") : 0;
}

int confine(int fd, uint64_t file_size, bool must, struct err *err)
{
	int r = set_limits(file_size, err);

	if (r < 0)
		return r;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_set(err, ERR_SYSTEM, errno, "confine: no new privileges: %m");
	if (fchdir(fd) == 0)
		(void)!chroot("."); /* whoever is not root has the rights of no more than himself */
	restrict_files(fd);
	r = drop_privileges(err);
	if (r < 0)
		return r;
	r = restrict_calls(err);
	if (r < 0 && must)
		return err_context(
			err, "unpacking needs a kernel with seccomp ([unpack] confined)");
	return 0;
}
