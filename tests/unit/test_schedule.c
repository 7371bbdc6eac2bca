/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_schedule - when runs start and what results mean; one small story each. */
#include "core/base/text.h"
#include "tests/unit/stage.h"

static struct stage stage;

static bool is_on_grid(const struct check_config *config, int64_t due_ms)
{
    int64_t wall_ms = due_ms + stage.now.wall_ms - stage.now.mono_ms;
    int64_t past = (wall_ms - (int64_t)(text_hash(config->id) % config->every_ms)) % config->every_ms;
    return past >= 0 && past < SCHEDULE_TICK_MS;
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

static void test_first_runs(void)
{
    static char ids[100][16];
    stage_open(&stage);
    for (int i = 0; i < 100; i++) {
        snprintf(ids[i], sizeof ids[i], "s/c%d", i);
        stage_add(&stage, ids[i]);
    }
    struct schedule_changes changes = stage_configure(&stage);
    tap_ok(changes.added == 100 && !changes.kept && stage_count(&stage, EVENT_CHECK_ADDED) == 100, "all are added");
    stage_play(&stage, 5000);
    int started = 0, early = 0, unrounded = 0;
    for (uint32_t slot = 0; slot < 100; slot++) {
        started += stage.starts[slot] >= 1;
        early += stage.started_ms[slot] < STAGE_MONO + 2500; /* the last start: few have met their grid already */
        unrounded += stage.started_ms[slot] % SCHEDULE_TICK_MS != 0;
    }
    tap_is_int(started, 100, "each ran within 5 s");
    tap_ok(early > 25 && early < 75, "spread (%d in the first half)", early);
    tap_is_int(unrounded, 0, "on ticks of 10 ms");
    int off = 0;
    for (uint32_t slot = 0; slot < 100; slot++)
        off += !is_on_grid(&stage.checks[slot], schedule_view(stage.schedule, slot)->due_ms);
    tap_is_int(off, 0, "the next run is on the grid of the wall clock");
    stage_play(&stage, 600000);
    off = 0;
    for (uint32_t slot = 0; slot < 100; slot++)
        off += stage.starts[slot] < 11 || stage.starts[slot] > 12;
    tap_is_int(off, 0, "and so on, once a minute");
    tap_is_int(stage.double_starts, 0, "never twice at once");
    stage_close(&stage);
}

static void test_late(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage_play(&stage, 10000);
    int64_t due_ms = stage_view(&stage, "a/x")->due_ms;
    stage_move(&stage, due_ms + 59000);
    schedule_tick(stage.schedule, stage.now);
    tap_ok(stage.starts[0] == 2 && stage_view(&stage, "a/x")->missed == 0,
           "late by less than an interval: run at once");
    stage_play(&stage, 0);
    tap_is_int(stage_view(&stage, "a/x")->due_ms, due_ms + 60000, "and back to the grid");

    due_ms = stage_view(&stage, "a/x")->due_ms;
    stage_move(&stage, due_ms + 210000);
    schedule_tick(stage.schedule, stage.now);
    tap_ok(stage_view(&stage, "a/x")->missed == 3, "late by 3.5 intervals: 3 missed");
    stage_play(&stage, 5000);
    tap_is_int(stage.starts[0], 3, "one run catches up within 5 s");
    stage_play(&stage, 20000);
    tap_is_int(stage.starts[0], 3, "and only one");
    tap_is_int(stage_view(&stage, "a/x")->due_ms, due_ms + 240000, "then the grid goes on");
    stage_close(&stage);
}

static void test_slow_run(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage.outcomes[0].after_ms = 150000;
    stage_play(&stage, 10000);
    int64_t started_ms = stage.started_ms[0];
    stage_play(&stage, 150000);
    const struct check_view *view = stage_view(&stage, "a/x");
    tap_ok(view->missed == 2 || view->missed == 3, "a run of 2.5 intervals misses what it covers");
    tap_ok(stage.starts[0] == 1 && view->due_ms > started_ms + 150000 && view->due_ms <= started_ms + 210000,
           "and the next is on the grid");
    stage_close(&stage);
}

static void test_suspend(void)
{
    static char ids[100][16];
    stage_open(&stage);
    for (int i = 0; i < 100; i++) {
        snprintf(ids[i], sizeof ids[i], "s/c%d", i);
        stage_add(&stage, ids[i]);
    }
    stage_configure(&stage);
    stage_play(&stage, 60000);
    memset(stage.starts, 0, sizeof stage.starts);
    stage_forget_events(&stage);
    stage_move(&stage, stage.now.mono_ms + 8 * 3600000);
    stage_play(&stage, 5000);
    uint32_t once = 0, missed = 0;
    for (uint32_t slot = 0; slot < 100; slot++) {
        once += stage.starts[slot] == 1 || stage.starts[slot] == 2; /* a grid point may follow within the 5 s */
        uint64_t count = schedule_view(stage.schedule, slot)->missed;
        missed += count >= 478 && count <= 480;
    }
    tap_is_int(once, 100, "after 8 hours of sleep each check runs once");
    tap_is_int(missed, 100, "and counts about 479 missed");
    tap_is_int(stage_count(&stage, EVENT_MONITOR_BLIND), 1, "the monitor says that it was blind");
    int64_t blind_ms = stage_last(&stage, EVENT_MONITOR_BLIND)->pause_ms;
    tap_ok(blind_ms > 8 * 3600000 - 60000 && blind_ms <= 8 * 3600000, "for 8 hours");
    tap_is_int(stage_count(&stage, EVENT_CLOCK_STEPPED), 0, "no clock was set");
    stage_close(&stage);
}

static void test_clock_step(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage_play(&stage, 10000);
    int64_t due_ms = stage_view(&stage, "a/x")->due_ms;
    stage.now.wall_ms += 1999;
    stage_play(&stage, 1000);
    tap_is_int(stage_count(&stage, EVENT_CLOCK_STEPPED), 0, "less than 2 s is no step");
    stage.now.wall_ms -= 3600000;
    schedule_tick(stage.schedule, stage.now);
    schedule_tick(stage.schedule, stage.now);
    tap_is_int(stage_count(&stage, EVENT_CLOCK_STEPPED), 1, "a clock that was set back is said once");
    tap_ok(stage_last(&stage, EVENT_CLOCK_STEPPED)->pause_ms < -3597000, "with its sign");
    tap_is_int(stage_view(&stage, "a/x")->due_ms, due_ms, "and moves no due time");
    stage_close(&stage);
}

static void test_disabled(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->enabled = false;
    stage_configure(&stage);
    stage_play(&stage, 600000);
    tap_ok(stage.starts[0] == 0 && stage_view(&stage, "a/x")->config, "a disabled check is visible and never runs");
    tap_is_int((int64_t)schedule_run_now(stage.schedule, 0, stage.now), 0, "not even by hand");
    tap_is_int(schedule_next_ms(stage.schedule), INT64_MAX, "nothing to wait for");
    stage_close(&stage);
}

static void test_run_now(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage_play(&stage, 10000);
    int64_t due_ms = stage_view(&stage, "a/x")->due_ms;
    stage.outcomes[0].after_ms = 100;
    uint64_t run = schedule_run_now(stage.schedule, 0, stage.now);
    tap_ok(run != 0 && stage.starts[0] == 2, "an extra run starts at once");
    tap_ok(schedule_run_now(stage.schedule, 0, stage.now) == run && stage.starts[0] == 2, "asked again it is the same");
    stage_play(&stage, 1000);
    tap_is_int(stage_view(&stage, "a/x")->due_ms, due_ms, "the grid is as it was");
    tap_is_int((int64_t)schedule_run_now(stage.schedule, 7, stage.now), 0, "an empty slot has none");
    stage_close(&stage);
}

/* ---- results ----------------------------------------------------------------------------------------------------- */

static void test_soft_hard(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->attempts = 3;
    stage_configure(&stage);
    stage_play(&stage, 10000);
    tap_ok(stage_count(&stage, EVENT_CHECK_STATE) == 1 && stage_last(&stage, EVENT_CHECK_STATE)->hard &&
               stage_last(&stage, EVENT_CHECK_STATE)->from == BELFRY_UNKNOWN,
           "the first result is said");
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_OK, "the service is OK");

    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL, .text = "bad" };
    stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    int64_t first_ms = stage.now.mono_ms;
    tap_is_int(stage_view(&stage, "a/x")->due_ms, first_ms + 20000, "a soft problem is looked at again after 20 s");
    stage_play(&stage, 20000);
    tap_ok(stage_last(&stage, EVENT_CHECK_STATE)->attempt == 2 && !stage_last(&stage, EVENT_CHECK_STATE)->hard,
           "each attempt is said");
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_OK, "the service does not know of soft problems");
    stage_play(&stage, 20000);
    const struct event *e = stage_last(&stage, EVENT_CHECK_STATE);
    tap_ok(e->hard && e->attempt == 3 && e->attempts == 3 && e->to == BELFRY_CRITICAL && strcmp(e->text, "bad") == 0,
           "the third is hard");
    e = stage_last(&stage, EVENT_SERVICE_STATE);
    tap_ok(e->from == BELFRY_OK && e->to == BELFRY_CRITICAL && strcmp(e->service, "a") == 0, "the service follows");
    tap_ok(is_on_grid(&stage.checks[0], stage_view(&stage, "a/x")->due_ms), "and it is back on the grid");
    int64_t last_ok_ms = stage_view(&stage, "a/x")->last_ok_wall_ms;
    stage_play(&stage, 600000);
    tap_is_int(stage_count(&stage, EVENT_CHECK_STATE), 4, "more of the same is not said");
    tap_ok(last_ok_ms > STAGE_WALL && stage_view(&stage, "a/x")->last_ok_wall_ms == last_ok_ms &&
               stage_view(&stage, "a/x")->last_run_wall_ms > last_ok_ms,
           "when it ran last, and when it was OK last");
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 60000);
    tap_ok(stage_count(&stage, EVENT_CHECK_STATE) == 5 && stage_last(&stage, EVENT_CHECK_STATE)->hard, "recovery is");
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_OK, "for the service too");
    stage_close(&stage);
}

static void test_soft_recovery(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage_play(&stage, 10000);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_WARNING };
    stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 20000);
    const struct event *e = stage_last(&stage, EVENT_CHECK_STATE);
    tap_ok(e->to == BELFRY_OK && e->from == BELFRY_WARNING && !e->hard, "a soft recovery is soft");
    tap_is_int(stage_count(&stage, EVENT_SERVICE_STATE), 1, "the service heard nothing of it");
    stage_close(&stage);
}

static void test_tries(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->retry = (struct retry){ .attempts = 3, .backoff_ms = { 1000, 4000 }, .backoff_count = 2 };
    stage_configure(&stage);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL, .unreached = true };
    stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    int64_t first_ms = stage.started_ms[0];
    tap_ok(stage_count(&stage, EVENT_CHECK_STATE) == 0 && stage_view(&stage, "a/x")->tries == 1,
           "the first try judges nothing");
    stage_play(&stage, 1000);
    tap_is_int(stage.started_ms[0], first_ms + 1000, "the second comes after 1 s");
    stage_play(&stage, 4000);
    tap_is_int(stage.started_ms[0], first_ms + 5000, "the third 4 s later");
    tap_ok(stage_count(&stage, EVENT_CHECK_STATE) == 1 && stage_view(&stage, "a/x")->runs == 1, "and is judged");
    tap_is_int(stage_view(&stage, "a/x")->tries, 0, "that run is over");

    stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 1000);
    tap_ok(stage_view(&stage, "a/x")->runs == 2 && stage_view(&stage, "a/x")->standing.state == BELFRY_OK,
           "a second try that succeeds is the result");
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL };
    stage_play(&stage, 60000);
    tap_ok(stage_view(&stage, "a/x")->runs >= 3 && stage_view(&stage, "a/x")->tries == 0,
           "what was reached is not tried again");
    stage_close(&stage);
}

static void test_plugin_events(void)
{
    static struct result_event restarted = { "container.restarted", "web", "3 times" };
    stage_open(&stage);
    stage_add(&stage, "a/x")->retry.attempts = 2;
    stage_configure(&stage);
    stage.outcomes[0] = (struct outcome){ .event = &restarted, .silent = true, .unreached = true };
    stage_play(&stage, 5000);
    tap_ok(!stage_answer(&stage, 0, stage.runs[0]), "a first try");
    const struct event *e = stage_last(&stage, EVENT_CHECK_EVENT);
    tap_ok(stage_count(&stage, EVENT_CHECK_EVENT) == 1 && strcmp(e->name, "container.restarted") == 0 &&
               strcmp(e->part, "web") == 0 && strcmp(e->text, "3 times") == 0 && strcmp(e->check, "a/x") == 0,
           "what the plugin tells of is recorded, though it is tried again");
    stage_close(&stage);
}

static void test_lost(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    stage.outcomes[0].silent = true;
    stage_play(&stage, 5000);
    uint64_t run = stage.runs[0];
    tap_ok(!schedule_lost(stage.schedule, run + 1, stage.now) && !schedule_lost(stage.schedule, 0, stage.now),
           "a run that is not in progress can't be lost");
    stage.runs[0] = 0;
    stage.outcomes[0].silent = false;
    tap_ok(schedule_lost(stage.schedule, run, stage.now), "one that is can");
    tap_ok(schedule_next_ms(stage.schedule) <= stage.now.mono_ms + SCHEDULE_TICK_MS, "it starts again at once");
    tap_ok(!stage_answer(&stage, 0, run) && stage_view(&stage, "a/x")->runs == 0, "its late result is dropped");
    stage_play(&stage, 20);
    const struct check_view *view = stage_view(&stage, "a/x");
    tap_ok(stage.starts[0] == 2 && view->runs == 1 && view->missed == 0 && view->skipped == 0, "and counts nothing");
    tap_ok(!stage_answer(&stage, 0, run), "nor does a result count twice");
    stage_close(&stage);
}

static void test_flapping(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->attempts = 1;
    stage_configure(&stage);
    for (int i = 0; i < 40; i++) {
        stage.outcomes[0].state = i % 2 ? BELFRY_CRITICAL : BELFRY_OK;
        stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    }
    const struct event *e = stage_last(&stage, EVENT_CHECK_FLAPPING);
    tap_ok(stage_count(&stage, EVENT_CHECK_FLAPPING) == 1 && e->on && e->percent > 99, "flapping is said once");
    stage.outcomes[0].state = BELFRY_OK;
    stage_play(&stage, 30 * 60000);
    e = stage_last(&stage, EVENT_CHECK_FLAPPING);
    tap_ok(stage_count(&stage, EVENT_CHECK_FLAPPING) == 2 && !e->on && e->percent < 5, "and so is its end");
    stage_close(&stage);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static struct result_part part(const char *name, enum belfry_state state)
{
    return (struct result_part){ name, state, state_name(state) };
}

static void give_parts(struct result_part *parts, uint32_t count)
{
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK, .parts = parts, .part_count = count };
    schedule_run_now(stage.schedule, 0, stage.now);
    stage_play(&stage, 0);
}

static void test_parts(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    struct result_part three[] = { part("one", BELFRY_OK), part("two", BELFRY_OK), part("three", BELFRY_OK) };
    give_parts(three, 3);
    const struct check_view *view = stage_view(&stage, "a/x");
    tap_ok(stage_count(&stage, EVENT_PART_STATE) == 3 && view->part_count == 3, "new parts are said");
    give_parts(three, 3);
    tap_is_int(stage_count(&stage, EVENT_PART_STATE), 3, "known ones are not");

    three[1] = part("two", BELFRY_CRITICAL);
    give_parts(three, 3);
    const struct event *e = stage_last(&stage, EVENT_PART_STATE);
    tap_ok(strcmp(e->part, "two") == 0 && !e->hard && e->attempt == 1 && e->to == BELFRY_CRITICAL, "a part gets soft");
    give_parts(three, 3);
    tap_ok(stage_last(&stage, EVENT_PART_STATE)->hard, "then hard");

    struct result_part turned[] = { part("three", BELFRY_OK), part("two", BELFRY_CRITICAL), part("one", BELFRY_OK) };
    stage_forget_events(&stage);
    give_parts(turned, 3);
    tap_ok(stage_count(&stage, EVENT_PART_STATE) == 0 && strcmp(view->parts[0].name, "three") == 0 &&
               view->parts[1].standing.hard,
           "another order is followed in silence");

    give_parts(turned, 2);
    tap_ok(stage_count(&stage, EVENT_PART_GONE) == 1 && view->part_count == 2 &&
               strcmp(stage_last(&stage, EVENT_PART_GONE)->part, "one") == 0,
           "a part that is not named is gone");
    struct result_part twice[] = { part("two", BELFRY_CRITICAL), part("new", BELFRY_OK), part("new", BELFRY_CRITICAL) };
    give_parts(twice, 3);
    tap_ok(view->part_count == 2 && view->parts[1].standing.state == BELFRY_OK, "named twice it is one part");
    stage_close(&stage);
}

static void test_parts_kept(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x");
    stage_configure(&stage);
    struct result_part two[] = { part("one", BELFRY_OK), part("two", BELFRY_OK) };
    static const struct outcome outcomes[] = {
        { .state = BELFRY_CRITICAL, .unreached = true },
        { .state = BELFRY_UNKNOWN },
        { .state = BELFRY_OK, .truncated = true },
        { .state = BELFRY_UNKNOWN, .end = RESULT_CRASHED },
    };
    give_parts(two, 2);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        stage.outcomes[0] = outcomes[i];
        schedule_run_now(stage.schedule, 0, stage.now);
        stage_play(&stage, 0);
    }
    tap_ok(stage_count(&stage, EVENT_PART_GONE) == 0 && stage_view(&stage, "a/x")->part_count == 2,
           "a result that says little makes no part go");
    give_parts(NULL, 0);
    tap_is_int(stage_count(&stage, EVENT_PART_GONE), 2, "one that says all does");
    stage_close(&stage);
}

int main(void)
{
    test_first_runs();
    test_late();
    test_slow_run();
    test_suspend();
    test_clock_step();
    test_disabled();
    test_run_now();
    test_soft_hard();
    test_soft_recovery();
    test_tries();
    test_plugin_events();
    test_lost();
    test_flapping();
    test_parts();
    test_parts_kept();
    return tap_done();
}
