/* SPDX-License-Identifier: GPL-3.0-or-later */
/* state - OK, WARNING, CRITICAL, UNKNOWN: their names, order and Nagios numbers. */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include <stdbool.h>

#include "belfry/plugin.h"

/* "OK", "WARNING", "CRITICAL", "UNKNOWN"; anything else "UNKNOWN". */
const char *state_name(enum belfry_state state);
/* Reads state_name()'s words; false when it is none. */
bool state_from_name(const char *name, enum belfry_state *out);
/* How bad: OK 0 < WARNING 1 < UNKNOWN 2 < CRITICAL 3. A thing that can't be measured is worse than a warning, and never
 * hides an outage. */
int state_rank(enum belfry_state state);
enum belfry_state state_worse(enum belfry_state a, enum belfry_state b);

#endif
