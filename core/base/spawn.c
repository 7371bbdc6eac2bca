/* SPDX-License-Identifier: GPL-3.0-or-later */
/* spawn - fork and exec. Everything that needs memory is made before the fork; between fork and exec only
 * async-signal-safe calls are made, so that a parent with threads may spawn too.
 *
 * Whether exec worked is told by a close-on-exec pipe: the child writes the errno of what failed, or exec closes it.
 * Descriptors are first copied above all numbers that will be assigned, then put in place: so sources and targets may
 * overlap in any way. */
#include "core/base/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define FDS_MAX 16u
#define ENV_MAX 16u

/* ---- environment */

static const char *const fixed_env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };

/* Variables that are passed on when they are set here. */
static const char *const passed_env[] = {
    "TZ=",
    "SSL_CERT_FILE=",
    "SSL_CERT_DIR=",
#ifdef BELFRY_SANITIZERS
    "ASAN_OPTIONS=",
    "LSAN_OPTIONS=",
    "UBSAN_OPTIONS=",
    "TSAN_OPTIONS=",
#endif
    NULL,
};

static void make_clean_env(const char *out[ENV_MAX])
{
    size_t n = 0;
    for (const char *const *fixed = fixed_env; *fixed; fixed++)
        out[n++] = *fixed;
    for (const char *const *prefix = passed_env; *prefix; prefix++) {
        for (char **entry = environ; entry && *entry; entry++) {
            if (strncmp(*entry, *prefix, strlen(*prefix)) == 0) {
                out[n++] = *entry;
                break;
            }
        }
    }
    out[n] = NULL;
}

/* ---- in the child: each returns 0 or an errno */

/* By the system call itself: the library refuses its own two signals, and whoever started us may have ignored them. The
 * kernel's struct is all zeros for the default action. */
static int reset_signals(void)
{
    const uint64_t standard[4] = { 0 };
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, standard, NULL, sizeof(uint64_t)); /* refused for SIGKILL and SIGSTOP */
    return 0;
}

/* Before bind_to_parent(): the kernel forgets that with the identity. */
static int change_user(const struct spawn *spawn)
{
    if (spawn->user == 0)
        return 0;
    return setgroups(0, NULL) != 0 || setgid(spawn->group) != 0 || setuid(spawn->user) != 0 ? errno : 0;
}

static int bind_to_parent(const struct spawn *spawn, pid_t parent)
{
    if (!spawn->die_with_parent)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return errno;
    return getppid() == parent ? 0 : ESRCH; /* it died before the line above */
}

/* The copy of fd above all targets, or -1. */
static int lift(int fd, int above)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, above);
}

/* Puts descriptors in place and marks all others to be closed by exec; *report is the pipe's new number. */
static int place_descriptors(const struct spawn *spawn, int *report)
{
    int count = (int)spawn->fd_count < 2 ? 2 : (int)spawn->fd_count;
    int sources[FDS_MAX + 1];
    *report = lift(*report, count + 1);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (*report < 0 || null < 0)
        return errno;
    for (int i = 0; i <= count; i++) {
        int fd = i == 0 ? spawn->input : i <= (int)spawn->fd_count ? spawn->fds[i - 1] : -1;
        sources[i] = lift(fd > 0 || (fd == 0 && i > 0) ? fd : null, count + 1);
        if (sources[i] < 0)
            return errno;
    }
    for (int i = 0; i <= count; i++) {
        if (dup2(sources[i], i) < 0)
            return errno;
    }
    return close_range((unsigned)count + 1, ~0u, CLOSE_RANGE_CLOEXEC) != 0 ? errno : 0;
}

static int set_limits(const struct spawn *spawn)
{
    for (unsigned i = 0; i < spawn->limit_count; i++) {
        const struct spawn_limit *limit = &spawn->limits[i];
        struct rlimit now;
        if (getrlimit((__rlimit_resource_t)limit->resource, &now) != 0)
            return errno;
        now.rlim_cur = limit->soft > now.rlim_max ? now.rlim_max : (rlim_t)limit->soft;
        if (setrlimit((__rlimit_resource_t)limit->resource, &now) != 0)
            return errno;
    }
    return 0;
}

/* Without /proc it goes without. */
static void volunteer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    ssize_t written = fd >= 0 ? write(fd, "500", 3) : 0;
    (void)written;
    if (fd >= 0)
        close(fd);
}

static int set_standing(const struct spawn *spawn)
{
    if (spawn->own_group && setpgid(0, 0) != 0)
        return errno;
    if (chdir(spawn->folder ? spawn->folder : "/") != 0)
        return errno;
    if (spawn->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return errno;
    return 0;
}

_Noreturn static void become(const struct spawn *spawn, const char *const *env, int report, pid_t parent)
{
    sigset_t none;
    int failed = reset_signals();
    if (!failed && spawn->dies_first)
        volunteer();
    if (!failed)
        failed = change_user(spawn);
    if (!failed)
        failed = bind_to_parent(spawn, parent);
    if (!failed)
        failed = place_descriptors(spawn, &report);
    if (!failed)
        failed = set_standing(spawn);
    if (!failed)
        failed = set_limits(spawn);
    if (!failed) {
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(spawn->program, (char *const *)spawn->argv, (char *const *)env);
        failed = errno;
    }
    ssize_t written = write(report, &failed, sizeof failed);
    (void)written;
    _exit(127);
}

/* ---- in the parent */

/* 0 when exec closed the pipe, else the negative errno that the child sent; the child is then reaped. */
static int await_exec(int report, pid_t pid)
{
    int failed = 0;
    ssize_t n;
    do
        n = read(report, &failed, sizeof failed);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof failed)
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return -failed;
}

pid_t spawn_start(const struct spawn *spawn)
{
    const char *clean_env[ENV_MAX];
    int report[2];
    if (spawn->fd_count > FDS_MAX)
        return -EINVAL;
    make_clean_env(clean_env);
    if (pipe2(report, O_CLOEXEC) != 0)
        return -errno;
    sigset_t all, before;
    sigfillset(&all);
    pid_t parent = getpid();
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of ours runs in the child */
    pid_t pid = fork();
    if (pid == 0)
        become(spawn, spawn->env ? spawn->env : clean_env, report[1], parent);
    int code = pid < 0 ? -errno : 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    if (code == 0)
        code = await_exec(report[0], pid);
    close(report[0]);
    return code != 0 ? code : pid;
}

int spawn_pair(int pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0 ? -errno : 0;
}

/* ---- members */

#define MEMBERS_MAX 8

static struct member {
    char name[64], path[PATH_MAX];
} members[MEMBERS_MAX];
static pthread_mutex_t members_lock = PTHREAD_MUTEX_INITIALIZER;

static void locate(struct member *member, const char *name)
{
    text_copy(member->name, sizeof member->name, name);
    int n = snprintf(member->path, sizeof member->path, "%s/%s", file_program_folder(), name);
    if (n < 0 || (size_t)n >= sizeof member->path || access(member->path, X_OK) != 0)
        snprintf(member->path, sizeof member->path, "%s/%s", LIBEXECDIR, name);
}

const char *spawn_member(const char *name)
{
    size_t i = 0;
    pthread_mutex_lock(&members_lock);
    while (i < MEMBERS_MAX && members[i].name[0] && strcmp(members[i].name, name) != 0)
        i++;
    if (i == MEMBERS_MAX || strlen(name) >= sizeof members[0].name)
        log_fatal("spawn", "'%s' is one member of the family too many", name);
    if (!members[i].name[0])
        locate(&members[i], name);
    pthread_mutex_unlock(&members_lock);
    return members[i].path;
}
