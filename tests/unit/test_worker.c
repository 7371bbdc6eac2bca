/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_worker - belfry-worker as the keeper sees it, with a plugin that does what plugins must not do: results, deaths
 * and whom the ledger blames for them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/file.h"
#include "tests/fixtures/peer.h"
#include "tests/tap.h"

#include "config.h"

#define LONG_MS 20000

static void test_results(const char *plugin)
{
    static const struct {
        const char *mode;
        uint32_t timeout_ms;
        enum result_end end;
        enum belfry_state state;
        const char *text; /* NULL: any */
    } cases[] = {
        { "ok", 5000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "sleep", 5000, RESULT_RETURNED, BELFRY_OK, "slept" },
        { "sleep", 5, RESULT_TIMEOUT, BELFRY_CRITICAL, "" },
        { "late_verdict", 30, RESULT_RETURNED, BELFRY_OK, "in spite of it" },
        { "deadline", 30, RESULT_RETURNED, BELFRY_OK, "late" },
        { "no_verdict", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() ended without a verdict" },
        { "undeclared", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() measured 'no_such_metric', which is not in the plugin's table of metrics" },
        { "unknown_option", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() asked for option 'no_such_option', which is not in the plugin's table of options" },
        { "wrong_type", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() read option 'wait' with belfry_integer(), but its type is duration" },
        { "bad_state", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() used state 7, wanted 0 to 3" },
        { "bad_event", 5000, RESULT_MISUSE, BELFRY_UNKNOWN,
          "run() made an event of type 'restarted', wanted noun.verb" },
        { "memory", 5000, RESULT_MISUSE, BELFRY_UNKNOWN, "run() asked for more than 16 MiB of memory" },
        { "leak", 5000, RESULT_RETURNED, BELFRY_OK, NULL },
        { "fork", 5000, RESULT_RETURNED, BELFRY_OK, NULL },
        { "locale", 5000, RESULT_RETURNED, BELFRY_OK, "number 3" },
        { "standing", 5000, RESULT_RETURNED, BELFRY_OK, "chdir 0" },
        { "wait_forms", 10000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "yield", 5000, RESULT_RETURNED, BELFRY_OK, "fine" },
        { "print", 10000, RESULT_RETURNED, BELFRY_OK, "fine" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer peer;
        struct peer_result got = { 0 };
        bool answered = peer_run_mode(&peer, plugin, cases[i].mode, cases[i].timeout_ms, &got);
        tap_ok(answered && got.run == 7 && got.slot == 1 && got.result.end == cases[i].end &&
                   got.result.state == cases[i].state &&
                   (cases[i].text == NULL || (got.result.text != NULL && strcmp(got.result.text, cases[i].text) == 0)),
               "%s: %s gives end %d state %d: '%s'", plugin, cases[i].mode, got.result.end, got.result.state,
               got.result.text ? got.result.text : "(none)");
        peer_close(&peer);
    }
}

/* ---- bounds -------------------------------------------------------------------------------------------------- */

static void test_floods(void)
{
    static const struct {
        const char *mode;
        uint32_t metrics, parts;
    } cases[] = {
        { "flood_metrics", RESULT_METRICS_MAX, 0 },
        { "flood_parts", RESULT_PARTS_MAX, RESULT_PARTS_MAX },
        { "flood_text", 0, 0 },
        { "flood_kept", 0, 0 },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer peer;
        struct peer_result got = { 0 };
        bool answered = peer_run_mode(&peer, "evil", cases[i].mode, 60000, &got);
        const struct result *r = &got.result;
        tap_ok(answered && r->end == RESULT_RETURNED && r->truncated && r->metric_count == cases[i].metrics &&
                   r->part_count == cases[i].parts,
               "%s is cut: end %d, %u metrics, %u parts, %u kept", cases[i].mode, r->end, r->metric_count,
               r->part_count, r->kept.count);
        peer_close(&peer);
    }
    struct peer peer;
    struct peer_result got = { 0 };
    bool answered = peer_run_mode(&peer, "evil", "flood_log", 5000, &got);
    tap_ok(answered && peer.logs == 257 && strstr(peer.last_log, "dropped") != NULL, "log lines of a run are bounded");
    peer_close(&peer);
}

static void test_bytes(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool answered = peer_run_mode(&peer, "evil", "bytes", 5000, &got);
    const struct result *r = &got.result;
    tap_is_text(answered ? r->text : NULL, "a\xef\xbf\xbd\xef\xbf\xbd(\\x1b[31m b c",
                "line breaks become spaces, the rest is made visible");
    tap_is_text(answered && r->part_count == 1 ? r->parts[0].name : NULL, "part \\x01", "in names too");
    tap_ok(answered && r->detail != NULL && strcmp(r->detail, "one\\x1b\ntwo") == 0, "and in long text");
    peer_close(&peer);
    answered = peer_run_mode(&peer, "evil", "long_line", 5000, &got);
    tap_ok(answered && r->truncated && strlen(r->text) == 1023 && strcmp(r->text + 1020, "\xe2\x82\xac") == 0,
           "a long line is cut between characters");
    peer_close(&peer);
    answered = peer_run_mode(&peer, "evil", "nan", 5000, &got);
    tap_ok(answered && r->metric_count == 3 && isnan(r->metrics[0].value) && isnan(r->metrics[1].value),
           "NaN and infinity arrive as NaN");
    peer_close(&peer);
}

/* ---- the functions of the ABI -------------------------------------------------------------------------------- */

static void test_options(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    struct why why;
    const char *mode[] = { "options" }, *names[] = { "a", "b" }, *keys[] = { "k" }, *values[] = { "v" };
    struct task_option options[] = { { "mode", NULL, mode, 1 },
                                     { "names", NULL, names, 2 },
                                     { "pairs", keys, values, 1 } };
    struct task task = { .id = "svc/check", .options = options, .option_count = 3 };
    bool started = peer_start(&peer, peer_fixture("evil"), 8, &why);
    peer_task(&peer, 1, &task);
    peer_run(&peer, 7, 1, 5000, NULL);
    bool answered = started && peer_send(&peer) && peer_result(&peer, &got, LONG_MS);
    tap_is_text(answered ? got.result.text : NULL, "2 a end 1 k=v 1.5 1 1.5 2048 80 0",
                "options have their types and fallbacks");
    peer_check(&peer, 2, "svc/wrong", "mode", "ok", "port", "99999", NULL);
    peer_check(&peer, 3, "svc/wrong", "ms", "5", NULL);
    for (uint32_t slot = 2; slot <= 4; slot++) {
        peer_run(&peer, slot + 10, slot, 5000, NULL);
        answered = peer_send(&peer) && peer_result(&peer, &got, LONG_MS);
        tap_ok(answered && got.run == slot + 10 && got.result.end == RESULT_MISUSE, "a bad check is answered: %s",
               answered ? got.result.text : "no");
    }
    peer_close(&peer);
}

static void test_report(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool answered = peer_run_mode(&peer, "evil", "report", 5000, &got);
    const struct result *r = &got.result;
    tap_ok(answered && r->end == RESULT_RETURNED && r->state == BELFRY_WARNING && r->reached && !r->truncated,
           "the verdict of a whole report");
    tap_is_text(answered ? r->text : NULL, "file: No such file or directory", "%%m is the plugin's errno");
    if (!answered ||
        !tap_ok(r->metric_count == 4 && r->part_count == 3 && r->event_count == 1, "all items are there")) {
        peer_close(&peer);
        return;
    }
    tap_ok(r->metrics[0].value == 7 && r->metrics[0].part == NULL && strcmp(r->metrics[0].warn, "10") == 0 &&
               strcmp(r->metrics[0].unit, "B") == 0,
           "measuring again replaces, and the table's words come along");
    tap_ok(strcmp(r->metrics[1].part, "db") == 0 && r->metrics[1].value == 8, "a part's metric");
    tap_ok(strcmp(r->metrics[3].name, "time used") == 0 && strcmp(r->metrics[3].part, "web") == 0 &&
               !r->metrics[3].unjudged && strcmp(r->metrics[3].warn, "3") == 0 && r->metrics[3].crit == NULL,
           "a sample");
    tap_ok(strcmp(r->parts[0].name, "web") == 0 && r->parts[0].state == BELFRY_CRITICAL &&
               strcmp(r->parts[0].text, "down") == 0,
           "naming a part again replaces it");
    tap_ok(strcmp(r->parts[2].name, "cache") == 0 && r->parts[2].state == BELFRY_OK,
           "a part that is only measured exists");
    tap_ok(strcmp(r->events[0].type, "container.restarted") == 0 && strcmp(r->events[0].part, "web") == 0 &&
               strcmp(r->events[0].text, "exit 137") == 0,
           "an event");
    tap_is_text(r->detail, "first line\nsecond line", "long text");
    tap_is_text(peer.last_log, "a word to the log", "a line of the log");
    peer_close(&peer);
}

/* Runs slot 1 once more with what the last result kept. */
static bool run_again(struct peer *peer, uint64_t run, struct peer_result *got)
{
    struct kept kept = got->result.kept;
    peer_run(peer, run, 1, 5000, &kept);
    return peer_send(peer) && peer_result(peer, got, LONG_MS) && got->run == run;
}

static void test_kept(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool good = peer_run_mode(&peer, "evil", "keep", 5000, &got);
    tap_ok(good && got.result.kept_changed && got.result.kept.count == 1 &&
               strcmp(got.result.kept.values[0].value, "1") == 0,
           "a value is kept");
    good = run_again(&peer, 8, &got) && run_again(&peer, 9, &got);
    tap_ok(good && strcmp(got.result.text, "run 2") == 0 && strcmp(got.result.kept.values[0].value, "3") == 0,
           "and comes back");
    good = run_again(&peer, 10, &got);
    tap_ok(good && got.result.kept_changed && got.result.kept.count == 0, "NULL forgets it");
    peer_check(&peer, 1, "svc/check", "mode", "ok", NULL);
    good = run_again(&peer, 11, &got);
    tap_ok(good && !got.result.kept_changed, "a run that keeps nothing changes nothing");
    peer_close(&peer);
}

static void test_rate(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool good = peer_run_mode(&peer, "evil", "rate", 5000, &got);
    tap_is_text(good ? got.result.text : NULL, "no rate right", "no rate on the first run");
    poll(NULL, 0, 20);
    peer_check(&peer, 1, "svc/check", "mode", "rate", "size", "4048B", NULL);
    good = run_again(&peer, 8, &got);
    tap_is_text(good ? got.result.text : NULL, "rate right", "a rate on the second");
    poll(NULL, 0, 20);
    peer_check(&peer, 1, "svc/check", "mode", "rate", "size", "1B", NULL);
    good = run_again(&peer, 9, &got);
    tap_is_text(good ? got.result.text : NULL, "no rate right", "no rate after a counter went backwards");
    peer_close(&peer);
}

static void test_resolve(void)
{
    static const struct {
        const char *host, *text;
    } cases[] = {
        { "127.0.0.1", "found, family 2" },
        { "::1", "found, family 10" },
        { "localhost", "found" },
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer peer;
        struct peer_result got = { 0 };
        struct why why;
        bool started = peer_start(&peer, peer_fixture("evil"), 8, &why);
        peer_check(&peer, 1, "svc/check", "mode", "resolve", "host", cases[i].host, NULL);
        peer_run(&peer, 7, 1, 10000, NULL);
        bool answered = started && peer_send(&peer) && peer_result(&peer, &got, LONG_MS);
        tap_ok(answered && strncmp(got.result.text, cases[i].text, strlen(cases[i].text)) == 0, "%s: %s", cases[i].host,
               answered ? got.result.text : "no answer");
        peer_close(&peer);
    }
}

/* ---- many ---------------------------------------------------------------------------------------------------- */

static void test_thousand(const char *plugin, unsigned concurrency, uint64_t runs)
{
    struct peer peer;
    struct peer_result got;
    struct why why;
    bool started = peer_start(&peer, peer_fixture(plugin), concurrency, &why);
    peer_check(&peer, 1, "svc/waits", "mode", "sleep", "ms", "200", NULL);
    int64_t before = clock_now_ms();
    for (uint64_t run = 1; run <= runs; run++)
        peer_run(&peer, run, 1, 30000, NULL);
    unsigned good = 0;
    started = started && peer_send(&peer);
    while (started && good < runs && peer_result(&peer, &got, LONG_MS))
        good += got.result.end == RESULT_RETURNED && got.result.state == BELFRY_OK;
    int64_t took = clock_now_ms() - before;
    tap_ok(good == runs && took < (int64_t)(runs / concurrency + 1) * 1000,
           "%s: %u runs of 200 ms with concurrency %u end in %lld ms", plugin, good, concurrency, (long long)took);
    peer_close(&peer);
}

static void test_same_descriptor(void)
{
    struct peer peer;
    struct peer_result got[2] = { 0 };
    struct why why;
    bool good = peer_start(&peer, peer_fixture("evil"), 8, &why);
    peer_check(&peer, 1, "svc/check", "mode", "same_descriptor", NULL);
    peer_run(&peer, 1, 1, 5000, NULL);
    peer_run(&peer, 2, 1, 5000, NULL);
    good = good && peer_send(&peer) && peer_result(&peer, &got[0], LONG_MS) && peer_result(&peer, &got[1], LONG_MS);
    tap_ok(good && got[0].run == 2 && atoi(got[0].result.text) == -EEXIST && atoi(got[1].result.text) == 0,
           "two runs can't wait for one descriptor: the second is told");
    peer_close(&peer);
}

static void test_signals(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    bool good = peer_run_mode(&peer, "evil", "signals", 5000, &got);
    peer_check(&peer, 1, "svc/check", "mode", "is_masked", NULL);
    peer_check(&peer, 2, "svc/check", "mode", "is_masked", NULL);
    good = good && run_again(&peer, 8, &got);
    bool first = good && strcmp(got.result.text, "clear") == 0;
    tap_ok(first, "a signal mask does not outlive its run");
    peer_close(&peer);
}

/* ---- the protocol -------------------------------------------------------------------------------------------- */

static void test_stop(const char *plugin)
{
    struct peer peer;
    struct peer_result got = { 0 };
    struct why why;
    bool good = peer_start(&peer, peer_fixture(plugin), 4, &why);
    peer_check(&peer, 1, "svc/waits", "mode", "sleep", "ms", "50", NULL);
    for (uint64_t run = 1; run <= 8; run++)
        peer_run(&peer, run, 1, 10000, NULL);
    peer_frame(&peer, WIRE_STOP);
    good = good && peer_send(&peer);
    unsigned answers = 0;
    while (good && answers < 8 && peer_result(&peer, &got, LONG_MS))
        answers += got.result.end == RESULT_RETURNED;
    int status = peer_end(&peer, LONG_MS);
    tap_ok(answers == 8 && status == 0, "%s: after STOP %u runs finish and the worker exits with status 0x%x", plugin,
           answers, status);
    peer_close(&peer);
}

static void test_end_of_file(void)
{
    struct peer peer;
    struct why why;
    bool good = peer_start(&peer, peer_fixture("evil"), 4, &why);
    peer_check(&peer, 1, "svc/waits", "mode", "sleep", "ms", "60000", NULL);
    peer_run(&peer, 1, 1, 60000, NULL);
    good = good && peer_send(&peer);
    close(peer.channel.fd);
    peer.channel.fd = -1;
    tap_ok(good && peer_end(&peer, LONG_MS) == 0, "the end of file ends a worker with runs in flight");
    peer_close(&peer);
}

static void test_protocol(void)
{
    struct peer peer;
    struct why why;
    struct wire_frame frame;
    bool good = peer_start(&peer, peer_fixture("evil"), 4, &why);
    size_t at = wire_begin(&peer.out, WIRE_PING);
    wire_put_u64(&peer.out, 12345);
    wire_end(&peer.out, at);
    good = good && peer_send(&peer) && channel_read(&peer.channel, &frame, clock_now_ms() + LONG_MS) == 1;
    tap_ok(good && frame.type == WIRE_PONG && wire_u64(&frame.payload) == 12345, "PING is answered");
    at = wire_begin(&peer.out, WIRE_FORGET);
    wire_put_u32(&peer.out, 1);
    wire_put_u32(&peer.out, 2); /* one field too many */
    wire_end(&peer.out, at);
    int status = good && peer_send(&peer) ? peer_end(&peer, LONG_MS) : -1;
    tap_ok(status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 1, "a frame that is too long ends the worker");
    peer_close(&peer);
}

/* Results of 1 MB each, which nobody reads for a while. */
static void test_slow_keeper(const char *plugin)
{
    struct peer peer;
    struct peer_result got;
    struct why why;
    bool good = peer_start(&peer, peer_fixture(plugin), 64, &why);
    peer_check(&peer, 1, "svc/check", "mode", "large", NULL);
    for (uint64_t run = 1; run <= 40; run++)
        peer_run(&peer, run, 1, 600000, NULL);
    good = good && peer_send(&peer);
    poll(NULL, 0, 300);
    unsigned answers = 0;
    while (good && answers < 40 && peer_result(&peer, &got, LONG_MS)) {
        answers++;
        arena_reset(&peer.arena);
    }
    tap_ok(answers == 40, "%s: a keeper that reads late gets all %u results", plugin, answers);
    peer_close(&peer);
}

static bool copy_file(const char *from, const char *to)
{
    struct arena arena = { 0 };
    char *bytes;
    size_t n;
    bool good = file_read(&arena, from, 64 << 20, &bytes, &n) == 0;
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    good = good && fd >= 0 && write(fd, bytes, n) == (ssize_t)n;
    if (fd >= 0)
        close(fd);
    arena_close(&arena);
    return good;
}

static void test_replaced_file(void)
{
    struct peer peer;
    struct peer_result got = { 0 };
    struct why why;
    char folder[] = "/tmp/belfry-worker-XXXXXX", path[64];
    if (mkdtemp(folder) == NULL)
        return;
    snprintf(path, sizeof(path), "%s/evil.so", folder);
    bool good = copy_file(peer_fixture("evil"), path) && peer_start(&peer, path, 4, &why);
    peer_check(&peer, 1, "svc/check", "mode", "sleep", "ms", "50", NULL);
    peer_check(&peer, 2, "svc/check", "mode", "report", NULL);
    peer_run(&peer, 1, 1, 5000, NULL);
    good = good && peer_send(&peer);
    good = good && copy_file(peer_fixture("null"), path) && truncate(path, 0) == 0; /* in place: the same inode */
    peer_run(&peer, 2, 2, 5000, NULL);
    good = good && peer_send(&peer) && peer_result(&peer, &got, LONG_MS) && got.run == 2;
    good = good && peer_result(&peer, &got, LONG_MS) && got.run == 1 && got.result.end == RESULT_RETURNED;
    tap_ok(good, "a file overwritten in place leaves the running plugin alone");
    peer_close(&peer);
    unlink(path);
    rmdir(folder);
}

static void test_rejected(void)
{
    struct peer peer;
    struct why why = { "" };
    bool started = peer_start(&peer, peer_fixture("bad-abi"), 4, &why);
    int status = peer_end(&peer, LONG_MS);
    tap_ok(!started && status == 0 && strstr(why.text, "bad-abi.so") != NULL && strstr(why.text, "99") != NULL,
           "a plugin of another ABI is rejected: %s", why.text);
    peer_close(&peer);
}

/* One run computes for longer than the others have time; they wait for less. Their deadlines stand still meanwhile. */
static void test_held(void)
{
    struct peer peer;
    struct peer_result got;
    struct why why;
    if (!tap_ok(peer_start(&peer, peer_fixture("evil"), 8, &why), "held: started"))
        return;
    peer_check(&peer, 1, "svc/sleeps", "mode", "sleep", "ms", "100", NULL);
    peer_check(&peer, 2, "svc/spins", "mode", "spin", "ms", "900", NULL);
    peer_run(&peer, 11, 1, 500, NULL);
    peer_run(&peer, 12, 2, 5000, NULL);
    peer_run(&peer, 13, 1, 500, NULL);
    peer_send(&peer);
    for (int i = 0; i < 3; i++) {
        bool answered = peer_result(&peer, &got, LONG_MS);
        tap_ok(answered && got.result.end == RESULT_RETURNED && got.result.state == BELFRY_OK,
               "held: run %d keeps its time while another computes: '%s'", answered ? (int)got.run : 0,
               answered && got.result.text ? got.result.text : "");
    }
    peer_check(&peer, 3, "svc/late", "mode", "sleep", "ms", "2000", NULL);
    peer_run(&peer, 14, 3, 300, NULL);
    peer_run(&peer, 15, 2, 5000, NULL);
    peer_send(&peer);
    bool spun = peer_result(&peer, &got, LONG_MS) && got.run == 15;
    bool late = peer_result(&peer, &got, LONG_MS) && got.run == 14;
    tap_ok(spun && late && got.result.end == RESULT_TIMEOUT, "held: a deadline that stood still comes all the same");
    peer_close(&peer);
}

int main(void)
{
    peer_plain_deaths();
    test_results("evil");
    test_results("evil-blocking");
    test_held();
    test_floods();
    test_bytes();
    test_options();
    test_report();
    test_kept();
    test_rate();
    test_resolve();
    test_thousand("evil", 1000, 1000);
    test_thousand("evil", 100, 300);
    test_thousand("evil-blocking", 200, 400);
    test_same_descriptor();
    test_signals();
    test_stop("evil");
    test_stop("evil-blocking");
    test_end_of_file();
    test_protocol();
    test_slow_keeper("evil");
    test_slow_keeper("evil-blocking");
    test_replaced_file();
    test_rejected();
    return tap_done();
}
