/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_history - journal lines folded into what a graph shows, its text, and bad texts; and threshold bands. */
#include "core/model/history.h"

#include <stdio.h>
#include <string.h>

#include "core/recorder/bands.h"
#include "tests/tap.h"

static struct arena arena;
static struct history history;
static struct history_fold fold;

static void begin(const char *check, const char *part)
{
    history = (struct history){ 0 };
    fold = (struct history_fold){ .arena = &arena, .out = &history, .check = check, .part = part };
}

static void add(int64_t at_s, const char *type, const char *members)
{
    const char *line = arena_print(&arena, "{\"seq\":1,\"type\":\"%s\"%s%s}", type, *members ? "," : "", members);
    history_add(&fold, &(struct history_record){ type, line, strlen(line), at_s * 1000 });
}

/* "0 OK, 20 CRITICAL soft, 30 none" */
static const char *states(void)
{
    const char *text = "";
    for (uint32_t i = 0; i < history.state_count; i++) {
        const struct history_state *state = &history.states[i];
        text = arena_print(&arena, "%s%s%lld %s%s", text, i ? ", " : "", (long long)state->at_s,
                           state->none ? "none" : state_name(state->state), state->soft ? " soft" : "");
    }
    return text;
}

static const char *marks(void)
{
    const char *text = "";
    for (uint32_t i = 0; i < history.mark_count; i++)
        text = arena_print(&arena, "%s%s%lld %d %s", text, i ? ", " : "", (long long)history.marks[i].at_s,
                           (int)history.marks[i].kind, history.marks[i].label);
    return text;
}

static const char *blind(void)
{
    const char *text = "";
    for (uint32_t i = 0; i < history.blind_count; i++) {
        const struct history_blind *one = &history.blind[i];
        text =
            arena_print(&arena, "%s%s%lld-%lld %s%s%s", text, i ? ", " : "", (long long)one->from_s,
                        (long long)one->until_s, one->text, one->unsure ? " unsure" : "", one->rests ? " rests" : "");
    }
    return text;
}

#define CHANGE(from_, to_, kind_)                                                                                      \
    "\"check\":\"redis/server\",\"from\":\"" from_ "\",\"to\":\"" to_ "\",\"kind\":\"" kind_ "\",\"text\":\"refused\""

static void test_states(void)
{
    begin("redis/server", NULL);
    add(20, "check.state", CHANGE("OK", "CRITICAL", "soft"));
    add(25, "check.state", "\"check\":\"redis/server2\",\"from\":\"OK\",\"to\":\"WARNING\",\"kind\":\"hard\"");
    add(26, "part.state",
        "\"check\":\"redis/server\",\"part\":\"a\",\"from\":\"OK\",\"to\":\"WARNING\",\"kind\":\"hard\"");
    add(30, "check.state", CHANGE("CRITICAL", "CRITICAL", "hard"));
    add(40, "check.state", CHANGE("CRITICAL", "CRITICAL", "hard"));
    add(50, "check.state", CHANGE("CRITICAL", "OK", "hard"));
    add(60, "check.removed", "\"check\":\"redis/server\"");
    history_end(&fold, 100);
    tap_is_text(states(), "0 OK, 20 CRITICAL soft, 30 CRITICAL, 40 CRITICAL, 50 OK, 60 none",
                "states of the check, and the one before the first");
    tap_is_text(marks(), "30 2 CRITICAL", "the change to CRITICAL is marked, once");
    tap_is_text(history.marks[0].text, "refused", "with its text");
}

static void test_parts(void)
{
    begin("host/system", "/var");
    add(10, "check.state", "\"check\":\"host/system\",\"from\":\"OK\",\"to\":\"WARNING\",\"kind\":\"hard\"");
    add(20, "part.state",
        "\"check\":\"host/system\",\"part\":\"/\",\"from\":\"OK\",\"to\":\"WARNING\",\"kind\":\"hard\"");
    add(30, "part.state",
        "\"check\":\"host/system\",\"part\":\"/var\",\"from\":\"OK\",\"to\":\"UNKNOWN\",\"kind\":\"hard\"");
    add(40, "part.gone", "\"check\":\"host/system\",\"part\":\"/\"");
    add(50, "part.gone", "\"check\":\"host/system\",\"part\":\"/var\"");
    tap_is_text(states(), "0 OK, 30 UNKNOWN, 50 none", "of a part only its own states");
}

static void test_blind(void)
{
    begin("redis/server", NULL);
    add(10, "check.state", CHANGE("UNKNOWN", "OK", "hard"));
    add(20, "daemon.stopped", "\"text\":\"SIGTERM\"");
    add(30, "daemon.started", "\"version\":\"0.1.0\"");
    add(31, "config.loaded", "\"text\":\"4 checks\"");
    add(40, "breaker.open", "\"breaker\":\"redis/server\",\"failures\":5,\"ms\":1000");
    add(42, "breaker.half_open", "\"breaker\":\"redis/server\"");
    add(43, "breaker.open", "\"breaker\":\"redis/server\",\"failures\":5,\"ms\":1000");
    add(44, "breaker.open", "\"breaker\":\"redis/other\",\"failures\":5,\"ms\":1000");
    add(50, "breaker.closed", "\"breaker\":\"redis/server\"");
    add(60, "config.loaded", "\"text\":\"5 checks\"");
    add(90, "daemon.started", "\"version\":\"0.1.0\"");
    add(200, "monitor.blind", "\"ms\":50000,\"text\":\"the machine slept\"");
    add(210, "breaker.open", "\"breaker\":\"redis/server\",\"failures\":5,\"ms\":1000");
    add(220, "daemon.stopped", "");
    history_end(&fold, 300);
    tap_is_text(blind(),
                "20-30 belfryd was down, 40-50 circuit open rests, 60-90 belfryd was down unsure, "
                "150-200 Belfry was blind, 220-300 belfryd was down, 210-300 circuit open rests",
                "when nobody looked");
    tap_is_text(states(), "0 UNKNOWN, 10 OK, 20 none, 30 OK, 220 none", "what is known of the state then: nothing");
    tap_is_text(marks(), "30 0 belfryd started, 60 0 configuration, 90 0 belfryd started",
                "a start and its configuration are one mark");
}

static void test_shared_breaker(void)
{
    begin("shop/web", NULL);
    fold.breaker = "upstream";
    add(10, "breaker.open", "\"breaker\":\"upstream\",\"failures\":5,\"ms\":1000");
    add(11, "breaker.open", "\"breaker\":\"shop/web\",\"failures\":5,\"ms\":1000");
    add(12, "breaker.closed", "\"breaker\":\"shop/web\"");
    add(20, "breaker.closed", "\"breaker\":\"upstream\"");
    tap_is_text(blind(), "10-20 circuit open rests", "a breaker that it shares is its breaker");
}

/* What the start itself recorded before it said so does not show that the daemon was there. */
static void test_killed(void)
{
    begin("redis/server", NULL);
    add(10, "check.state", CHANGE("UNKNOWN", "OK", "hard"));
    add(50, "journal.sealed", "\"epoch\":7");
    add(50, "daemon.started", "");
    history_end(&fold, 60);
    tap_is_text(blind(), "10-50 belfryd was down unsure", "the seal of a start is no sign of life");

    const struct history_record start = { .type = "daemon.started" }, stop = { .type = "daemon.stopped" };
    begin("redis/server", NULL);
    add(10, "check.state", CHANGE("UNKNOWN", "OK", "hard"));
    tap_ok(history_asks(&fold, &start) && !history_asks(&fold, &stop), "who left records out is asked at a start");
    history_seen(&fold, 40000);
    add(50, "daemon.started", "");
    add(60, "daemon.stopped", "");
    tap_ok(!history_asks(&fold, &start), "unless the end was recorded");
    history_end(&fold, 60);
    tap_is_text(blind(), "40-50 belfryd was down unsure", "for when the daemon was there last");
}

/* Every type that does something when it is added must be asked for. */
static void test_wants(void)
{
    enum history_about about;
    size_t count = 0;
    bool killed = false, deployed = false;
    for (const char *type; (type = history_wants(count, &about)) != NULL; count++) {
        killed = killed || (strcmp(type, "daemon.stopped") == 0 && about == HISTORY_OF_ALL);
        deployed = deployed || (strcmp(type, "deploy.recorded") == 0 && about == HISTORY_OF_SERVICE);
    }
    tap_ok(count == 20 && killed && deployed, "%zu types of record are wanted", count);
}

static void test_marks(void)
{
    begin("shop/web", NULL);
    add(10, "check.event", "\"check\":\"shop/web\",\"name\":\"container.restarted\",\"part\":\"php\",\"text\":\"137\"");
    add(11, "check.event", "\"check\":\"shop/db\",\"name\":\"container.restarted\"");
    add(20, "plugin.crashed", "\"plugin\":\"http\",\"check\":\"shop/web\"");
    add(30, "incident.opened", "\"service\":\"shop\",\"name\":\"17\"");
    add(31, "incident.opened", "\"service\":\"shopping\",\"name\":\"18\"");
    add(40, "incident.resolved", "\"service\":\"shop\",\"name\":\"17\"");
    add(50, "deploy.recorded", "\"service\":\"shop\",\"version\":\"2.0.1-a-very-lo\xC3\xA4\xC3\xB6\"");
    add(60, "alert.sent", "\"service\":\"shop\"");
    tap_is_text(marks(),
                "10 0 container.restarted, 20 2 plugin crashed, 30 2 incident 17, 40 1 resolved 17, "
                "50 0 deploy 2.0.1-a-very-lo",
                "marks of the check and of its service");
}

static void test_text(void)
{
    struct history back;
    struct buf text = { 0 };
    struct why why = { "" };
    test_blind();
    test_shared_breaker();
    history_mark(&fold, &(struct history_mark){ 7, HISTORY_BAD, "x\"<\n", "\xff" });
    history_print(&text, &history);
    tap_ok(history_parse(&arena, text.data, text.length, &back, &why) == 0, "the text is read back: %s", why.text);
    const char *was_states = states(), *was_blind = blind();
    history.mark_count--;
    const char *was_marks = marks();
    history = back;
    tap_is_text(states(), was_states, "with its states");
    tap_is_text(blind(), was_blind, "blind times");
    tap_is_text(history.marks[history.mark_count - 1].label, "x\"<\n", "every letter");
    history.mark_count--;
    tap_is_text(marks(), was_marks, "and marks");
    buf_close(&text);
}

static void test_bad_texts(void)
{
    static const char *const texts[] = {
        "",
        "[]",
        "{\"states\":[{\"at\":1,\"state\":\"GREEN\"}]}",
        "{\"states\":[{\"at\":1}]}",
        "{\"states\":[{\"at\":-1,\"state\":\"OK\"}]}",
        "{\"states\":[{\"at\":1e300,\"state\":\"OK\"}]}",
        "{\"states\":[7]}",
        "{\"marks\":[{\"at\":1,\"kind\":\"odd\",\"label\":\"x\"}]}",
        "{\"marks\":[{\"at\":\"1\",\"kind\":\"bad\",\"label\":\"x\"}]}",
        "{\"blind\":[{\"from\":1}]}",
        "{\"blind\":[{\"from\":1,\"until\":999999999999999}]}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        struct history out;
        struct why why = { "" };
        tap_ok(history_parse(&arena, texts[i], strlen(texts[i]), &out, &why) == ERROR_SYNTAX && *why.text,
               "'%s' is refused: %s", texts[i], why.text);
    }
    struct history out;
    tap_is_int(history_parse(&arena, "{}", 2, &out, NULL), 0, "an empty one is fine");
}

/* "80-95 WARNING, 95-100 CRITICAL" */
static const char *bands(const char *warn, const char *crit, double low, double high)
{
    struct band found[BANDS_MAX];
    const char *text = "";
    uint32_t count = bands_find(warn, crit, low, high, found);
    for (uint32_t i = 0; i < count; i++)
        text = arena_print(&arena, "%s%s%g-%g %s", text, i ? ", " : "", found[i].from, found[i].to,
                           state_name(found[i].state));
    return text;
}

static void test_bands(void)
{
    tap_is_text(bands("80", "95", 0, 100), "80-95 WARNING, 95-100 CRITICAL", "above two values");
    tap_is_text(bands("80", "95", -10, 90), "-10-0 CRITICAL, 80-90 WARNING", "as far as the axis goes, and below zero");
    tap_is_text(bands("20:", "10:", 0, 100), "0-10 CRITICAL, 10-20 WARNING", "below two values");
    tap_is_text(bands("10:20", "5:30", 0, 40), "0-5 CRITICAL, 5-10 WARNING, 20-30 WARNING, 30-40 CRITICAL", "both");
    tap_is_text(bands("@10:20", NULL, 0, 40), "10-20 WARNING", "inside");
    tap_is_text(bands("@10:20", "@0:40", 0, 40), "0-40 CRITICAL", "CRITICAL covers WARNING");
    tap_is_text(bands("0:", "~:500", 0, 40), "", "none within the axis");
    tap_is_text(bands("> 2 x median 7d", "", 0, 40), "", "none of what is no range");
    tap_is_text(bands(NULL, NULL, 0, 40), "", "none without thresholds");
}

int main(void)
{
    test_states();
    test_parts();
    test_blind();
    test_killed();
    test_wants();
    test_marks();
    test_text();
    test_bad_texts();
    test_bands();
    arena_close(&arena);
    return tap_done();
}
