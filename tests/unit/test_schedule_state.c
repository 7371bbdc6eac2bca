/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_schedule_state - reloads and restarts: what stays, what is new, what is remembered. */
#include "core/base/text.h"
#include "tests/unit/stage.h"

static struct stage stage;

static bool lists(const char *const *ids, const char *id)
{
    while (*ids && strcmp(*ids, id) != 0)
        ids++;
    return *ids != NULL;
}

/* Takes the check out of the configuration. */
static void remove_config(const char *id)
{
    uint32_t i = 0;
    while (strcmp(stage.checks[i].id, id) != 0)
        i++;
    memmove(&stage.checks[i], &stage.checks[i + 1], (--stage.config.check_count - i) * sizeof stage.checks[0]);
}

/* ---- reload ------------------------------------------------------------------------------------------------------ */

static void test_reload_same(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_add(&stage, "a/y");
    stage_configure(&stage);
    stage_play(&stage, 10000);
    stage.outcomes[1].silent = true;
    stage_play(&stage, 60000);
    stage_forget_events(&stage);
    struct check_view was = *stage_view(&stage, "a/x");
    stage.now.wall_ms += 1500; /* the grid of the wall clock is another now */
    struct schedule_changes changes = stage_configure(&stage);
    tap_ok(changes.kept == 2 && !changes.added && !changes.changed && !changes.removed, "nothing changed");
    tap_is_int(stage_view(&stage, "a/x")->due_ms, was.due_ms, "the phase stays");
    tap_ok(stage.runs[1] && stage_view(&stage, "a/y")->run == stage.runs[1], "so does the run in progress");
    stage.outcomes[1] = (struct outcome){ .state = BELFRY_OK };
    tap_ok(stage_answer(&stage, 1, stage.runs[1]), "whose result is taken");
    tap_is_int(stage.event_count, 0, "nothing is said");
    stage_close(&stage);
}

static void test_reload_changes(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_add(&stage, "a/y");
    stage_add(&stage, "b/z");
    stage_configure(&stage);
    for (int i = 0; i < 3; i++)
        stage.outcomes[i].state = BELFRY_CRITICAL;
    stage_play(&stage, 100000);
    tap_is_int(schedule_service_state(stage.schedule, "b"), BELFRY_CRITICAL, "a service in trouble");
    uint32_t x = stage_slot(&stage, "a/x"), y = stage_slot(&stage, "a/y");

    remove_config("b/z");
    stage.checks[1].every_ms = 10000;
    stage.checks[1].schedule_mark = 1;
    stage_add(&stage, "c/new");
    stage_forget_events(&stage);
    struct schedule_changes changes = stage_configure(&stage);
    tap_ok(changes.added == 1 && changes.changed == 1 && changes.removed == 1 && changes.kept == 1, "one of each");
    tap_ok(lists(changes.added_ids, "c/new") && lists(changes.changed_ids, "a/y") && lists(changes.removed_ids, "b/z"),
           "by their ids");
    tap_ok(stage_slot(&stage, "a/x") == x && stage_slot(&stage, "a/y") == y, "slots stay");
    tap_ok(stage_count(&stage, EVENT_CHECK_ADDED) == 1 && stage_count(&stage, EVENT_CHECK_REMOVED) == 1 &&
               stage_count(&stage, EVENT_CHECK_STATE) == 0,
           "added and removed are said, states are kept");
    tap_is_int(stage_view(&stage, "a/y")->standing.hard_state, BELFRY_CRITICAL, "the changed one's too");
    tap_ok(stage_view(&stage, "a/y")->due_ms <= stage.now.mono_ms + 10000, "it has its new interval");
    tap_is_int(stage_slot(&stage, "b/z"), SCHEDULE_NONE, "the removed one is gone");
    tap_is_int(schedule_service_state(stage.schedule, "b"), BELFRY_UNKNOWN, "and its service");
    stage_close(&stage);
}

static void test_removed_run(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage.outcomes[0].silent = true;
    stage_play(&stage, 5000);
    uint64_t run = stage.runs[0];
    remove_config("a/x");
    stage_configure(&stage);
    tap_ok(schedule_view(stage.schedule, 0)->config == NULL, "an empty slot");
    tap_ok(!schedule_lost(stage.schedule, run, stage.now), "its run is forgotten");
    stage_add(&stage, "a/new");
    stage_configure(&stage);
    tap_is_int(stage_slot(&stage, "a/new"), 0, "the slot is used again");
    stage.runs[0] = 0;
    stage_play(&stage, 5000);
    tap_ok(!stage_answer(&stage, 0, run) && stage_view(&stage, "a/new")->runs == 0,
           "a result of the old run is not its");
    stage_close(&stage);
}

static void test_disable(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->attempts = 1;
    stage_add(&stage, "a/y");
    stage_configure(&stage);
    stage.outcomes[0].state = BELFRY_CRITICAL;
    stage_play(&stage, 10000);
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_CRITICAL, "one of two is bad");
    stage.checks[0].enabled = false;
    struct schedule_changes changes = stage_configure(&stage);
    tap_ok(changes.changed == 1 && schedule_service_state(stage.schedule, "a") == BELFRY_OK,
           "disabled it does not count");
    tap_is_int(stage_last(&stage, EVENT_SERVICE_STATE)->to, BELFRY_OK, "which is said");
    uint32_t starts = stage.starts[0];
    stage_play(&stage, 3600000);
    tap_is_int(stage.starts[0], starts, "nor does it run");
    stage.checks[0].enabled = true;
    stage_configure(&stage);
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_CRITICAL, "enabled its state is back");
    stage_play(&stage, 5000);
    tap_ok(stage.starts[0] > starts, "and it runs soon");
    stage_close(&stage);
}

static void test_disabled_probe(void)
{
    stage_open(&stage);
    for (int i = 0; i < 2; i++) {
        struct check_config *c = stage_add(&stage, i ? "a/y" : "a/x");
        c->breaker.name = "shared";
        c->breaker.failures = 1;
    }
    stage_configure(&stage);
    stage.outcomes[0] = stage.outcomes[1] = (struct outcome){ .state = BELFRY_CRITICAL, .unreached = true };
    stage_play(&stage, 10000);
    const struct breaker *b = stage_view(&stage, "a/x")->breaker;
    stage.outcomes[0].silent = stage.outcomes[1].silent = true;
    stage_play(&stage, 40000);
    uint32_t prober = stage_next_end(&stage);
    tap_ok(b->probing && prober < 2, "one probes");
    remove_config(prober ? "a/y" : "a/x");
    stage_configure(&stage);
    stage_play(&stage, 20);
    tap_ok(b->probing && stage.starts[1 - prober] > 0 && stage.runs[1 - prober],
           "removed, it leaves the probe to the other");
    stage_close(&stage);
}

static void test_breaker_reload(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->breaker.failures = 1;
    stage_configure(&stage);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL, .unreached = true };
    stage_play(&stage, 5000);
    stage.checks[0].breaker.open_ms = 90000;
    stage.checks[0].schedule_mark = 1;
    stage_configure(&stage);
    const struct breaker *b = stage_view(&stage, "a/x")->breaker;
    tap_ok(b->state == BREAKER_OPEN && b->pause_ms == 30000, "new rules leave an open breaker open");
    stage_forget_events(&stage);
    stage.checks[0].breaker.name = "other";
    stage_configure(&stage);
    b = stage_view(&stage, "a/x")->breaker;
    tap_ok(b->state == BREAKER_CLOSED && stage_count(&stage, EVENT_BREAKER_CLOSED) == 1 &&
               strcmp(stage_last(&stage, EVENT_BREAKER_CLOSED)->breaker, "a/x") == 0,
           "another breaker: the old one is closed and gone");
    tap_ok(schedule_breaker(stage.schedule, 0, NULL) && !schedule_breaker(stage.schedule, 1, NULL), "one is left");
    stage_close(&stage);
}

/* ---- restart ----------------------------------------------------------------------------------------------------- */

static struct buf snapshot;

static void take_snapshot(void)
{
    buf_reset(&snapshot);
    schedule_snapshot(stage.schedule, &snapshot);
}

static void play_a_day(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/ok");
    stage_add(&stage, "a/soft")->attempts = 1000;
    stage_add(&stage, "b/hard");
    stage_add(&stage, "b/broken")->breaker.failures = 3;
    stage_configure(&stage);
    stage_play(&stage, 10000);
    static struct result_part parts[] = { { "one", BELFRY_OK, "fine" }, { "two", BELFRY_WARNING, "so \"so\"" } };
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK, .parts = parts, .part_count = 2, .text = "all\twell" };
    stage.outcomes[1].state = BELFRY_WARNING;
    stage.outcomes[2].state = BELFRY_CRITICAL;
    stage.outcomes[3] = (struct outcome){ .state = BELFRY_CRITICAL, .unreached = true };
    stage_play(&stage, 300000);
}

static bool is_same_standing(const struct standing *a, const struct standing *b)
{
    return a->state == b->state && a->hard_state == b->hard_state && a->hard == b->hard && a->known == b->known &&
           a->attempt == b->attempt && a->since_wall_ms == b->since_wall_ms &&
           a->hard_since_wall_ms == b->hard_since_wall_ms;
}

static void check_remembered(const struct check_view *was, const char *was_text, const char *id, const char *how)
{
    const struct check_view *is = stage_view(&stage, id);
    tap_ok(is_same_standing(&was->standing, &is->standing), "%s: standing of %s", how, id);
    if (was_text)
        tap_ok(strcmp(is->text, was_text) == 0 && is->runs == was->runs && is->missed == was->missed &&
                   is->last_run_wall_ms == was->last_run_wall_ms && is->last_ok_wall_ms == was->last_ok_wall_ms &&
                   is->flapping.changes == was->flapping.changes && is->flapping.count == was->flapping.count &&
                   is->flapping.last == was->flapping.last,
               "%s: what is convenient of %s", how, id);
}

static void test_restart(bool by_events)
{
    static const char *const ids[] = { "a/ok", "a/soft", "b/hard", "b/broken" };
    const char *how = by_events ? "events" : "snapshot";
    struct check_view was[4];
    char texts[4][32];
    play_a_day();
    for (int i = 0; i < 4; i++) {
        was[i] = *stage_view(&stage, ids[i]);
        text_copy(texts[i], sizeof texts[i], was[i].text);
    }
    struct breaker breaker = *was[3].breaker;
    int64_t until_wall_ms = breaker.until_ms + stage.now.wall_ms - stage.now.mono_ms;
    take_snapshot();
    stage_restart(&stage);
    if (!by_events)
        tap_is_int(schedule_restore_snapshot(stage.schedule, snapshot.data, snapshot.length), 0,
                   "the snapshot is read");
    for (uint32_t i = 0; by_events && i < stage.event_count; i++)
        schedule_restore_event(stage.schedule, &stage.events[i]);
    stage_forget_events(&stage);
    struct schedule_changes changes = stage_configure(&stage);

    tap_ok(changes.kept == 4 && stage.event_count == 0, "%s: nothing is new and nothing is said", how);
    for (int i = 0; i < 4; i++)
        check_remembered(&was[i], by_events ? NULL : texts[i], ids[i], how);
    const struct check_view *ok = stage_view(&stage, "a/ok");
    tap_ok(ok->part_count == 2 && strcmp(ok->parts[1].name, "two") == 0 &&
               strcmp(ok->parts[1].text, "so \"so\"") == 0 && ok->parts[1].standing.hard_state == BELFRY_WARNING,
           "%s: parts", how);
    tap_is_int(schedule_service_state(stage.schedule, "b"), BELFRY_CRITICAL, "services");
    const struct breaker *b = stage_view(&stage, "b/broken")->breaker;
    tap_ok(b->state == BREAKER_OPEN && b->pause_ms == breaker.pause_ms && b->failures == breaker.failures,
           "%s: the breaker is open", how);
    int64_t difference_ms = b->until_ms + stage.now.wall_ms - stage.now.mono_ms - until_wall_ms;
    tap_ok(llabs(difference_ms) <= (by_events ? breaker.pause_ms / 10 : 0), "%s: until it would have been", how);
    stage_close(&stage);
}

static void test_times_after_restart(void)
{
    play_a_day();
    stage_play(&stage, 7);
    int64_t phase = (stage_view(&stage, "b/hard")->due_ms + stage.now.wall_ms - stage.now.mono_ms) % 60000;
    take_snapshot();
    stage_restart(&stage);
    schedule_restore_snapshot(stage.schedule, snapshot.data, snapshot.length);
    stage_move(&stage, stage.now.mono_ms + 1000);
    stage_configure(&stage);
    int64_t due_ms = stage_view(&stage, "b/hard")->due_ms;
    int64_t difference = llabs((due_ms + stage.now.wall_ms - stage.now.mono_ms) % 60000 - phase);
    tap_ok(due_ms > stage.now.mono_ms && difference <= SCHEDULE_TICK_MS, "the phase is as before the restart");
    tap_ok(stage_view(&stage, "a/soft")->due_ms <= stage.now.mono_ms + 20000,
           "a soft problem waits for its retry only");

    stage_restart(&stage);
    schedule_restore_snapshot(stage.schedule, snapshot.data, snapshot.length);
    stage_move(&stage, stage.now.mono_ms + 3600000);
    stage_configure(&stage);
    memset(stage.starts, 0, sizeof stage.starts);
    int64_t begin_ms = stage.now.mono_ms;
    stage.outcomes[3] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 20);
    tap_ok(stage.starts[3] == 1 && stage_view(&stage, "b/broken")->breaker->state == BREAKER_CLOSED,
           "a pause that is over: the probe comes at once");
    stage_play(&stage, 5000);
    uint32_t soon = 0;
    for (uint32_t slot = 0; slot < 4; slot++)
        soon += stage.starts[slot] > 0 && stage.started_ms[slot] <= begin_ms + 5020;
    tap_is_int(soon, 4, "after an hour all run within 5 s");
    stage_close(&stage);
}

static void test_changed_while_away(void)
{
    play_a_day();
    take_snapshot();
    stage_restart(&stage);
    schedule_restore_snapshot(stage.schedule, snapshot.data, snapshot.length);
    stage_forget_events(&stage);
    remove_config("b/hard");
    remove_config("b/broken");
    stage_add(&stage, "c/new");
    struct schedule_changes changes = stage_configure(&stage);
    tap_ok(changes.removed == 2 && stage_count(&stage, EVENT_CHECK_REMOVED) == 2 && changes.added == 1 &&
               changes.kept == 2,
           "removed and added while it was down");
    tap_is_int(stage_count(&stage, EVENT_BREAKER_CLOSED), 1, "an open breaker that nobody uses is closed");
    stage_close(&stage);
}

static void test_bad_snapshots(void)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":2,\"checks\":{},\"breakers\":{},\"services\":{}}",
        "{\"version\":1,\"checks\":[],\"breakers\":{},\"services\":{}}",
        "{\"version\":1,\"checks\":{\"../x\":{}},\"breakers\":{},\"services\":{}}",
        "{\"version\":1,\"checks\":{\"a/b\":{\"standing\":{\"state\":\"FINE\"}}},\"breakers\":{},\"services\":{}}",
        "{\"version\":1,\"checks\":{\"a/b\":{}},\"breakers\":{\"x\":{\"state\":\"ajar\"}},\"services\":{}}",
        "{\"version\":1,\"checks\":{\"a/b\":{}},\"breakers\":{},\"services\":{\"a\":7}}",
    };
    stage_open(&stage);
    stage_add(&stage, "a/b");
    int refused = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        refused += schedule_restore_snapshot(stage.schedule, bad[i], strlen(bad[i])) == ERROR_SYNTAX;
    tap_is_int(refused, sizeof bad / sizeof bad[0], "damaged snapshots are refused");
    struct schedule_changes changes = stage_configure(&stage);
    tap_is_int(changes.added, 1, "and leave nothing behind");
    stage_close(&stage);
    play_a_day();
    take_snapshot();
    int whole = 0;
    for (size_t length = 0; length < snapshot.length; length++) {
        struct schedule_ports ports = { &stage, on_emit, on_start };
        struct schedule *s = schedule_open(&ports, 1);
        whole += schedule_restore_snapshot(s, snapshot.data, length) == 0;
        schedule_close(&s);
    }
    tap_is_int(whole, 0, "one that was cut anywhere is refused");
    stage_close(&stage);
}

static void test_strange_events(void)
{
    stage_open(&stage);
    for (enum event_type type = 0; type < EVENT_TYPE_COUNT; type++) {
        struct event event = { .type = type, .wall_ms = 1 };
        schedule_restore_event(stage.schedule, &event);
        event = (struct event){ .type = type, .check = "a/b", .part = "p", .breaker = "x", .service = "nobody" };
        event.name = "ajar";
        event.pause_ms = -5;
        event.failures = UINT32_MAX;
        schedule_restore_event(stage.schedule, &event);
    }
    stage_add(&stage, "a/b");
    stage_configure(&stage);
    stage_play(&stage, 5000);
    tap_is_int(stage_view(&stage, "a/b")->runs, 1, "events without a subject, or of nobody, do no harm");
    stage_close(&stage);
}

static void test_held_over_restart(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->breaker.failures = 1;
    stage_configure(&stage);
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_HELD_OPEN, "me", stage.now);
    uint32_t count = stage.event_count;
    stage_restart(&stage);
    for (uint32_t i = 0; i < count; i++)
        schedule_restore_event(stage.schedule, &stage.events[i]);
    stage_configure(&stage);
    memset(stage.starts, 0, sizeof stage.starts);
    stage_play(&stage, 3600000);
    tap_ok(stage.starts[0] == 0 && stage_view(&stage, "a/x")->breaker->hold == BREAKER_HELD_OPEN,
           "held open it stays held after a restart");
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_AUTO, "me", stage.now);
    stage_play(&stage, 20);
    tap_is_int(stage.starts[0], 1, "until it is let go");
    stage_close(&stage);
}

int main(void)
{
    test_reload_same();
    test_reload_changes();
    test_removed_run();
    test_disable();
    test_disabled_probe();
    test_breaker_reload();
    test_restart(false);
    test_restart(true);
    test_times_after_restart();
    test_changed_while_away();
    test_bad_snapshots();
    test_strange_events();
    test_held_over_restart();
    buf_close(&snapshot);
    return tap_done();
}
