/* SPDX-License-Identifier: GPL-3.0-or-later */
/* guard - runs foreign code in a child process and is back in time with an answer.
 *
 * The child answers with one frame on a socket pair: u8 status, text output. No frame means that it died; no frame in
 * time, that it is stuck. The child is a process group of its own, so that what it started ends with it, and it dies
 * with its parent (Ctrl-C). */
#include "core/cli/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/spawn.h"

/* Descriptors as foreign code shall see them. */
static void redirect(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void answer(int fd, int status, const struct buf *text)
{
    struct channel channel = { .fd = fd };
    struct buf out = { 0 };
    size_t begin = wire_begin(&out, WIRE_CONTROL);
    wire_put_u8(&out, (uint8_t)status);
    wire_put_text(&out, text->data ? text->data : "");
    if (wire_end(&out, begin) == 0)
        channel_write(&channel, &out, -1);
}

static _Noreturn void be_child(int (*work)(void *context, struct buf *out), void *context, int fd, pid_t parent)
{
    struct buf out = { 0 };
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    redirect();
    int status = work(context, &out);
    answer(fd, status, &out);
    _exit(0);
}

static const char *tell_death(struct arena *arena, int wait_status)
{
    if (!WIFSIGNALED(wait_status))
        return arena_print(arena, "ended its process with exit status %d", WEXITSTATUS(wait_status));
    if (WTERMSIG(wait_status) == SIGSYS)
        return "used a system call that what it needs does not allow; stderr names it";
    const char *name = sigabbrev_np(WTERMSIG(wait_status));
    return arena_print(arena, "crashed: SIG%s", name ? name : "?");
}

/* The child's frame: 0 when it is there and whole. */
static int read_frame(int fd, int64_t deadline_ms, struct arena *arena, struct guarded *result)
{
    struct channel channel = { .fd = fd };
    struct wire_frame frame;
    int n = channel_read(&channel, &frame, deadline_ms);
    int code = n == 1 ? 0 : n == 0 ? ERROR_STOPPED : n;
    if (code == 0) {
        result->status = wire_u8(&frame.payload);
        result->text = wire_text(&frame.payload, arena, WIRE_FRAME_MAX);
        code = wire_done(&frame.payload);
    }
    channel_close(&channel);
    return code;
}

int guard_run(int (*work)(void *context, struct buf *out), void *context, int64_t timeout_ms, struct arena *arena,
              struct guarded *result)
{
    int pair[2], wait_status = 0;
    int64_t deadline_ms = clock_now_ms() + timeout_ms;
    int code = spawn_pair(pair);
    if (code != 0)
        return code;
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        be_child(work, context, pair[1], parent);
    close(pair[1]);
    if (child < 0) {
        code = -errno;
        close(pair[0]);
        return code;
    }
    setpgid(child, child); /* both sides do: whoever is first */
    code = read_frame(pair[0], deadline_ms, arena, result);
    result->end = code == 0 ? GUARD_DONE : code == -ETIMEDOUT ? GUARD_TIMEOUT : GUARD_DIED;
    if (result->end == GUARD_TIMEOUT)
        kill(-child, SIGKILL);
    while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR)
        ;
    if (result->end == GUARD_DIED)
        result->why = tell_death(arena, wait_status);
    kill(-child, SIGKILL); /* what it left behind */
    return 0;
}
