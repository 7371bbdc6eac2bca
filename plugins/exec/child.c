/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child - runs a program in a process group of its own and reads its output, by way of belfry_wait_many().
 *
 * A run is over when the child has ended, not when its pipes are at their end: a daemon that it left behind may hold
 * those for ever. What is left of its group is killed before the child is reaped, because until then the number of the
 * group can't be somebody else's. Shortly before the deadline the group gets SIGTERM, half of the rest later SIGKILL.
 *
 * The child is made with vfork(): the parent may have thousands of descriptors and a large heap, of which nothing is
 * copied. Between vfork() and execve() only system calls are made, with all signals blocked. It dies with the thread
 * that started it.
 */
#include "plugins/exec/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define GRACE_MIN_MS 100
#define GRACE_MAX_MS 1000
#define READS_A_TURN 16
#define KEY_FD 3

struct pipes {
    int out[2], err[2], key[2], null; /* key: -1 when there is none */
};

static void close_all(struct pipes *pipes)
{
    int fds[] = {
        pipes->out[0], pipes->out[1], pipes->err[0], pipes->err[1], pipes->key[0], pipes->key[1], pipes->null
    };
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* Every descriptor above 2, so that the child's dup2() onto 0, 1 and 2 never meets its own source. */
static int raise_fd(int *fd)
{
    int high = *fd >= 0 && *fd <= 2 ? fcntl(*fd, F_DUPFD_CLOEXEC, 3) : *fd;
    if (high != *fd && high >= 0) {
        close(*fd);
        *fd = high;
    }
    return high < 0 ? -errno : 0;
}

/* The key is in the pipe before the child is there to read it. */
static int open_key(struct pipes *pipes, const char *key)
{
    size_t length = strlen(key);
    if (length > EXEC_KEY_MAX)
        return -EFBIG;
    if (pipe2(pipes->key, O_CLOEXEC | O_NONBLOCK) != 0)
        return -errno;
    bool written = write(pipes->key[1], key, length) == (ssize_t)length;
    close(pipes->key[1]);
    pipes->key[1] = -1;
    fcntl(pipes->key[0], F_SETFL, 0);
    return written ? 0 : -EIO;
}

static int open_pipes(struct pipes *pipes)
{
    *pipes = (struct pipes){ { -1, -1 }, { -1, -1 }, { -1, -1 }, open("/dev/null", O_RDONLY | O_CLOEXEC) };
    int failed = pipes->null < 0 || pipe2(pipes->out, O_CLOEXEC) != 0 || pipe2(pipes->err, O_CLOEXEC) != 0;
    if (failed)
        return -errno;
    int *fds[] = { &pipes->out[0], &pipes->out[1], &pipes->err[0], &pipes->err[1], &pipes->null };
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (raise_fd(fds[i]) < 0)
            return -errno;
    fcntl(pipes->out[0], F_SETFL, O_NONBLOCK); /* our ends; the child's stay blocking, as programs expect */
    fcntl(pipes->err[0], F_SETFL, O_NONBLOCK);
    return 0;
}

/* In the child, on the parent's stack: system calls only. */
__attribute__((noreturn)) static void become(const struct exec_child *child, const struct pipes *pipes,
                                             const sigset_t *none, volatile int *failure)
{
    struct sigaction plain = { .sa_handler = SIG_DFL };
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &plain, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    dup2(pipes->null, 0);
    dup2(pipes->out[1], 1);
    dup2(pipes->err[1], 2);
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (pipes->key[0] == KEY_FD)
        fcntl(KEY_FD, F_SETFD, 0);
    else if (pipes->key[0] >= 0)
        dup2(pipes->key[0], KEY_FD);
    sigprocmask(SIG_SETMASK, none, NULL);
    execve(child->argv[0], child->argv, child->envp);
    *failure = errno;
    _exit(127);
}

/* Its own function, because what follows vfork() shares this frame with the child. */
__attribute__((noinline)) static int spawn(struct exec_child *child, const struct pipes *pipes)
{
    volatile int failure = 0;
    sigset_t all, none, before;
    sigfillset(&all);
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int pid = vfork();
    if (pid == 0)
        become(child, pipes, &none, &failure);
    int error = pid < 0 ? errno : failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid > 0 && error != 0)
        waitpid(pid, NULL, 0); /* it has ended already: vfork() returned */
    child->pid = pid;
    return -error;
}

static int start(struct exec_child *child)
{
    struct pipes pipes;
    int error = open_pipes(&pipes);
    if (error == 0 && child->key)
        error = open_key(&pipes, child->key);
    if (error == 0)
        error = spawn(child, &pipes);
    if (error == 0) {
        child->out.fd = pipes.out[0];
        child->err.fd = pipes.err[0];
        pipes.out[0] = pipes.err[0] = -1;
        child->pidfd = pidfd_open(child->pid, 0);
    }
    if (error == 0 && child->pidfd < 0) {
        error = -errno;
        kill(-child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0);
    }
    close_all(&pipes);
    return error;
}

static void close_output(struct exec_output *output)
{
    if (output->fd >= 0)
        close(output->fd);
    output->fd = -1;
}

/* Reads what is there, a few buffers a turn: the others want theirs. */
static void drain(struct exec_output *output, char *scratch, size_t size)
{
    for (int i = 0; i < READS_A_TURN && output->fd >= 0; i++) {
        ssize_t n = read(output->fd, scratch, size);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            close_output(output);
            return;
        }
        size_t kept = output->room - output->kept;
        kept = (size_t)n < kept ? (size_t)n : kept;
        memcpy(output->bytes + output->kept, scratch, kept);
        output->kept += kept;
        output->total += (size_t)n;
    }
}

static void kill_group(const struct exec_child *child, int signal)
{
    kill(-child->pid, signal);
}

/* Has it ended? Then its group is killed and it is reaped. */
static bool reap(struct exec_child *child)
{
    siginfo_t info = { 0 };
    if (waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
        return false;
    kill_group(child, SIGKILL);
    waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG);
    child->code = info.si_code;
    child->status = info.si_status;
    return true;
}

/* When, in milliseconds before the deadline, the group is asked to end and then made to. */
static int64_t grace_ms(int64_t limit_ms)
{
    int64_t grace = limit_ms / 10;
    return grace < GRACE_MIN_MS ? GRACE_MIN_MS : grace > GRACE_MAX_MS ? GRACE_MAX_MS : grace;
}

/* The steps of ending a child: what is sent next, and how long before the deadline. */
struct ending {
    int64_t at_ms[2];
    int step;
};

static void hasten(struct exec_child *child, struct ending *ending)
{
    static const int signals[] = { SIGTERM, SIGKILL };
    bool flooded = child->out.total > EXEC_DRAIN_MAX || child->err.total > EXEC_DRAIN_MAX;
    if (flooded && !child->flooded) {
        child->flooded = true;
        ending->step = 2;
        kill_group(child, SIGKILL);
    }
    if (ending->step < 2 && belfry_left_ms(child->p) <= ending->at_ms[ending->step]) {
        child->timed_out = true;
        kill_group(child, signals[ending->step++]);
    }
}

/* Serves the pipes until the child has ended or, killed, could not be reaped by the deadline. */
static void attend(struct exec_child *child)
{
    int64_t grace = grace_ms(belfry_left_ms(child->p));
    struct ending ending = { { grace, grace / 2 }, 0 };
    size_t size = 65536;
    char *scratch = belfry_alloc(child->p, size);
    for (;;) {
        struct pollfd polls[] = { { child->pidfd, POLLIN, 0 },
                                  { child->out.fd, POLLIN, 0 }, /* poll() passes over negative ones */
                                  { child->err.fd, POLLIN, 0 } };
        int64_t pause = ending.step < 2 ? belfry_left_ms(child->p) - ending.at_ms[ending.step] : -1;
        int ready = belfry_wait_many(child->p, polls, 3, pause < 0 && ending.step < 2 ? 0 : pause);
        drain(&child->out, scratch, size);
        drain(&child->err, scratch, size);
        if (reap(child)) { /* what it wrote last may have come after the reading */
            drain(&child->out, scratch, size);
            drain(&child->err, scratch, size);
            return;
        }
        if (ready < 0) {
            kill_group(child, SIGKILL);
            child->timed_out = true;
            child->lost = !reap(child);
            return;
        }
        hasten(child, &ending);
    }
}

static void prepare(struct exec_output *output, struct belfry_probe *p, size_t room)
{
    *output = (struct exec_output){ .fd = -1, .bytes = belfry_alloc(p, room + 1), .room = room };
}

int exec_run(struct exec_child *child)
{
    child->pidfd = -1;
    prepare(&child->out, child->p, child->room ? child->room : EXEC_OUTPUT_MAX);
    prepare(&child->err, child->p, EXEC_ERRORS_MAX);
    int error = start(child);
    if (error == 0)
        attend(child);
    close_output(&child->out);
    close_output(&child->err);
    if (child->pidfd >= 0)
        close(child->pidfd);
    return error;
}
