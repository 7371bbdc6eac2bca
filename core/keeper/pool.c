/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - see pool.h.
 *
 * Diagnostics: `does not start: WHY; next try in N s`, `a run did not come back within its timeout, worker N is
 * killed`, `worker N did not end when it was told to and is killed`. */
#include "core/keeper/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/log.h"
#include "core/sandbox/sandbox.h"

/* ---- giving runs to workers ------------------------------------------------------------------------------------- */

/* A worker with room, the emptiest one; in quarantine there is room for one run in all. */
static struct worker *find_room(const struct pool *pool, bool quarantine)
{
    struct worker *best = NULL;
    uint32_t room = quarantine ? 1 : pool->concurrency;
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        bool fits = worker_serves(worker) && worker->quarantine == quarantine && worker->flights.count < room &&
                    !(quarantine && worker->used);
        if (fits && (!best || worker->flights.count < best->flights.count))
            best = worker;
    }
    return best;
}

static void refuse_queue(struct pool *pool, struct watched_list *queue, const char *text)
{
    while (queue->first) {
        struct watched *watched = queue->first;
        watched_unlink(watched);
        dispatch_made_up(pool->keeper, watched, RESULT_MISUSE, text);
    }
}

static uint32_t count_workers(const struct pool *pool, bool quarantine)
{
    uint32_t count = 0;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next)
        count += life_counts(worker->child.life) && !worker->child.exited && !worker->child.link.closing &&
                 worker->quarantine == quarantine;
    return count;
}

/* How many workers shall serve the queue. */
static uint32_t count_wanted(const struct pool *pool, const struct watched_list *queue, bool quarantine)
{
    if (!quarantine)
        return pool->worker_max;
    uint32_t count = queue->count;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next)
        count += worker->quarantine && worker->used && worker_serves(worker);
    return count < QUARANTINE_WORKERS_MAX ? count : QUARANTINE_WORKERS_MAX;
}

/* One of the two queues, with the workers that serve it. */
static void serve(struct pool *pool, struct watched_list *queue, bool quarantine)
{
    if (!queue->first)
        return;
    uint32_t most = count_wanted(pool, queue, quarantine);
    int64_t now_ms = clock_now_ms();
    char text[400];
    if (pool_unkillable_count(pool) >= UNKILLABLE_MAX) {
        snprintf(text, sizeof text, "plugin '%s' is not run: %u of its workers hang in the kernel and can't be killed",
                 pool->name, pool_unkillable_count(pool));
        refuse_queue(pool, queue, text);
        return;
    }
    if (count_workers(pool, quarantine) == 0 && now_ms < pool->backoff.until_ms) {
        snprintf(text, sizeof text, "plugin '%s' does not start: %s", pool->name, pool->why);
        refuse_queue(pool, queue, text);
        return;
    }
    while (count_workers(pool, quarantine) < most && now_ms >= pool->backoff.until_ms &&
           (!quarantine || budget_take(&pool->budget, now_ms)))
        worker_start(pool, quarantine);
    struct worker *worker;
    while (queue->first && (worker = find_room(pool, quarantine)) != NULL)
        worker_send(worker, queue->first);
}

/* Who had a suspect, or has none to wait for, ends: each gets a fresh process, so that nobody is blamed for the damage
 * that another left behind. */
static void close_quarantine(struct pool *pool)
{
    for (struct worker *worker = pool->workers; worker; worker = worker->next)
        if (worker->quarantine && worker->child.life == LIFE_READY && worker->flights.count == 0 &&
            (worker->used || !pool->quarantined.first))
            worker_drain(worker);
}

void pool_enqueue(struct pool *pool, struct watched *watched)
{
    watched_push(watched->suspect ? &pool->quarantined : &pool->queue, watched);
}

void pool_dispatch(struct pool *pool)
{
    if (pool->keeper->stopping)
        return;
    if (!pool->info) {
        char text[400];
        snprintf(text, sizeof text, "plugin '%s' is not in the plugin folders any more", pool->name);
        refuse_queue(pool, &pool->queue, text);
        refuse_queue(pool, &pool->quarantined, text);
        return;
    }
    struct why why;
    if (plugin_needs_explain(pool->info, pool->allow, &why) != 0) { /* a new file asks for more */
        refuse_queue(pool, &pool->queue, why.text);
        refuse_queue(pool, &pool->quarantined, why.text);
        return;
    }
    close_quarantine(pool);
    serve(pool, &pool->queue, false);
    serve(pool, &pool->quarantined, true);
}

/* ---- the pool -------------------------------------------------------------------------------------------------- */

struct pool *pool_of(struct keeper *keeper, const char *plugin)
{
    struct pool *pool = map_get(&keeper->pools, plugin);
    if (!pool) {
        pool = heap_alloc(sizeof *pool);
        pool->keeper = keeper;
        pool->name = heap_text(plugin);
        pool->wanted = true;
        pool->backoff = (struct backoff){ .first_ms = POOL_BACKOFF_MS, .most_ms = POOL_BACKOFF_MAX_MS };
        pool->budget = (struct budget){ .burst = QUARANTINE_BURST, .every_ms = QUARANTINE_EVERY_MS };
        map_put(&keeper->pools, pool->name, pool);
        pool_refresh(pool);
    }
    return pool;
}

void pool_refresh(struct pool *pool)
{
    const struct plugin_info *info = catalog_find(pool->keeper->catalog, pool->name);
    bool changed = info ? info->file_mark != pool->file_mark : pool->info != NULL;
    pool->info = info;
    if (info) {
        struct plugin_config settings = config_plugin(pool->keeper->config, info);
        if (info->blocking && settings.concurrency > LEDGER_SLOTS - 1)
            settings.concurrency = LEDGER_SLOTS - 1;
        changed |= settings.concurrency != pool->concurrency || settings.workers != pool->worker_max ||
                   settings.allow != pool->allow;
        pool->allow = settings.allow;
        pool->worker_max = settings.workers;
        pool->concurrency = settings.concurrency;
        pool->file_mark = info->file_mark;
    }
    if (changed) {
        backoff_clear(&pool->backoff);
        pool->fruitless = 0;
        pool->why[0] = '\0';
    }
    for (struct worker *worker = pool->workers; worker && (changed || !pool->wanted); worker = worker->next)
        worker_drain(worker);
}

void pool_undefine(struct pool *pool)
{
    for (struct worker *worker = pool->workers; worker; worker = worker->next)
        memset(worker->defined, 0, worker->defined_count * sizeof *worker->defined);
}

static bool is_overdue(const struct worker *worker, int64_t now_ms)
{
    for (const struct watched *watched = worker->flights.first; watched; watched = watched->next)
        if (watched->deadline_ms <= now_ms)
            return true;
    return false;
}

/* The keeper did not look for so long (the machine slept, or had too much to do): what happened meanwhile is not looked
 * at with its clock. */
static void forgive(struct worker *worker, int64_t stalled_ms)
{
    worker->child.started_ms += stalled_ms;
    child_forgive(&worker->child, stalled_ms);
    worker->idle_ms += stalled_ms;
    for (struct watched *watched = worker->flights.first; watched; watched = watched->next)
        watched->deadline_ms += stalled_ms;
}

static void check_start(struct pool *pool, struct worker *worker, int64_t now_ms)
{
    if (worker->child.life != LIFE_START || now_ms - worker->child.started_ms <= WORKER_START_MS)
        return;
    snprintf(pool->why, sizeof pool->why, "it was not ready within %d s", WORKER_START_MS / 1000);
    worker->explained = true;
    worker_kill(worker);
}

static void check_end(struct worker *worker, int64_t now_ms)
{
    if (worker->child.life != LIFE_LEAVING)
        return;
    if (worker->flights.count > 0)
        worker->idle_ms = now_ms;
    if (now_ms - worker->idle_ms <= WORKER_END_MS)
        return;
    log_warn(worker->child.name, "worker %d did not end when it was told to and is killed", (int)worker->child.pid);
    worker_kill(worker);
}

static void check_runs(struct worker *worker, int64_t now_ms)
{
    enum life_state life = worker->child.life;
    bool up = life_serves(life) || life == LIFE_SILENT || life == LIFE_LEAVING;
    if (!up || !is_overdue(worker, now_ms) || !blame_overdue(worker, now_ms))
        return;
    log_warn(worker->child.name, "a run did not come back within its timeout, worker %d is killed",
             (int)worker->child.pid);
    worker->stuck = true;
    worker_kill(worker);
}

static void look_after(struct pool *pool, struct worker *worker, int64_t now_ms)
{
    check_start(pool, worker, now_ms);
    check_end(worker, now_ms);
    check_runs(worker, now_ms);
    worker_weigh(worker, now_ms);
    if (child_watch(&worker->child, now_ms, blame_excuses(worker)))
        worker_give_up(worker);
}

static struct pool *find_unused(const struct keeper *keeper)
{
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        if (!pool->wanted && !pool->workers && !pool->queue.first && !pool->quarantined.first)
            return pool;
    return NULL;
}

/* A file of the system that workers without all files may read was replaced: those that hold the old one end. */
static void renew_sandboxes(struct keeper *keeper, int64_t now_ms)
{
    if (now_ms - keeper->sandbox_ms < SANDBOX_LOOK_MS)
        return;
    uint64_t before = keeper->sandbox_mark;
    keeper->sandbox_ms = now_ms;
    keeper->sandbox_mark = sandbox_mark();
    if (before == 0 || before == keeper->sandbox_mark)
        return;
    log_info("keeper", "a file in /etc that plugins read was replaced: their workers are started anew");
    struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        for (struct worker *worker = pool->workers; worker; worker = worker->next)
            if (pool->info && !(pool->info->needs & (BELFRY_NEEDS_FILES | BELFRY_NEEDS_PROCESSES)))
                worker_drain(worker);
}

void pools_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms)
{
    struct pool *pool;
    renew_sandboxes(keeper, now_ms);
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;) {
        for (struct worker *worker = pool->workers; worker; worker = worker->next) {
            forgive(worker, stalled_ms);
            look_after(pool, worker, now_ms);
        }
        pool_dispatch(pool);
    }
    while ((pool = find_unused(keeper)) != NULL) {
        map_remove(&keeper->pools, pool->name);
        pool_free(pool);
    }
}

void pool_throttle(struct pool *pool)
{
    char name[96];
    int64_t pause_ms = backoff_more(&pool->backoff, clock_now_ms());
    snprintf(name, sizeof name, "plugin %s", pool->name);
    log_error(name, "does not start: %s; next try in %.1f s", pool->why, (double)pause_ms / 1000);
    const struct event event = {
        .type = EVENT_PLUGIN_THROTTLED, .plugin = pool->name, .pause_ms = pause_ms, .text = pool->why
    };
    if (!pool->throttled)
        keeper_emit(pool->keeper, &event);
    pool->throttled = true;
}

void pool_useful(struct pool *pool)
{
    const struct event event = { .type = EVENT_PLUGIN_RESUMED, .plugin = pool->name };
    if (pool->throttled)
        keeper_emit(pool->keeper, &event);
    pool->throttled = false;
    pool->fruitless = 0;
    pool->why[0] = '\0';
    backoff_clear(&pool->backoff);
}

void pool_forget(struct watched *watched)
{
    struct worker *worker = watched->worker;
    watched_unlink(watched);
    watched->worker = NULL;
    if (worker && worker->flights.count == 0)
        worker_rest(worker);
}

uint32_t pool_unkillable_count(const struct pool *pool)
{
    uint32_t count = 0;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next)
        count += worker->child.life == LIFE_UNKILLABLE;
    return count;
}

uint32_t pool_worker_count(const struct pool *pool)
{
    return count_workers(pool, false) + count_workers(pool, true);
}

uint32_t pool_flight_count(const struct pool *pool)
{
    uint32_t count = 0;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next)
        count += worker->flights.count;
    return count;
}

const char *pool_state_name(const struct pool *pool)
{
    bool ready = false, starting = false, draining = false, silent = false;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next) {
        ready |= life_serves(worker->child.life);
        silent |= worker->child.life == LIFE_SILENT;
        starting |= worker->child.life == LIFE_START;
        draining |= worker->child.life == LIFE_LEAVING;
    }
    if (!pool->info)
        return "missing";
    if (pool_unkillable_count(pool) >= UNKILLABLE_MAX)
        return "stuck";
    if (ready)
        return "running";
    if (silent)
        return "silent";
    if (clock_now_ms() < pool->backoff.until_ms)
        return "throttled";
    return starting ? "starting" : draining ? "draining" : "idle";
}

void pool_end(struct pool *pool)
{
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        worker->pool = NULL;
        child_kill(&worker->child);
        child_close(&worker->child);
    }
    pool->workers = NULL;
}

void pool_free(struct pool *pool)
{
    pool_end(pool);
    free(pool->name);
    free(pool);
}
