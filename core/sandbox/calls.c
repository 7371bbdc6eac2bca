/* SPDX-License-Identifier: GPL-3.0-or-later */
/* calls - the filter of system calls.
 *
 * Each call belongs to one kind (table `groups`; what is not in it is for programs only). A process that lacks the kind
 * may still have the call with certain arguments (table `judged`). Of what it has no right to,
 *     what is known to be tried by libraries that do well without fails with EPERM,
 *     everything else that has a name ends the process by SIGSYS (SECCOMP_RET_TRAP), so that it is seen,
 *     what is younger than the library that names the calls fails with ENOSYS, as on an older kernel.
 * clone3() hides its flags behind a pointer, so it does not exist for those that may only start threads: libc falls
 * back to clone(), whose flags can be seen. */
#include "core/sandbox/layers.h"

#include "config.h"
#include "core/sandbox/sandbox.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/text.h"

#define NUMBERS_MAX 1024 /* above all numbers that are in use */

/* Two kinds more. */
#define CALLS_QUIET (1u << 30) /* for programs; others get EPERM */
#define CALLS_NEVER (1u << 31) /* not even for programs */

static const struct group {
    uint32_t kind;
    const char *names;
} groups[] = {
    { CALLS_BASE,
      "read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 close close_range lseek dup "
      "dup2 dup3 fcntl ioctl pipe pipe2 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl "
      "epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime "
      "signalfd signalfd4 memfd_create ftruncate fallocate fsync fdatasync sync_file_range sendfile splice "
      "tee vmsplice copy_file_range" },
    { CALLS_BASE, "sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg shutdown getsockname getpeername getsockopt "
                  "socketpair" },
    { CALLS_BASE,
      "mmap munmap mremap mprotect pkey_alloc pkey_free pkey_mprotect madvise brk msync mlock mlock2 munlock "
      "mlockall munlockall mincore membarrier" },
    { CALLS_BASE, "futex futex_waitv set_robust_list get_robust_list rseq arch_prctl set_tid_address exit exit_group "
                  "restart_syscall sched_yield sched_getaffinity sched_getparam sched_getscheduler sched_getattr "
                  "sched_get_priority_max sched_get_priority_min sched_rr_get_interval getcpu getpriority prctl" },
    { CALLS_BASE, "rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigsuspend rt_sigreturn sigaltstack "
                  "pause alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun "
                  "timer_delete clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time times" },
    { CALLS_BASE, "getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp getpgid "
                  "getsid capget getrusage getrlimit setrlimit sysinfo uname getrandom umask wait4 waitid" },
    { CALLS_READ,
      "stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat getdents "
      "getdents64 getcwd chdir fchdir statfs fstatfs flock fadvise64 readahead getxattr lgetxattr fgetxattr "
      "listxattr llistxattr flistxattr inotify_init inotify_init1 inotify_add_watch inotify_rm_watch" },
    { CALLS_WRITE, "creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat "
                   "truncate chmod fchmod fchmodat utime utimes utimensat futimesat open openat" },
    { CALLS_NETWORK, "bind" },
    { CALLS_NETWORK | CALLS_LOCAL, "connect setsockopt" },
    { CALLS_QUIET, "chown fchown lchown fchownat setpriority sched_setaffinity sched_setparam "
                   "sched_setattr ioprio_set ioprio_get get_mempolicy set_mempolicy mbind migrate_pages move_pages "
                   "io_uring_setup io_uring_enter io_uring_register io_setup add_key request_key keyctl "
                   "memfd_secret syslog personality" },
    { CALLS_NEVER, "ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise process_mrelease mount "
                   "umount umount2 mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick pivot_root chroot "
                   "unshare setns bpf perf_event_open userfaultfd kexec_load kexec_file_load init_module finit_module "
                   "delete_module create_module reboot swapon swapoff acct quotactl quotactl_fd iopl ioperm modify_ldt "
                   "clock_settime clock_adjtime settimeofday adjtimex stime sethostname setdomainname vhangup "
                   "open_by_handle_at name_to_handle_at fanotify_init lookup_dcookie nfsservctl uselib vm86 vm86old "
                   "mknod mknodat io_uring_setup add_key request_key keyctl" },
};

/* ---- calls whose arguments are looked at ---------------------------------------------------------------------- */

/* What becomes of the call when (argument & mask) compares with the value, to a process that has the kind `for_kind`
 * and not the kind `unless`. A call that is here and has no rule that fits fails with ENOSYS. */
struct judged {
    const char *name;
    uint32_t for_kind, unless, action;
    unsigned argument;
    enum scmp_compare compare;
    uint64_t mask, value;
};

#define OWN UINT64_MAX /* as a value: the number of this process */
#define FAIL(code) SCMP_ACT_ERRNO(code)

static const struct judged judged[] = {
    { "clone", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD },
    { "clone", CALLS_BASE, 0, SCMP_ACT_TRAP, 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0 },
    { "clone3", CALLS_BASE, 0, 0, 0, 0, 0, 0 },
    { "open", CALLS_READ, 0, SCMP_ACT_ALLOW, 1, SCMP_CMP_MASKED_EQ, O_CREAT, 0 },
    { "open", CALLS_READ, 0, SCMP_ACT_TRAP, 1, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT },
    { "openat", CALLS_READ, 0, SCMP_ACT_ALLOW, 2, SCMP_CMP_MASKED_EQ, O_CREAT, 0 },
    { "openat", CALLS_READ, 0, SCMP_ACT_TRAP, 2, SCMP_CMP_MASKED_EQ, O_CREAT, O_CREAT },
    { "openat2", CALLS_READ, 0, 0, 0, 0, 0, 0 },
    { "kill", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, OWN },
    { "kill", CALLS_BASE, 0, SCMP_ACT_TRAP, 0, SCMP_CMP_NE, 0, OWN },
    { "tgkill", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, OWN },
    { "tgkill", CALLS_BASE, 0, SCMP_ACT_TRAP, 0, SCMP_CMP_NE, 0, OWN },
    /* of its own thread: SCHED_IDLE is how a plugin makes way for the others */
    { "sched_setscheduler", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, 0 },
    { "sched_setscheduler", CALLS_BASE, 0, FAIL(EPERM), 0, SCMP_CMP_NE, 0, 0 },
    { "prlimit64", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, 0 },
    { "prlimit64", CALLS_BASE, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, OWN },
    { "socket", CALLS_NETWORK | CALLS_LOCAL, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, AF_UNIX },
    { "socket", CALLS_NETWORK, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, AF_INET },
    { "socket", CALLS_NETWORK, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, AF_INET6 },
    { "socket", CALLS_NETWORK, 0, SCMP_ACT_ALLOW, 0, SCMP_CMP_EQ, 0, AF_NETLINK },
    { "socket", CALLS_NETWORK, 0, FAIL(EAFNOSUPPORT), 0, SCMP_CMP_GT, 0, AF_NETLINK },
    /* libc asks the name service cache for users and groups, and does without */
    { "socket", CALLS_BASE, CALLS_NETWORK | CALLS_LOCAL, FAIL(EACCES), 0, SCMP_CMP_EQ, 0, AF_UNIX },
    { "socket", CALLS_BASE, CALLS_NETWORK, SCMP_ACT_TRAP, 0, SCMP_CMP_NE, 0, AF_UNIX },
};

static int add_judged(scmp_filter_ctx filter, int number, const struct judged *rule)
{
    uint64_t value = rule->value == OWN ? (uint64_t)getpid() : rule->value;
    bool masked = rule->compare == SCMP_CMP_MASKED_EQ;
    struct scmp_arg_cmp compare = { rule->argument, rule->compare, masked ? rule->mask : value, masked ? value : 0 };
    return rule->action == 0 ? 0 : seccomp_rule_add_array(filter, rule->action, number, 1, &compare);
}

/* Adds what the table says of the call; *found: it says something. */
static int judge(scmp_filter_ctx filter, int number, const char *name, uint32_t kinds, bool *found)
{
    int code = 0;
    for (size_t i = 0; i < sizeof(judged) / sizeof(judged[0]) && code == 0; i++) {
        const struct judged *rule = &judged[i];
        if (strcmp(rule->name, name) != 0 || !(kinds & rule->for_kind) || (kinds & rule->unless))
            continue;
        *found = true;
        code = add_judged(filter, number, rule);
    }
    return code;
}

/* ---- the filter ----------------------------------------------------------------------------------------------- */

/* Whether the name is one of the list's, which a blank separates. */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

static uint32_t find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (is_listed(groups[i].names, name))
            return groups[i].kind;
    return CALLS_PROGRAMS;
}

static int add_call(scmp_filter_ctx filter, int number, const char *name, uint32_t kinds)
{
    uint32_t kind = find_kind(name);
    bool found = false;
    if (kind != CALLS_NEVER && (kinds & (kind | CALLS_PROGRAMS)))
        return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
    int code = judge(filter, number, name, kinds, &found);
    if (found)
        return code;
    return seccomp_rule_add(filter, kind == CALLS_QUIET ? FAIL(EPERM) : SCMP_ACT_TRAP, number, 0);
}

static int fill(scmp_filter_ctx filter, uint32_t kinds)
{
    int code = 0;
    for (int number = 0; number < NUMBERS_MAX && code == 0; number++) {
        errno = 0;
        char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
        if (name != NULL)
            code = add_call(filter, number, name, kinds);
        else if (errno == ENOMEM) /* else there is no such call */
            code = -ENOMEM;
        free(name);
    }
    return code;
}

int calls_restrict(uint32_t kinds, struct why *why)
{
    scmp_filter_ctx filter = seccomp_init(FAIL(ENOSYS));
    if (filter == NULL)
        return why_say(why, -ENOMEM, "no filter can be made");
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree; without it a list that is walked */
    int code = fill(filter, kinds);
    if (code == 0)
        code = seccomp_load(filter);
    seccomp_release(filter);
    return code == 0 ? 0 : why_say(why, code, "the kernel refuses the filter: %s", error_text(code));
}

const char *sandbox_call_name(int number, char out[SANDBOX_CALL_SIZE])
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    text_copy(out, SANDBOX_CALL_SIZE, name ? name : "unknown");
    free(name);
    return out;
}

#else

#include "core/base/text.h"

int calls_restrict(uint32_t kinds, struct why *why)
{
    (void)kinds;
    return why_say(why, ERROR_UNSUPPORTED, "this belfry was built without libseccomp");
}

const char *sandbox_call_name(int number, char out[SANDBOX_CALL_SIZE])
{
    (void)number;
    text_copy(out, SANDBOX_CALL_SIZE, "unknown");
    return out;
}

#endif
