/* SPDX-License-Identifier: GPL-3.0-or-later */
/* child - see child.h. Death is seen by a pidfd, so that no signal handler and no race over process numbers is
 * involved; the frame socket is read to its end before the exit is reported, so that a last result is not lost. */
#include "core/keeper/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"

#define CHILD_LINE_BYTES 4096u

static void on_handle_closed(uv_handle_t *handle)
{
    struct child *child = handle->data;
    if (--child->open_handles == 0) {
        buf_close(&child->output.line);
        child->on_gone(child);
    }
}

static void on_link_closed(struct link *link)
{
    struct child *child = link->owner;
    if (--child->open_handles == 0) {
        buf_close(&child->output.line);
        child->on_gone(child);
    }
}

/* ---- what it prints -------------------------------------------------------------------------------------------- */

static void tell_dropped(struct child *child, struct child_lines *lines)
{
    if (lines->dropped)
        log_warn(child->name, "%u more lines were dropped", lines->dropped);
    lines->count = lines->dropped = 0;
}

bool child_may_log(struct child *child, struct child_lines *lines)
{
    int64_t second = clock_now_ms() / 1000;
    if (second != lines->second)
        tell_dropped(child, lines);
    lines->second = second;
    if (lines->count < lines->most) {
        lines->count++;
        return true;
    }
    lines->dropped++;
    return false;
}

static void log_output(struct child *child, const char *text)
{
    if (child_may_log(child, &child->lines))
        log_info(child->name, "%s", text);
}

static void take_lines(struct child *child, bool all)
{
    struct buf *line = &child->output.line;
    char *newline;
    while (line->length > 0 && (newline = memchr(line->data, '\n', line->length)) != NULL) {
        *newline = '\0';
        log_output(child, line->data);
        buf_consume(line, (size_t)(newline - line->data) + 1);
    }
    if (line->length > 0 && (all || line->length >= CHILD_LINE_BYTES)) {
        log_output(child, line->data);
        buf_reset(line);
    }
}

/* What read() returned: bytes, 0 at the end, negative when there is nothing now. */
static ssize_t read_output(struct child *child)
{
    struct child_output *output = &child->output;
    char *room = buf_room(&output->line, CHILD_LINE_BYTES);
    ssize_t n = room ? read(output->fd, room, CHILD_LINE_BYTES) : 0;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -1 : 0;
    output->line.length += (size_t)n;
    output->line.data[output->line.length] = '\0';
    take_lines(child, n == 0);
    return n;
}

static void close_output(struct child *child)
{
    struct child_output *output = &child->output;
    if (output->fd < 0)
        return;
    uv_poll_stop(&output->poll);
    close(output->fd);
    output->fd = -1;
    uv_close((uv_handle_t *)&output->poll, on_handle_closed);
}

static void on_output(uv_poll_t *poll, int status, int events)
{
    struct child *child = poll->data;
    (void)events;
    if (status < 0 || read_output(child) == 0)
        close_output(child);
}

/* ---- its end --------------------------------------------------------------------------------------------------- */

static void close_exit(struct child *child)
{
    if (child->exit_fd < 0)
        return;
    uv_poll_stop(&child->exit_poll);
    close(child->exit_fd);
    child->exit_fd = -1;
    uv_close((uv_handle_t *)&child->exit_poll, on_handle_closed);
}

/* Whatever it says is a sign of life; what a PONG says is nothing more. */
static bool take_frame(struct child *child, struct wire_frame *frame)
{
    child->heard_ms = clock_now_ms();
    child->asked_ms = 0;
    if (child->life == LIFE_SILENT) {
        log_info(child->name, "process %d answers again", (int)child->pid);
        child_move(child, LIFE_HEARD);
    }
    if (frame->type != WIRE_PONG)
        return child->on_frame(child, frame);
    wire_u64(&frame->payload);
    return wire_done(&frame->payload) == 0;
}

/* Frames that were written before the death are still in the socket. */
static void drain_link(struct child *child)
{
    struct link *link = &child->link;
    for (int round = 0; round < 64 && !link->closing; round++) {
        char *room = buf_room(&link->in, 65536);
        ssize_t n = room ? recv(link->fd, room, 65536, MSG_DONTWAIT) : 0;
        if (n <= 0)
            break;
        link->in.length += (size_t)n;
        struct wire_frame frame;
        int size = 0;
        size_t taken = 0;
        while (!link->closing && (size = wire_next(link->in.data + taken, link->in.length - taken, &frame)) > 0 &&
               take_frame(child, &frame))
            taken += (size_t)size;
        if (link->closing || size != 0)
            break;
        buf_consume(&link->in, taken);
    }
}

static void on_exit_poll(uv_poll_t *poll, int poll_status, int events)
{
    struct child *child = poll->data;
    (void)poll_status;
    (void)events;
    int status;
    siginfo_t info = { 0 };
    /* what it forked goes with it, while its number is still its own */
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child->pid)
        kill(-child->pid, SIGKILL);
    struct rusage used = { 0 };
    pid_t pid = wait4(child->pid, &status, WNOHANG, &used);
    if (pid == 0)
        return;
    child->exited = true;
    child->status = pid < 0 ? 0 : status;
    child->cpu_ms =
        (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000 + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
    close_exit(child);
    drain_link(child);
    for (int round = 0; round < 64 && child->output.fd >= 0 && read_output(child) > 0; round++)
        ;
    take_lines(child, true);
    tell_dropped(child, &child->lines);
    tell_dropped(child, &child->messages);
    child_move(child, LIFE_END);
    child->on_exit(child);
}

static bool on_link_frame(struct link *link, struct wire_frame *frame)
{
    return take_frame(link->owner, frame);
}

/* The socket ended: either the process is dying, which the pidfd reports, or it broke the protocol and has to die. */
static void on_link_end(struct link *link, const char *why)
{
    struct child *child = link->owner;
    if (why) {
        log_warn(child->name, "ended: %s", why);
        child->violated = true;
    }
    link_close(link);
    if (!child->exited)
        child_kill(child);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int watch(uv_loop_t *loop, uv_poll_t *poll, int fd, uv_poll_cb on_ready, struct child *child)
{
    int failed = uv_poll_init(loop, poll, fd);
    poll->data = child;
    if (!failed)
        child->open_handles++;
    return failed ? failed : uv_poll_start(poll, UV_READABLE, on_ready);
}

static int open_handles(struct child *child, uv_loop_t *loop, struct links *dirty, int socket)
{
    child->link.owner = child;
    child->link.on_frame = on_link_frame;
    child->link.on_end = on_link_end;
    child->link.on_closed = on_link_closed;
    int failed = link_open(&child->link, loop, dirty, socket);
    if (!failed) {
        child->open_handles++;
        failed = watch(loop, &child->output.poll, child->output.fd, on_output, child);
    }
    if (!failed)
        failed = watch(loop, &child->exit_poll, child->exit_fd, on_exit_poll, child);
    return failed;
}

static pid_t spawn(struct child *child, const struct child_spec *spec, int socket, int output)
{
    const int fds[] = { output, output, socket, spec->extra_fd };
    const struct spawn spawn = { .program = spec->program,
                                 .argv = spec->argv,
                                 .fds = fds,
                                 .fd_count = spec->extra_fd >= 0 ? 4 : 3,
                                 .limits = spec->limits,
                                 .limit_count = spec->limit_count,
                                 .own_group = true,
                                 .dies_first = true,
                                 .no_new_privs = true,
                                 .die_with_parent = !spec->outlives };
    (void)child;
    return spawn_start(&spawn);
}

int child_start(struct child *child, uv_loop_t *loop, struct links *dirty, const struct child_spec *spec)
{
    int pair[2], output[2];
    child->exited = child->silent = false;
    child->life = LIFE_START;
    child->started_ms = child->heard_ms = clock_now_ms();
    child->output.child = child;
    child->output.line.max_bytes = 4 * CHILD_LINE_BYTES;
    child->lines.most = CHILD_LINES_PER_S;
    child->messages.most = CHILD_MESSAGES_PER_S;
    int failed = spawn_pair(pair);
    if (failed)
        return failed;
    if (pipe2(output, O_CLOEXEC) != 0) {
        failed = -errno;
        close(pair[0]);
        close(pair[1]);
        return failed;
    }
    pid_t pid = spawn(child, spec, pair[1], output[1]);
    close(pair[1]);
    close(output[1]);
    child->exit_fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
    if (pid < 0 || child->exit_fd < 0 || (failed = nonblocking(output[0])) != 0) {
        failed = pid < 0 ? (int)pid : failed ? failed : -errno;
        close(pair[0]);
        close(output[0]);
        if (pid > 0) {
            kill(-pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        return failed;
    }
    child->pid = pid;
    child->output.fd = output[0];
    failed = open_handles(child, loop, dirty, pair[0]);
    if (failed)
        log_fatal("keeper", "a child's descriptors can't be watched: %s", uv_strerror(failed));
    return 0;
}

void child_kill(struct child *child)
{
    if (child->pid > 0 && !child->exited) {
        kill(-child->pid, SIGKILL);
        kill(child->pid, SIGKILL);
        if (child->life != LIFE_DYING && child->life != LIFE_UNKILLABLE)
            child->killed_ms = clock_now_ms();
        child_move(child, LIFE_KILL);
    }
}

/* ---- its life -------------------------------------------------------------------------------------------------- */

void child_move(struct child *child, enum life_event event)
{
    child->life = life_next(child->life, event);
}

static void ping(struct child *child, int64_t now_ms)
{
    size_t begin = wire_begin(&child->link.out, WIRE_PING);
    wire_put_u64(&child->link.out, (uint64_t)now_ms);
    wire_end(&child->link.out, begin);
    link_changed(&child->link);
    child->asked_ms = now_ms;
}

/* It is up and was asked something, or is to be asked. */
static void listen_to(struct child *child, int64_t now_ms, bool excused)
{
    int64_t silent_ms = child->asked_ms ? now_ms - child->asked_ms : 0;
    if (!child->asked_ms && now_ms - child->heard_ms >= CHILD_PING_MS) {
        ping(child, now_ms);
    } else if (silent_ms >= CHILD_QUIET_MS && child->life != LIFE_SILENT) {
        log_warn(child->name, "process %d does not answer", (int)child->pid);
        child_move(child, LIFE_QUIET);
    } else if (silent_ms >= CHILD_SILENCE_MS && !excused) {
        log_warn(child->name, "process %d was silent for %.0f s and is killed", (int)child->pid,
                 (double)silent_ms / 1000);
        child->silent = true;
        child_kill(child);
    }
}

bool child_watch(struct child *child, int64_t now_ms, bool excused)
{
    if (child->pid <= 0 || child->exited)
        return false;
    if (child->life == LIFE_READY || child->life == LIFE_BUSY || child->life == LIFE_SILENT)
        listen_to(child, now_ms, excused);
    if (child->life != LIFE_DYING || now_ms - child->killed_ms < CHILD_UNKILLABLE_MS)
        return false;
    log_error(child->name, "process %d can't be killed: it hangs in the kernel; its place is given to another",
              (int)child->pid);
    child_move(child, LIFE_REFUSE);
    return true;
}

void child_forgive(struct child *child, int64_t stalled_ms)
{
    child->heard_ms += stalled_ms;
    child->killed_ms += stalled_ms;
    child->asked_ms += child->asked_ms ? stalled_ms : 0;
}

const char *child_obituary(const struct child *child, const struct obituary *obituary, char *out, size_t size)
{
    const char *check = obituary->check;
    char runs[TEXT_COUNT_SIZE], jobs[TEXT_COUNT_SIZE];
    int64_t age_ms = clock_now_ms() - child->started_ms; /* without what it was forgiven: a stall of ours */
    snprintf(out, size, "ended by %s with %s in flight%s%s; age %.1f s, %s done, %.2f s of CPU", obituary->end,
             text_count(runs, obituary->flights, "run"), check ? "; it was running " : "", check ? check : "",
             age_ms > 0 ? (double)age_ms / 1000 : 0.0, text_count(jobs, child->jobs, "job"),
             (double)child->cpu_ms / 1000);
    return out;
}

void child_close(struct child *child)
{
    link_close(&child->link);
    close_output(child);
    close_exit(child);
}

const char *child_end_text(const struct child *child, char *out, size_t size)
{
    if (!child->exited) {
        snprintf(out, size, "nothing, not even SIGKILL");
    } else if (WIFSIGNALED(child->status)) {
        const char *name = sigabbrev_np(WTERMSIG(child->status));
        snprintf(out, size, "SIG%s", name ? name : "?");
    } else {
        snprintf(out, size, "exit status %d", WEXITSTATUS(child->status));
    }
    return out;
}
