/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_recorder RECORDER FOLDER FILES ROUNDS ROWS - what the recorder costs beside librrd itself. FILES files of five
 * sources each get ROUNDS updates of ROWS samples, ten seconds apart: from the recorder behind its socket, then, in the
 * same files, from a bare loop of rrd_update_r. Then: how soon a recorder is ready and has 100,000 series and a sample
 * of each, in a folder of as many files. Prints CPU times. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/channel.h"
#include "core/base/clock.h"
#include "core/base/file.h"
#include "core/base/spawn.h"
#include "core/base/text.h"
#include "core/model/series.h"
#include "core/recorder/name.h"

#define WAIT_MS 600000
#define SOURCES 5
#define STEP_S 10
#define MANY 100000
#define ROWS_MAX 32

static struct series_source sources[SOURCES] = {
    { .metric = "latency", .min = 0, .max = NAN, .unit = "s", .warn = "0.1", .crit = "0.5" },
    { .metric = "memory_used", .min = 0, .max = NAN, .unit = "B" },
    { .metric = "clients", .min = 0, .max = NAN, .unit = "" },
    { .metric = "hits", .min = 0, .max = 100, .unit = "%" },
    { .metric = "queue", .min = 0, .max = NAN, .unit = "" },
};
static struct series_archive archives[] = { { 10, 600 }, { 300, 86400 } };

static const char *check_name(struct arena *arena, uint32_t slot)
{
    return arena_print(arena, "s%u/c%u", slot / 100, slot % 100);
}

static void put_series(struct buf *out, uint32_t slot)
{
    struct arena arena = { 0 };
    struct series series = { .check = check_name(&arena, slot),
                             .step_s = STEP_S,
                             .heartbeat_s = 25,
                             .sources = sources,
                             .source_count = SOURCES,
                             .archives = archives,
                             .archive_count = 2 };
    size_t begin = wire_begin(out, WIRE_SERIES);
    wire_put_u32(out, slot);
    series_encode(out, &series);
    wire_end(out, begin);
    arena_close(&arena);
}

static double value_of(uint32_t slot, int64_t at_s, int source)
{
    return 50 + source + 0.37 * (double)(slot % 97) + (double)(at_s % 311) / 7;
}

static void put_sample(struct buf *out, uint32_t slot, int64_t at_s)
{
    size_t begin = wire_begin(out, WIRE_SAMPLE);
    wire_put_u32(out, slot);
    wire_put_u64(out, (uint64_t)at_s * 1000);
    wire_put_u16(out, SOURCES);
    for (int i = 0; i < SOURCES; i++)
        wire_put_f64(out, value_of(slot, at_s, i));
    wire_end(out, begin);
}

/* ---- the recorder ----------------------------------------------------------------------------------------------- */

struct peer {
    pid_t pid;
    struct channel channel;
    uint64_t taken, updates;
};

static void start(struct peer *peer, const char *recorder, const char *folder, const char *delay)
{
    int pair[2];
    const char *const args[] = { recorder, "--rrd", folder, "--delay", delay, NULL };
    if (spawn_pair(pair) != 0)
        exit(1);
    int fds[] = { -1, STDERR_FILENO, pair[1] };
    struct spawn spawn = { .program = recorder, .argv = args, .fds = fds, .fd_count = 3, .die_with_parent = 1 };
    *peer = (struct peer){ .pid = spawn_start(&spawn), .channel = { .fd = pair[0] } };
    close(pair[1]);
}

static bool take_frame(struct peer *peer)
{
    struct wire_frame frame;
    if (channel_read(&peer->channel, &frame, clock_now_ms() + WAIT_MS) != 1)
        return false;
    if (frame.type == WIRE_RECORDER_SAVED) {
        peer->taken = wire_u64(&frame.payload);
        wire_u64(&frame.payload);
        wire_u64(&frame.payload);
        peer->updates = wire_u64(&frame.payload);
    }
    return true;
}

static void send_all(struct peer *peer, struct buf *out)
{
    if (channel_write(&peer->channel, out, clock_now_ms() + WAIT_MS) != 0)
        exit(1);
    buf_reset(out);
}

/* A sample of no series is answered with the counts. */
static void wait_for_updates(struct peer *peer, uint64_t updates)
{
    struct buf out = { 0 };
    while (peer->updates < updates) {
        put_sample(&out, 999999, 1000000000);
        send_all(peer, &out);
        take_frame(peer);
        if (peer->updates < updates)
            usleep(20000);
    }
    buf_close(&out);
}

static double cpu_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

static double end(struct peer *peer)
{
    struct rusage usage;
    int status;
    shutdown(peer->channel.fd, SHUT_WR);
    while (take_frame(peer))
        ;
    wait4(peer->pid, &status, 0, &usage);
    channel_close(&peer->channel);
    return cpu_of(&usage);
}

/* CPU seconds of a recorder that takes so many rounds; *at_s is the next one's time. */
static double record(const char *const argv[], uint32_t files, int rounds, int rows, int64_t *at_s)
{
    struct peer peer;
    struct buf out = { 0 };
    start(&peer, argv[1], argv[2], "0s");
    for (uint32_t slot = 0; slot < files; slot++)
        put_series(&out, slot);
    for (int round = 0; round < rounds; round++, *at_s += (int64_t)STEP_S * rows) {
        for (uint32_t slot = 0; slot < files; slot++)
            for (int row = 0; row < rows; row++)
                put_sample(&out, slot, *at_s + (int64_t)STEP_S * row);
        send_all(&peer, &out);
        wait_for_updates(&peer, (uint64_t)files * (uint64_t)(round + 1));
    }
    buf_close(&out);
    return end(&peer);
}

/* ---- the bare loop ---------------------------------------------------------------------------------------------- */

static double loop(const char *folder, uint32_t files, int rounds, int rows, int64_t *at_s)
{
    struct rusage before, after;
    char text[ROWS_MAX][160];
    const char *argv[ROWS_MAX];
    getrusage(RUSAGE_SELF, &before);
    for (int round = 0; round < rounds; round++, *at_s += (int64_t)STEP_S * rows)
        for (uint32_t slot = 0; slot < files; slot++) {
            char path[4096];
            snprintf(path, sizeof(path), "%s/s%u/c%u.rrd", folder, slot / 100, slot % 100);
            for (int row = 0; row < rows; row++) {
                int64_t t = *at_s + (int64_t)STEP_S * row;
                snprintf(text[row], sizeof(text[row]), "%lld:%.17g:%.17g:%.17g:%.17g:%.17g", (long long)t,
                         value_of(slot, t, 0), value_of(slot, t, 1), value_of(slot, t, 2), value_of(slot, t, 3),
                         value_of(slot, t, 4));
                argv[row] = text[row];
            }
            if (rrd_update_r(path, NULL, rows, argv) != 0) {
                fprintf(stderr, "%s\n", rrd_get_error());
                exit(1);
            }
        }
    getrusage(RUSAGE_SELF, &after);
    return cpu_of(&after) - cpu_of(&before);
}

/* ---- the start -------------------------------------------------------------------------------------------------- */

static void measure_start(const char *const argv[])
{
    struct peer peer;
    struct buf out = { 0 };
    struct arena arena = { 0 };
    char *one = name_file(&arena, argv[2], "s0/c0", NULL);
    for (uint32_t slot = 0; slot < MANY; slot++) {
        char *path = name_file(&arena, argv[2], check_name(&arena, slot), NULL);
        if (slot % 100 == 0)
            file_make_folders(arena_print(&arena, "%s/s%u", argv[2], slot / 100), 0755);
        if (link(one, path) != 0 && errno != EEXIST)
            exit(1);
    }
    int64_t begin_ms = clock_now_ms();
    start(&peer, argv[1], argv[2], "1h");
    take_frame(&peer);
    int64_t ready_ms = clock_now_ms();
    for (uint32_t slot = 0; slot < MANY; slot++) {
        put_series(&out, slot);
        put_sample(&out, slot, clock_wall_ms() / 1000);
        if (out.length > 1u << 20)
            send_all(&peer, &out);
    }
    send_all(&peer, &out);
    while (peer.taken < MANY)
        take_frame(&peer);
    printf("start with %d files: ready after %lld ms, a sample of each taken after %lld ms\n", MANY,
           (long long)(ready_ms - begin_ms), (long long)(clock_now_ms() - begin_ms));
    kill(peer.pid, SIGKILL);
    end(&peer);
    buf_close(&out);
    arena_close(&arena);
}

int main(int argc, char **argv)
{
    int64_t files, rounds, rows;
    if (argc != 6 || text_integer(argv[3], &files) != 0 || text_integer(argv[4], &rounds) != 0 ||
        text_integer(argv[5], &rows) != 0 || rows < 1 || rows > ROWS_MAX || files < 1 || files > MANY)
        return 2;
    const char *const *words = (const char *const *)argv;
    int64_t at_s = clock_wall_ms() / 1000 / STEP_S * STEP_S - 80000;
    record(words, (uint32_t)files, 1, 1, &at_s); /* makes the files */
    double base = record(words, (uint32_t)files, 1, (int)rows, &at_s);
    double all = record(words, (uint32_t)files, (int)rounds + 1, (int)rows, &at_s);
    double bare = loop(argv[2], (uint32_t)files, (int)rounds, (int)rows, &at_s);
    double count = (double)files * (double)rounds, mine = all - base;
    printf("%lld files, %lld updates each of %lld samples with %d values\n", (long long)files, (long long)rounds,
           (long long)rows, SOURCES);
    printf("recorder: %.2f us of CPU an update; bare loop of rrd_update_r: %.2f us; ratio %.2f (target: 1.3)\n",
           mine / count * 1e6, bare / count * 1e6, mine / bare);
    printf("(each start with %lld files, first look and all: %.0f ms of CPU)\n", (long long)files, base * 1e3);
    measure_start(words);
    return 0;
}
