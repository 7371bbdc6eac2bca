/* SPDX-License-Identifier: GPL-3.0-or-later */
/* range - Nagios ranges, `[@]start:end` (monitoring-plugins development guidelines, "Threshold and ranges"). Both ends
 * belong to the range. Without @ a value outside alerts, with @ a value inside.
 *
 *     10      alert when < 0 or > 10          10:20   when < 10 or > 20
 *     10:     when < 10                       @10:20  when >= 10 and <= 20
 *     ~:10    when > 10                       1:1     when != 1
 *
 * Decided by us, where the field disagrees: `2:1` is refused; an empty start, `:5`, is 0:5, as the old C parser of the
 * monitoring plugins has it; an empty text, `:`, `@`, a lone `~`, a trailing unit or `%`, hex, nan and inf are refused.
 */
#ifndef MODEL_RANGE_H
#define MODEL_RANGE_H

#include <stdbool.h>

#include "core/base/error.h"

struct range {
    bool set;     /* false: no range, nothing alerts */
    bool inside;  /* '@' */
    double start; /* -INFINITY for ~ */
    double end;   /* INFINITY when open */
};

/* 0 or ERROR_SYNTAX with the reason and what to write instead in *why (may be NULL). */
int range_parse(const char *text, struct range *out, struct why *why);
/* The canonical text: what Nagios performance data carries. "" when not set. */
#define RANGE_TEXT_SIZE 80
char *range_format(char out[RANGE_TEXT_SIZE], const struct range *range);
/* Whether value alerts. A NaN never "does not alert" by accident: ask isnan() first (verdict.c does). */
bool range_alerts(const struct range *range, double value);

#endif
