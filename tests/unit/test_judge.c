/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_judge - standings step by step, and flapping against percentages computed by hand. */
#include "core/schedule/judge.h"

#include "tests/tap.h"

#define OK BELFRY_OK
#define WARN BELFRY_WARNING
#define CRIT BELFRY_CRITICAL
#define UNKN BELFRY_UNKNOWN

/* One result, and what must stand afterwards. */
struct step {
    enum belfry_state state, hard_state;
    bool hard;
    uint32_t attempt;
    bool state_changed, hard_changed;
};

static void run_steps(const char *name, uint32_t attempts, const struct step *steps, size_t count)
{
    struct standing standing = standing_unknown();
    for (size_t i = 0; i < count; i++) {
        const struct step *want = &steps[i];
        enum belfry_state before = standing.state;
        struct standing_change change = standing_step(&standing, want->state, attempts, 1000 + (int64_t)i);
        tap_ok(standing.known && standing.state == want->state && standing.hard_state == want->hard_state &&
                   standing.hard == want->hard && standing.attempt == want->attempt &&
                   change.state_changed == want->state_changed && change.hard_changed == want->hard_changed &&
                   change.from == before,
               "%s: result %zu (got hard %d, hard state %d, attempt %u, changed %d %d)", name, i, standing.hard,
               standing.hard_state, standing.attempt, change.state_changed, change.hard_changed);
    }
}
#define RUN_STEPS(name, attempts, ...)                                                                                 \
    do {                                                                                                               \
        static const struct step steps[] = { __VA_ARGS__ };                                                            \
        run_steps(name, attempts, steps, sizeof steps / sizeof steps[0]);                                              \
    } while (0)

/* clang-format off */
static void test_standing(void)
{
    RUN_STEPS("soft, then hard", 3,
        { OK, OK, true, 1, true, true }, { OK, OK, true, 1, false, false },
        { CRIT, OK, false, 1, true, false }, { CRIT, OK, false, 2, true, false },
        { CRIT, CRIT, true, 3, true, true }, { CRIT, CRIT, true, 3, false, false },
        { OK, OK, true, 1, true, true });
    RUN_STEPS("soft recovery", 3,
        { OK, OK, true, 1, true, true }, { WARN, OK, false, 1, true, false },
        { OK, OK, true, 1, true, false }, { WARN, OK, false, 1, true, false });
    RUN_STEPS("a change between problems counts on", 3,
        { OK, OK, true, 1, true, true }, { WARN, OK, false, 1, true, false }, { CRIT, OK, false, 2, true, false },
        { UNKN, UNKN, true, 3, true, true }, { CRIT, CRIT, true, 3, true, true },
        { OK, OK, true, 1, true, true });
    RUN_STEPS("one attempt is hard at once", 1,
        { CRIT, CRIT, true, 1, true, true }, { WARN, WARN, true, 1, true, true }, { OK, OK, true, 1, true, true });
    RUN_STEPS("a problem from the start", 2,
        { CRIT, UNKN, false, 1, true, false }, { CRIT, CRIT, true, 2, true, true });
    RUN_STEPS("recovered before anything was confirmed", 2,
        { CRIT, UNKN, false, 1, true, false }, { OK, OK, true, 1, true, true });
    RUN_STEPS("UNKNOWN as the first result", 1, { UNKN, UNKN, true, 1, true, true });
}
/* clang-format on */

static void test_times(void)
{
    struct standing standing = standing_unknown();
    standing_step(&standing, OK, 2, 100);
    standing_step(&standing, CRIT, 2, 200);
    standing_step(&standing, CRIT, 2, 300);
    tap_ok(standing.since_wall_ms == 200 && standing.hard_since_wall_ms == 300, "since when it is bad, and confirmed");
    standing_step(&standing, CRIT, 2, 400);
    tap_ok(standing.since_wall_ms == 200 && standing.hard_since_wall_ms == 300, "more of the same changes neither");
}

static void test_attempts_changed(void)
{
    struct standing standing = standing_unknown();
    standing_step(&standing, CRIT, 2, 100);
    standing_step(&standing, CRIT, 2, 200);
    struct standing_change change = standing_step(&standing, CRIT, 5, 300);
    tap_ok(standing.hard && !change.state_changed, "raised attempts leave a confirmed problem confirmed");
    standing = standing_unknown();
    standing_step(&standing, CRIT, 9, 100);
    change = standing_step(&standing, CRIT, 1, 200);
    tap_ok(standing.hard && change.hard_changed, "lowered attempts confirm with the next result");
}

static void test_harden(void)
{
    struct standing standing = standing_unknown();
    tap_ok(!standing_harden(&standing, 50).state_changed && !standing.hard, "nothing to confirm without a result");
    standing_step(&standing, OK, 10, 100);
    tap_ok(!standing_harden(&standing, 150).state_changed, "nor while it is OK");
    standing_step(&standing, WARN, 10, 200);
    struct standing_change change = standing_harden(&standing, 250);
    tap_ok(change.state_changed && change.hard_changed && change.from == WARN, "a soft problem is confirmed");
    tap_ok(standing.hard && standing.hard_state == WARN && standing.attempt == 1 && standing.since_wall_ms == 200 &&
               standing.hard_since_wall_ms == 250,
           "and nothing else is touched");
    tap_ok(!standing_harden(&standing, 300).state_changed, "once");
}

/* changes: which of the last 20 transitions were changes, newest lowest. percent by hand: a change that is n
 * transitions old weighs 1.25 - n / 38, the sum is multiplied by 100 / 20. */
static const struct {
    uint32_t changes;
    double percent;
    const char *what;
} flaps[] = {
    { 0, 0, "no change" },
    { 0xFFFFF, 100, "a change each time" },
    { 1, 6.25, "the newest only" },
    { 1u << 19, 3.75, "the oldest only" },
    { 1u << 19 | 1, 10, "both ends" },
    { 0x3, 470.0 / 38, "the two newest: 5 * (1.25 + 1.25 - 1/38)" },
    { 0x55555, 50.657894736842103, "every other one: 5 * (12.5 - 90/38)" },
    /* the example of Nagios' manual: changes at t3 t4 t5 t9 t12 t16 t19 of t1 .. t20 */
    { 1u << 17 | 1u << 16 | 1u << 15 | 1u << 11 | 1u << 8 | 1u << 4 | 1u << 1, 34.276315789473684,
      "seven of twenty: 5 * (7 * 0.75 + 61/38)" },
};

static void test_percent(void)
{
    for (size_t i = 0; i < sizeof flaps / sizeof flaps[0]; i++) {
        struct flapping flapping = { .changes = flaps[i].changes, .count = FLAP_RESULTS };
        tap_is_near(flapping_percent(&flapping), flaps[i].percent, flaps[i].what);
    }
}

static void test_flapping(void)
{
    struct flapping_config rules = { .enabled = true, .low = 5, .high = 20 };
    struct flapping flapping = { 0 };
    int started = 0;
    for (int i = 0; i < FLAP_RESULTS - 1; i++)
        started += flapping_step(&flapping, i % 2 ? CRIT : OK, &rules);
    tap_is_int(started, 0, "it can't flap before 21 results were seen");
    tap_ok(flapping_step(&flapping, OK, &rules) && flapping.flapping, "the 21st starts it");
    tap_is_near(flapping_percent(&flapping), 100, "at 100 percent");

    int steady = 0;
    bool stopped = false;
    while (!stopped && steady < 100) {
        stopped = flapping_step(&flapping, OK, &rules);
        steady++;
    }
    /* after 19 steady results one change is left, the oldest: 3.75 % < 5 %; after 18 two: 5 * (0.75 + 0.776) = 7.63 %
     */
    tap_ok(stopped && !flapping.flapping && steady == 19, "it stops below the low limit (after %d results)", steady);
}

static void test_limits(void)
{
    struct flapping_config at = { .enabled = true, .low = 3.75, .high = 6.25 };
    struct flapping flapping = { .count = FLAP_RESULTS, .last = OK };
    tap_ok(flapping_step(&flapping, CRIT, &at), "the high limit itself starts it");
    for (int i = 0; i < 19; i++)
        flapping_step(&flapping, CRIT, &at);
    tap_ok(flapping.flapping, "the low limit itself does not stop it");
    tap_ok(flapping_step(&flapping, CRIT, &at) && !flapping.flapping, "below it does");

    struct flapping_config off = { .enabled = false, .low = 5, .high = 20 };
    flapping = (struct flapping){ .changes = 0xFFFFF, .count = FLAP_RESULTS, .flapping = true };
    tap_ok(flapping_step(&flapping, CRIT, &off) && !flapping.flapping, "switched off it stops");
    tap_ok(!flapping_step(&flapping, OK, &off), "and does not start");
    struct flapping_config zero = { .enabled = true, .low = 0, .high = 0 };
    flapping = (struct flapping){ .count = FLAP_RESULTS, .last = OK };
    tap_ok(!flapping_step(&flapping, OK, &zero), "a check that never changed does not flap even at limits of 0");
}

static void test_what_counts(void)
{
    struct standing standing = standing_unknown();
    standing_step(&standing, OK, 2, 1);
    tap_ok(flapping_counts(&standing), "OK counts");
    standing_step(&standing, CRIT, 2, 2);
    tap_ok(!flapping_counts(&standing), "a soft problem does not");
    standing_step(&standing, CRIT, 2, 3);
    tap_ok(flapping_counts(&standing), "a hard one does");
}

int main(void)
{
    test_standing();
    test_times();
    test_attempts_changed();
    test_harden();
    test_percent();
    test_flapping();
    test_limits();
    test_what_counts();
    return tap_done();
}
