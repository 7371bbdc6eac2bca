/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-recorder --rrd FOLDER [--delay DURATION] [--keep-parts DURATION] [--look-every DURATION]
 * [--rrdcached SOCKET] - writes metrics into RRD files, and is the only one that does.
 *
 * Started by the keeper; descriptor 3 is a stream socket to it. It reads WIRE_SERIES (what a slot's file holds),
 * WIRE_SAMPLE, WIRE_SERIES_FORGET, WIRE_PING and WIRE_STOP, and writes WIRE_RECORDER_READY once, WIRE_PONG for each
 * ping, and WIRE_RECORDER_EVENT when people should know something about a file. Samples gather in their tracks
 * (track.c); each file is written at most once per delay (1 s unless told otherwise), for a few milliseconds between
 * two looks at the socket (queue.c), so that a slow disk does not stop the reading. A sample for a slot that has no
 * series is counted and dropped.
 *
 * Nothing that was taken is lost with a process: before samples are acknowledged (WIRE_RECORDER_SAVED) they are in the
 * write-ahead file (pending.c, wal.c), which the next recorder writes into the RRD files first of all. While librrd
 * works on a file the ledger names it (ledger.c, crash.c); a crash is its file's fault, which the next recorder moves
 * aside (revive.c). A recorder that is started while the last one still writes, because its keeper was killed, waits
 * for it.
 *
 * It ends with status 0 after WIRE_STOP or the end of the socket (the keeper is gone), with everything written; with
 * status 1 when the keeper's bytes make no sense, what was understood before being written too. SIGINT and SIGTERM are
 * ignored: they reach a whole group or service, and the keeper decides when its recorder ends.
 *
 * Diagnostics: "protocol violation" names the frame's type; the last line gives the counts of a lifetime. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/base/wire.h"
#include "core/model/baseline.h"
#include "core/recorder/cached.h"
#include "core/recorder/crash.h"
#include "core/recorder/ledger.h"
#include "core/recorder/pending.h"
#include "core/recorder/queue.h"
#include "core/recorder/retain.h"
#include "core/recorder/revive.h"
#include "core/recorder/track.h"
#include "core/recorder/wal.h"
#include "core/sandbox/sandbox.h"

#define KEEPER_FD 3
#define SLOTS_MAX (1u << 20)
#define READ_BYTES (256u << 10)
#define OUT_BYTES_MAX (1u << 20)             /* of events that the keeper did not read yet */
#define LEARNT_BYTES_MAX (OUT_BYTES_MAX / 4) /* with more before them baselines are told later */
#define DELAY_DEFAULT_MS 1000
#define KEEP_PARTS_DEFAULT_MS (90 * 86400000LL)
#define LOOK_DEFAULT_MS (6 * 3600000LL)
#define WAIT_MAX_MS 3600000
#define FILES_HELD_MAX 16384
#define FILES_SPARE 64     /* descriptors that are not of series' files */
#define LOCK_WAIT_MS 60000 /* for the recorder of a keeper that was killed, which still writes */

struct recorder {
    struct track_room room;
    struct queue queue;
    struct buf in, out;
    struct ledger ledger;
    struct wal wal;
    char sandbox[SANDBOX_TEXT_SIZE]; /* how it stands, in words */
    struct retain retain;
    struct cached cached;
    const char *rrdcached; /* path of its socket, or NULL */
    int64_t keep_parts_ms, look_every_ms;
    uint64_t taken; /* samples from the keeper */
    bool replaying; /* what comes is of the write-ahead file, not of the keeper */
    bool unheard;   /* the keeper reads no more; what it had written is still to come */
    bool ended;     /* end of file or WIRE_STOP */
    int broken;     /* a negative code: the keeper's bytes make no sense, or the socket failed */
};

/* ---- to the keeper ---------------------------------------------------------------------------------------------- */

static bool is_unheard(const struct recorder *recorder)
{
    return recorder->unheard || recorder->ended || recorder->broken || recorder->out.length > OUT_BYTES_MAX;
}

static void acknowledge(struct recorder *recorder)
{
    const struct track_counts *counts = &recorder->room.counts;
    if (is_unheard(recorder))
        return;
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_SAVED);
    wire_put_u64(&recorder->out, recorder->taken);
    const uint64_t all[] = { counts->samples, counts->rows, counts->updates,  counts->coalesced, counts->late,
                             counts->refused, counts->lost, counts->migrated, counts->aside };
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        wire_put_u64(&recorder->out, all[i]);
    wire_end(&recorder->out, begin);
}

/* Tells the keeper, which logs it; when it does not listen, logs it here. */
static void on_report(void *context, enum log_level level, uint32_t slot, const char *text)
{
    struct recorder *recorder = context;
    if (is_unheard(recorder)) {
        log_line(level, "recorder", text);
        return;
    }
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_EVENT);
    wire_put_u8(&recorder->out, (uint8_t)level);
    wire_put_u32(&recorder->out, slot);
    wire_put_text(&recorder->out, text);
    wire_end(&recorder->out, begin);
}

static void on_moved(void *context, const char *path, const char *text)
{
    struct recorder *recorder = context;
    if (is_unheard(recorder)) {
        log_warn("recorder", "'%s': %s", path, text);
        return;
    }
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_MOVED);
    wire_put_text(&recorder->out, path);
    wire_put_text(&recorder->out, text);
    wire_end(&recorder->out, begin);
}

static void announce(struct recorder *recorder)
{
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_READY);
    wire_put_text(&recorder->out, recorder->sandbox);
    wire_end(&recorder->out, begin);
}

/* ---- frames ----------------------------------------------------------------------------------------------------- */

static int on_series(struct recorder *recorder, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    if (r->failed || slot >= SLOTS_MAX)
        return ERROR_PROTOCOL;
    struct track *track = track_open(slot, r->at, (size_t)(r->end - r->at));
    if (!track)
        return ERROR_PROTOCOL;
    queue_put(&recorder->queue, &recorder->room, track);
    return 0;
}

static int on_forget(struct recorder *recorder, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    int code = wire_done(r);
    if (code == 0)
        queue_drop(&recorder->queue, &recorder->room, slot);
    return code;
}

static int on_sample(struct recorder *recorder, struct wire_reader *r)
{
    double values[SERIES_SOURCES_MAX];
    uint32_t slot = wire_u32(r);
    uint64_t wall_ms = wire_u64(r);
    uint16_t count = wire_u16(r);
    if (r->failed || count > SERIES_SOURCES_MAX || wall_ms > INT64_MAX)
        return ERROR_PROTOCOL;
    for (uint16_t i = 0; i < count; i++)
        values[i] = wire_f64(r);
    struct track *track = queue_find(&recorder->queue, slot);
    if (wire_done(r) != 0 || (track && track->source_count != count))
        return ERROR_PROTOCOL;
    recorder->taken++;
    if (!track) {
        recorder->room.counts.refused++;
    } else if (track_add(track, &recorder->room, (int64_t)wall_ms, values, clock_wall_ms() / 1000)) {
        queue_await(&recorder->queue, track);
        if (!recorder->replaying)
            pending_add(&recorder->wal, track, wall_ms, values);
    }
    return 0;
}

static int on_ping(struct recorder *recorder, struct wire_reader *r)
{
    uint64_t number = wire_u64(r);
    if (wire_done(r) != 0)
        return ERROR_PROTOCOL;
    size_t begin = wire_begin(&recorder->out, WIRE_PONG);
    wire_put_u64(&recorder->out, number);
    return wire_end(&recorder->out, begin);
}

static int on_stop(struct recorder *recorder, struct wire_reader *r)
{
    recorder->ended = true;
    return wire_done(r);
}

static const struct {
    enum wire_type type;
    int (*handle)(struct recorder *recorder, struct wire_reader *r);
} handlers[] = {
    { WIRE_SERIES, on_series }, { WIRE_SERIES_FORGET, on_forget }, { WIRE_SAMPLE, on_sample }, { WIRE_STOP, on_stop },
    { WIRE_PING, on_ping },
};

static int handle(struct recorder *recorder, struct wire_frame *frame)
{
    int code = ERROR_PROTOCOL;
    for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++)
        if (handlers[i].type == frame->type)
            code = handlers[i].handle(recorder, &frame->payload);
    if (code < 0)
        log_error("recorder", "%s in a frame of type %d from the keeper", error_text(code), (int)frame->type);
    return code;
}

/* Handles every whole frame that was read. */
static int handle_all(struct recorder *recorder)
{
    size_t at = 0;
    int size = 1;
    while (size > 0 && !recorder->ended) {
        struct wire_frame frame;
        size = wire_next(recorder->in.data + at, recorder->in.length - at, &frame);
        if (size < 0)
            log_error("recorder", "%s: the keeper's bytes are no frame", error_text(size));
        int code = size > 0 ? handle(recorder, &frame) : size;
        if (code < 0)
            return code;
        at += (size_t)size;
    }
    buf_consume(&recorder->in, at);
    return 0;
}

/* ---- the socket ------------------------------------------------------------------------------------------------- */

static void on_readable(struct recorder *recorder)
{
    char *room = buf_room(&recorder->in, READ_BYTES);
    ssize_t n = room ? recv(KEEPER_FD, room, READ_BYTES, MSG_DONTWAIT) : -1;
    /* ECONNRESET: the keeper died without having read all; what it had written is still to come */
    if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == ECONNRESET))
        return;
    if (n <= 0) {
        recorder->ended = true;
        if (recorder->in.length > 0) {
            log_error("recorder", "%s: the keeper's last frame is cut off", error_text(ERROR_PROTOCOL));
            recorder->broken = ERROR_PROTOCOL;
        }
        return;
    }
    uint64_t before = recorder->taken;
    recorder->in.length += (size_t)n;
    recorder->broken = handle_all(recorder);
    pending_save(&recorder->wal, &recorder->queue, &recorder->room);
    if (recorder->taken != before)
        acknowledge(recorder);
}

static void on_writable(struct recorder *recorder)
{
    ssize_t n = send(KEEPER_FD, recorder->out.data, recorder->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        buf_consume(&recorder->out, (size_t)n);
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        recorder->unheard = true;
    if (recorder->unheard)
        buf_reset(&recorder->out);
}

static bool on_learnt(void *context, uint32_t slot, const char *metric, const struct baseline_table *table)
{
    struct recorder *recorder = context;
    if (is_unheard(recorder) || recorder->out.length > LEARNT_BYTES_MAX)
        return false;
    if (recorder->replaying) /* slots of the write-ahead file may be another keeper's */
        return false;
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_LEARNT);
    wire_put_u32(&recorder->out, slot);
    wire_put_text(&recorder->out, metric);
    baseline_encode(&recorder->out, table);
    wire_end(&recorder->out, begin);
    return true;
}

/* ---- the process ------------------------------------------------------------------------------------------------ */

static int next_timeout(const struct recorder *recorder)
{
    int64_t flush_ms = queue_wait_ms(&recorder->queue), retain_ms = retain_wait_ms(&recorder->retain, clock_now_ms());
    int64_t wait_ms = flush_ms < retain_ms ? flush_ms : retain_ms;
    return wait_ms < WAIT_MAX_MS ? (int)wait_ms : WAIT_MAX_MS;
}

/* Parts that are gone; when all were looked at, what was removed is not held by us either. */
static void look_at_parts(struct recorder *recorder)
{
    retain_step(&recorder->retain, &recorder->room, clock_now_ms(), clock_wall_ms() / 1000);
    if (!recorder->retain.folder)
        queue_let_go(&recorder->queue);
}

static void turn(struct recorder *recorder)
{
    struct pollfd pfd = { .fd = KEEPER_FD, .events = POLLIN };
    if (recorder->out.length > 0)
        pfd.events |= POLLOUT;
    int n = poll(&pfd, 1, next_timeout(recorder));
    if (n < 0 && errno != EINTR)
        log_fatal("recorder", "poll: %s", error_text(-errno));
    if (n > 0 && pfd.revents & POLLOUT)
        on_writable(recorder);
    if (n > 0 && pfd.revents & (POLLIN | POLLHUP | POLLERR | POLLNVAL))
        on_readable(recorder);
    if (queue_wait_ms(&recorder->queue) == 0)
        queue_flush(&recorder->queue, &recorder->room);
    else if (retain_wait_ms(&recorder->retain, clock_now_ms()) == 0)
        look_at_parts(recorder);
}

static void log_counts(const struct track_counts *counts)
{
    log_info("recorder",
             "stopped: samples=%" PRIu64 " rows=%" PRIu64 " updates=%" PRIu64 " coalesced=%" PRIu64 " late=%" PRIu64
             " refused=%" PRIu64 " lost=%" PRIu64 " migrated=%" PRIu64 " aside=%" PRIu64,
             counts->samples, counts->rows, counts->updates, counts->coalesced, counts->late, counts->refused,
             counts->lost, counts->migrated, counts->aside);
}

static int run(struct recorder *recorder)
{
    announce(recorder);
    while (!recorder->ended && recorder->broken == 0)
        turn(recorder);
    queue_settle(&recorder->queue, &recorder->room);
    wal_remove(&recorder->wal);
    if (recorder->out.length > 0)
        on_writable(recorder);
    log_counts(&recorder->room.counts);
    return recorder->broken ? 1 : 0;
}

static void close_all(struct recorder *recorder)
{
    queue_close(&recorder->queue);
    buf_close(&recorder->in);
    buf_close(&recorder->out);
    wal_close(&recorder->wal);
    ledger_close(&recorder->ledger);
    arena_close(&recorder->room.scratch);
    retain_close(&recorder->retain);
    cached_close(&recorder->cached);
}

/* ---- the start -------------------------------------------------------------------------------------------------- */

static int take_again(void *context, struct wire_frame *frame)
{
    return handle(context, frame);
}

/* Writes what an earlier recorder had taken and not written. */
static void replay(struct recorder *recorder)
{
    char text[128];
    recorder->replaying = true;
    uint64_t frames = wal_replay(&recorder->wal, take_again, recorder);
    queue_settle(&recorder->queue, &recorder->room);
    wal_remove(&recorder->wal);
    ledger_clear(&recorder->ledger);
    recorder->replaying = false;
    recorder->taken = 0;
    if (frames == 0)
        return;
    snprintf(text, sizeof(text), "%" PRIu64 " samples that were not written yet were found: %" PRIu64 " were missing",
             recorder->room.counts.samples, recorder->room.counts.rows);
    recorder->room.report(recorder, LOG_LEVEL_INFO, 0, text);
}

/* How many descriptors the files may have: all but some. */
static int hold_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= FILES_SPARE)
        return 0;
    rlim_t most = limit.rlim_cur - FILES_SPARE;
    return most < FILES_HELD_MAX ? (int)most : FILES_HELD_MAX;
}

static int prepare(struct recorder *recorder)
{
    struct why why = { "" };
    int code = file_make_folders(recorder->room.folder, 0700);
    tzset(); /* while the zone's file can be read */
    /* no network; nothing is written but below the folder, which has to be there for that */
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_RECORDER,
                                     .write = recorder->room.folder,
                                     .local = recorder->rrdcached != NULL },
                  recorder->sandbox);
    if (code == 0)
        code = ledger_open(&recorder->ledger, recorder->room.folder, LOCK_WAIT_MS, &why);
    if (code < 0)
        log_error("recorder", "%s", why.text[0] ? why.text : error_text(code));
    if (code == ERROR_BUSY)
        return code;
    wal_open(&recorder->wal, recorder->room.folder);
    retain_open(&recorder->retain, recorder->keep_parts_ms / 1000, recorder->look_every_ms, clock_now_ms());
    cached_open(&recorder->cached, recorder->rrdcached);
    recorder->room.hold_max = hold_max();
    recorder->room.cached = recorder->rrdcached ? &recorder->cached : NULL;
    cached_leave_note(recorder->room.folder, recorder->rrdcached);
    crash_catch(&recorder->ledger);
    revive_files(&recorder->room, &recorder->wal);
    replay(recorder);
    return 0;
}

static const struct {
    const char *name;
    size_t offset; /* in struct recorder */
    int64_t most_ms;
} durations[] = {
    { "--delay", offsetof(struct recorder, queue.delay_ms), 3600000 },
    { "--keep-parts", offsetof(struct recorder, keep_parts_ms), INT64_MAX },
    { "--look-every", offsetof(struct recorder, look_every_ms), INT64_MAX },
};

static bool read_duration(const char *name, const char *text, struct recorder *recorder)
{
    for (size_t i = 0; i < sizeof(durations) / sizeof(*durations); i++) {
        int64_t *out = (int64_t *)(void *)((char *)recorder + durations[i].offset);
        if (strcmp(durations[i].name, name) == 0)
            return text_duration(text, out) == 0 && *out >= 0 && *out <= durations[i].most_ms;
    }
    return false;
}

static bool read_options(int argc, char **argv, struct recorder *recorder)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rrd") == 0)
            recorder->room.folder = argv[i + 1];
        else if (strcmp(argv[i], "--rrdcached") == 0)
            recorder->rrdcached = argv[i + 1];
        else if (!read_duration(argv[i], argv[i + 1], recorder))
            return false;
    }
    return argc % 2 == 1 && recorder->room.folder && recorder->room.folder[0] == '/';
}

int main(int argc, char **argv)
{
    struct recorder recorder = { .queue.delay_ms = DELAY_DEFAULT_MS,
                                 .keep_parts_ms = KEEP_PARTS_DEFAULT_MS,
                                 .look_every_ms = LOOK_DEFAULT_MS,
                                 .ledger.fd = -1,
                                 .wal.fd = -1 };
    log_setup(LOG_LEVEL_INFO);
    if (!read_options(argc, argv, &recorder)) {
        fprintf(stderr,
                "usage: belfry-recorder --rrd /ABSOLUTE/FOLDER [--delay DURATION, at most 1h] [--keep-parts DURATION]\n"
                "       [--look-every DURATION] [--rrdcached SOCKET]\n"
                "started by belfryd, with a socket as descriptor 3\n");
        return 2;
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGPIPE, SIG_IGN); /* of our log, when the keeper is gone */
    recorder.room.report = on_report;
    recorder.room.moved = on_moved;
    recorder.room.learnt = on_learnt;
    recorder.room.context = &recorder;
    recorder.room.ledger = &recorder.ledger;
    int status = prepare(&recorder) == 0 ? run(&recorder) : 1;
    close_all(&recorder);
    return status;
}
