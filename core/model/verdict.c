/* SPDX-License-Identifier: GPL-3.0-or-later */
/* verdict - judging: for each metric the ranges in force (the sysadmin's where given, else the plugin's own), then its
 * state, then the worst of all. A comparison is made a range first. A result without metrics and parts costs no
 * allocation. The Nagios line is in verdict_nagios.c.
 *
 * What is beyond its threshold is said in words: in the check's text for all metrics, the worst first and at most
 * COMPLAINTS_MAX of them, and in a part's text for its own. A part that is worse than what the plugin says of the whole
 * is named in the check's text, unless the plugin has named it or another as bad. */
#include "core/model/verdict.h"

#include <math.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/text.h"
#include "core/model/state.h"

#define COMPLAINTS_MAX 4

/* ---- the ranges in force */

static bool applies(const struct threshold *threshold, const struct result_metric *metric)
{
    if (strcmp(threshold->metric, metric->name) != 0)
        return false;
    return !threshold->part || (metric->part && strcmp(threshold->part, metric->part) == 0);
}

/* One of a metric's two ranges: where the sysadmin's is, and where the plugin's. */
struct choice {
    bool given, for_part;
    const struct limit *limit;
};

/* A threshold for one part goes before one for all; of two equal ones the later counts. */
static void choose(struct choice *choice, const struct threshold *threshold, bool given, const struct limit *limit)
{
    if (!given || (choice->for_part && !threshold->part))
        return;
    *choice = (struct choice){ .given = true, .for_part = threshold->part != NULL, .limit = limit };
}

/* The chosen range, or the default; false when the default can't be read. */
static bool settle(const struct choice *choice, const struct baseline *baseline, const char *fallback,
                   struct range *out)
{
    *out = (struct range){ .set = false };
    if (choice->given)
        *out = limit_range(choice->limit, baseline);
    return choice->given || !fallback || !*fallback || range_parse(fallback, out, NULL) == 0;
}

static enum belfry_state judge_value(double value, const struct range *warn, const struct range *crit)
{
    if (isnan(value) && (warn->set || crit->set))
        return BELFRY_UNKNOWN;
    if (range_alerts(crit, value))
        return BELFRY_CRITICAL;
    return range_alerts(warn, value) ? BELFRY_WARNING : BELFRY_OK;
}

/* The comparison that was chosen, or NULL. */
static const struct limit *comparison(const struct choice *choice)
{
    return choice->given && choice->limit->compares ? choice->limit : NULL;
}

/* A counter only grows: there is no usual value of it. */
static const struct baseline *find_baseline(const struct judging *by, const struct result_metric *metric)
{
    return by->baseline && metric->kind != BELFRY_COUNTER ? by->baseline(by->context, metric->part, metric->name)
                                                          : NULL;
}

static void judge_metric(struct judged_metric *judged, const struct result_metric *metric, const struct judging *by)
{
    struct choice warn = { 0 }, crit = { 0 };
    for (uint32_t i = 0; i < by->threshold_count; i++) {
        const struct threshold *threshold = &by->thresholds[i];
        if (!applies(threshold, metric))
            continue;
        choose(&warn, threshold, threshold->warn_given, &threshold->warn);
        choose(&crit, threshold, threshold->crit_given, &threshold->crit);
    }
    judged->metric = metric;
    judged->warn_by = comparison(&warn);
    judged->crit_by = comparison(&crit);
    if (judged->warn_by || judged->crit_by)
        judged->baseline = find_baseline(by, metric);
    bool readable = settle(&warn, judged->baseline, metric->warn, &judged->warn);
    readable = settle(&crit, judged->baseline, metric->crit, &judged->crit) && readable;
    /* a range of somebody who has judged already is shown; one that the sysadmin has given counts */
    const struct range none = { .set = false };
    judged->state = judge_value(metric->value, metric->unjudged && !warn.given ? &none : &judged->warn,
                                metric->unjudged && !crit.given ? &none : &judged->crit);
    bool unmeasured = isnan(metric->value) && (judged->warn_by || judged->crit_by);
    if (unmeasured || (!readable && !metric->unjudged))
        judged->state = state_worse(judged->state, BELFRY_UNKNOWN);
}

/* ---- words */

/* "memory_used 96 % (critical ~:95)", "took 4.1 s, more than 2 x its 7-day median of 1.9 s (critical)" */
static void complain(struct buf *out, const struct judged_metric *judged, bool with_part)
{
    const struct result_metric *metric = judged->metric;
    char value[TEXT_VALUE_SIZE], range[RANGE_TEXT_SIZE], words[LIMIT_WORDS_SIZE];
    if (with_part && metric->part)
        buf_print(out, "%s ", metric->part);
    if (judged->state == BELFRY_UNKNOWN) {
        buf_print(out, isnan(metric->value) ? "%s could not be measured" : "%s has a threshold that can't be read",
                  metric->name);
        return;
    }
    bool critical = judged->state == BELFRY_CRITICAL;
    const char *level = critical ? "critical" : "warning";
    const struct limit *by = critical ? judged->crit_by : judged->warn_by;
    buf_print(out, "%s %s", metric->name, text_format_value(value, metric->value, metric->unit));
    if (by)
        buf_print(out, ", %s (%s)", limit_words(words, by, judged->baseline, metric->unit), level);
    else
        buf_print(out, " (%s %s)", level, range_format(range, critical ? &judged->crit : &judged->warn));
}

/* Some of a verdict's metrics, in order: numbers from 1 on, 0 ends. */
struct metric_list {
    uint32_t first;
    const uint32_t *next; /* by number - 1; NULL: all metrics */
};

static uint32_t next_of(const struct metric_list *list, const struct verdict *verdict, uint32_t number)
{
    if (list->next)
        return list->next[number - 1];
    return number < verdict->metric_count ? number + 1 : 0;
}

/* text and what of the listed metrics is beyond its threshold. */
static const char *with_complaints(struct arena *arena, const struct verdict *verdict, const char *text,
                                   const struct metric_list *list)
{
    struct buf out = { 0 };
    uint32_t said = 0, more = 0;
    buf_text(&out, text);
    for (int rank = state_rank(BELFRY_CRITICAL); rank > state_rank(BELFRY_OK); rank--) {
        for (uint32_t i = list->first; i > 0; i = next_of(list, verdict, i)) {
            const struct judged_metric *judged = &verdict->metrics[i - 1];
            if (state_rank(judged->state) != rank)
                continue;
            if (said == COMPLAINTS_MAX) {
                more++;
                continue;
            }
            said++;
            buf_text(&out, out.length ? "; " : "");
            complain(&out, judged, !list->next);
        }
    }
    if (more)
        buf_print(&out, "; and %u more", more);
    if (said)
        text = arena_text_n(arena, out.data, out.length);
    buf_close(&out);
    return text;
}

/* ---- parts */

/* For each part (of two with one name, the first) its metrics that are not OK. A plugin may send thousands of both in
 * any order: one pass over each. */
static struct metric_list *group_by_part(struct arena *arena, const struct verdict *out)
{
    struct map by_name = { 0 };
    struct metric_list *lists = arena_array(arena, out->part_count, sizeof *lists);
    uint32_t *next = arena_array(arena, out->metric_count, sizeof *next);
    for (uint32_t i = 0; i < out->part_count; i++) {
        lists[i].next = next;
        if (!map_get(&by_name, out->parts[i].part->name))
            map_put(&by_name, out->parts[i].part->name, &lists[i]);
    }
    for (uint32_t i = out->metric_count; i > 0; i--) { /* backwards, because each goes before the ones that are there */
        const struct judged_metric *judged = &out->metrics[i - 1];
        bool complains = judged->state != BELFRY_OK && judged->metric->part;
        struct metric_list *list = complains ? map_get(&by_name, judged->metric->part) : NULL;
        if (!list)
            continue;
        next[i - 1] = list->first;
        list->first = i;
    }
    map_close(&by_name);
    return lists;
}

static bool is_told(const char *text, const struct result_part *part)
{
    return part->text && part->text[0] ? strstr(text, part->text) != NULL : strstr(text, part->name) != NULL;
}

/* text and the worst of the parts that are worse than own: a reader of one line must see why. */
static const char *with_worst_part(struct arena *arena, const struct result *result, enum belfry_state own,
                                   const char *text)
{
    const struct result_part *worst = NULL;
    uint32_t worse = 0;
    for (uint32_t i = 0; i < result->part_count; i++) {
        const struct result_part *part = &result->parts[i];
        if (state_rank(part->state) <= state_rank(own))
            continue;
        if (is_told(text, part))
            return text;
        worse++;
        if (!worst || state_rank(part->state) > state_rank(worst->state))
            worst = part;
    }
    if (!worst)
        return text;
    const char *why = worst->text && worst->text[0] ? worst->text : "not well";
    const char *more = worse > 1 ? arena_print(arena, ", and %u more", worse - 1) : "";
    return arena_print(arena, "%s%s%s: %s%s", text, *text ? "; " : "", worst->name, why, more);
}

static void judge_parts(struct arena *arena, const struct result *result, struct verdict *out, bool complaints)
{
    out->part_count = result->part_count;
    out->parts = arena_array(arena, out->part_count, sizeof *out->parts);
    for (uint32_t i = 0; i < out->part_count; i++) {
        const struct result_part *part = &result->parts[i];
        out->parts[i] = (struct judged_part){ .part = part, .state = part->state, .text = part->text };
        out->state = state_worse(out->state, part->state);
    }
    struct metric_list *lists = complaints ? group_by_part(arena, out) : NULL;
    for (uint32_t i = 0; lists && i < out->part_count; i++) {
        struct judged_part *part = &out->parts[i];
        part->text = with_complaints(arena, out, part->text, &lists[i]);
        for (uint32_t k = lists[i].first; k > 0; k = next_of(&lists[i], out, k))
            part->state = state_worse(part->state, out->metrics[k - 1].state);
    }
}

/* ---- the whole */

/* State and text before metrics and parts. */
static void judge_end(struct arena *arena, const struct result *result, struct verdict *out)
{
    static const struct ending {
        enum belfry_state state;
        const char *text; /* when the result has none */
    } endings[] = {
        [RESULT_RETURNED] = { BELFRY_UNKNOWN, "" },
        [RESULT_TIMEOUT] = { BELFRY_CRITICAL, NULL },
        [RESULT_CRASHED] = { BELFRY_UNKNOWN, "plugin crashed" },
        [RESULT_STUCK] = { BELFRY_UNKNOWN, "plugin did not come back and was ended" },
        [RESULT_MISUSE] = { BELFRY_UNKNOWN, "plugin broke the rules of the framework" },
    };
    const struct ending *ending = &endings[(unsigned)result->end <= RESULT_MISUSE ? result->end : RESULT_MISUSE];
    out->state = result->end == RESULT_RETURNED ? result->state : ending->state;
    out->text = result->text && result->text[0] ? result->text : ending->text;
    if (!out->text) {
        char limit[TEXT_VALUE_SIZE];
        out->text = arena_print(arena, "no answer within %s", text_format_value(limit, result->duration_us / 1e6, "s"));
    }
}

void verdict_judge_by(struct arena *arena, const struct result *result, const struct judging *by, struct verdict *out)
{
    enum belfry_state worst = BELFRY_OK;
    *out = (struct verdict){ 0 };
    judge_end(arena, result, out);
    if (result->metric_count > 0) {
        out->metric_count = result->metric_count;
        out->metrics = arena_array(arena, out->metric_count, sizeof *out->metrics);
        for (uint32_t i = 0; i < out->metric_count; i++) {
            judge_metric(&out->metrics[i], &result->metrics[i], by);
            worst = state_worse(worst, out->metrics[i].state);
        }
    }
    if (result->part_count > 0) {
        out->text = with_worst_part(arena, result, out->state, out->text);
        judge_parts(arena, result, out, worst != BELFRY_OK);
    }
    if (worst != BELFRY_OK)
        out->text = with_complaints(arena, out, out->text, &(struct metric_list){ .first = 1 });
    out->state = state_worse(out->state, worst);
}

void verdict_judge(struct arena *arena, const struct result *result, const struct threshold *thresholds,
                   uint32_t threshold_count, struct verdict *out)
{
    const struct judging by = { .thresholds = thresholds, .threshold_count = threshold_count };
    verdict_judge_by(arena, result, &by, out);
}
