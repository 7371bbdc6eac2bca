/* SPDX-License-Identifier: GPL-3.0-or-later */
/* belfry-recorder --rrd FOLDER [--delay DURATION] - writes metrics into RRD files, and is the only one that does.
 *
 * Started by the keeper; descriptor 3 is a stream socket to it. It reads WIRE_SERIES (what a slot's file holds),
 * WIRE_SAMPLE, WIRE_SERIES_FORGET, WIRE_PING and WIRE_STOP, and writes WIRE_RECORDER_READY once, WIRE_PONG for each
 * ping, and WIRE_RECORDER_EVENT when people should know something about a file. Samples gather in their tracks; each
 * file is written at most once per delay (1 s unless told otherwise), one file at a time between two looks at the
 * socket, so that a slow disk does not stop the reading. A sample for a slot that has no series is counted and dropped.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/base/wire.h"
#include "core/recorder/track.h"
#include "core/sandbox/sandbox.h"

#define KEEPER_FD 3
#define SLOTS_MAX (1u << 20)
#define READ_BYTES (256u << 10)
#define OUT_BYTES_MAX (1u << 20) /* of events that the keeper did not read yet */
#define DELAY_DEFAULT_MS 1000
#define DELAY_MAX_MS 3600000

struct recorder {
    struct track_room room;
    struct track **tracks; /* by slot */
    uint32_t track_size;
    struct track *first, *last; /* tracks with waiting samples, by due time */
    int64_t delay_ms;
    struct buf in, out;
    bool ended; /* end of file or WIRE_STOP */
    int broken; /* a negative code: the keeper's bytes make no sense, or the socket failed */
};

/* ---- tracks ----------------------------------------------------------------------------------------------------- */

static struct track *find(const struct recorder *recorder, uint32_t slot)
{
    return slot < recorder->track_size ? recorder->tracks[slot] : NULL;
}

static void reserve(struct recorder *recorder, uint32_t slot)
{
    uint32_t size = recorder->track_size ? recorder->track_size : 64;
    while (size <= slot)
        size *= 2;
    if (size == recorder->track_size)
        return;
    recorder->tracks = heap_grow(recorder->tracks, size, sizeof(*recorder->tracks));
    memset(recorder->tracks + recorder->track_size, 0, (size - recorder->track_size) * sizeof(*recorder->tracks));
    recorder->track_size = size;
}

static void enqueue(struct recorder *recorder, struct track *track)
{
    if (track->queued)
        return;
    track->queued = true;
    track->next = NULL;
    track->due_ms = clock_now_ms() + recorder->delay_ms;
    if (recorder->last)
        recorder->last->next = track;
    else
        recorder->first = track;
    recorder->last = track;
}

static void flush_first(struct recorder *recorder)
{
    struct track *track = recorder->first;
    recorder->first = track->next;
    if (!recorder->first)
        recorder->last = NULL;
    track->queued = false;
    track_flush(track, &recorder->room, clock_wall_ms() / 1000);
}

/* Takes a track out of the queue and away, after writing what waits. */
static void drop(struct recorder *recorder, uint32_t slot)
{
    struct track *track = find(recorder, slot), *before = NULL;
    if (!track)
        return;
    track_flush(track, &recorder->room, clock_wall_ms() / 1000);
    for (struct track *t = recorder->first; t && track->queued; before = t, t = t->next) {
        if (t != track)
            continue;
        *(before ? &before->next : &recorder->first) = t->next;
        if (recorder->last == t)
            recorder->last = before;
        break;
    }
    track_close(&recorder->tracks[slot]);
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
    reserve(recorder, slot);
    drop(recorder, slot);
    recorder->tracks[slot] = track;
    return 0;
}

static int on_forget(struct recorder *recorder, struct wire_reader *r)
{
    uint32_t slot = wire_u32(r);
    int code = wire_done(r);
    if (code == 0)
        drop(recorder, slot);
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
    struct track *track = find(recorder, slot);
    if (wire_done(r) != 0 || (track && track->source_count != count))
        return ERROR_PROTOCOL;
    if (!track)
        recorder->room.counts.refused++;
    else if (track_add(track, &recorder->room, (int64_t)wall_ms, values, clock_wall_ms() / 1000))
        enqueue(recorder, track);
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
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n <= 0) {
        recorder->ended = true;
        if (recorder->in.length > 0) {
            log_error("recorder", "%s: the keeper's last frame is cut off", error_text(ERROR_PROTOCOL));
            recorder->broken = ERROR_PROTOCOL;
        }
        return;
    }
    recorder->in.length += (size_t)n;
    recorder->broken = handle_all(recorder);
}

static void on_writable(struct recorder *recorder)
{
    ssize_t n = send(KEEPER_FD, recorder->out.data, recorder->out.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0)
        buf_consume(&recorder->out, (size_t)n);
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        recorder->ended = true;
}

/* Tells the keeper, which logs it; when it does not listen, logs it here. */
static void on_report(void *context, enum log_level level, uint32_t slot, const char *text)
{
    struct recorder *recorder = context;
    if (recorder->ended || recorder->broken || recorder->out.length > OUT_BYTES_MAX) {
        log_line(level, "recorder", text);
        return;
    }
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_EVENT);
    wire_put_u8(&recorder->out, (uint8_t)level);
    wire_put_u32(&recorder->out, slot);
    wire_put_text(&recorder->out, text);
    wire_end(&recorder->out, begin);
}

/* ---- the process ------------------------------------------------------------------------------------------------ */

static int next_timeout(const struct recorder *recorder)
{
    if (!recorder->first)
        return -1;
    int64_t left_ms = recorder->first->due_ms - clock_now_ms();
    return left_ms > 0 ? (int)left_ms : 0;
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
    if (next_timeout(recorder) == 0)
        flush_first(recorder);
}

static void log_counts(const struct track_counts *counts)
{
    log_info("recorder",
             "stopped: samples=%" PRIu64 " rows=%" PRIu64 " updates=%" PRIu64 " coalesced=%" PRIu64 " late=%" PRIu64
             " refused=%" PRIu64 " lost=%" PRIu64,
             counts->samples, counts->rows, counts->updates, counts->coalesced, counts->late, counts->refused,
             counts->lost);
}

/* No network; nothing is written but below the folder, which has to be there for that. */
static void announce(struct recorder *recorder)
{
    char standing[SANDBOX_TEXT_SIZE];
    int code = file_make_folders(recorder->room.folder, 0700);
    if (code < 0)
        log_error("recorder", "'%s' can't be made: %s", recorder->room.folder, error_text(code));
    sandbox_enter(&(struct sandbox){ .role = SANDBOX_RECORDER, .write = recorder->room.folder }, standing);
    size_t begin = wire_begin(&recorder->out, WIRE_RECORDER_READY);
    wire_put_text(&recorder->out, standing);
    wire_end(&recorder->out, begin);
}

static int run(struct recorder *recorder)
{
    announce(recorder);
    while (!recorder->ended && recorder->broken == 0)
        turn(recorder);
    while (recorder->first)
        flush_first(recorder);
    if (recorder->out.length > 0)
        on_writable(recorder);
    log_counts(&recorder->room.counts);
    return recorder->broken ? 1 : 0;
}

static void close_all(struct recorder *recorder)
{
    for (uint32_t i = 0; i < recorder->track_size; i++)
        track_close(&recorder->tracks[i]);
    free(recorder->tracks);
    buf_close(&recorder->in);
    buf_close(&recorder->out);
}

static bool read_options(int argc, char **argv, struct recorder *recorder)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--rrd") == 0)
            recorder->room.folder = argv[i + 1];
        else if (strcmp(argv[i], "--delay") != 0 || text_duration(argv[i + 1], &recorder->delay_ms) != 0)
            return false;
    }
    return argc % 2 == 1 && recorder->room.folder && recorder->room.folder[0] == '/' && recorder->delay_ms >= 0 &&
           recorder->delay_ms <= DELAY_MAX_MS;
}

int main(int argc, char **argv)
{
    struct recorder recorder = { .delay_ms = DELAY_DEFAULT_MS };
    log_setup(LOG_LEVEL_INFO);
    if (!read_options(argc, argv, &recorder)) {
        fprintf(stderr, "usage: belfry-recorder --rrd /ABSOLUTE/FOLDER [--delay DURATION, at most 1h]\n"
                        "started by belfryd, with a socket as descriptor 3\n");
        return 2;
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    recorder.room.report = on_report;
    recorder.room.context = &recorder;
    int status = run(&recorder);
    close_all(&recorder);
    return status;
}
