/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper - belfryd: the loop that joins schedule, workers, journal, recorder and control socket.
 *
 * One iteration of the loop:
 *     1. the tick timer: the schedule starts what is due, dispatch.c gives it to workers
 *     2. sockets: results come in, are judged, and may start more; requests come in
 *     3. the journal's event descriptor: answers whose records are on disk leave
 *     4. before sleeping: everything written to children and clients in this iteration leaves in one write each
 *
 * Diagnostics: one line on stderr for each event that is recorded, in the words of the journal. Exit status: 0 stopped
 * by a signal, 64 wrong usage, 74 records were lost to the disk (again.c), 75 another daemon has the state folder, 78
 * wrong configuration. */
#include "core/keeper/keeper.h"

#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/keeper/pool.h"
#include "core/keeper/trouble.h"

#define LARGE_BYTES (128 << 10)

/* ---- events ---------------------------------------------------------------------------------------------------- */

static enum log_level level_of(const struct event *event)
{
    switch (event->type) {
    case EVENT_CHECK_STATE:
    case EVENT_PART_STATE:
        return event->to == BELFRY_OK ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
    case EVENT_BREAKER_OPEN:
    case EVENT_PLUGIN_CRASHED:
    case EVENT_PLUGIN_REJECTED:
    case EVENT_CONFIG_REJECTED:
    case EVENT_MONITOR_BLIND:
    case EVENT_CLOCK_STEPPED:
    case EVENT_SERIES_SET_ASIDE:
    case EVENT_JOURNAL_RECOVERED:
    case EVENT_JOURNAL_DAMAGED:
    case EVENT_JOURNAL_SPACE:
    case EVENT_JOURNAL_SUSPECT:
    case EVENT_JOURNAL_ANCHOR_FAILED:
    case EVENT_PLUGIN_THROTTLED:
    case EVENT_DAEMON_PANICKED:
    case EVENT_DRILL_FAILED:
    case EVENT_DRILL_ABANDONED:
    case EVENT_RECOVERY_FAILED:
    case EVENT_RECOVERY_DUE:
        return LOG_LEVEL_WARN;
    case EVENT_DRILL_PROGRESS:
    case EVENT_DRILL_STANDING:
    case EVENT_RECOVERY_STANDING:
    case EVENT_RECOVERY_KNOWN:
    case EVENT_CHECK_ADDED:
    case EVENT_CHILD_DIED: /* its obituary is logged under its own name */
        return LOG_LEVEL_DEBUG;
    default:
        return LOG_LEVEL_INFO;
    }
}

static void log_event(const struct event *event)
{
    const char *what = event->check     ? event->check
                       : event->breaker ? event->breaker
                       : event->service ? event->service
                       : event->plugin  ? event->plugin
                       : event->drill   ? event->drill
                       : event->runbook ? event->runbook
                       : event->path    ? event->path
                                        : "";
    char line[1500];
    const char *text = event->text ? event->text : "";
    switch (event->type) {
    case EVENT_CHECK_STATE:
    case EVENT_PART_STATE:
        snprintf(line, sizeof line, "%s%s%s: %s -> %s (%s %u/%u) %s", what, event->part ? " " : "",
                 event->part ? event->part : "", state_name(event->from), state_name(event->to),
                 event->hard ? "hard" : "soft", event->attempt, event->attempts, text);
        break;
    case EVENT_SERVICE_STATE:
        snprintf(line, sizeof line, "%s: %s -> %s", what, state_name(event->from), state_name(event->to));
        break;
    case EVENT_BREAKER_OPEN:
        if (event->pause_ms > 0)
            snprintf(line, sizeof line, "circuit open: %s, next try in %.1f s: %s", what,
                     (double)event->pause_ms / 1000, text);
        else /* held by hand */
            snprintf(line, sizeof line, "circuit open: %s: %s", what, text);
        break;
    case EVENT_PLUGIN_THROTTLED:
        snprintf(line, sizeof line, "circuit open: plugin %s, next try in %.1f s: %s", what,
                 (double)event->pause_ms / 1000, text);
        break;
    case EVENT_PLUGIN_RESUMED:
        snprintf(line, sizeof line, "circuit closed: plugin %s", what);
        break;
    case EVENT_BREAKER_CLOSED:
        snprintf(line, sizeof line, "circuit closed: %s", what);
        break;
    default:
        snprintf(line, sizeof line, "%s %s%s%s", event_name(event->type), what, *text && *what ? ": " : "", text);
    }
    log_line(level_of(event), "event", line);
}

void keeper_emit(struct keeper *keeper, const struct event *event)
{
    struct event stamped = *event;
    struct buf members = { 0 };
    struct instant now = clock_instant();
    stamped.wall_ms = now.wall_ms;
    if (trouble_takes(keeper)) {
        seal_before(keeper->seal, now);
        event_encode(&members, &stamped);
        journal_append(keeper->journal, stamped.wall_ms, event_name(event->type), "keeper",
                       members.data ? members.data : "");
        buf_close(&members);
    }
    log_event(&stamped);
}

static void emit(void *context, const struct event *event)
{
    keeper_emit(context, event);
}

/* ---- the loop's parts ------------------------------------------------------------------------------------------ */

static void on_tick(uv_timer_t *timer)
{
    struct keeper *keeper = timer->data;
    struct instant now = clock_instant();
    int64_t due_ms = schedule_next_ms(keeper->schedule);
    keeper->lag_ms = due_ms < now.mono_ms ? now.mono_ms - due_ms : 0;
    schedule_tick(keeper->schedule, now);
    dispatch_all(keeper);
    keeper_plan(keeper);
}

void keeper_plan(struct keeper *keeper)
{
    int64_t due_ms = schedule_next_ms(keeper->schedule);
    if (keeper->stopping || due_ms == keeper->planned_ms)
        return;
    keeper->planned_ms = due_ms;
    if (due_ms == INT64_MAX) {
        uv_timer_stop(&keeper->tick_timer);
        return;
    }
    int64_t wait_ms = due_ms - clock_now_ms();
    uv_update_time(&keeper->loop);
    uv_timer_start(&keeper->tick_timer, on_tick, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void on_housekeeping(uv_timer_t *timer)
{
    struct keeper *keeper = timer->data;
    int64_t now_ms = clock_now_ms();
    int64_t stalled_ms = now_ms - keeper->housekeeping_ms - HOUSEKEEPING_MS;
    bool stalled = keeper->housekeeping_ms > 0 && stalled_ms > STALLED_MS;
    keeper->housekeeping_ms = now_ms;
    pools_housekeeping(keeper, now_ms, stalled ? stalled_ms : 0);
    guard_housekeeping(keeper, now_ms);
    record_housekeeping(keeper, now_ms, stalled ? stalled_ms : 0);
    drill_housekeeping(keeper, now_ms, stalled ? stalled_ms : 0);
    recovery_housekeeping(keeper, now_ms, stalled ? stalled_ms : 0);
    trouble_check(keeper);
    keep_housekeeping(keeper);
    orphan_housekeeping(keeper, now_ms);
    setup_snapshot(keeper, false);
    panic_housekeeping(keeper);
    notify_housekeeping(keeper, now_ms);
    dispatch_all(keeper);
    keeper_plan(keeper);
}

static void on_flush(uv_prepare_t *prepare)
{
    struct keeper *keeper = prepare->data;
    links_flush(&keeper->dirty);
}

/* Ends the loop: everything is put in order and main returns `status`. */
static void stop(struct keeper *keeper, const char *why, int status)
{
    if (keeper->stopping)
        return;
    log_info("keeper", "stopping: %s", why);
    if (!keeper->again.wanted)
        notify_send("STOPPING=1");
    if (!journal_error(keeper->journal)) {
        const struct event event = { .type = EVENT_DAEMON_STOPPED, .text = why };
        keeper_emit(keeper, &event);
        setup_snapshot(keeper, true);
    }
    keeper->stopping = true;
    keeper->exit_status = status;
    uv_stop(&keeper->loop);
}

static void on_journal(uv_poll_t *poll, int status, int events)
{
    struct keeper *keeper = poll->data;
    uint64_t count;
    (void)status;
    (void)events;
    if (read(journal_event_fd(keeper->journal), &count, sizeof count) < 0 && errno != EAGAIN)
        log_warn("keeper", "the journal's event descriptor can't be read: %s", strerror(errno));
    if (journal_error(keeper->journal) != 0) {
        log_error("keeper", "the journal can't be written: %s; nothing is acknowledged any more",
                  error_text(journal_error(keeper->journal)));
        trouble_failed(keeper, journal_error(keeper->journal));
        again_plan(keeper, journal_error(keeper->journal));
        stop(keeper, "the journal can't be written", EX_IOERR);
        return;
    }
    trouble_check(keeper);
    control_durable(keeper);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct keeper *keeper = handle->data;
    if (number == SIGHUP)
        reload_start(keeper, NULL, NULL);
    else
        stop(keeper, number == SIGTERM ? "SIGTERM" : "SIGINT", 0);
}

/* ---- start and end --------------------------------------------------------------------------------------------- */

/* Signals and the journal's event descriptor; a negative code of the loop. */
static int watch_descriptors(struct keeper *keeper)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    int failed = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0] && !failed; i++) {
        failed = uv_signal_init(&keeper->loop, &keeper->signals[i]);
        keeper->signals[i].data = keeper;
        if (!failed)
            failed = uv_signal_start(&keeper->signals[i], on_signal, numbers[i]);
    }
    if (!failed)
        failed = uv_poll_init(&keeper->loop, &keeper->journal_poll, journal_event_fd(keeper->journal));
    keeper->journal_poll.data = keeper;
    return failed ? failed : uv_poll_start(&keeper->journal_poll, UV_READABLE, on_journal);
}

static int open_loop(struct keeper *keeper)
{
    uv_timer_init(&keeper->loop, &keeper->tick_timer);
    uv_timer_init(&keeper->loop, &keeper->housekeeping_timer);
    uv_timer_init(&keeper->loop, &keeper->plugins_timer);
    uv_prepare_init(&keeper->loop, &keeper->flush);
    keeper->tick_timer.data = keeper->housekeeping_timer.data = keeper->plugins_timer.data = keeper;
    keeper->flush.data = keeper;
    uv_timer_start(&keeper->housekeeping_timer, on_housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
    uv_prepare_start(&keeper->flush, on_flush);
    int failed = watch_descriptors(keeper);
    if (failed)
        log_error("keeper", "signals and the journal can't be watched: %s", error_text(failed));
    return failed;
}

/* Everything that the loop needs, in order; an exit status. */
static int start(struct keeper *keeper)
{
    char text[PATH_MAX];
    const struct schedule_ports ports = { .context = keeper, .emit = emit, .start = dispatch_start };
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    keeper->schedule = schedule_open(&ports, seed);
    keeper->started_wall_ms = clock_wall_ms();
    int status = reload_paths(keeper);
    if (!status)
        status = setup_state(keeper);
    if (status)
        return status;
    if (open_loop(keeper) != 0)
        return EX_OSERR;
    const struct event event = { .type = EVENT_DAEMON_STARTED,
                                 .version = PACKAGE_VERSION,
                                 .text = again_reason(keeper, text, sizeof text) };
    keeper_emit(keeper, &event);
    trouble_check(keeper);
    panic_tell(keeper);
    status = reload_first(keeper);
    if (status)
        return status;
    record_open(keeper);
    if (control_open(keeper) != 0)
        return EX_CANTCREAT;
    reload_watch_plugins(keeper);
    char count[TEXT_COUNT_SIZE];
    log_info("keeper", "belfryd %s watches %s; socket '%s'", PACKAGE_VERSION,
             text_count(count, keeper->config->check_count, "check"), keeper->config->control_socket);
    keeper->planned_ms = -1;
    keeper_plan(keeper);
    notify_send("READY=1");
    return 0;
}

static void close_handle(uv_handle_t *handle, void *unused)
{
    (void)unused;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* An exit status: 0, or EX_IOERR when records were lost. */
static int finish(struct keeper *keeper)
{
    struct pool *pool;
    keeper->stopping = true;
    links_flush(&keeper->dirty);
    control_close(keeper);
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        pool_end(pool);
    record_close(keeper);
    reload_close(keeper);
    orphan_end_all(keeper);
    recovery_close(keeper);
    drill_close(keeper);
    uv_walk(&keeper->loop, close_handle, NULL);
    uv_run(&keeper->loop, UV_RUN_DEFAULT);
    uv_loop_close(&keeper->loop);
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        pool_free(pool);
    map_close(&keeper->pools);
    for (uint32_t i = 0; i < keeper->watched_count; i++) {
        record_forget(keeper, keeper->watched[i]);
        baseline_close(keeper->watched[i]);
        buf_close(&keeper->watched[i]->last);
        buf_close(&keeper->watched[i]->kept);
        free(keeper->watched[i]->plugin);
        free(keeper->watched[i]);
    }
    free(keeper->watched);
    int status = setup_close(keeper);
    schedule_close(&keeper->schedule);
    catalog_close(&keeper->catalog);
    config_close(&keeper->config);
    arena_close(&keeper->scratch);
    free(keeper->config_error);
    free(keeper->panic);
    return status;
}

static void usage(FILE *out)
{
    fputs("Usage: belfryd [-c FILE] [-v]\n"
          "Runs the checks of a configuration in the foreground and logs to stderr.\n\n"
          "  -c, --config FILE   main configuration file (default " SYSCONFDIR "/belfry/belfry.conf)\n"
          "  -v, --verbose       log debug lines too\n"
          "  -V, --version       print the version\n"
          "  -h, --help          print this\n\n"
          "'belfry status' shows the board; SIGHUP or 'belfry reload' reads the configuration again.\n",
          out);
}

/* Descriptors 0 to 2 exist afterwards, so that nothing else ever gets their numbers. */
static void fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

/* What is large (a snapshot, a board, a configuration) has pages of its own, which go back when it is freed. malloc()'s
 * own threshold for that rises with the first such block that is freed, and from then on they leave holes in the heap,
 * which the next results settle in. The journal's thread needs no heap of its own. */
static void settle_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    mallopt(M_ARENA_MAX, 1);
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "config", required_argument, NULL, 'c' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { "version", no_argument, NULL, 'V' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    struct keeper keeper = {
        .config_file = SYSCONFDIR "/belfry/belfry.conf", .lock_fd = -1, .control_lock_fd = -1, .plugins_fd = -1
    };
    enum log_level level = LOG_LEVEL_INFO;
    int option;
    fill_standard_descriptors();
    while ((option = getopt_long(argc, argv, "c:vVh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            keeper.config_file = optarg;
            break;
        case 'v':
            level = LOG_LEVEL_DEBUG;
            break;
        case 'V':
            puts("belfryd " PACKAGE_VERSION);
            return 0;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fputs("try 'belfryd --help'\n", stderr);
            return EX_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "belfryd: '%s' is not expected here; try 'belfryd --help'\n", argv[optind]);
        return EX_USAGE;
    }
    settle_memory();
    log_setup(level);
    log_never_wait();
    again_open(&keeper, argv);
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* until the loop takes it; what it asks for is done first of all then anyway */
    orphan_adopt();
    int failed = uv_loop_init(&keeper.loop);
    if (failed) {
        log_error("keeper", "there is no event loop: %s", error_text(failed));
        return EX_OSERR;
    }
    int status = start(&keeper);
    if (!status) {
        uv_run(&keeper.loop, UV_RUN_DEFAULT);
        status = keeper.exit_status;
    } else if (status == EX_IOERR && keeper.again.restarted) {
        again_plan(&keeper, keeper.again.code);
    }
    if (keeper.again.wanted)
        again_hold_signals();
    int lost = finish(&keeper);
    if (keeper.again.wanted)
        again_start(&keeper);
    return status ? status : lost;
}
