/* SPDX-License-Identifier: GPL-3.0-or-later */
/* feed_past RECORDER FOLDER CHECK METRIC STEP_S SPAN_S UNTIL_S [learn] - plays the keeper for belfry-recorder: sends
 * one series whose last SPAN_S seconds end at UNTIL_S, with values from 9 to 11 that come in turns; with `learn` its
 * baseline is asked for. Ends with the recorder's exit status. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "belfry/plugin.h"
#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/spawn.h"
#include "core/base/text.h"
#include "core/model/series.h"

#define WAIT_MS 20000
#define VALUES 41

struct past {
    const char *check, *metric;
    int64_t step_s, span_s, until_s;
    bool learn;
};

static void put_series(struct buf *out, const struct past *past)
{
    struct series_source source = {
        .metric = past->metric, .min = NAN, .max = NAN, .unit = "s", .baseline = past->learn
    };
    struct series_archive archives[] = { { (uint32_t)past->step_s, 2 * 86400 }, { 300, 14 * 86400 } };
    const struct series series = { .check = past->check,
                                   .step_s = (uint32_t)past->step_s,
                                   .heartbeat_s = (uint32_t)(past->step_s * 5 / 2),
                                   .sources = &source,
                                   .source_count = 1,
                                   .archives = archives,
                                   .archive_count = 2 };
    size_t begin = wire_begin(out, WIRE_SERIES);
    wire_put_u32(out, 0);
    series_encode(out, &series);
    wire_end(out, begin);
}

static void put_sample(struct buf *out, int64_t at_s, double value)
{
    size_t begin = wire_begin(out, WIRE_SAMPLE);
    wire_put_u32(out, 0);
    wire_put_u64(out, (uint64_t)at_s * 1000);
    wire_put_u16(out, 1);
    wire_put_f64(out, value);
    wire_end(out, begin);
}

static bool feed(struct channel *channel, const struct past *past)
{
    struct buf out = { 0 };
    struct wire_frame frame;
    put_series(&out, past);
    int64_t turn = 0;
    for (int64_t t = past->until_s - past->span_s; t <= past->until_s; t += past->step_s, turn++)
        put_sample(&out, t, 9 + 2.0 * (double)(turn * 7 % VALUES) / (VALUES - 1));
    wire_end(&out, wire_begin(&out, WIRE_STOP));
    bool good = channel_write(channel, &out, clock_now_ms() + WAIT_MS) == 0;
    while (channel_read(channel, &frame, clock_now_ms() + WAIT_MS) == 1)
        ;
    buf_close(&out);
    return good;
}

int main(int argc, char **argv)
{
    struct past past = { 0 };
    int pair[2], status = 1;
    if (argc < 8 || text_integer(argv[5], &past.step_s) != 0 || text_integer(argv[6], &past.span_s) != 0 ||
        text_integer(argv[7], &past.until_s) != 0 || past.step_s < 1 || spawn_pair(pair) != 0)
        return 2;
    past.check = argv[3];
    past.metric = argv[4];
    past.learn = argc > 8 && strcmp(argv[8], "learn") == 0;
    const char *const args[] = { argv[1], "--rrd", argv[2], NULL };
    int fds[] = { STDERR_FILENO, STDERR_FILENO, pair[1] };
    struct spawn spawn = { .program = argv[1], .argv = args, .fds = fds, .fd_count = 3, .die_with_parent = 1 };
    struct channel channel = { .fd = pair[0] };
    pid_t pid = spawn_start(&spawn);
    close(pair[1]);
    if (pid < 0)
        return 2;
    bool good = feed(&channel, &past);
    channel_close(&channel);
    waitpid(pid, &status, 0);
    return good && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
