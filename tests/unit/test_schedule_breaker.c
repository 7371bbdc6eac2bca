/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_schedule_breaker - what circuit breakers do to the runs and states of the checks behind them. */
#include "tests/unit/stage.h"

static struct stage stage;

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

/* The plugin can't be had, or it broke the rules: no word about the target. */
static void test_no_news(void)
{
    static const struct outcome no_news = { .end = RESULT_MISUSE, .state = BELFRY_UNKNOWN, .text = "no plugin" };
    stage_open(&stage);
    struct check_config *c = stage_add(&stage, "a/x");
    c->breaker.failures = 3;
    c->every_ms = c->retry_every_ms = 10000;
    c->retry.attempts = 3;
    stage_configure(&stage);
    stage.outcomes[0] = no_news;
    stage_play(&stage, 120000);
    const struct check_view *view = stage_view(&stage, "a/x");
    tap_ok(view->breaker->state == BREAKER_CLOSED && view->breaker->failures == 0 && view->runs == stage.starts[0] &&
               view->standing.hard_state == BELFRY_UNKNOWN,
           "closed: no failure, no other try, but the check is UNKNOWN");
    stage.outcomes[0] = down;
    stage_play(&stage, 15000);
    stage.outcomes[0] = no_news;
    uint32_t failures = view->breaker->failures;
    stage_play(&stage, 20000);
    tap_ok(failures > 0 && view->breaker->failures == failures, "nor does it forget failures");
    stage.outcomes[0] = down;
    while (view->breaker->state == BREAKER_CLOSED)
        stage_play(&stage, 1000);
    stage.outcomes[0] = no_news;
    uint32_t starts = stage.starts[0], pause_ms = view->breaker->pause_ms;
    stage_play(&stage, 60000);
    tap_ok(view->breaker->state == BREAKER_OPEN && stage_count(&stage, EVENT_BREAKER_CLOSED) == 0,
           "half-open: a probe without news does not close it");
    tap_ok(view->breaker->pause_ms == pause_ms && stage.starts[0] >= starts + 1 && stage.starts[0] <= starts + 2,
           "it is asked again after the same pause: %u probes in two", stage.starts[0] - starts);
    stage.outcomes[0] = (struct outcome){ .state = BELFRY_OK };
    stage_play(&stage, 35000);
    tap_ok(view->breaker->state == BREAKER_CLOSED, "and closes when the target is reached");
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

/* A probe has tries like any run; lost in its second, it begins anew as the only probe. */
static void test_lost_try_of_probe(void)
{
    open_shared();
    const struct breaker *b = stage_view(&stage, "z/a")->breaker;
    for (int i = 0; i < 5; i++) {
        stage.checks[i].retry = (struct retry){ .attempts = 3, .backoff_ms = { 1000 }, .backoff_count = 1 };
        stage.outcomes[i].after_ms = 10000;
    }
    stage_play(&stage, b->until_ms - stage.now.mono_ms + 15000);
    uint32_t prober = stage_next_end(&stage);
    tap_ok(b->probing && prober < 5 && schedule_view(stage.schedule, prober)->tries == 1, "the probe's second try");
    uint64_t run = stage.runs[prober];
    stage.runs[prober] = 0;
    schedule_lost(stage.schedule, run, stage.now);
    stage_play(&stage, 5000);
    uint32_t running = 0;
    for (uint32_t slot = 0; slot < 5; slot++)
        running += stage.runs[slot] != 0;
    tap_ok(running == 1 && b->probing, "one probe, not two");
    stage_close(&stage);
}

static void test_no_tries_when_open(void)
{
    open_shared();
    stage.checks[0].retry.attempts = 3;
    stage.outcomes[0].silent = true;
    uint64_t run = schedule_run_now(stage.schedule, 0, stage.now);
    tap_ok(stage_answer(&stage, 0, run), "behind an open breaker a failure is not tried again");
    stage_close(&stage);
}

static void test_hold_stops_tries(void)
{
    stage_open(&stage);
    stage_add(&stage, "a/x")->retry = (struct retry){ .attempts = 3, .backoff_ms = { 4000 }, .backoff_count = 1 };
    stage_configure(&stage);
    stage.outcomes[0] = down;
    stage_play(&stage, stage_view(&stage, "a/x")->due_ms - stage.now.mono_ms);
    tap_is_int(stage_view(&stage, "a/x")->tries, 1, "about to try again");
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_HELD_OPEN, "me", stage.now);
    stage_play(&stage, 20000);
    tap_ok(stage.starts[0] == 1 && stage_view(&stage, "a/x")->tries == 0, "a breaker held open stops that");
    stage_close(&stage);
}

static void test_shared_breaker_hardens(void)
{
    static const char *const ids[] = { "z/a", "z/b", "z/c" };
    stage_open(&stage);
    for (int i = 0; i < 3; i++) {
        struct check_config *c = add_shared(ids[i], "api");
        c->attempts = 10;
        c->breaker.failures = 2;
    }
    stage_configure(&stage);
    for (int i = 0; i < 3; i++)
        stage.outcomes[i] = down;
    stage.outcomes[2].silent = true;
    schedule_run_now(stage.schedule, 2, stage.now);
    schedule_run_now(stage.schedule, 0, stage.now);
    stage_answer(&stage, 0, stage.runs[0]);
    tap_ok(!stage_view(&stage, "z/a")->standing.hard, "one failed, soft");
    schedule_run_now(stage.schedule, 1, stage.now);
    stage_answer(&stage, 1, stage.runs[1]);
    tap_ok(stage_view(&stage, "z/a")->standing.hard && stage_view(&stage, "z/b")->standing.hard,
           "the second opens the breaker, which confirms both");
    stage_answer(&stage, 2, stage.runs[2]);
    tap_ok(stage_view(&stage, "z/c")->standing.hard, "a failure that comes later is hard at once");
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
    schedule_breaker_hold(stage.schedule, "a/x", BREAKER_HELD_OPEN, "me", stage.now);
    tap_is_int(stage_count(&stage, EVENT_BREAKER_HELD), 1, "asked for twice it is said once");
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
    test_own_breaker();
    test_cap();
    test_no_news();
    test_shared_breaker();
    test_lost_probe();
    test_lost_try_of_probe();
    test_no_tries_when_open();
    test_hold_stops_tries();
    test_shared_breaker_hardens();
    test_stragglers();
    test_manual_probe();
    test_breaker_hardens();
    test_what_fails();
    test_hold();
    return tap_done();
}
