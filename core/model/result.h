/* SPDX-License-Identifier: GPL-3.0-or-later */
/* result - what one run of a check returned: verdict, text, metrics, parts, events, kept values. Plain data in one
 * arena. */
#ifndef MODEL_RESULT_H
#define MODEL_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "belfry/plugin.h"
#include "core/base/arena.h"
#include "core/base/wire.h"

#define RESULT_METRICS_MAX 4096 /* with those of the parts */
#define RESULT_PARTS_MAX 1024
#define RESULT_EVENTS_MAX 256
#define RESULT_KEPT_MAX 256
#define RESULT_TEXT_MAX 1024    /* bytes of the one line, and of a part's line */
#define RESULT_DETAIL_MAX 65536 /* bytes of long text */
#define RESULT_NAME_MAX 64      /* metric and kept names */
#define RESULT_PART_MAX 128     /* a part's name */
#define RESULT_KEPT_BYTES_MAX 4096
#define RESULT_RANGE_MAX 128 /* bytes of a range, least or greatest value as text; units have RESULT_NAME_MAX */

struct result_metric {
    const char *part; /* NULL: of the whole check; else the name of a part of this result */
    const char *name, *unit;
    double value;
    int kind;                            /* enum belfry_metric_kind */
    const char *warn, *crit, *min, *max; /* the plugin's defaults, as text; NULL: none */
    bool unjudged;                       /* warn and crit are only shown, not judged by */
};

struct result_part {
    const char *name;
    enum belfry_state state;
    const char *text;
};

struct result_event {
    const char *type, *part, *text; /* part may be NULL */
};

struct kept_value {
    const char *key, *value;
};

struct kept {
    struct kept_value *values;
    uint32_t count;
};

/* How a run ended. */
enum result_end {
    RESULT_RETURNED = 0, /* run() returned: state, reached and text are the plugin's */
    RESULT_TIMEOUT,      /* the deadline passed without a verdict */
    RESULT_CRASHED,      /* the worker died while this check was running in it (made by the keeper) */
    RESULT_STUCK,        /* it never came back and its worker was killed (made by the keeper) */
    RESULT_MISUSE        /* run() broke the rules: no verdict, unknown option or metric (text says which) */
};

struct result {
    enum result_end end;
    enum belfry_state state; /* the plugin's own verdict, before thresholds */
    bool reached;
    bool truncated;            /* something was over a bound above and was cut */
    const char *text, *detail; /* detail may be NULL: long text, lines separated by \n */
    uint32_t duration_us;
    struct result_metric *metrics;
    uint32_t metric_count;
    struct result_part *parts;
    uint32_t part_count;
    struct result_event *events;
    uint32_t event_count;
    bool kept_changed; /* when set, kept replaces all kept values of the check */
    struct kept kept;
};

void result_encode(struct buf *out, const struct result *result);
/* Checks every bound and enum; 0 or ERROR_PROTOCOL. */
int result_decode(struct wire_reader *r, struct arena *arena, struct result *out);
void kept_encode(struct buf *out, const struct kept *kept);
int kept_decode(struct wire_reader *r, struct arena *arena, struct kept *out);

#endif
