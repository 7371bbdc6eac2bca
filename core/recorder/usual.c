/* SPDX-License-Identifier: GPL-3.0-or-later */
/* usual - the hours of a picture and their baselines.
 *
 * When a threshold refers to the metric's baseline the recorder keeps a neighbour of the RRD file (past.h), and what
 * stands there is drawn: just what the values were judged by, as long as the clocks of the recorder and of who draws
 * show the same hours. Otherwise the means of the archives are taken for samples. In both cases eight days are known:
 * so the last hours of a picture have baselines of seven days, those before of fewer, and farther back there is none.
 */
#include "core/recorder/usual.h"

#include <math.h>
#include <string.h>

#include "core/recorder/past.h"

#define DAY_S 86400
#define KNOWN_S (PAST_DAYS * DAY_S)
#define QUARTER_S 900 /* the local clock shows another hour at quarters only */

static bool same_hour(struct local_hour a, struct local_hour b)
{
    return a.day == b.day && a.hour == b.hour;
}

/* ---- what is known ---------------------------------------------------------------------------------------------- */

static void take_points(struct past_metric *metric, const struct figures_points *points)
{
    struct past_hour samples = { 0 };
    struct local_hour hour = { 0 };
    for (uint64_t i = 0; i < points->count; i++) {
        struct local_hour now = baseline_hour(points->start_s + (int64_t)((i + 1) * points->step_s) - 1);
        if (!same_hour(now, hour))
            past_settle(metric, hour, &samples);
        hour = now;
        past_add(&samples, points->values[i]);
    }
    past_settle(metric, hour, &samples);
    past_hour_close(&samples);
}

static int read_archives(struct arena *arena, const struct usual_source *source, int64_t until_s,
                         struct past_metric **out, struct why *why)
{
    const struct figures_span span = { until_s - KNOWN_S, until_s, 1 };
    const struct figures_sources one = { &source->from, 1 };
    struct figures_points points;
    int code = figures_read_points(arena, &span, &one, &points, why);
    *out = arena_alloc(arena, sizeof(**out));
    if (code == 0)
        take_points(*out, &points);
    return code;
}

/* *out: what is known of the metric, or NULL. */
static int read_past(struct arena *arena, const struct usual_source *source, int64_t until_s, struct past_metric **out,
                     struct why *why)
{
    struct past past;
    past_read(arena, arena_print(arena, "%s" PAST_SUFFIX, source->from.file), &past, NULL);
    *out = past_find(&past, source->metric);
    return *out || !source->always ? 0 : read_archives(arena, source, until_s, out, why);
}

/* ---- hours ------------------------------------------------------------------------------------------------------ */

static int64_t find_end(int64_t from_s, int64_t until_s)
{
    struct local_hour hour = baseline_hour(from_s);
    int64_t end_s = from_s / QUARTER_S * QUARTER_S + QUARTER_S;
    while (end_s < until_s && same_hour(baseline_hour(end_s), hour))
        end_s += QUARTER_S;
    return end_s < until_s ? end_s : until_s;
}

int usual_read(struct arena *arena, const struct figures_span *span, const struct usual_source *source,
               struct usual *out, struct why *why)
{
    struct past_metric *metric;
    int64_t at_s = span->since_s < span->until_s - KNOWN_S ? span->until_s - KNOWN_S : span->since_s;
    *out = (struct usual){ 0 };
    int code = read_past(arena, source, span->until_s, &metric, why);
    if (code < 0 || !metric)
        return code;
    out->hours = arena_array(arena, (size_t)(KNOWN_S / QUARTER_S) + 2, sizeof(*out->hours));
    while (at_s < span->until_s) {
        struct usual_hour *hour = &out->hours[out->count++];
        hour->until_s = find_end(at_s, span->until_s);
        past_compare(metric, baseline_hour(at_s), source->rare, &hour->baseline);
        at_s = hour->until_s;
    }
    return 0;
}

void usual_extent(const struct usual *usual, double *low, double *high)
{
    *low = *high = NAN;
    for (uint32_t i = 0; i < usual->count; i++) {
        const struct baseline *baseline = &usual->hours[i].baseline;
        if (!baseline_tells(baseline))
            continue;
        *low = fmin(*low, baseline->figures[FIGURE_P5]);
        *high = fmax(*high, baseline->figures[FIGURE_P95]);
    }
}
