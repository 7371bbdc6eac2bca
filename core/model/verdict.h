/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict - from a result and the thresholds to a state: the one place where metrics are judged, used by the daemon and
 * by `belfry check`. Pure. */
#ifndef MODEL_VERDICT_H
#define MODEL_VERDICT_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/model/limit.h"
#include "core/model/result.h"

/* A sysadmin's thresholds for one metric; they replace the plugin's defaults, each where it is set. */
struct threshold {
    const char *metric;
    const char *part;            /* NULL: of the check and of every part; else of that part only */
    bool warn_given, crit_given; /* given and not set: the default is switched off ("") */
    struct limit warn, crit;
};

struct judged_metric {
    const struct result_metric *metric;
    struct range warn, crit; /* in force */
    enum belfry_state state;
    const struct limit *warn_by, *crit_by; /* the comparisons that made them; NULL: there is none */
    const struct baseline *baseline;       /* that they compare with; NULL: there is none, or not yet */
};

struct judged_part {
    const struct result_part *part;
    enum belfry_state state; /* worse of its own and its metrics' */
    const char *text;
};

struct verdict {
    enum belfry_state state; /* worst of the plugin's verdict, the metrics and the parts */
    const char
        *text; /* the plugin's line, then what is beyond its threshold: "...; memory_used 96 % (critical ~:95)" */
    struct judged_metric *metrics;
    uint32_t metric_count;
    struct judged_part *parts;
    uint32_t part_count;
};

/* What a result is judged by. */
struct judging {
    const struct threshold *thresholds;
    uint32_t threshold_count;
    /* The baseline of a metric when the result came, or NULL; NULL: there are no baselines. */
    const struct baseline *(*baseline)(const void *context, const char *part, const char *metric);
    const void *context;
};

/* Critical is tested before warning; a NaN with any threshold is UNKNOWN, never OK; a metric without a threshold is not
 * judged. RESULT_TIMEOUT without text becomes CRITICAL "no answer within ..."; RESULT_CRASHED, RESULT_STUCK and
 * RESULT_MISUSE are UNKNOWN. A comparison with a baseline that has not enough samples does not alert. The verdict
 * points into the result, the thresholds, the baselines and the arena. */
void verdict_judge_by(struct arena *arena, const struct result *result, const struct judging *by, struct verdict *out);
/* The same without baselines. */
void verdict_judge(struct arena *arena, const struct result *result, const struct threshold *thresholds,
                   uint32_t threshold_count, struct verdict *out);

/* The Nagios plugin line (monitoring-plugins guidelines): "NAME STATE - text | perfdata\n" and then the long text and
 * parts, one a line. All performance data on line 1; '|' in texts becomes '/'; ranges in canonical form; labels that
 * need it in single quotes, never with a quote or '=' inside; a part's metric is labelled part/metric... (cut at 64
 * bytes). */
void verdict_nagios(struct buf *out, const char *name, const struct verdict *verdict, const struct result *result);

#endif
