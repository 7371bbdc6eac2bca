/* SPDX-License-Identifier: GPL-3.0-or-later */
/* dispatch - between the schedule and the workers: starts go to the pool of their plugin, results are judged and go
 * back.
 *
 * The schedule's start port only notes the decision (it must not be called back from inside); dispatch_all() carries
 * the notes out. A result is matched by slot, run number and worker: what belongs to no run in flight is dropped. */
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/keeper/pool.h"

/* ---- lists ----------------------------------------------------------------------------------------------------- */

void watched_push(struct watched_list *list, struct watched *watched)
{
    watched_unlink(watched);
    watched->list = list;
    watched->previous = list->last;
    watched->next = NULL;
    if (list->last)
        list->last->next = watched;
    else
        list->first = watched;
    list->last = watched;
    list->count++;
}

void watched_unlink(struct watched *watched)
{
    struct watched_list *list = watched->list;
    if (!list)
        return;
    if (watched->previous)
        watched->previous->next = watched->next;
    else
        list->first = watched->next;
    if (watched->next)
        watched->next->previous = watched->previous;
    else
        list->last = watched->previous;
    list->count--;
    watched->list = NULL;
    watched->next = watched->previous = NULL;
}

/* ---- starts ---------------------------------------------------------------------------------------------------- */

/* Watched of all slots below count exist afterwards; they never move. */
static void grow(struct keeper *keeper, uint32_t count)
{
    if (count <= keeper->watched_count)
        return;
    keeper->watched = heap_grow(keeper->watched, count, sizeof(struct watched *));
    for (uint32_t i = keeper->watched_count; i < count; i++) {
        keeper->watched[i] = heap_alloc(sizeof(struct watched));
        keeper->watched[i]->slot = i;
    }
    keeper->watched_count = count;
}

void dispatch_start(void *context, uint32_t slot, uint64_t run)
{
    struct keeper *keeper = context;
    grow(keeper, slot + 1);
    struct watched *watched = keeper->watched[slot];
    watched->run = run;
    watched->worker = NULL;
    watched_push(&keeper->starts, watched);
}

void dispatch_all(struct keeper *keeper)
{
    if (keeper->stopping)
        return;
    struct watched *watched;
    while ((watched = keeper->starts.first) != NULL) {
        const struct check_config *check = schedule_view(keeper->schedule, watched->slot)->config;
        pool_enqueue(pool_of(keeper, check->plugin), watched);
    }
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        pool_dispatch(pool);
}

/* ---- results --------------------------------------------------------------------------------------------------- */

static void keep(struct watched *watched, const struct result *result)
{
    if (!result->kept_changed)
        return;
    buf_reset(&watched->kept);
    kept_encode(&watched->kept, &result->kept);
}

/* Judges, tells the schedule, and when it was the last try remembers what the board, the graphs and the waiting clients
 * need. payload: as result_encode() wrote it. */
static void judge(struct keeper *keeper, struct watched *watched, const struct result *result, const void *payload,
                  size_t size)
{
    const struct check_config *check = schedule_view(keeper->schedule, watched->slot)->config;
    struct instant now = clock_instant();
    struct verdict verdict;
    bool final = false;
    uint64_t run = watched->run;
    watched->run = 0;
    keep(watched, result);
    const struct baselines baselines = { watched, now.wall_ms };
    const struct judging by = baseline_judging(check, &baselines);
    verdict_judge_by(&keeper->scratch, result, &by, &verdict);
    if (!schedule_result(keeper->schedule, run, result, &verdict, now, &final))
        return;
    if (!final)
        return;
    keeper->runs++;
    buf_reset(&watched->last);
    buf_add(&watched->last, payload, size);
    if (verdict.metric_count > 0)
        record_result(keeper, watched, check, &verdict, now.wall_ms);
    control_judged(keeper, watched);
}

bool dispatch_result(struct keeper *keeper, struct worker *worker, struct wire_reader *r)
{
    uint64_t run = wire_u64(r);
    uint32_t slot = wire_u32(r);
    const unsigned char *payload = r->at;
    size_t size = (size_t)(r->end - r->at);
    struct result result;
    arena_reset(&keeper->scratch);
    if (r->failed || result_decode(r, &keeper->scratch, &result) != 0 || wire_done(r) != 0)
        return false;
    if (result.end != RESULT_RETURNED && result.end != RESULT_TIMEOUT && result.end != RESULT_MISUSE)
        return false; /* the others are ours to say */
    struct watched *watched = slot < keeper->watched_count ? keeper->watched[slot] : NULL;
    if (!watched || watched->run != run || watched->worker != worker)
        return true; /* of a check that was removed meanwhile */
    pool_forget(watched);
    watched->suspect = false;
    watched->losses = 0;
    worker->child.jobs++;
    if (worker->pool)
        pool_useful(worker->pool);
    judge(keeper, watched, &result, payload, size);
    keeper_plan(keeper);
    if (worker->pool)
        pool_dispatch(worker->pool);
    return true;
}

void dispatch_made_up(struct keeper *keeper, struct watched *watched, enum result_end end, const char *text)
{
    const struct result result = { .end = end, .state = BELFRY_UNKNOWN, .text = text };
    struct buf payload = { 0 };
    result_encode(&payload, &result);
    watched->losses = 0;
    judge(keeper, watched, &result, payload.data, payload.length);
    buf_close(&payload);
}

bool dispatch_last(struct keeper *keeper, const struct watched *watched, struct arena *arena, struct result *result)
{
    (void)keeper;
    if (watched->last.length == 0)
        return false;
    struct wire_reader r = { .at = (const unsigned char *)watched->last.data,
                             .end = (const unsigned char *)watched->last.data + watched->last.length };
    return result_decode(&r, arena, result) == 0;
}

/* ---- configuration --------------------------------------------------------------------------------------------- */

static void empty(struct keeper *keeper, struct watched *watched)
{
    pool_forget(watched);
    record_forget(keeper, watched);
    baseline_close(watched);
    buf_close(&watched->last);
    buf_close(&watched->kept);
    free(watched->plugin);
    watched->plugin = NULL;
    watched->run = 0;
    watched->suspect = false;
    watched->losses = 0;
    watched->known = false;
    control_judged(keeper, watched);
}

/* The check is measured by another plugin from now on: what the old one said, kept and is still doing is not its. */
static void change_plugin(struct keeper *keeper, struct watched *watched, const char *plugin)
{
    uint64_t run = watched->run;
    pool_forget(watched);
    record_forget(keeper, watched);
    baseline_close(watched);
    buf_reset(&watched->last);
    buf_reset(&watched->kept);
    free(watched->plugin);
    watched->plugin = heap_text(plugin);
    watched->suspect = false;
    watched->losses = 0;
    watched->run = 0;
    if (run)
        schedule_lost(keeper->schedule, run, clock_instant());
}

/* Pools that no check uses any more let their workers go. */
static void refresh_pools(struct keeper *keeper)
{
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        pool->wanted = false;
    for (uint32_t i = 0; i < keeper->watched_count; i++) {
        pool = keeper->watched[i]->plugin ? map_get(&keeper->pools, keeper->watched[i]->plugin) : NULL;
        if (pool)
            pool->wanted = true;
    }
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;) {
        pool_refresh(pool);
        pool_undefine(pool);
    }
}

void dispatch_configure(struct keeper *keeper)
{
    uint32_t count = schedule_slot_count(keeper->schedule);
    grow(keeper, count);
    for (uint32_t i = 0; i < keeper->watched_count; i++) {
        struct watched *watched = keeper->watched[i];
        const struct check_view *view = i < count ? schedule_view(keeper->schedule, i) : NULL;
        const char *id = view && view->config ? view->config->id : NULL;
        bool same = id && watched->known && strcmp(watched->id, id) == 0;
        if (!same && watched->known)
            empty(keeper, watched);
        if (id && !same) {
            text_copy(watched->id, sizeof watched->id, id);
            watched->known = true;
            watched->plugin = heap_text(view->config->plugin);
            setup_adopt(keeper, watched);
        }
        if (same && strcmp(watched->plugin, view->config->plugin) != 0)
            change_plugin(keeper, watched, view->config->plugin);
        if (id && !baseline_is_wanted(view->config))
            baseline_close(watched);
    }
    refresh_pools(keeper);
}
