/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-drill - one restore drill. The keeper starts it with a frame socket on descriptor 3 and sends one WIRE_DRILL
 * frame: {"id", "drill", "record", "plan"}, or {"id", "workspace", "reap": true} to clean up what another one left
 * behind. Answers: WIRE_DRILL_PROGRESS as it goes, at the end one WIRE_DRILL_DONE. WIRE_STOP, and the end of the
 * socket, cancel it; either way nothing stays but the evidence.
 *
 * This process is the supervisor; see drill.h for the two of them. Exit status: 0 when it said how it went, else 1. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config.h"
#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/drill/fetch.h"

#define SOCKET 3
#define JOB_BYTES_MAX (1u << 20)
#define JOB_WAIT_MS 30000
#define PROGRESS_MS 500
#define MEASURE_MS 2000
#define ANSWER_MS 30000

struct supervisor {
    struct channel channel;
    struct buf out;
    struct run run;
    struct drill_config config;
    struct arena arena;
    pid_t runner, fetcher;
    bool cancelled, alone; /* alone: the keeper has gone */
    const char *ended_for; /* by us: the reason */
    int64_t told_ms, measured_ms;
};

/* ---- the keeper -------------------------------------------------------------------------------------------------- */

static void send_json(struct supervisor *s, enum wire_type type, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    size_t begin = wire_begin(&s->out, type);
    wire_put_text(&s->out, text ? text : "{}");
    wire_end(&s->out, begin);
    if (!s->alone && channel_write(&s->channel, &s->out, clock_now_ms() + ANSWER_MS) != 0)
        s->alone = true;
    buf_reset(&s->out);
    free(text);
}

static void send_pong(struct supervisor *s, struct wire_frame *frame)
{
    uint64_t number = wire_u64(&frame->payload);
    size_t begin = wire_begin(&s->out, WIRE_PONG);
    wire_put_u64(&s->out, number);
    wire_end(&s->out, begin);
    if (!s->alone && channel_write(&s->channel, &s->out, clock_now_ms() + ANSWER_MS) != 0)
        s->alone = true;
    buf_reset(&s->out);
}

/* Frames that are there; waits at most so long for the first one. */
static void listen_to_keeper(struct supervisor *s, int64_t wait_ms)
{
    struct wire_frame frame;
    int n = 1;
    for (int64_t until_ms = clock_now_ms() + wait_ms; n > 0 && !s->alone; until_ms = 0) {
        n = channel_read(&s->channel, &frame, until_ms);
        if (n > 0 && frame.type == WIRE_PING)
            send_pong(s, &frame);
        else if (n > 0 && frame.type == WIRE_STOP)
            s->cancelled = true;
        else if (n != -ETIMEDOUT)
            s->alone = s->cancelled = true;
    }
}

/* How much of the backup, how fast since the phase began (bytes a second), and how long the rest takes at that rate. */
static void add_rate(json_t *json, int64_t bytes, int64_t total, int64_t phase_ms)
{
    if (bytes <= 0 || total < bytes || phase_ms <= 0)
        return;
    double rate = (double)bytes * 1000 / (double)phase_ms;
    json_object_set_new(json, "percent", json_integer((json_int_t)(100.0 * (double)bytes / (double)total)));
    json_object_set_new(json, "rate", json_integer((json_int_t)rate));
    json_object_set_new(json, "left_ms", json_integer((json_int_t)((double)(total - bytes) * 1000 / rate)));
}

static void tell_progress(struct supervisor *s, int64_t now_ms)
{
    struct outcome *outcome = s->run.outcome;
    if (now_ms - s->told_ms < PROGRESS_MS)
        return;
    s->told_ms = now_ms;
    enum phase phase = (enum phase)atomic_load(&outcome->phase);
    int64_t bytes = atomic_load(&outcome->bytes), total = atomic_load(&outcome->bytes_total);
    int64_t phase_ms = now_ms - atomic_load(&outcome->phase_began_ms);
    json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "phase", phase_name(phase), "bytes", (json_int_t)bytes,
                             "total", (json_int_t)total, "ms", (json_int_t)(now_ms - s->run.started_ms), "disk",
                             (json_int_t)outcome->peak_bytes, "phase_ms", (json_int_t)phase_ms);
    if (phase == PHASE_RESTORE)
        add_rate(json, bytes, total, phase_ms);
    send_json(s, WIRE_DRILL_PROGRESS, json);
    json_decref(json);
}

/* ---- the runner -------------------------------------------------------------------------------------------------- */

/* It ends with us, also when we end before it could ask for that; in its namespace it does not see who we are. */
static void tie_runner(int supervisor)
{
    struct pollfd ended = { .fd = supervisor, .events = POLLIN };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (poll(&ended, 1, 0) > 0)
        _exit(1);
    if (supervisor >= 0)
        close(supervisor);
}

/* The first child after unshare() is process 1 of the new namespace. */
static int start_runner(struct supervisor *s)
{
    if (drill_is_remote(&s->config) && (s->fetcher = fetch_start(&s->run)) < 0) /* while there is a network */
        return (int)s->fetcher;
    isolate(&s->run);
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    s->runner = fork();
    if (s->runner == 0) {
        tie_runner(self);
        close(SOCKET);
        int code = run_phases(&s->run);
        _exit(code == 0 ? 0 : 1);
    }
    int code = s->runner < 0 ? -errno : 0;
    if (self >= 0)
        close(self);
    if (s->run.fetch_fd >= 0)
        close(s->run.fetch_fd); /* it ends with the runner */
    s->run.fetch_fd = -1;
    return code;
}

/* Why it must end now, or NULL. */
static const char *find_reason(struct supervisor *s, int64_t now_ms)
{
    const struct drill_config *config = &s->config;
    char text[TEXT_VALUE_SIZE];
    if (now_ms - s->run.started_ms > config->time_ms)
        return arena_print(&s->arena, "it took longer than 'time' allows (%s)", text_format_age(text, config->time_ms));
    if (now_ms - s->measured_ms < MEASURE_MS)
        return NULL;
    struct scratch_sum sum = scratch_measure(s->run.folder_fd);
    s->measured_ms = clock_now_ms();
    if (sum.bytes > s->run.outcome->peak_bytes)
        s->run.outcome->peak_bytes = sum.bytes;
    if (sum.too_deep)
        return "its folders lie too deep for what is in them to be counted";
    if (sum.bytes > config->space_bytes)
        return arena_print(&s->arena, "it used more than 'space' allows (%s)",
                           text_format_value(text, (double)config->space_bytes, "B"));
    return NULL;
}

static void watch_runner(struct supervisor *s)
{
    int status = 0;
    struct outcome *outcome = s->run.outcome;
    while (waitpid(s->runner, &status, WNOHANG) == 0) {
        int64_t now_ms = clock_now_ms();
        tell_progress(s, now_ms);
        s->ended_for = s->ended_for ? s->ended_for : find_reason(s, now_ms);
        if (s->ended_for || s->cancelled)
            kill(s->runner, SIGKILL);
        if (s->alone || s->cancelled)
            poll(NULL, 0, 20);
        else
            listen_to_keeper(s, 20);
    }
    enum phase phase = (enum phase)atomic_load(&outcome->phase);
    if (s->cancelled) {
        outcome->result = DRILL_CANCELLED;
        outcome->failed_phase = phase;
    } else if (s->ended_for) {
        outcome->result = DRILL_RUNNING;
        run_fail(&s->run, phase, "%s", s->ended_for);
    } else if (outcome->result == DRILL_RUNNING) {
        const char *name = WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : NULL;
        run_fail(&s->run, phase, "the process of the drill was ended by %s%s", name ? "SIG" : "exit status ",
                 name ? name : "1");
    }
}

/* ---- the end ----------------------------------------------------------------------------------------------------- */

static void stop_fetcher(struct supervisor *s)
{
    if (s->fetcher <= 0)
        return;
    kill(s->fetcher, SIGKILL);
    waitpid(s->fetcher, NULL, 0);
    s->fetcher = 0;
}

static void clean(struct supervisor *s)
{
    struct run *run = &s->run;
    stop_fetcher(s);
    struct why why = { "" };
    int64_t began_ms = clock_now_ms();
    reap_processes(run->id, s->config.workspace);
    if (run->folder_fd >= 0)
        close(run->folder_fd);
    run->folder_fd = -1;
    if (scratch_remove(s->config.workspace, run->id, &why) != 0) {
        log_warn("drill", "%s", why.text);
        run->outcome->failed_phase = PHASE_CLEAN;
        if (run->outcome->result == DRILL_PASSED)
            run_fail(run, PHASE_CLEAN, "%s", why.text);
    }
    run->outcome->phase_ms[PHASE_CLEAN] = clock_now_ms() - began_ms;
}

/* A drill that passed and took too long has failed. */
static void judge_time(struct run *run)
{
    char took[TEXT_DURATION_SIZE], most[TEXT_DURATION_SIZE];
    int64_t ms = run_recovery_ms(run);
    if (run->outcome->result == DRILL_PASSED && ms > run->config->rto_ms)
        run_fail(run, PHASE_RESTORE, "it took %s; the target (rto) is %s", text_format_age(took, ms),
                 text_format_age(most, run->config->rto_ms));
}

static void report(struct supervisor *s)
{
    char hex[65] = "";
    json_t *evidence = evidence_make(&s->run);
    int code = s->run.plan ? 0 : evidence_write(&s->run, evidence, hex);
    if (code != 0)
        log_warn("drill", "the evidence can't be written below '%s': %s", s->run.record, error_text(code));
    json_object_set_new(evidence, "evidence", json_string(hex));
    send_json(s, WIRE_DRILL_DONE, evidence);
    json_decref(evidence);
}

/* ---- the job ----------------------------------------------------------------------------------------------------- */

static int find_user(struct run *run, struct why *why)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam(run->config->user) : NULL;
    if (geteuid() != 0)
        return 0;
    if (!user)
        return why_say(why, ERROR_UNKNOWN_NAME,
                       "there is no user '%s' for its servers and tools: write user = \"...\";", run->config->user);
    if (user->pw_uid == 0)
        return why_say(why, ERROR_REFUSED, "its servers and tools must not run as root: write user = \"nobody\";");
    run->user = user->pw_uid;
    run->group = user->pw_gid;
    return 0;
}

static int drill(struct supervisor *s, const json_t *job)
{
    struct run *run = &s->run;
    struct why why = { "" };
    run->config = &s->config;
    run->record = arena_text(&s->arena, json_string_value(json_object_get(job, "record")));
    run->plan = json_is_true(json_object_get(job, "plan"));
    run->started_ms = clock_now_ms();
    run->started_wall_ms = clock_wall_ms();
    if (drill_decode(json_object_get(job, "drill"), &s->arena, &s->config) != 0 || !run->record) {
        log_error("drill", "the job is not understood");
        return 1;
    }
    int code = find_user(run, &why);
    if (code == 0)
        code = scratch_make(run, &why);
    if (code == 0 && (code = start_runner(s)) != 0)
        why_say(&why, code, "no process can be started: %s", error_text(code));
    if (code != 0)
        run_fail(run, PHASE_FETCH, "%s", why.text);
    else
        watch_runner(s);
    clean(s);
    judge_time(run);
    report(s);
    return 0;
}

static int reap(struct supervisor *s, const json_t *job)
{
    const char *workspace = json_string_value(json_object_get(job, "workspace"));
    struct why why = { "" };
    if (!workspace)
        return 1;
    unsigned count = reap_processes(s->run.id, workspace);
    int code = scratch_remove(workspace, s->run.id, &why);
    json_t *json = json_pack("{s:s, s:s, s:i, s:s}", "id", s->run.id, "result", "reaped", "processes", (int)count,
                             "reason", code ? why.text : "");
    send_json(s, WIRE_DRILL_DONE, json);
    json_decref(json);
    return 0;
}

static json_t *read_job(struct supervisor *s)
{
    struct wire_frame frame;
    if (channel_read(&s->channel, &frame, clock_now_ms() + JOB_WAIT_MS) <= 0 || frame.type != WIRE_DRILL)
        return NULL;
    const char *text = wire_text(&frame.payload, &s->arena, JOB_BYTES_MAX);
    json_t *job = text && wire_done(&frame.payload) == 0 ? json_loads(text, 0, NULL) : NULL;
    const char *id = json_string_value(json_object_get(job, "id"));
    if (id && strlen(id) == DRILL_ID_SIZE - 1 && strspn(id, "0123456789abcdef") == DRILL_ID_SIZE - 1)
        s->run.id = arena_text(&s->arena, id);
    return job;
}

/* What both processes see. */
static struct outcome *share_outcome(void)
{
    struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (outcome == MAP_FAILED)
        log_fatal("drill", "no memory: %s", strerror(errno));
    for (int i = 0; i < PHASE_COUNT; i++)
        outcome->phase_ms[i] = -1;
    return outcome;
}

int main(void)
{
    struct supervisor s = { .channel = { .fd = SOCKET },
                            .run = { .folder_fd = -1, .fetch_fd = -1, .source = { .fd = -1 } } };
    struct stat st;
    int status = 1;
    log_setup(LOG_LEVEL_INFO);
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    if (fstat(SOCKET, &st) != 0 || !S_ISSOCK(st.st_mode)) {
        fputs("belfry-drill is started by belfryd; see 'belfry drill --help'\n", stderr);
        return 2;
    }
    fcntl(SOCKET, F_SETFD, FD_CLOEXEC);
    s.run.outcome = share_outcome();
    json_t *job = read_job(&s);
    if (s.run.id)
        status = json_is_true(json_object_get(job, "reap")) ? reap(&s, job) : drill(&s, job);
    json_decref(job);
    buf_close(&s.out);
    channel_close(&s.channel);
    arena_close(&s.run.arena);
    arena_close(&s.arena);
#ifdef BELFRY_SANITIZERS
    _exit(status); /* the search for leaks wants a thread, which a process that has left its namespace can't have */
#endif
    return status;
}
