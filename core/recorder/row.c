/* SPDX-License-Identifier: GPL-3.0-or-later */
/* row - numbers as librrd reads them. It wants a counter as a whole number, and takes what is close to the greatest
 * double as infinite; what it can't take becomes "U", unknown. Made for every sample of every file, so it is written in
 * one go, where it stays. */
#include "core/recorder/row.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "belfry/plugin.h"

#define NUMBER_SIZE 32 /* "-1.2345678901234567e-300", ":" and more */
#define VALUE_MAX 1e300

static char *put_value(char *at, double value, int kind)
{
    bool whole = fabs(value) < 9e15 && value == (double)(int64_t)value;
    if (kind == BELFRY_COUNTER ? !(isfinite(value) && fabs(value) < 9.2e18) : !(fabs(value) <= VALUE_MAX)) {
        *at++ = 'U';
    } else if (kind == BELFRY_COUNTER || whole) {
        at += snprintf(at, NUMBER_SIZE, "%" PRId64, (int64_t)value);
    } else {
        char *end = at + snprintf(at, NUMBER_SIZE, "%.17g", value);
        char *comma = memchr(at, ',', (size_t)(end - at)); /* whatever the locale says */
        if (comma)
            *comma = '.';
        at = end;
    }
    return at;
}

void row_add(struct args *args, const struct track *track, const double *row, bool in_columns)
{
    uint32_t count = in_columns ? track->file_sources : track->source_count;
    char *text = arena_alloc(args->arena, (count + 1u) * NUMBER_SIZE), *at = text;
    at += snprintf(at, NUMBER_SIZE, "%" PRId64, (int64_t)row[0]);
    for (uint32_t i = 0; i < count; i++) {
        int column = in_columns ? track->columns[i] : (int)i;
        *at++ = ':';
        if (column < 0)
            *at++ = 'U';
        else
            at = put_value(at, row[column + 1], track->kinds[column]);
    }
    *at = '\0';
    args_take(args, text);
}
