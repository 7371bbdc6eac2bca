/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_recorder RECORDER FOLDER FILES ROUNDS ROWS - what the recorder costs beside librrd itself. FILES files of five
 * sources each get ROUNDS times an update of ROWS samples, ten seconds apart, from the recorder behind its socket and
 * one from a bare loop of rrd_update_r: in turns, so that whatever else the machine does slows both. Then: what it
 * costs when an hour begins for which thresholds want baselines, beside the same samples without; and how soon a
 * recorder is ready and has 100,000 series and a sample of each, in a folder of as many files. Prints CPU times. */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <rrd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/recorder/name.h"
#define KEEPER_WAIT_MS 600000
#include "tests/peers/keeper_of_recorder.h"

#define SOURCES 5
#define STEP_S 10
#define MANY 100000
#define LEARNT_FIRST 500000 /* slots of the files whose baselines are wanted, and as many that stand beside them */
#define LEARNT_FILES 200
#define HOURS 30
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

static void put_series(struct buf *out, uint32_t slot, bool baseline)
{
    struct arena arena = { 0 };
    for (int i = 0; i < SOURCES; i++)
        sources[i].baseline = baseline;
    struct series series = { .check = check_name(&arena, slot),
                             .step_s = STEP_S,
                             .heartbeat_s = 25,
                             .sources = sources,
                             .source_count = SOURCES,
                             .archives = archives,
                             .archive_count = 2 };
    keeper_put_series(out, slot, &series);
    arena_close(&arena);
}

static double value_of(uint32_t slot, int64_t at_s, int source)
{
    return 50 + source + 0.37 * (double)(slot % 97) + (double)(at_s % 311) / 7;
}

static void put_sample(struct buf *out, uint32_t slot, int64_t at_s)
{
    double values[SOURCES];
    for (int i = 0; i < SOURCES; i++)
        values[i] = value_of(slot, at_s, i);
    keeper_put_sample(out, slot, at_s, values, SOURCES);
}

/* ---- the recorder ----------------------------------------------------------------------------------------------- */

struct peer {
    struct keeper_peer keeper;
    uint64_t taken, updates;
};

static void start(struct peer *peer, const char *recorder, const char *folder, const char *delay)
{
    const char *const args[] = { recorder, "--rrd", folder, "--delay", delay, NULL };
    *peer = (struct peer){ 0 };
    if (!keeper_start(&peer->keeper, args, STDERR_FILENO, false))
        exit(1);
}

static void take_frame(struct peer *peer)
{
    struct wire_frame frame;
    if (!keeper_hear(&peer->keeper, &frame))
        exit(1);
    if (frame.type == WIRE_RECORDER_SAVED) {
        peer->taken = wire_u64(&frame.payload);
        wire_u64(&frame.payload);
        wire_u64(&frame.payload);
        peer->updates = wire_u64(&frame.payload);
    }
}

static void send_all(struct peer *peer, struct buf *out)
{
    if (keeper_send(&peer->keeper, out) != 0)
        exit(1);
}

/* A sample of no series is answered with the counts; what was told of files comes before. */
static void wait_for_updates(struct peer *peer, uint64_t updates)
{
    struct buf out = { 0 };
    while (peer->updates < updates) {
        uint64_t taken = peer->taken;
        put_sample(&out, 999999, 1000000000);
        send_all(peer, &out);
        while (peer->taken == taken)
            take_frame(peer);
        if (peer->updates < updates)
            usleep(20000);
    }
    buf_close(&out);
}

/* CPU seconds that a process has used. */
static double cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0)
        exit(1);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* ---- the updates ------------------------------------------------------------------------------------------------ */

struct plan {
    const char *folder;
    uint32_t files;
    int rows;
    int64_t at_s; /* of the next update's first row */
};

/* CPU seconds of the recorder for a row or more of each file. */
static double record(struct peer *peer, struct plan *plan, struct buf *out)
{
    double before = cpu_of(peer->keeper.pid);
    uint64_t updates = peer->updates;
    for (uint32_t slot = 0; slot < plan->files; slot++)
        for (int row = 0; row < plan->rows; row++)
            put_sample(out, slot, plan->at_s + (int64_t)STEP_S * row);
    send_all(peer, out);
    wait_for_updates(peer, updates + plan->files);
    plan->at_s += (int64_t)STEP_S * plan->rows;
    return cpu_of(peer->keeper.pid) - before;
}

static void update_one(const struct plan *plan, uint32_t slot)
{
    char text[ROWS_MAX][160], path[4096];
    const char *argv[ROWS_MAX];
    snprintf(path, sizeof(path), "%s/s%u/c%u.rrd", plan->folder, slot / 100, slot % 100);
    for (int row = 0; row < plan->rows; row++) {
        int64_t t = plan->at_s + (int64_t)STEP_S * row;
        snprintf(text[row], sizeof(text[row]), "%lld:%.17g:%.17g:%.17g:%.17g:%.17g", (long long)t, value_of(slot, t, 0),
                 value_of(slot, t, 1), value_of(slot, t, 2), value_of(slot, t, 3), value_of(slot, t, 4));
        argv[row] = text[row];
    }
    if (rrd_update_r(path, NULL, plan->rows, argv) != 0) {
        fprintf(stderr, "%s\n", rrd_get_error());
        exit(1);
    }
}

/* CPU seconds of a bare loop that does the same. */
static double loop(struct plan *plan)
{
    double before = cpu_of(getpid());
    for (uint32_t slot = 0; slot < plan->files; slot++)
        update_one(plan, slot);
    plan->at_s += (int64_t)STEP_S * plan->rows;
    return cpu_of(getpid()) - before;
}

static void measure_updates(const char *const argv[], struct plan *plan, int rounds)
{
    struct peer peer;
    struct buf out = { 0 };
    double mine = 0, bare = 0, count = (double)plan->files * rounds;
    start(&peer, argv[1], plan->folder, "0s");
    for (uint32_t slot = 0; slot < plan->files; slot++)
        put_series(&out, slot, false);
    double first = record(&peer, plan, &out); /* makes the files */
    for (int round = 0; round < rounds; round++) {
        mine += record(&peer, plan, &out);
        bare += loop(plan);
    }
    keeper_end(&peer.keeper);
    buf_close(&out);
    printf("%u files, %d updates each of %d samples with %d values\n", plan->files, rounds, plan->rows, SOURCES);
    printf("recorder: %.2f us of CPU an update; bare loop of rrd_update_r: %.2f us; ratio %.2f (target: 1.3)\n",
           mine / count * 1e6, bare / count * 1e6, mine / bare);
    printf("(making the files: %.0f us of CPU each)\n", first / plan->files * 1e6);
    fflush(stdout);
}

/* ---- baselines -------------------------------------------------------------------------------------------------- */

/* CPU seconds of the recorder for hourly samples of some files. */
static double record_hours(const char *const argv[], uint32_t first, bool baseline)
{
    struct peer peer;
    struct buf out = { 0 };
    double before = 0;
    int64_t at_s = clock_wall_ms() / 1000 - (HOURS + 1) * 3600;
    start(&peer, argv[1], argv[2], "0s");
    for (uint32_t i = 0; i < LEARNT_FILES; i++)
        put_series(&out, first + i, baseline);
    for (uint32_t hour = 0; hour <= HOURS; hour++) {
        before = hour == 1 ? cpu_of(peer.keeper.pid) : before; /* the files are made */
        for (uint32_t i = 0; i < LEARNT_FILES; i++)
            put_sample(&out, first + i, at_s + 3600 * (int64_t)hour);
        send_all(&peer, &out);
        wait_for_updates(&peer, (uint64_t)LEARNT_FILES * (hour + 1));
    }
    double used = cpu_of(peer.keeper.pid) - before;
    keeper_end(&peer.keeper);
    buf_close(&out);
    return used;
}

static void measure_baselines(const char *const argv[])
{
    double plain = record_hours(argv, LEARNT_FIRST, false);
    double with = record_hours(argv, LEARNT_FIRST + LEARNT_FILES, true);
    printf("baselines: %.0f us of CPU a metric and hour\n", (with - plain) / HOURS / LEARNT_FILES / SOURCES * 1e6);
    fflush(stdout);
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
        put_series(&out, slot, false);
        put_sample(&out, slot, clock_wall_ms() / 1000);
        if (out.length > 1u << 20)
            send_all(&peer, &out);
    }
    send_all(&peer, &out);
    while (peer.taken < MANY)
        take_frame(&peer);
    printf("start with %d files: ready after %lld ms, a sample of each taken after %lld ms\n", MANY,
           (long long)(ready_ms - begin_ms), (long long)(clock_now_ms() - begin_ms));
    kill(peer.keeper.pid, SIGKILL);
    keeper_end(&peer.keeper);
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
    struct plan plan = { .folder = argv[2],
                         .files = (uint32_t)files,
                         .rows = (int)rows,
                         .at_s = clock_wall_ms() / 1000 / STEP_S * STEP_S - 80000 };
    measure_updates(words, &plan, (int)rounds);
    measure_baselines(words);
    measure_start(words);
    return 0;
}
