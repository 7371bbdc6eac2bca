/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_recorder_wire - the real belfry-recorder behind a socket pair: what it answers, that it writes everything before
 * it ends, and that bytes which make no sense end it with status 1, never with a signal. */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/arena.h"
#include "core/base/file.h"
#include "core/model/baseline.h"
#include "core/recorder/header.h"
#include "core/recorder/name.h"
#include "core/recorder/store.h"
#include "tests/peers/keeper_of_recorder.h"
#include "tests/tap.h"

#define WAIT_MS 20000
#define VALUES_MAX 77

static struct arena arena;
static char folder[] = "/tmp/test_recorder_wire.XXXXXX";
static const char *recorder;
static int64_t now_s;

static uint64_t seed = 7;
static uint32_t any(uint32_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % n;
}

static bool start_looking(struct keeper_peer *peer, const char *delay, const char *look_every)
{
    const char *const args[] = { recorder, "--rrd", folder, "--delay", delay, "--look-every", look_every, NULL };
    return keeper_start(peer, args, -1, false);
}

static bool start(struct keeper_peer *peer, const char *delay)
{
    return start_looking(peer, delay, "6h");
}

static int finish(struct keeper_peer *peer, struct buf *out)
{
    keeper_send(peer, out);
    return keeper_end(peer);
}

static struct series_source sources[] = { { .metric = "a", .min = NAN, .max = NAN, .unit = "s" },
                                          { .metric = "b", .min = NAN, .max = NAN, .unit = "s" } };
static struct series_archive archives[] = { { 1, 600 } };

static void put_series(struct buf *out, uint32_t slot, const char *check, uint32_t count)
{
    struct series series = { .check = check,
                             .step_s = 1,
                             .heartbeat_s = 60,
                             .sources = sources,
                             .source_count = count,
                             .archives = archives,
                             .archive_count = 1 };
    keeper_put_series(out, slot, &series);
}

static void put_sample(struct buf *out, uint32_t slot, int64_t at_s, uint16_t count)
{
    double values[VALUES_MAX];
    for (uint16_t i = 0; i < count; i++)
        values[i] = (double)at_s + i;
    keeper_put_sample(out, slot, at_s, values, count);
}

static void put_slot(struct buf *out, enum wire_type type, uint32_t slot)
{
    size_t begin = wire_begin(out, type);
    wire_put_u32(out, slot);
    wire_end(out, begin);
}

static int64_t last_of(const char *check)
{
    struct header header;
    const char *path = name_file(&arena, folder, check, NULL);
    return header_read(&arena, path, now_s, &header, NULL) == 0 ? header.last_s : 0;
}

/* ---- good keepers ----------------------------------------------------------------------------------------------- */

static void test_conversation(void)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    struct wire_frame frame;
    tap_ok(start(&peer, "1h"), "started");
    int got = channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS);
    tap_ok(got == 1 && frame.type == WIRE_RECORDER_READY, "it says that it is ready");
    put_series(&out, 5, "a/one", 2);
    put_series(&out, 6, "a/two", 2);
    put_series(&out, 700, "a/far", 1);
    put_sample(&out, 99, now_s - 9, 1);
    for (int64_t t = now_s - 8; t < now_s; t++) {
        put_sample(&out, 5, t, 2);
        put_sample(&out, 6, t, 2);
        put_sample(&out, 700, t, 1);
    }
    put_slot(&out, WIRE_SERIES_FORGET, 6);
    put_slot(&out, WIRE_SERIES_FORGET, 12345);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    got = channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS);
    uint8_t level = wire_u8(&frame.payload);
    tap_ok(got == 1 && frame.type == WIRE_RECORDER_EVENT && level == 1 && wire_u32(&frame.payload) == 6,
           "a forgotten slot is written at once, and its new file reported");
    tap_is_int(last_of("a/two"), now_s - 1, "all of it");
    tap_is_int(last_of("a/one"), 0, "the others wait for their delay");
    tap_is_int(finish(&peer, &out), 0, "the end of the keeper is its end, too");
    tap_is_int(last_of("a/one"), now_s - 1, "with everything written");
    tap_is_int(last_of("a/far"), now_s - 1, "of every slot");
    buf_close(&out);
}

static void test_delay_and_stop(void)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    start(&peer, "10ms");
    put_series(&out, 0, "a/quick", 1);
    put_sample(&out, 0, now_s - 2, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    for (int i = 0; i < 1000 && last_of("a/quick") != now_s - 2; i++)
        usleep(10000);
    tap_is_int(last_of("a/quick"), now_s - 2, "a sample is written after the delay");
    put_series(&out, 0, "a/quick", 2);
    put_sample(&out, 0, now_s - 1, 2);
    wire_end(&out, wire_begin(&out, WIRE_STOP));
    put_sample(&out, 0, now_s, 77);
    tap_is_int(finish(&peer, &out), 0, "a stop ends it, whatever follows");
    tap_is_int(last_of("a/quick"), now_s - 1, "with everything written");
    buf_close(&out);
}

/* Whether the recorder has a file of that series open. */
static bool holds(const struct keeper_peer *peer, const char *check)
{
    char target[PATH_MAX];
    const char *path = name_file(&arena, folder, check, NULL);
    bool found = false;
    for (int fd = 4; fd < 64 && !found; fd++) {
        ssize_t n = readlink(arena_print(&arena, "/proc/%d/fd/%d", (int)peer->pid, fd), target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = '\0';
        found = strncmp(target, path, strlen(path)) == 0;
    }
    return found;
}

/* Its time comes again and again here, every 6 h elsewhere. */
static void test_let_go(void)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    bool held = false, tried = false;
    start(&peer, "0s");
    put_series(&out, 0, "a/held", 1);
    put_sample(&out, 0, now_s - 3, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    for (int i = 0; i < 1000 && !held; i++, usleep(10000))
        held = holds(&peer, "a/held");
    tap_ok(held, "a file that was written stays open");
    tap_is_int(finish(&peer, &out), 0, "until the end");
    start_looking(&peer, "0s", "1s");
    put_series(&out, 0, "a/held", 1);
    put_sample(&out, 0, now_s - 2, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    for (int i = 0; i < 1000 && !tried; i++, usleep(10000))
        tried = last_of("a/held") == now_s - 2 && !holds(&peer, "a/held");
    tap_ok(tried, "or until parts that are gone were looked for");
    tap_is_int(finish(&peer, &out), 0, "the end");
    buf_close(&out);
}

/* What it learnt is told of the series in its slot, and never of those that another keeper had there. */
static void test_learnt(void)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    struct wire_frame frame;
    struct baseline_table table;
    sources[0].baseline = true;
    start(&peer, "1h");
    put_series(&out, 4, "a/learnt", 1);
    put_sample(&out, 4, now_s - 7200, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    while (channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS) == 1 && frame.type != WIRE_RECORDER_SAVED)
        ;
    kill(peer.pid, SIGKILL);
    finish(&peer, &out);
    start(&peer, "10ms");
    int early = 0;
    while (channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS) == 1 && frame.type != WIRE_RECORDER_READY)
        early += frame.type == WIRE_RECORDER_LEARNT;
    tap_ok(early == 0 && last_of("a/learnt") == now_s - 7200, "what is replayed is written and not told");
    put_series(&out, 9, "a/learnt", 1);
    put_sample(&out, 9, now_s - 1, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    while (channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS) == 1 && frame.type != WIRE_RECORDER_LEARNT)
        ;
    tap_is_int(frame.type, WIRE_RECORDER_LEARNT, "a sample is");
    tap_is_int(wire_u32(&frame.payload), 9, "with its slot");
    tap_is_text(wire_text(&frame.payload, &arena, 80), "a", "and metric");
    tap_ok(baseline_decode(&frame.payload, &table) == 0 && wire_done(&frame.payload) == 0 && table.at_s == now_s - 1,
           "and all hours");
    sources[0].baseline = false;
    tap_is_int(finish(&peer, &out), 0, "the end");
    buf_close(&out);
}

/* A start within the second of the last sample: the same numbers are told. */
static void test_learnt_again(void)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    struct wire_frame frame;
    struct baseline_table table = { 0 };
    sources[0].baseline = true;
    start(&peer, "10ms");
    put_series(&out, 4, "a/again", 1);
    put_sample(&out, 4, now_s - 86400, 1);
    put_sample(&out, 4, now_s, 1);
    tap_is_int(finish(&peer, &out), 0, "samples of two days");
    start(&peer, "10ms");
    put_series(&out, 4, "a/again", 1);
    put_sample(&out, 4, now_s, 1);
    channel_write(&peer.channel, &out, clock_now_ms() + WAIT_MS);
    while (channel_read(&peer.channel, &frame, clock_now_ms() + WAIT_MS) == 1 && frame.type != WIRE_RECORDER_LEARNT)
        ;
    wire_u32(&frame.payload);
    wire_text(&frame.payload, &arena, 80);
    tap_ok(baseline_decode(&frame.payload, &table) == 0 && table.at_s == now_s, "are told again by the same second");
    tap_is_int(table.hours[baseline_hour(now_s).hour].samples, 1, "yesterday's of this hour");
    sources[0].baseline = false;
    tap_is_int(finish(&peer, &out), 0, "the end");
    buf_close(&out);
}

/* ---- bad keepers ------------------------------------------------------------------------------------------------ */

static int say(const void *bytes, size_t n)
{
    struct keeper_peer peer;
    struct buf out = { 0 };
    buf_add(&out, bytes, n);
    start(&peer, "1s");
    int status = finish(&peer, &out);
    buf_close(&out);
    return status;
}

static void put_good(struct buf *out)
{
    put_series(out, 0, "h/one", 2);
    put_sample(out, 0, now_s - 5, 2);
    put_sample(out, 0, now_s - 4, 2);
    put_slot(out, WIRE_SERIES_FORGET, 0);
}

static void check_hostile(const char *what, void (*put)(struct buf *out))
{
    struct buf out = { 0 };
    put_series(&out, 0, "h/before", 1);
    put_sample(&out, 0, now_s - 3, 1);
    put(&out);
    unlink(name_file(&arena, folder, "h/before", NULL));
    tap_is_int(say(out.data, out.length), 1, what);
    tap_is_int(last_of("h/before"), now_s - 3, "what was understood is written");
    buf_close(&out);
}

static void put_wrong_count(struct buf *out)
{
    put_sample(out, 0, now_s, 2);
}
static void put_unknown_type(struct buf *out)
{
    put_slot(out, WIRE_RUN, 1);
}
static void put_huge_slot(struct buf *out)
{
    put_series(out, 0xFFFFFFFF, "h/x", 1);
}
static void put_bad_check(struct buf *out)
{
    put_series(out, 1, "../../tmp/x", 1);
}
static void put_no_sources(struct buf *out)
{
    put_series(out, 1, "h/x", 0);
}
static void put_garbage(struct buf *out)
{
    buf_add(out, "GET / HTTP/1.1\r\n\r\n", 18);
}
static void put_huge_frame(struct buf *out)
{
    buf_add(out, "\xFF\xFF\xFF\x7F\x22\x00\xF1\xB1", 8);
}

static void test_hostile(void)
{
    check_hostile("a sample with the wrong count", put_wrong_count);
    check_hostile("a frame that is not for a recorder", put_unknown_type);
    check_hostile("a slot beyond all bounds", put_huge_slot);
    check_hostile("a check id that leaves the folder", put_bad_check);
    check_hostile("a series without metrics", put_no_sources);
    check_hostile("another protocol", put_garbage);
    check_hostile("a frame beyond all bounds", put_huge_frame);
}

static void test_truncated(void)
{
    struct buf good = { 0 };
    int wrong = 0, tried = 0;
    size_t at = 0;
    put_good(&good);
    for (size_t n = 0; n < good.length; n += 1 + any(5)) {
        struct wire_frame frame;
        int size = 1;
        for (at = 0; size > 0 && at < n; at += (size_t)(size > 0 ? size : 0))
            size = wire_next(good.data + at, n - at, &frame);
        wrong += say(good.data, n) != (at == n && size > 0 ? 0 : 1) && n > 0;
        tried++;
    }
    tap_is_int(wrong, 0, "a stream that is cut ends it cleanly");
    tap_ok(tried > 30, "%d cuts", tried);
    tap_is_int(say(good.data, good.length), 0, "the whole stream is fine");
    buf_close(&good);
}

static void test_random(void)
{
    int signals = 0;
    for (int i = 0; i < 60; i++) {
        struct buf out = { 0 };
        put_good(&out);
        for (uint32_t k = 1 + any(6); k > 0; k--)
            out.data[any((uint32_t)out.length)] = (char)any(256);
        signals += say(out.data, out.length) < 0;
        buf_close(&out);
    }
    tap_is_int(signals, 0, "60 damaged streams, none of them crashes it");
}

int main(void)
{
    char command[128], program[PATH_MAX];
    const char *top = getenv("top_builddir");
    recorder = realpath(arena_print(&arena, "%s/belfry-recorder", top ? top : "."), program);
    now_s = clock_wall_ms() / 1000;
    if (!recorder || !mkdtemp(folder)) {
        puts("Bail out! there is no belfry-recorder in $top_builddir, or no folder can be made");
        return 1;
    }
    test_conversation();
    test_delay_and_stop();
    test_let_go();
    test_learnt();
    test_learnt_again();
    test_hostile();
    test_truncated();
    test_random();
    arena_close(&arena);
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        printf("# '%s' could not be removed\n", folder);
    return tap_done();
}
