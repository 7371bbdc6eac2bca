/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_schedule - when runs start, what results mean, and what a breaker does to it; one small story each. */
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
    stage_play(&stage, 600000);
    tap_is_int(stage_count(&stage, EVENT_CHECK_STATE), 4, "more of the same is not said");
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

/* ---- breakers ---------------------------------------------------------------------------------------------------- */

static struct check_config *add_shared(const char *id, const char *breaker)
{
    struct check_config *c = stage_add(&stage, id);
    c->breaker.name = breaker;
    c->breaker.failures = 3;
    c->breaker_shared = true;
    c->every_ms = 20000;
    return c;
}

static const struct outcome down = { .state = BELFRY_CRITICAL, .unreached = true, .text = "refused" };

static void test_own_breaker(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->breaker.failures = 3;
    c->every_ms = 10000;
    c->retry_every_ms = 10000;
    stage_configure(&stage);
    stage_play(&stage, 10000);
    stage.outcomes[0] = down;
    stage_play(&stage, 40000);
    const struct event *e = stage_last(&stage, EVENT_BREAKER_OPEN);
    tap_ok(stage_count(&stage, EVENT_BREAKER_OPEN) == 1 && e->failures == 3 && e->pause_ms == 30000 &&
               strcmp(e->text, "a/x: refused") == 0 && strcmp(e->breaker, "a/x") == 0,
           "three failures open it");
    const struct check_view *view = stage_view(&stage, "a/x");
    uint32_t starts = stage.starts[0];
    int64_t until_ms = view->breaker->until_ms;
    stage_play(&stage, until_ms - stage.now.mono_ms - 1);
    tap_ok(stage.starts[0] == starts && view->skipped >= 2 && view->skipped <= 3, "no run while it is open: skipped");
    tap_is_int(view->standing.hard_state, BELFRY_CRITICAL, "the outage stays visible");
    stage.outcomes[0].after_ms = 500;
    stage_play(&stage, 20);
    tap_ok(stage.starts[0] == starts + 1 && stage_count(&stage, EVENT_BREAKER_HALF_OPEN) == 1, "then a probe");
    stage_play(&stage, 600);
    tap_ok(view->breaker->state == BREAKER_OPEN && view->breaker->pause_ms == 60000, "which fails: the pause doubles");
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 66000);
    e = stage_last(&stage, EVENT_BREAKER_CLOSED);
    tap_ok(stage_count(&stage, EVENT_BREAKER_CLOSED) == 1 && strcmp(e->text, "a/x: OK") == 0 &&
               view->breaker->state == BREAKER_CLOSED && view->standing.hard_state == BELFRY_OK,
           "the next one succeeds: recovered within the pause");
    stage_close(&stage);
}

static void test_cap(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->breaker.failures = 3;
    stage_configure(&stage);
    stage.outcomes[0] = down;
    stage_play(&stage, 24 * 3600000);
    tap_is_int(stage_view(&stage, "a/x")->breaker->pause_ms, 300000, "after a day the pause is at its cap");
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 300000 + SCHEDULE_TICK_MS);
    tap_is_int(stage_view(&stage, "a/x")->standing.hard_state, BELFRY_OK, "and recovery is seen within it");
    stage_close(&stage);
}

static void open_shared(void)
{
    static const char *const ids[] = { "z/a", "z/b", "z/c", "z/d", "z/e" };
    stage_open(&stage);
    for (int i = 0; i < 5; i++)
        add_shared(ids[i], "api");
    stage_configure(&stage);
    stage_play(&stage, 25000);
    for (int i = 0; i < 5; i++)
        stage.outcomes[i] = down;
    stage_play(&stage, 20000);
}

static void test_shared_breaker(void)
{
    open_shared();
    const struct breaker *b = stage_view(&stage, "z/a")->breaker;
    tap_ok(stage_count(&stage, EVENT_BREAKER_OPEN) == 1 && b->state == BREAKER_OPEN, "failures of all add up");
    const char *name = NULL;
    tap_ok(schedule_breaker(stage.schedule, 0, &name) == b && strcmp(name, "api") == 0 &&
               !schedule_breaker(stage.schedule, 1, NULL),
           "it is one breaker");
    uint32_t probed = 0;
    for (int probe = 0; probe < 5; probe++) {
        memset(stage.starts, 0, sizeof stage.starts);
        stage_play(&stage, b->until_ms - stage.now.mono_ms + 10);
        uint32_t starts = 0;
        for (uint32_t slot = 0; slot < 5; slot++) {
            starts += stage.starts[slot];
            probed |= stage.starts[slot] ? 1u << slot : 0;
        }
        tap_is_int(starts, 1, "one probe a pause");
    }
    tap_is_int(probed, 31, "each check has its turn");

    for (int i = 0; i < 5; i++)
        stage.outcomes[i] = (struct outcome){ .state = BELFRY_OK };
    memset(stage.starts, 0, sizeof stage.starts);
    stage_play(&stage, b->until_ms - stage.now.mono_ms + 5010);
    uint32_t recovered = 0;
    for (uint32_t slot = 0; slot < 5; slot++)
        recovered += stage.starts[slot] >= 1 && schedule_view(stage.schedule, slot)->standing.state == BELFRY_OK;
    tap_is_int(recovered, 5, "after the recovery all run within 5 s");
    tap_is_int(stage_count(&stage, EVENT_BREAKER_CLOSED), 1, "closed once");
    stage_close(&stage);
}

static void test_lost_probe(void)
{
    open_shared();
    const struct breaker *b = stage_view(&stage, "z/a")->breaker;
    for (int i = 0; i < 5; i++)
        stage.outcomes[i].silent = true;
    stage_play(&stage, b->until_ms - stage.now.mono_ms + 10);
    tap_ok(b->state == BREAKER_HALF_OPEN && b->probing, "a probe is under way");
    stage_play(&stage, 120000);
    uint32_t prober = stage_next_end(&stage), running = 0;
    for (uint32_t slot = 0; slot < 5; slot++)
        running += stage.runs[slot] != 0;
    tap_is_int(running, 1, "and stays the only one");
    uint64_t run = stage.runs[prober];
    stage.runs[prober] = 0;
    schedule_lost(stage.schedule, run, stage.now);
    tap_ok(b->state == BREAKER_HALF_OPEN && !b->probing, "lost, it gives its place back");
    stage_play(&stage, 20);
    tap_ok(b->probing && stage_next_end(&stage) < 5, "and another probes at once");
    stage_close(&stage);
}

static void test_stragglers(void)
{
    open_shared();
    const struct breaker *b = stage_view(&stage, "z/a")->breaker;
    for (int i = 0; i < 5; i++)
        stage.outcomes[i].silent = true;
    schedule_run_now(stage.schedule, 0, stage.now);
    schedule_run_now(stage.schedule, 1, stage.now);
    stage_play(&stage, b->until_ms - stage.now.mono_ms + 10);
    tap_ok(b->state == BREAKER_HALF_OPEN && !stage.runs[2] + !stage.runs[3] + !stage.runs[4] == 2,
           "one of the rest probes");
    stage_answer(&stage, 0, stage.runs[0]);
    tap_is_int(b->state, BREAKER_HALF_OPEN, "the failure of another run means nothing now");
    stage.outcomes[1] = (struct outcome){ .state = BELFRY_OK };
    stage_answer(&stage, 1, stage.runs[1]);
    tap_is_int(b->state, BREAKER_CLOSED, "its success does");
    stage_close(&stage);
}

static void test_manual_probe(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->breaker.failures = 1;
    c->every_ms = 6 * 3600000;
    stage_configure(&stage);
    stage.outcomes[0] = down;
    stage_play(&stage, 5000);
    const struct breaker *b = stage_view(&stage, "a/x")->breaker;
    stage.outcomes[0].silent = true;
    schedule_run_now(stage.schedule, 0, stage.now);
    stage_play(&stage, 40000);
    tap_ok(b->state == BREAKER_HALF_OPEN && !b->probing, "half-open while its only check runs by hand");
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL, .unreached = true };
    stage_answer(&stage, 0, stage.runs[0]);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 20);
    tap_is_int(b->state, BREAKER_CLOSED, "when that fails, the probe follows at once");
    stage_close(&stage);
}

static void test_breaker_hardens(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->attempts = 10;
    c->breaker.failures = 3;
    stage_configure(&stage);
    stage.outcomes[0] = down;
    stage_play(&stage, 50000);
    const struct event *e = stage_last(&stage, EVENT_CHECK_STATE);
    tap_ok(stage_view(&stage, "a/x")->breaker->state == BREAKER_OPEN && e->hard && e->attempt == 3 &&
               e->from == BELFRY_CRITICAL && e->to == BELFRY_CRITICAL,
           "a breaker that opens confirms the problem");
    tap_is_int(schedule_service_state(stage.schedule, "a"), BELFRY_CRITICAL, "the service knows");
    stage_close(&stage);
}

static void test_what_fails(void)
{
    static const struct outcome outcomes[] = {
        { .state = BELFRY_UNKNOWN, .end = RESULT_CRASHED },
        { .state = BELFRY_UNKNOWN, .end = RESULT_STUCK },
        { .state = BELFRY_CRITICAL, .end = RESULT_TIMEOUT },
    };
    stage_open(&stage);
    stage_add(&stage, "a/x")->breaker.failures = 3;
    stage_configure(&stage);
    for (int i = 0; i < 3; i++) {
        stage.outcomes[0] = outcomes[i];
        schedule_run_now(stage.schedule, 0, stage.now);
        stage_play(&stage, 0);
    }
    tap_is_int(stage_view(&stage, "a/x")->breaker->state, BREAKER_OPEN,
               "crashed, stuck and timed out runs reach nothing");
    stage_close(&stage);

    stage_open(&stage);
    stage_add(&stage, "a/x")->breaker.failures = 3;
    stage_configure(&stage);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_CRITICAL };
    stage_play(&stage, 3600000);
    tap_is_int(stage_view(&stage, "a/x")->breaker->failures, 0, "a bad answer is an answer");
    stage_close(&stage);
}

static void test_hold(void)
{
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->breaker.failures = 3;
    stage_configure(&stage);
    stage_play(&stage, 10000);
    tap_is_int(schedule_breaker_hold(stage.schedule, "nope", BREAKER_HELD_OPEN, "me", stage.now), ERROR_UNKNOWN_NAME,
               "an unknown breaker");
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_HELD_OPEN, "me", stage.now);
    const struct event *e = stage_last(&stage, EVENT_BREAKER_HELD);
    tap_ok(strcmp(e->name, "open") == 0 && strcmp(e->by, "me") == 0 && stage_count(&stage, EVENT_BREAKER_OPEN) == 1,
           "held open");
    uint32_t starts = stage.starts[0];
    stage_play(&stage, 3600000);
    tap_is_int(stage.starts[0], starts, "nothing runs");
    tap_is_int((int64_t)schedule_run_now(stage.schedule, 0, stage.now), 0, "not even by hand");
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_AUTO, "me", stage.now);
    stage_play(&stage, 20);
    tap_ok(stage.starts[0] == starts + 1 && stage_view(&stage, "a/x")->breaker->state == BREAKER_CLOSED,
           "let go, it probes at once");
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_HELD_CLOSED, "me", stage.now);
    stage.outcomes[0] = down;
    stage_play(&stage, 3600000);
    tap_ok(stage_view(&stage, "a/x")->breaker->state == BREAKER_CLOSED && stage.starts[0] > starts + 55,
           "held closed everything runs, whatever fails");
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
    test_own_breaker();
    test_cap();
    test_shared_breaker();
    test_lost_probe();
    test_stragglers();
    test_manual_probe();
    test_breaker_hardens();
    test_what_fails();
    test_hold();
    return tap_done();
}
