/* SPDX-License-Identifier: GPL-3.0-or-later */
/* keeper_of_recorder - plays the keeper for a real belfry-recorder: starts it behind a socket pair, speaks its frames,
 * and hears it out. For tests, benchmarks and the programs that feed it. */
#ifndef TESTS_KEEPER_OF_RECORDER_H
#define TESTS_KEEPER_OF_RECORDER_H

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/spawn.h"
#include "core/model/series.h"

#ifndef KEEPER_WAIT_MS
#define KEEPER_WAIT_MS 120000 /* for one frame */
#endif

struct keeper_peer {
    pid_t pid;
    struct channel channel;
};

/* argv: recorder and options, NULL-terminated; log: where its log goes, -1: nowhere; outlived: it may live on when this
 * process ends, as one does that a keeper has started. */
static inline bool keeper_start(struct keeper_peer *keeper, const char *const argv[], int log, bool outlived)
{
    int pair[2];
    *keeper = (struct keeper_peer){ .pid = -1, .channel = { .fd = -1 } };
    if (spawn_pair(pair) != 0)
        return false;
    const int fds[] = { log, log, pair[1] };
    keeper->pid = spawn_start(
        &(struct spawn){ .program = argv[0], .argv = argv, .fds = fds, .fd_count = 3, .die_with_parent = !outlived });
    keeper->channel.fd = pair[0];
    close(pair[1]);
    return keeper->pid > 0;
}

static inline void keeper_put_series(struct buf *out, uint32_t slot, const struct series *series)
{
    size_t begin = wire_begin(out, WIRE_SERIES);
    wire_put_u32(out, slot);
    series_encode(out, series);
    wire_end(out, begin);
}

static inline void keeper_put_sample(struct buf *out, uint32_t slot, int64_t at_s, const double *values, uint16_t count)
{
    size_t begin = wire_begin(out, WIRE_SAMPLE);
    wire_put_u32(out, slot);
    wire_put_u64(out, (uint64_t)at_s * 1000);
    wire_put_u16(out, count);
    for (uint16_t i = 0; i < count; i++)
        wire_put_f64(out, values[i]);
    wire_end(out, begin);
}

/* Sends and empties out: 0 or a negative code. */
static inline int keeper_send(struct keeper_peer *keeper, struct buf *out)
{
    return channel_write(&keeper->channel, out, clock_now_ms() + KEEPER_WAIT_MS);
}

/* The next frame; false: there is none any more. */
static inline bool keeper_hear(struct keeper_peer *keeper, struct wire_frame *frame)
{
    return channel_read(&keeper->channel, frame, clock_now_ms() + KEEPER_WAIT_MS) == 1;
}

/* Has it write everything and end: its exit status, or -1 when a signal ended it. */
static inline int keeper_end(struct keeper_peer *keeper)
{
    int status = 0;
    struct wire_frame frame;
    shutdown(keeper->channel.fd, SHUT_WR);
    while (keeper_hear(keeper, &frame))
        ;
    channel_close(&keeper->channel);
    while (waitpid(keeper->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Likewise, but prints what it reports; -1 also when it never was ready. */
static inline int keeper_end_printing(struct keeper_peer *keeper)
{
    struct arena arena = { 0 };
    struct wire_frame frame;
    bool ready = false;
    shutdown(keeper->channel.fd, SHUT_WR);
    while (keeper_hear(keeper, &frame)) {
        ready = ready || frame.type == WIRE_RECORDER_READY;
        if (frame.type != WIRE_RECORDER_EVENT)
            continue;
        uint8_t level = wire_u8(&frame.payload);
        uint32_t slot = wire_u32(&frame.payload);
        const char *text = wire_text(&frame.payload, &arena, 4096);
        printf("event %u %u %s\n", level, slot, text ? text : "?");
    }
    arena_close(&arena);
    int status = keeper_end(keeper);
    return ready ? status : -1;
}

#endif
