/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state - one table row a state. */
#include "core/model/state.h"

#include <stddef.h>
#include <string.h>

static const struct row {
    const char *name;
    int rank;
} rows[] = {
    [BELFRY_OK] = { "OK", 0 },
    [BELFRY_WARNING] = { "WARNING", 1 },
    [BELFRY_CRITICAL] = { "CRITICAL", 3 },
    [BELFRY_UNKNOWN] = { "UNKNOWN", 2 },
};

static const struct row *find(enum belfry_state state)
{
    return &rows[(unsigned)state <= BELFRY_UNKNOWN ? state : BELFRY_UNKNOWN];
}

const char *state_name(enum belfry_state state)
{
    return find(state)->name;
}

bool state_from_name(const char *name, enum belfry_state *out)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            *out = (enum belfry_state)i;
            return true;
        }
    }
    return false;
}

int state_rank(enum belfry_state state)
{
    return find(state)->rank;
}

enum belfry_state state_worse(enum belfry_state a, enum belfry_state b)
{
    return state_rank(b) > state_rank(a) ? b : a;
}
