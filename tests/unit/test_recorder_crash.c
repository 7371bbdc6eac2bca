/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_crash - the real belfry-recorder, killed again and again while it takes and writes samples. This plays
 * the keeper: what was not acknowledged is sent once more. In the end every sample that was ever sent must be in the
 * RRD files. Also: torn write-ahead files, a keeper that dies, and files over which librrd crashed. */
#include <math.h>
#include <poll.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/base/spawn.h"
#include "core/recorder/cached.h"
#include "core/recorder/header.h"
#include "core/recorder/ledger.h"
#include "core/recorder/name.h"
#include "core/recorder/store.h"
#include "core/recorder/wal.h"
#include "tests/peers/keeper_of_recorder.h"
#include "tests/tap.h"

#define WAIT_MS 60000
#define SERIES 24
#define ROUNDS 40
#define SAMPLES_MAX 20000

static struct arena arena;
static char folder[] = "/tmp/test_recorder_crash.XXXXXX";
static const char *recorder;
static const char *rrdcached; /* its socket, for recorders that shall use it */
static int64_t begin_s;

static uint64_t seed = 11;
static uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

/* ---- a keeper --------------------------------------------------------------------------------------------------- */

struct sent {
    uint32_t slot;
    int64_t at_s;
};

static struct peer {
    struct keeper_peer keeper;
    struct sent *kept; /* not acknowledged: from first on */
    size_t first, count;
    uint64_t acknowledged, events, moved;
    int64_t last_s[SERIES];
} peer;

static struct series_source sources[] = { { .metric = "a", .min = NAN, .max = NAN, .unit = "s" },
                                          { .metric = "b", .min = NAN, .max = NAN, .unit = "s" } };
static struct series_archive archives[] = { { 1, 86400 } };

static const char *check_name(uint32_t slot)
{
    return arena_print(&arena, "kill/check%u", slot);
}

static double value_of(uint32_t slot, int64_t at_s)
{
    return (double)(at_s - begin_s) * 100 + slot;
}

static void put_series(struct buf *out, uint32_t slot)
{
    struct series series = { .check = check_name(slot),
                             .step_s = 1,
                             .heartbeat_s = 60,
                             .sources = sources,
                             .source_count = 2,
                             .archives = archives,
                             .archive_count = 1 };
    keeper_put_series(out, slot, &series);
}

static void put_sample(struct buf *out, const struct sent *sample)
{
    double value = value_of(sample->slot, sample->at_s), values[] = { value, -value };
    keeper_put_sample(out, sample->slot, sample->at_s, values, 2);
}

static void start(const char *delay)
{
    const char *const args[] = { recorder,  "--rrd", folder, "--delay", delay, rrdcached ? "--rrdcached" : NULL,
                                 rrdcached, NULL };
    struct buf out = { 0 };
    if (!keeper_start(&peer.keeper, args, -1, true))
        return;
    peer.acknowledged = 0;
    for (uint32_t slot = 0; slot < SERIES; slot++)
        put_series(&out, slot);
    for (size_t i = peer.first; i < peer.count; i++)
        put_sample(&out, &peer.kept[i]);
    keeper_send(&peer.keeper, &out);
    buf_close(&out);
}

static void take_frame(struct wire_frame *frame)
{
    if (frame->type == WIRE_RECORDER_SAVED) {
        uint64_t taken = wire_u64(&frame->payload);
        peer.first += (size_t)(taken - peer.acknowledged);
        peer.acknowledged = taken;
    }
    peer.events += frame->type == WIRE_RECORDER_EVENT;
    peer.moved += frame->type == WIRE_RECORDER_MOVED;
}

/* What is there; with wait, until everything was acknowledged. */
static void listen_to(bool wait)
{
    struct wire_frame frame;
    int64_t until_ms = clock_now_ms() + (wait ? WAIT_MS : 0);
    while (!wait || peer.first < peer.count) {
        struct pollfd readable = { .fd = peer.keeper.channel.fd, .events = POLLIN };
        if (!wait && poll(&readable, 1, 0) != 1)
            break;
        if (channel_read(&peer.keeper.channel, &frame, until_ms + 1000) != 1)
            break;
        take_frame(&frame);
    }
}

/* Some samples, of random series, each later than the last one of its series. */
static void send_some(uint32_t n)
{
    struct buf out = { 0 };
    for (; n > 0 && peer.count < SAMPLES_MAX; n--) {
        struct sent *sample = &peer.kept[peer.count++];
        sample->slot = any(SERIES);
        sample->at_s = peer.last_s[sample->slot] += 1;
        put_sample(&out, sample);
    }
    keeper_send(&peer.keeper, &out);
    buf_close(&out);
}

static void reap(int number)
{
    int status;
    if (number)
        kill(peer.keeper.pid, number);
    waitpid(peer.keeper.pid, &status, 0);
    channel_close(&peer.keeper.channel);
}

/* The number of samples that are not in the files with their values. */
static int count_missing(void)
{
    int missing = 0;
    for (uint32_t slot = 0; slot < SERIES; slot++) {
        struct store_values values;
        struct store_fetch fetch = { .path = name_file(&arena, folder, check_name(slot), NULL),
                                     .function = "AVERAGE",
                                     .since_s = begin_s,
                                     .until_s = peer.last_s[slot],
                                     .step_s = 1 };
        if (peer.last_s[slot] == begin_s)
            continue;
        struct why why = { "" };
        if (store_fetch(&fetch, &values, &why) != 0)
            return -1;
        for (int64_t t = begin_s + 1; t <= peer.last_s[slot]; t++) {
            uint64_t i = (uint64_t)(t - values.start_s - 1);
            double a = i < values.count ? values.values[i * 2] : NAN;
            missing += !(fabs(a - value_of(slot, t)) < 1e-6);
        }
        store_values_close(&values);
    }
    return missing;
}

static void reset(void)
{
    peer.first = peer.count = 0;
    peer.events = peer.moved = 0;
    for (uint32_t slot = 0; slot < SERIES; slot++)
        peer.last_s[slot] = begin_s;
}

static void clear_folder(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf '%s'/kill '%s'/.p*", folder, folder);
    if (system(command) != 0)
        printf("# '%s' could not be emptied\n", folder);
}

/* ---- tests ------------------------------------------------------------------------------------------------------ */

static void test_kills(void)
{
    static const char *const delays[] = { "0s", "3ms", "20ms", "1s" };
    uint64_t unacknowledged = 0;
    reset();
    for (int round = 0; round < ROUNDS; round++) {
        start(delays[any(4)]);
        for (uint32_t pieces = any(6); pieces > 0; pieces--) {
            send_some(1 + any(80));
            usleep(any(4000));
            listen_to(any(3) == 0);
        }
        reap(SIGKILL);
        unacknowledged += peer.count - peer.first;
    }
    start("1s");
    listen_to(true);
    tap_ok(peer.first == peer.count, "the last recorder acknowledges everything");
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_is_int(count_missing(), 0, "killed 40 times: every one of the samples is in the files");
    printf("# %zu samples, %llu were not acknowledged when a recorder was killed\n", peer.count,
           (unsigned long long)unacknowledged);
    tap_ok(peer.count > 3000 && unacknowledged > 0, "which are many");
    tap_ok(access(arena_print(&arena, "%s/" WAL_NAME, folder), F_OK) != 0, "and no write-ahead file is left");
    tap_is_int((int64_t)peer.moved, 0, "nothing was blamed for being killed");
}

/* A keeper that is killed: its successor starts a recorder while the last one still reads and writes. */
static void test_dead_keeper(void)
{
    clear_folder();
    reset();
    pid_t pids[15];
    for (int round = 0; round < 15; round++) {
        struct wire_frame frame;
        start(any(2) ? "1s" : "0s");
        send_some(100 + any(100));
        tap_ok(channel_read(&peer.keeper.channel, &frame, clock_now_ms() + WAIT_MS) == 1 &&
                   frame.type == WIRE_RECORDER_READY,
               "a recorder begins when the one before it has ended");
        send_some(100 + any(200));
        peer.first = peer.count; /* all that reached the socket */
        channel_close(&peer.keeper.channel);
        pids[round] = peer.keeper.pid;
    }
    for (int round = 0; round < 15; round++)
        waitpid(pids[round], NULL, 0);
    tap_is_int(count_missing(), 0, "nothing that reached a recorder's socket is lost with its keeper");
}

/* The write-ahead file cut at any place: what is whole is replayed, and nothing is an error. */
static void test_torn(void)
{
    char *bytes, *path = arena_print(&arena, "%s/" WAL_NAME, folder);
    size_t length = 0;
    clear_folder();
    reset();
    start("1h");
    for (int i = 0; i < 8; i++) {
        send_some(5);
        listen_to(true);
    }
    reap(SIGKILL);
    tap_ok(file_read(&arena, path, 1 << 20, &bytes, &length) == 0 && length > 1000, "a write-ahead file");
    int wrong = 0, before = INT_MAX, fewer = 0;
    for (size_t cut = 0; cut <= length; cut += cut + 97 < length ? 97 : length - cut ? length - cut : 1) {
        clear_folder();
        file_replace(path, bytes, cut, 0600);
        peer.first = peer.count;
        start("1h");
        shutdown(peer.keeper.channel.fd, SHUT_WR);
        int status;
        waitpid(peer.keeper.pid, &status, 0);
        channel_close(&peer.keeper.channel);
        wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        int missing = count_missing();
        missing = missing < 0 ? (int)peer.count : missing; /* a file that was never made */
        wrong += missing > before;
        fewer += missing < before;
        before = missing;
    }
    tap_is_int(wrong, 0, "cut anywhere it is read as far as it is whole");
    tap_ok(before == 0 && fewer >= 2, "and wholly when it is not cut");
    bytes[length / 2] ^= 1;
    clear_folder();
    file_replace(path, bytes, length, 0600);
    start("1h");
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_ok(count_missing() != 0, "a damaged record ends it");
}

/* It grows no further than what waits. */
static void test_bounded(void)
{
    struct stat st;
    off_t greatest = 0;
    char *path = arena_print(&arena, "%s/" WAL_NAME, folder);
    clear_folder();
    reset();
    start("0s");
    for (int i = 0; i < 150; i++) {
        struct buf out = { 0 };
        for (int k = 0; k < 1200; k++) {
            uint32_t slot = any(SERIES);
            struct sent sample = { slot, peer.last_s[slot] += 1 };
            put_sample(&out, &sample);
        }
        keeper_send(&peer.keeper, &out);
        buf_close(&out);
        peer.count = peer.first + 1;
        listen_to(false);
        if (stat(path, &st) == 0 && st.st_size > greatest)
            greatest = st.st_size;
    }
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_is_int(count_missing(), 0, "180000 samples");
    tap_ok(greatest > (1 << 20) && greatest < 16 << 20, "and the write-ahead file had at most %lld bytes",
           (long long)greatest);
}

/* As if librrd had crashed over a file: the ledger names it. */
static void test_blame(void)
{
    struct ledger ledger;
    struct why why = { "" };
    char *path = name_file(&arena, folder, check_name(0), NULL);
    clear_folder();
    reset();
    start("0s");
    send_some(200);
    listen_to(true);
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    if (!tap_ok(ledger_open(&ledger, folder, 0, &why) == 0, "the ledger: %s", why.text))
        return;
    ledger_enter(&ledger, path, -1, 0, 0);
    ledger_blame(&ledger, SIGSEGV);
    ledger_close(&ledger);
    peer.moved = 0;
    start("0s");
    send_some(400);
    listen_to(true);
    tap_is_int((int64_t)peer.moved, 1, "a file that crashed the last recorder is moved aside");
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_ok(access(path, F_OK) == 0, "and made anew");
    ledger_open(&ledger, folder, 0, &why);
    ledger_enter(&ledger, "/etc/passwd.rrd", -1, 0, 0);
    ledger_blame(&ledger, SIGSEGV);
    ledger_close(&ledger);
    peer.moved = 0;
    start("0s");
    listen_to(true);
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_is_int((int64_t)peer.moved, 0, "nothing outside of the folder is");
}

/* ---- rrdcached -------------------------------------------------------------------------------------------------- */

#define RRDCACHED "/usr/bin/rrdcached"

/* One that writes nothing before half an hour has gone by, unless it is told to. */
static pid_t start_rrdcached(void)
{
    char *pid_file = arena_print(&arena, "%s/rrdcached.pid", folder);
    char *journal = arena_print(&arena, "%s/.journal", folder);
    const char *const args[] = { RRDCACHED, "-g",     "-l", arena_print(&arena, "unix:%s", rrdcached),
                                 "-p",      pid_file, "-j", journal,
                                 "-b",      folder,   "-w", "1800",
                                 "-z",      "900",    "-f", "3600",
                                 NULL };
    struct spawn spawn = { .program = RRDCACHED, .argv = args, .die_with_parent = true };
    unlink(rrdcached);
    unlink(pid_file);
    file_make_folders(journal, 0700);
    pid_t pid = spawn_start(&spawn);
    for (int i = 0; i < 2000 && access(rrdcached, F_OK) != 0; i++)
        usleep(10000);
    return pid;
}

static void end_rrdcached(pid_t pid, int number)
{
    kill(pid, number);
    waitpid(pid, NULL, 0);
}

/* Its journal is buffered and it does not write when it ends: the samples are ours to keep. */
static void test_rrdcached(void)
{
    struct why why = { "" };
    struct header header;
    if (access(RRDCACHED, X_OK) != 0) {
        tap_skip("rrdcached", "it is not installed");
        return;
    }
    rrdcached = arena_print(&arena, "%s/.rrdcached.sock", folder);
    clear_folder();
    reset();
    pid_t daemon = start_rrdcached();
    start("0s");
    send_some(200);
    listen_to(true);
    for (int i = 0; i < 2000 && count_missing() < 0; i++) /* until the files are made */
        usleep(20000);
    tap_ok(count_missing() > 0, "rrdcached has not written everything yet");
    struct cached reader;
    struct arena own = { 0 };
    tap_ok(cached_open_noted(&reader, &own, folder, clock_now_ms()), "who reads the files finds it");
    for (int i = 0; i < 200 && count_missing() > 0; i++, usleep(20000)) /* until it was sent the last one, too */
        for (uint32_t slot = 0; slot < SERIES; slot++)
            cached_flush(&reader, name_file(&arena, folder, check_name(slot), NULL), &why);
    cached_close(&reader);
    arena_close(&own);
    tap_is_int(count_missing(), 0, "and has it write");
    for (int round = 0; round < 24; round++) {
        send_some(1 + any(120));
        listen_to(any(2) == 0);
        if (any(2)) {
            end_rrdcached(daemon, any(3) ? SIGKILL : SIGTERM);
            send_some(any(40));
            daemon = start_rrdcached();
        }
        if (any(3) == 0) {
            reap(SIGKILL);
            start(any(2) ? "0s" : "20ms");
        }
    }
    listen_to(true);
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_is_int(count_missing(), 0, "rrdcached and recorder killed again and again: every sample is in the files");
    start("0s");
    send_some(100);
    listen_to(true);
    end_rrdcached(daemon, SIGKILL);
    shutdown(peer.keeper.channel.fd, SHUT_WR);
    reap(0);
    tap_is_int(count_missing(), 0, "without it the last samples are written directly");
    tap_ok(header_read(&arena, name_file(&arena, folder, check_name(0), NULL), clock_wall_ms() / 1000, &header, NULL) ==
               0,
           "and the files are sound");
    rrdcached = NULL;
}

int main(void)
{
    char command[128], program[PATH_MAX];
    const char *top = getenv("top_builddir");
    recorder = realpath(arena_print(&arena, "%s/belfry-recorder", top ? top : "."), program);
    begin_s = clock_wall_ms() / 1000 - 80000;
    peer.kept = calloc(SAMPLES_MAX, sizeof(*peer.kept));
    if (!recorder || !peer.kept || !mkdtemp(folder)) {
        puts("Bail out! there is no belfry-recorder in $top_builddir, or no folder can be made");
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    test_kills();
    test_dead_keeper();
    test_torn();
    test_bounded();
    test_blame();
    test_rrdcached();
    free(peer.kept);
    arena_close(&arena);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("# '%s' could not be removed\n", folder);
    return tap_done();
}
