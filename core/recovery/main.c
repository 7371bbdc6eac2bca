/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-recovery - one errand of a runbook that is being followed: a command is run, or the evidence written down. The
 * keeper, which waits for no disk and for no program, starts it with a frame socket on descriptor 3 and sends one
 * WIRE_DRILL frame:
 *
 *     {"command": LINE, "within_ms": N}       answered by {"end": "", "output": TAIL}; end: what was wrong with it
 *     {"evidence": {...}, "folder": PATH}     answered by {"sha256": HEX}, "" when it could not be written
 *
 * The answer is one WIRE_DRILL_DONE. The command is run as it stands, without a shell, in a process group of its own;
 * WIRE_STOP, the end of the socket and the end of its time end it: by SIGTERM, and by SIGKILL GRACE_MS later. Of what
 * it prints the last TAIL_BYTES are kept.
 *
 * Exit status: 0 when it has answered, else 1. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/base/text.h"
#include "core/model/evidence.h"
#include "core/model/runbook.h"

#define SOCKET 3
#define JOB_BYTES_MAX (1u << 20)
#define JOB_WAIT_MS 30000
#define ANSWER_MS 30000
#define GOODBYE_MS 5000
#define GRACE_MS 3000
#define TAIL_BYTES RUNBOOK_OUTPUT_MAX
#define READ_BYTES 65536u
#define LOOK_MS 20

struct errand {
    struct channel channel;
    struct buf out, tail;
    struct arena arena;
    pid_t command;
    int output; /* what it prints */
    int64_t end_ms, killed_ms;
    bool stopped, alone; /* alone: the keeper has gone */
};

/* ---- the keeper -------------------------------------------------------------------------------------------------- */

static void send_out(struct errand *e)
{
    if (!e->alone && channel_write(&e->channel, &e->out, clock_now_ms() + ANSWER_MS) != 0)
        e->alone = true;
    buf_reset(&e->out);
}

static void answer(struct errand *e, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    size_t begin = wire_begin(&e->out, WIRE_DRILL_DONE);
    wire_put_text(&e->out, text ? text : "{}");
    wire_end(&e->out, begin);
    send_out(e);
    free(text);
    json_decref(json);
}

static void take_frame(struct errand *e, struct wire_frame *frame)
{
    if (frame->type == WIRE_STOP)
        e->stopped = true;
    if (frame->type != WIRE_PING)
        return;
    size_t begin = wire_begin(&e->out, WIRE_PONG);
    wire_put_u64(&e->out, wire_u64(&frame->payload));
    wire_end(&e->out, begin);
    send_out(e);
}

/* Waits so long for the first frame; more of them are taken at once. */
static void listen_to_keeper(struct errand *e, int64_t wait_ms)
{
    struct wire_frame frame;
    int n = 1;
    if (e->alone) {
        poll(NULL, 0, (int)wait_ms);
        return;
    }
    for (int64_t until_ms = clock_now_ms() + wait_ms; n > 0; until_ms = 0) {
        n = channel_read(&e->channel, &frame, until_ms);
        if (n > 0)
            take_frame(e, &frame);
        else if (n != -ETIMEDOUT)
            e->alone = e->stopped = true;
    }
}

/* ---- a command --------------------------------------------------------------------------------------------------- */

/* The newest of what it printed. */
static void read_output(struct errand *e)
{
    ssize_t n;
    char *room;
    while ((room = buf_room(&e->tail, READ_BYTES)) != NULL && (n = read(e->output, room, READ_BYTES)) > 0) {
        e->tail.length += (size_t)n;
        if (e->tail.length > TAIL_BYTES)
            buf_consume(&e->tail, e->tail.length - TAIL_BYTES);
    }
}

static void end_command(struct errand *e, int64_t now_ms)
{
    if (e->killed_ms == 0) {
        e->killed_ms = now_ms;
        kill(-e->command, SIGTERM);
    } else if (now_ms - e->killed_ms >= GRACE_MS) {
        kill(-e->command, SIGKILL);
    }
}

static int start_command(struct errand *e, const char *const *words)
{
    int output[2];
    if (pipe2(output, O_CLOEXEC) != 0 || fcntl(output[0], F_SETFL, O_NONBLOCK) != 0)
        return -errno;
    const int fds[] = { output[1], output[1] };
    const struct spawn spawn = { .program = words[0],
                                 .argv = words,
                                 .fds = fds,
                                 .fd_count = 2,
                                 .own_group = true,
                                 .dies_first = true,
                                 .no_new_privs = true,
                                 .die_with_parent = true };
    e->command = spawn_start(&spawn);
    close(output[1]);
    e->output = output[0];
    return e->command < 0 ? (int)e->command : 0;
}

/* What it printed last, as a text without line ends at its end. */
static const char *tail_of(struct errand *e)
{
    size_t size = TAIL_BYTES + 1;
    char *text = arena_text_n(&e->arena, e->tail.data ? e->tail.data : "", e->tail.length);
    char *visible = arena_alloc(&e->arena, size);
    size_t n = e->tail.length;
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] ? text[i] : ' ';
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        text[--n] = '\0';
    return text_visible(visible, size, text, true);
}

/* What was wrong with it, "" when nothing was. */
static const char *end_of(struct errand *e, int status, int64_t within_ms)
{
    char text[TEXT_DURATION_SIZE];
    if (e->killed_ms && !e->stopped)
        return arena_print(&e->arena, "it took longer than 'within' allows (%s)", text_format_age(text, within_ms));
    if (e->stopped)
        return "it was stopped";
    if (WIFSIGNALED(status))
        return arena_print(&e->arena, "it was ended by SIG%s",
                           sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?");
    return WEXITSTATUS(status) ? arena_print(&e->arena, "exit status %d", WEXITSTATUS(status)) : "";
}

static void run_command(struct errand *e, const char *line, int64_t within_ms)
{
    struct why why = { "" };
    int status = 0;
    const char *const *words = runbook_words(&e->arena, line, &why);
    int code = words && words[0] ? start_command(e, words) : ERROR_SYNTAX;
    if (code != 0) {
        answer(e,
               json_pack("{s:s, s:s}", "end",
                         arena_print(&e->arena, "it can't be started: %s", why.text[0] ? why.text : error_text(code)),
                         "output", ""));
        return;
    }
    e->end_ms = clock_now_ms() + within_ms;
    while (waitpid(e->command, &status, WNOHANG) == 0) {
        int64_t now_ms = clock_now_ms();
        read_output(e);
        if (e->stopped || e->killed_ms || now_ms >= e->end_ms)
            end_command(e, now_ms);
        listen_to_keeper(e, LOOK_MS);
    }
    if (e->killed_ms)
        kill(-e->command, SIGKILL); /* what it had started */
    read_output(e);
    close(e->output);
    answer(e, json_pack("{s:s, s:s}", "end", end_of(e, status, within_ms), "output", tail_of(e)));
}

/* ---- evidence ---------------------------------------------------------------------------------------------------- */

static void keep_evidence(struct errand *e, json_t *evidence, const char *folder)
{
    char hex[65] = "";
    int code = evidence_keep(folder, evidence, hex);
    if (code != 0)
        log_warn("recovery", "the evidence can't be written below '%s': %s", folder, error_text(code));
    answer(e, json_pack("{s:s}", "sha256", code ? "" : hex));
}

/* ---- the job ----------------------------------------------------------------------------------------------------- */

static json_t *read_job(struct errand *e)
{
    struct wire_frame frame;
    if (channel_read(&e->channel, &frame, clock_now_ms() + JOB_WAIT_MS) <= 0 || frame.type != WIRE_DRILL)
        return NULL;
    const char *text = wire_text(&frame.payload, &e->arena, JOB_BYTES_MAX);
    return text && wire_done(&frame.payload) == 0 ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
}

static int do_job(struct errand *e, const json_t *job)
{
    const char *line = json_string_value(json_object_get(job, "command"));
    const char *folder = json_string_value(json_object_get(job, "folder"));
    json_t *evidence = json_object_get(job, "evidence");
    if (line)
        run_command(e, line, json_integer_value(json_object_get(job, "within_ms")));
    else if (json_is_object(evidence) && folder)
        keep_evidence(e, evidence, folder);
    else
        log_error("recovery", "the job is not understood");
    return line || (json_is_object(evidence) && folder) ? 0 : 1;
}

/* What the keeper still sends must be read: a socket that is closed over unread bytes takes the answer with it. */
static void say_goodbye(struct errand *e)
{
    struct wire_frame frame;
    int64_t until_ms = clock_now_ms() + GOODBYE_MS;
    shutdown(e->channel.fd, SHUT_WR);
    while (!e->alone && channel_read(&e->channel, &frame, until_ms) > 0)
        ;
}

int main(void)
{
    struct errand e = { .channel = { .fd = SOCKET }, .output = -1 };
    struct stat st;
    log_setup(LOG_LEVEL_INFO);
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    if (fstat(SOCKET, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fputs("belfry-recovery is started by belfryd; see 'belfry drill --help'\n", stderr);
        return 2;
    }
    fcntl(SOCKET, F_SETFD, FD_CLOEXEC);
    json_t *job = read_job(&e);
    int status = do_job(&e, job);
    json_decref(job);
    say_goodbye(&e);
    buf_close(&e.out);
    buf_close(&e.tail);
    channel_close(&e.channel);
    arena_close(&e.arena);
    return status;
}
