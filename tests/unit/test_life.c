/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_life - every cell of the table of supervision, in words of its own; and back-off and budget with a made-up
 * clock. */
#include "core/keeper/life.h"

#include "tests/tap.h"

/* What changes something. Whatever is not in this list must leave the state as it is. */
static const struct change {
    enum life_state from;
    enum life_event event;
    enum life_state to;
} changes[] = {
    { LIFE_START, LIFE_IS_READY, LIFE_READY },    { LIFE_START, LIFE_LEAVE, LIFE_LEAVING },
    { LIFE_START, LIFE_KILL, LIFE_DYING },        { LIFE_START, LIFE_END, LIFE_DEAD },
    { LIFE_READY, LIFE_WORK, LIFE_BUSY },         { LIFE_READY, LIFE_QUIET, LIFE_SILENT },
    { LIFE_READY, LIFE_LEAVE, LIFE_LEAVING },     { LIFE_READY, LIFE_KILL, LIFE_DYING },
    { LIFE_READY, LIFE_END, LIFE_DEAD },          { LIFE_BUSY, LIFE_REST, LIFE_READY },
    { LIFE_BUSY, LIFE_QUIET, LIFE_SILENT },       { LIFE_BUSY, LIFE_LEAVE, LIFE_LEAVING },
    { LIFE_BUSY, LIFE_KILL, LIFE_DYING },         { LIFE_BUSY, LIFE_END, LIFE_DEAD },
    { LIFE_SILENT, LIFE_HEARD, LIFE_READY },      { LIFE_SILENT, LIFE_LEAVE, LIFE_LEAVING },
    { LIFE_SILENT, LIFE_KILL, LIFE_DYING },       { LIFE_SILENT, LIFE_END, LIFE_DEAD },
    { LIFE_LEAVING, LIFE_KILL, LIFE_DYING },      { LIFE_LEAVING, LIFE_END, LIFE_DEAD },
    { LIFE_DYING, LIFE_REFUSE, LIFE_UNKILLABLE }, { LIFE_DYING, LIFE_END, LIFE_DEAD },
    { LIFE_UNKILLABLE, LIFE_END, LIFE_DEAD },     { LIFE_DEAD, LIFE_PAUSE, LIFE_THROTTLED },
    { LIFE_DEAD, LIFE_AGAIN, LIFE_START },        { LIFE_THROTTLED, LIFE_END, LIFE_DEAD },
    { LIFE_THROTTLED, LIFE_AGAIN, LIFE_START },
};

static enum life_state wanted(enum life_state state, enum life_event event)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        if (changes[i].from == state && changes[i].event == event)
            return changes[i].to;
    return state;
}

static void test_cells(void)
{
    for (int state = 0; state < LIFE_STATE_COUNT; state++)
        for (int event = 0; event < LIFE_EVENT_COUNT; event++) {
            enum life_state next = life_next((enum life_state)state, (enum life_event)event);
            enum life_state want = wanted((enum life_state)state, (enum life_event)event);
            tap_ok(next == want, "%s, event %d: %s", life_name((enum life_state)state), event, life_name(want));
        }
}

/* From every state that there is, death is reached; what is dead does not live again without a start. */
static void test_properties(void)
{
    for (int i = 0; i < LIFE_STATE_COUNT; i++) {
        enum life_state state = (enum life_state)i;
        tap_ok(life_next(life_next(state, LIFE_KILL), LIFE_END) == LIFE_DEAD, "%s: killed and reaped is dead",
               life_name(state));
        tap_ok(!life_serves(state) || life_counts(state), "%s: who takes work fills a place", life_name(state));
    }
    static const bool serves[LIFE_STATE_COUNT] = { [LIFE_READY] = true, [LIFE_BUSY] = true };
    static const bool counts[LIFE_STATE_COUNT] = {
        [LIFE_START] = true, [LIFE_READY] = true, [LIFE_BUSY] = true, [LIFE_SILENT] = true
    };
    for (int i = 0; i < LIFE_STATE_COUNT; i++)
        tap_ok(life_serves((enum life_state)i) == serves[i] && life_counts((enum life_state)i) == counts[i],
               "%s: its part", life_name((enum life_state)i));
    tap_is_text(life_name(LIFE_STATE_COUNT), "unknown", "no such state");
}

static void test_backoff(void)
{
    struct backoff backoff = { .first_ms = 100, .most_ms = 30000 };
    int64_t now_ms = 1000;
    static const int64_t pauses[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        tap_is_int(backoff_more(&backoff, now_ms), pauses[i], "the pause doubles up to its bound");
        tap_is_int(backoff.until_ms, now_ms + pauses[i], "and begins now");
    }
    backoff_clear(&backoff);
    tap_is_int(backoff.until_ms, 0, "one that was of use: no pause");
    tap_is_int(backoff_more(&backoff, now_ms), 100, "and the next begins small");
}

static void test_budget(void)
{
    struct budget budget = { .burst = 5, .every_ms = 200 };
    int64_t now_ms = 50000;
    int taken = 0;
    for (int i = 0; i < 100; i++)
        taken += budget_take(&budget, now_ms);
    tap_is_int(taken, 5, "a burst at once");
    taken = 0;
    for (int i = 0; i < 10000; i++)
        taken += budget_take(&budget, now_ms + i);
    tap_is_int(taken, 49, "then one each 200 ms");
    taken = 0;
    for (int i = 0; i < 100; i++)
        taken += budget_take(&budget, now_ms + 1000000);
    tap_is_int(taken, 5, "a long rest gives no more than a burst");
}

int main(void)
{
    test_cells();
    test_properties();
    test_backoff();
    test_budget();
    return tap_done();
}
