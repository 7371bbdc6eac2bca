/* SPDX-License-Identifier: GPL-3.0-or-later */
/* life - see life.h. tests/unit/test_life.c walks every cell. */
#include "core/keeper/life.h"

/* clang-format off */
static const struct {
    const char *name;
    bool serves, counts;
    enum life_state next[LIFE_EVENT_COUNT];
} table[LIFE_STATE_COUNT] = {
#define ROW_(state, text, serves, counts, ready, work, rest, quiet, heard, leave, kill, refuse, end, pause, again) \
    [LIFE_##state] = { text, serves, counts, { LIFE_##ready, LIFE_##work, LIFE_##rest, LIFE_##quiet, LIFE_##heard, \
                       LIFE_##leave, LIFE_##kill, LIFE_##refuse, LIFE_##end, LIFE_##pause, LIFE_##again } }
    /*                                     is ready    work        rest        quiet       heard       leave       kill        refuse      end   pause      again */
    ROW_(START,      "start",      0, 1,   READY,      START,      START,      START,      START,      LEAVING,    DYING,      START,      DEAD, START,     START),
    ROW_(READY,      "ready",      1, 1,   READY,      BUSY,       READY,      SILENT,     READY,      LEAVING,    DYING,      READY,      DEAD, READY,     READY),
    ROW_(BUSY,       "busy",       1, 1,   BUSY,       BUSY,       READY,      SILENT,     BUSY,       LEAVING,    DYING,      BUSY,       DEAD, BUSY,      BUSY),
    ROW_(SILENT,     "silent",     0, 1,   SILENT,     SILENT,     SILENT,     SILENT,     READY,      LEAVING,    DYING,      SILENT,     DEAD, SILENT,    SILENT),
    ROW_(LEAVING,    "leaving",    0, 0,   LEAVING,    LEAVING,    LEAVING,    LEAVING,    LEAVING,    LEAVING,    DYING,      LEAVING,    DEAD, LEAVING,   LEAVING),
    ROW_(DYING,      "dying",      0, 0,   DYING,      DYING,      DYING,      DYING,      DYING,      DYING,      DYING,      UNKILLABLE, DEAD, DYING,     DYING),
    ROW_(UNKILLABLE, "unkillable", 0, 0,   UNKILLABLE, UNKILLABLE, UNKILLABLE, UNKILLABLE, UNKILLABLE, UNKILLABLE, UNKILLABLE, UNKILLABLE, DEAD, UNKILLABLE, UNKILLABLE),
    ROW_(DEAD,       "dead",       0, 0,   DEAD,       DEAD,       DEAD,       DEAD,       DEAD,       DEAD,       DEAD,       DEAD,       DEAD, THROTTLED, START),
    ROW_(THROTTLED,  "throttled",  0, 0,   THROTTLED,  THROTTLED,  THROTTLED,  THROTTLED,  THROTTLED,  THROTTLED,  THROTTLED,  THROTTLED,  DEAD, THROTTLED, START),
#undef ROW_
};
/* clang-format on */

enum life_state life_next(enum life_state state, enum life_event event)
{
    return table[state].next[event];
}

const char *life_name(enum life_state state)
{
    return (unsigned)state < LIFE_STATE_COUNT ? table[state].name : "unknown";
}

bool life_serves(enum life_state state)
{
    return table[state].serves;
}

bool life_counts(enum life_state state)
{
    return table[state].counts;
}

int64_t backoff_more(struct backoff *backoff, int64_t now_ms)
{
    backoff->pause_ms = backoff->pause_ms == 0 ? backoff->first_ms : 2 * backoff->pause_ms;
    if (backoff->pause_ms > backoff->most_ms)
        backoff->pause_ms = backoff->most_ms;
    backoff->until_ms = now_ms + backoff->pause_ms;
    return backoff->pause_ms;
}

void backoff_clear(struct backoff *backoff)
{
    backoff->pause_ms = backoff->until_ms = 0;
}

bool budget_take(struct budget *budget, int64_t now_ms)
{
    int64_t earned = (now_ms - budget->at_ms) / budget->every_ms;
    if (earned > 0) {
        budget->spent = earned >= budget->spent ? 0 : budget->spent - earned;
        budget->at_ms = budget->spent == 0 ? now_ms : budget->at_ms + earned * budget->every_ms;
    }
    if (budget->spent >= budget->burst)
        return false;
    budget->spent++;
    return true;
}
