/* SPDX-License-Identifier: GPL-3.0-or-later */
/* baseline - the last baselines that the recorder told of a check's metrics, as plain numbers with their age. The judge
 * reads what stands here and never waits; what is not here, or stale, does not alert. They are in the snapshot, so that
 * a restart judges its first result as the last one before it; without it they are told again after one run. */
#include <stdlib.h>
#include <string.h>

#include "core/keeper/keeper.h"

/* Of one check; a result has at most half as many metrics. */
#define KNOWN_MAX (2 * RESULT_METRICS_MAX)
#define KEY_SIZE (RESULT_PART_MAX + RESULT_NAME_MAX + 2)

struct known {
    char key[KEY_SIZE]; /* the metric, a newline, and its part */
    struct baseline_table table;
};

/* Neither name has a newline. */
static bool make_key(char out[KEY_SIZE], const char *part, const char *metric)
{
    size_t length = text_copy(out, KEY_SIZE, metric);
    if (length + 1 >= KEY_SIZE)
        return false;
    out[length] = '\n';
    return text_copy(out + length + 1, KEY_SIZE - length - 1, part ? part : "") < KEY_SIZE - length - 1;
}

static void take(struct watched *watched, const char *part, const char *metric, const struct baseline_table *table)
{
    char key[KEY_SIZE];
    if (!make_key(key, part, metric))
        return;
    struct known *known = map_get(&watched->baselines, key);
    if (!known && watched->baselines.count >= KNOWN_MAX)
        return;
    if (!known) {
        known = heap_alloc(sizeof *known);
        text_copy(known->key, sizeof known->key, key);
        map_put(&watched->baselines, known->key, known);
    }
    known->table = *table;
}

/* Of a series that was forgotten meanwhile it says nothing. */
bool baseline_told(struct keeper *keeper, struct recorded *const *series, uint32_t count, struct wire_reader *r)
{
    struct baseline_table table;
    arena_reset(&keeper->scratch);
    uint32_t slot = wire_u32(r);
    const char *metric = wire_text(r, &keeper->scratch, RESULT_NAME_MAX);
    if (baseline_decode(r, &table) != 0 || wire_done(r) != 0 || !metric)
        return false;
    const struct recorded *recorded = slot < count ? series[slot] : NULL;
    if (recorded)
        take(keeper->watched[recorded->watched], recorded->part, metric, &table);
    return true;
}

void baseline_forget(struct watched *watched, const struct recorded *recorded)
{
    char key[KEY_SIZE];
    for (uint32_t i = 0; i < recorded->metric_count; i++)
        if (make_key(key, recorded->part, recorded->metrics[i].name))
            free(map_remove(&watched->baselines, key));
}

void baseline_note(struct recorded_metric *metric, const struct judged_metric *judged)
{
    range_format(metric->warn, &judged->warn);
    range_format(metric->crit, &judged->crit);
    metric->baseline = judged->warn_by || judged->crit_by;
    if (judged->warn_by)
        metric->warn[0] = '\0';
    if (judged->crit_by)
        metric->crit[0] = '\0';
}

void baseline_close(struct watched *watched)
{
    struct known *known;
    for (size_t i = 0; (known = map_next(&watched->baselines, &i)) != NULL;)
        free(known);
    map_close(&watched->baselines);
}

bool baseline_is_wanted(const struct check_config *check)
{
    for (uint32_t i = 0; i < check->threshold_count; i++)
        if (check->thresholds[i].warn.compares || check->thresholds[i].crit.compares)
            return true;
    return false;
}

/* ---- for the judge --------------------------------------------------------------------------------------------- */

static const struct baseline *find(const void *context, const char *part, const char *metric)
{
    const struct baselines *baselines = context;
    char key[KEY_SIZE];
    const struct known *known =
        baselines->watched && make_key(key, part, metric) ? map_get(&baselines->watched->baselines, key) : NULL;
    return known ? baseline_at(&known->table, baselines->wall_ms) : NULL;
}

struct judging baseline_judging(const struct check_config *check, const struct baselines *baselines)
{
    return (struct judging){ .thresholds = check->thresholds,
                             .threshold_count = check->threshold_count,
                             .baseline = find,
                             .context = baselines };
}

/* ---- in the snapshot ------------------------------------------------------------------------------------------- */

void baseline_save(struct buf *out, const struct watched *watched)
{
    const struct known *known;
    for (size_t i = 0; (known = map_next(&watched->baselines, &i)) != NULL;) {
        wire_put_text(out, known->key);
        baseline_encode(out, &known->table);
    }
}

void baseline_restore(struct watched *watched, const struct buf *saved)
{
    struct arena arena = { 0 };
    struct wire_reader r = { .at = (const unsigned char *)saved->data,
                             .end = (const unsigned char *)saved->data + saved->length };
    while (r.at < r.end) {
        struct baseline_table table;
        char *metric = wire_text(&r, &arena, KEY_SIZE - 1);
        char *part = metric ? strchr(metric, '\n') : NULL;
        if (baseline_decode(&r, &table) != 0 || !part)
            break;
        *part++ = '\0';
        take(watched, part, metric, &table);
    }
    arena_close(&arena);
}
