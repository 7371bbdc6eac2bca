/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_breaker - the reachable states of the real breaker, all of them, for several sets of rules; then its jitter.
 *
 * Times are abstracted: each state is kept as seen at NOW, and a tick comes either before the pause is over or exactly
 * then. The search goes on until no action leads to a state that was not seen; every edge is checked on the way. */
#include "core/schedule/breaker.h"

#include "tests/tap.h"

#define NOW 1000000
#define STATES_MAX 65536

enum action {
    SUCCEED,
    FAIL,
    TICK_EARLY,
    TICK_DUE,
    LOSE,
    LEARN_NOTHING,
    ADMIT,
    HOLD_AUTO,
    HOLD_OPEN,
    HOLD_CLOSED,
    ACTION_COUNT
};

struct search {
    struct breaker_rules rules;
    struct breaker states[STATES_MAX];
    uint32_t count;
    uint32_t table[STATES_MAX * 4]; /* index + 1 by hash of the key */
    bool seen[BREAKER_STATE_COUNT][ACTION_COUNT];
    uint32_t broken; /* edges that break a rule */
    const char *first_broken;
};

static bool is_same(const struct breaker *a, const struct breaker *b)
{
    return a->state == b->state && a->hold == b->hold && a->failures == b->failures && a->pause_ms == b->pause_ms &&
           a->probing == b->probing;
}

static uint32_t hash(const struct breaker *b)
{
    uint64_t key =
        (uint64_t)b->pause_ms << 20 | b->failures << 8 | (uint32_t)b->state << 4 | (uint32_t)b->hold << 1 | b->probing;
    return (uint32_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 40) % (STATES_MAX * 4);
}

static void add_state(struct search *search, struct breaker b, int64_t now_ms)
{
    if (b.state == BREAKER_OPEN && b.until_ms != INT64_MAX)
        b.until_ms += NOW - now_ms;
    uint32_t at = hash(&b);
    for (; search->table[at]; at = (at + 1) % (STATES_MAX * 4)) {
        if (is_same(&search->states[search->table[at] - 1], &b))
            return;
    }
    if (search->count < STATES_MAX)
        search->states[search->count] = b;
    search->table[at] = ++search->count;
}

static int64_t act(struct breaker *b, const struct breaker_rules *rules, enum action action, bool *admitted)
{
    int64_t now_ms = action == TICK_DUE && b->state == BREAKER_OPEN && b->hold == BREAKER_AUTO ? b->until_ms : NOW;
    static const enum breaker_event events[] = { BREAKER_SUCCESS, BREAKER_FAILURE,    BREAKER_TICK,
                                                 BREAKER_TICK,    BREAKER_PROBE_LOST, BREAKER_NO_NEWS };
    if (action <= LEARN_NOTHING)
        breaker_step(b, rules, events[action], now_ms);
    else if (action == ADMIT)
        *admitted = breaker_admit(b);
    else
        breaker_set_hold(b, (enum breaker_hold)(action - HOLD_AUTO), now_ms);
    return now_ms;
}

#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            if (!search->broken++)                                                                                     \
                search->first_broken = #condition;                                                                     \
        }                                                                                                              \
    } while (0)

static void check_opening(struct search *search, const struct breaker *was, enum action action,
                          const struct breaker *is, int64_t now_ms)
{
    const struct breaker_rules *rules = &search->rules;
    uint32_t first = rules->open_ms < rules->open_max_ms ? rules->open_ms : rules->open_max_ms;
    uint32_t twice = was->pause_ms * 2 < rules->open_max_ms ? was->pause_ms * 2 : rules->open_max_ms;
    int64_t left_ms = is->until_ms - now_ms;
    HOLDS(rules->failures > 0);
    uint32_t next = action == LEARN_NOTHING ? was->pause_ms : twice;
    HOLDS(is->pause_ms == (was->pause_ms ? next : first));
    HOLDS(left_ms * 10 >= is->pause_ms * (int64_t)9 && left_ms * 10 <= is->pause_ms * (int64_t)11);
    HOLDS(left_ms <= rules->open_max_ms);
    HOLDS(was->state == BREAKER_HALF_OPEN || is->failures >= rules->failures);
}

static void check_edge(struct search *search, const struct breaker *was, enum action action, const struct breaker *is,
                       int64_t now_ms)
{
    bool by_hand = action >= HOLD_AUTO;
    HOLDS(is->failures <= BREAKER_FAILURES_MAX && is->failures <= was->failures + 1);
    HOLDS(!is->probing || is->state == BREAKER_HALF_OPEN);
    HOLDS(is->pause_ms <= search->rules.open_max_ms);
    HOLDS(is->hold != BREAKER_HELD_OPEN || is->state == BREAKER_OPEN);
    HOLDS(is->hold != BREAKER_HELD_CLOSED || is->state == BREAKER_CLOSED);
    HOLDS(by_hand || is->hold == was->hold);
    if (is->state == BREAKER_OPEN && was->state != BREAKER_OPEN && !by_hand)
        check_opening(search, was, action, is, now_ms);
    if (was->state == BREAKER_OPEN && was->hold == BREAKER_AUTO && action == TICK_DUE)
        HOLDS(is->state == BREAKER_HALF_OPEN && !is->probing);
    if (was->state == BREAKER_OPEN && is->state == BREAKER_HALF_OPEN)
        HOLDS(action == TICK_DUE || now_ms >= was->until_ms || search->rules.failures == 0);
    if (was->state == BREAKER_OPEN && is->state == BREAKER_CLOSED)
        HOLDS(action == SUCCEED || action == HOLD_CLOSED);
    if (is->state == BREAKER_CLOSED && was->state != BREAKER_CLOSED)
        HOLDS(is->failures == 0 && is->pause_ms == 0);
    if (was->state == BREAKER_HALF_OPEN && action == LOSE)
        HOLDS(is->state == BREAKER_HALF_OPEN && !is->probing);
    if (action == LEARN_NOTHING && was->state != BREAKER_HALF_OPEN)
        HOLDS(is->state == was->state && is->failures == was->failures && is->until_ms == was->until_ms);
    if (action == LEARN_NOTHING && was->state == BREAKER_HALF_OPEN)
        HOLDS(is->state == BREAKER_OPEN && is->failures == was->failures);
    if (was->state == BREAKER_HALF_OPEN && action == SUCCEED)
        HOLDS(is->state == BREAKER_CLOSED);
}

static void check_admission(struct search *search, const struct breaker *was, const struct breaker *is, bool admitted)
{
    static const bool free_way[BREAKER_STATE_COUNT] = { true, false, true };
    HOLDS(admitted == (free_way[was->state] && !was->probing));
    HOLDS(is->state == was->state);
    HOLDS(is->probing == (was->state == BREAKER_HALF_OPEN));
}

static void explore(struct search *search, uint32_t i)
{
    for (enum action action = 0; action < ACTION_COUNT; action++) {
        struct breaker was = search->states[i], is = was;
        bool admitted = false;
        int64_t now_ms = act(&is, &search->rules, action, &admitted);
        search->seen[was.state][action] = true;
        check_edge(search, &was, action, &is, now_ms);
        if (action == ADMIT)
            check_admission(search, &was, &is, admitted);
        add_state(search, is, now_ms);
    }
}

static void test_reachable(struct breaker_rules rules, const char *name)
{
    static struct search search_memory;
    struct search *search = &search_memory;
    memset(search, 0, sizeof *search);
    search->rules = rules;
    add_state(search, (struct breaker){ .random = 1 }, NOW);
    for (uint32_t i = 0; i < search->count && search->count <= STATES_MAX; i++)
        explore(search, i);

    tap_ok(search->count > 1 && search->count <= STATES_MAX, "%s: closure after %u states", name, search->count);
    if (!tap_ok(search->broken == 0, "%s: every edge obeys the rules", name))
        printf("# %u edges break rules, the first: %s\n", search->broken, search->first_broken);
    bool all = true;
    for (int state = 0; state < BREAKER_STATE_COUNT; state++) {
        for (int action = 0; action < ACTION_COUNT; action++)
            all = all && search->seen[state][action];
    }
    tap_ok(all, "%s: every action was tried in every state", name);
}

/* Opens a breaker with many seeds; the range of the pauses, in per mille of want_ms. */
static void test_jitter(uint32_t open_ms, uint32_t max_ms, int least, int most)
{
    struct breaker_rules rules = { 1, open_ms, max_ms };
    int64_t low = INT64_MAX, high = 0;
    for (uint32_t seed = 1; seed <= 2000; seed++) {
        struct breaker b = { .random = seed * 2654435761u };
        breaker_step(&b, &rules, BREAKER_FAILURE, NOW);
        int64_t share = (b.until_ms - NOW) * 1000 / open_ms;
        low = share < low ? share : low;
        high = share > high ? share : high;
    }
    tap_ok(low >= least && low < least + 20, "%u ms of at most %u: the shortest pause is %d per mille", open_ms, max_ms,
           (int)low);
    tap_ok(high <= most && high > most - 20, "%u ms of at most %u: the longest is %d per mille", open_ms, max_ms,
           (int)high);
}

static void test_doubling(void)
{
    struct breaker_rules rules = { 1, 30000, 300000 };
    static const uint32_t pauses[] = { 30000, 60000, 120000, 240000, 300000, 300000 };
    struct breaker b = { .random = 7 };
    bool good = true;
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        breaker_step(&b, &rules, BREAKER_FAILURE, NOW);
        good = good && b.state == BREAKER_OPEN && b.pause_ms == pauses[i];
        breaker_step(&b, &rules, BREAKER_TICK, b.until_ms);
        good = good && breaker_admit(&b);
    }
    tap_ok(good, "the pause doubles up to the cap");
    breaker_step(&b, &rules, BREAKER_SUCCESS, NOW);
    breaker_step(&b, &rules, BREAKER_FAILURE, NOW);
    tap_is_int(b.pause_ms, 30000, "and begins anew after a recovery");
}

static void test_names(void)
{
    enum breaker_hold hold = BREAKER_AUTO;
    tap_is_text(breaker_state_name(BREAKER_HALF_OPEN), "half-open", "state name");
    tap_ok(breaker_hold_from_name("open", &hold) && hold == BREAKER_HELD_OPEN, "hold name is read");
    tap_ok(!breaker_hold_from_name("ajar", &hold) && !breaker_hold_from_name(NULL, &hold), "others are not");
}

int main(void)
{
    test_reachable((struct breaker_rules){ 3, 30000, 300000 }, "three failures");
    test_reachable((struct breaker_rules){ 1, 1000, 1000 }, "one failure, pause at the cap");
    test_reachable((struct breaker_rules){ 5, 9000, 4000 }, "first pause beyond the cap");
    test_jitter(30000, 300000, 900, 1100);
    test_jitter(30000, 30000, 900, 1000);
    test_doubling();

    struct breaker b = { .random = 1 };
    struct breaker_rules never = { 0, 30000, 300000 };
    for (int i = 0; i < 3000; i++)
        breaker_step(&b, &never, BREAKER_FAILURE, NOW);
    tap_ok(b.state == BREAKER_CLOSED && b.failures == BREAKER_FAILURES_MAX, "with failures = 0 it never opens");
    b.state = BREAKER_OPEN;
    b.until_ms = INT64_MAX - 1;
    breaker_step(&b, &never, BREAKER_TICK, NOW);
    breaker_step(&b, &never, BREAKER_FAILURE, NOW);
    tap_is_int(b.state, BREAKER_CLOSED, "one that was open before the rules said so closes");
    test_names();
    return tap_done();
}
