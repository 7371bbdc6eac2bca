/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - see pool.h.
 *
 * Diagnostics: `worker ready`, `plugin 'x' does not start: WHY, next try in N s`, `worker ended by SIGSEGV while it ran
 * 'a/b'`, `a/b did not come back within N s, its worker is killed`. */
#include "core/keeper/pool.h"

#include <config.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/model/task.h"

/* ---- the life of a worker -------------------------------------------------------------------------------------- */

enum worker_event {
    WORKER_IS_READY,
    WORKER_DRAIN,
    WORKER_KILL,
    WORKER_ENDED,
    WORKER_EVENT_COUNT
};

static const enum worker_state lifecycle[WORKER_STATE_COUNT][WORKER_EVENT_COUNT] = {
    /*                       ready            drain            kill            ended      */
    [WORKER_STARTING] = { WORKER_READY, WORKER_DRAINING, WORKER_KILLED, WORKER_DEAD },
    [WORKER_READY] = { WORKER_READY, WORKER_DRAINING, WORKER_KILLED, WORKER_DEAD },
    [WORKER_DRAINING] = { WORKER_DRAINING, WORKER_DRAINING, WORKER_KILLED, WORKER_DEAD },
    [WORKER_KILLED] = { WORKER_KILLED, WORKER_KILLED, WORKER_KILLED, WORKER_DEAD },
    [WORKER_DEAD] = { WORKER_DEAD, WORKER_DEAD, WORKER_DEAD, WORKER_DEAD },
};

static void move(struct worker *worker, enum worker_event event)
{
    worker->state = lifecycle[worker->state][event];
}

static void kill_worker(struct worker *worker)
{
    move(worker, WORKER_KILL);
    child_kill(&worker->child);
}

static void drain(struct worker *worker)
{
    if (worker->state == WORKER_DRAINING || worker->state == WORKER_KILLED || worker->state == WORKER_DEAD)
        return;
    move(worker, WORKER_DRAIN);
    wire_end(&worker->child.link.out, wire_begin(&worker->child.link.out, WIRE_STOP));
    link_changed(&worker->child.link);
}

/* ---- who is to blame ------------------------------------------------------------------------------------------- */

/* Whom the ledger names. The worker ran foreign code: a number that is none of its runs in flight matches nobody. */
enum named {
    NAMED_NOBODY, /* no plugin code was running */
    NAMED_ONE,
    NAMED_SEVERAL /* one of them */
};

static enum named read_ledger(const struct worker *worker, uint64_t *run)
{
    uint32_t count = 0;
    *run = atomic_load(&worker->ledger->crashed);
    if (*run)
        return NAMED_ONE;
    for (uint32_t slot = 0; slot < LEDGER_SLOTS; slot++) {
        uint64_t one = atomic_load(&worker->ledger->slots[slot].run);
        *run = one ? one : *run;
        count += one != 0;
    }
    return count == 0 ? NAMED_NOBODY : count == 1 ? NAMED_ONE : NAMED_SEVERAL;
}

static bool is_executing(const struct worker *worker, uint64_t run)
{
    for (uint32_t slot = 0; slot < LEDGER_SLOTS; slot++)
        if (atomic_load(&worker->ledger->slots[slot].run) == run)
            return true;
    return false;
}

static void blame(struct worker *worker, struct watched *culprit)
{
    struct keeper *keeper = worker->keeper;
    char end[64], text[256];
    const char *check = schedule_view(keeper->schedule, culprit->slot)->config->id;
    child_end_text(&worker->child, end, sizeof end);
    if (worker->stuck)
        snprintf(text, sizeof text, "did not come back within its timeout, its worker was killed");
    else
        snprintf(text, sizeof text, "plugin crashed: %s", end);
    worker->pool->crashes++;
    const struct event event = {
        .type = EVENT_PLUGIN_CRASHED, .plugin = worker->pool->name, .check = check, .text = text
    };
    keeper_emit(keeper, &event);
    dispatch_made_up(keeper, culprit, worker->stuck ? RESULT_STUCK : RESULT_CRASHED, text);
}

/* For how long the run has been executing without a wait; -1: it is not executing. */
static int64_t held_ms(const struct worker *worker, uint64_t run, int64_t now_ms)
{
    for (uint32_t slot = 0; slot < LEDGER_SLOTS; slot++)
        if (atomic_load(&worker->ledger->slots[slot].run) == run)
            return now_ms - atomic_load(&worker->ledger->slots[slot].since_ms);
    return -1;
}

/* Some run is overdue. Whose fault is it? A coroutine that held the thread for RUN_GRACE_MS kept the others from their
 * deadlines; a thread only keeps itself. When nobody holds anything the worker may just be slow: it is given time once
 * more, then the overdue ones are to blame. Returns whether anybody is. */
static bool accuse(struct worker *worker, int64_t now_ms)
{
    bool blocking = worker->pool->info && worker->pool->info->blocking, any = false;
    for (struct watched *watched = worker->flights.first; watched; watched = watched->next) {
        bool overdue = watched->deadline_ms <= now_ms;
        bool holds = held_ms(worker, watched->run, now_ms) >= RUN_GRACE_MS;
        watched->guilty = (holds && (overdue || !blocking)) || watched->deadline_ms + 2 * RUN_GRACE_MS <= now_ms;
        any |= watched->guilty;
    }
    return any;
}

/* A worker died while no plugin code ran: somebody killed it, or a run before left damage behind. Once or twice, nobody
 * is suspected. */
static bool dies_often(struct pool *pool)
{
    int64_t now_ms = clock_now_ms();
    if (now_ms - pool->unexplained_ms > UNEXPLAINED_MS)
        pool->unexplained = 0;
    pool->unexplained_ms = now_ms;
    return ++pool->unexplained >= UNEXPLAINED_MAX;
}

/* The runs that were in flight: the culprit's result is made up, the others are lost without fault. Where the culprit
 * can't be told, those that may be it go into quarantine; what dies there is the culprit. */
static void settle_flights(struct worker *worker)
{
    struct keeper *keeper = worker->keeper;
    uint64_t culprit;
    enum named named = read_ledger(worker, &culprit);
    if (worker->child.violated)
        named = NAMED_NOBODY; /* who wrote the bytes may have yielded since */
    bool draining = worker->state == WORKER_DRAINING;
    bool unexplained = !worker->stuck && !draining && named != NAMED_ONE;
    bool search = unexplained && (named == NAMED_SEVERAL || worker->child.violated || dies_often(worker->pool));
    while (worker->flights.first) {
        struct watched *watched = worker->flights.first;
        uint64_t run = watched->run;
        bool guilty = worker->stuck ? watched->guilty
                                    : (named == NAMED_ONE && run == culprit) || (worker->quarantine && !draining);
        bool maybe = search && (named == NAMED_NOBODY || is_executing(worker, run));
        pool_forget(watched);
        watched->guilty = false;
        /* a run that others keep tearing down with them is kept apart, too */
        watched->suspect = guilty || maybe || ++watched->losses >= LOSSES_MAX;
        if (guilty) {
            blame(worker, watched);
            continue;
        }
        watched->run = 0;
        schedule_lost(keeper->schedule, run, clock_instant());
    }
}

/* ---- callbacks of the child ------------------------------------------------------------------------------------ */

static bool on_frame(struct child *child, struct wire_frame *frame)
{
    struct worker *worker = child->owner;
    struct arena *arena = &worker->keeper->scratch;
    struct wire_reader *r = &frame->payload;
    switch (frame->type) {
    case WIRE_READY:
        move(worker, WORKER_IS_READY);
        worker->was_ready = true;
        if (worker->pool) {
            worker->pool->backoff_ms = 0;
            worker->pool->why[0] = '\0';
            pool_dispatch(worker->pool);
        }
        return true;
    case WIRE_REJECTED: {
        arena_reset(arena);
        const char *path = wire_text(r, arena, 4096), *why = wire_text(r, arena, 4096);
        if (wire_done(r) != 0 || !path || !why)
            return false;
        if (worker->pool)
            text_visible(worker->pool->why, sizeof worker->pool->why, why, false);
        return true;
    }
    case WIRE_RESULT:
        return dispatch_result(worker->keeper, worker, r);
    case WIRE_LOG: {
        arena_reset(arena);
        uint8_t level = wire_u8(r);
        const char *check = wire_text(r, arena, 256), *line = wire_text(r, arena, 8192);
        if (wire_done(r) != 0 || level > LOG_LEVEL_ERROR || !check || !line)
            return false;
        log_line((enum log_level)level, check, line);
        return true;
    }
    case WIRE_PONG:
        wire_u64(r);
        return wire_done(r) == 0;
    default:
        return false;
    }
}

static void throttle(struct pool *pool, const struct child *child)
{
    char end[64];
    child_end_text(child, end, sizeof end);
    if (pool->why[0] == '\0')
        snprintf(pool->why, sizeof pool->why, "it ended before it was ready: %s", end);
    pool->backoff_ms = pool->backoff_ms == 0 ? POOL_BACKOFF_MS : pool->backoff_ms * 2;
    if (pool->backoff_ms > POOL_BACKOFF_MAX_MS)
        pool->backoff_ms = POOL_BACKOFF_MAX_MS;
    pool->restart_at_ms = clock_now_ms() + pool->backoff_ms;
    log_error(child->name, "does not start: %s; next try in %.1f s", pool->why, (double)pool->backoff_ms / 1000);
}

static void on_child_exit(struct child *child)
{
    struct worker *worker = child->owner;
    struct keeper *keeper = worker->keeper;
    bool expected = keeper->stopping || worker->state == WORKER_DRAINING || worker->stuck;
    char end[64];
    child_end_text(child, end, sizeof end);
    if (worker->was_ready && !expected)
        log_warn(child->name, "worker %d ended by %s with %u runs in flight", (int)child->pid, end,
                 worker->flights.count);
    if (!keeper->stopping && worker->pool) {
        if (!worker->was_ready && worker->state != WORKER_DRAINING)
            throttle(worker->pool, child);
        settle_flights(worker);
    }
    move(worker, WORKER_ENDED);
    child_close(child);
    if (!keeper->stopping) {
        orphan_worker_died(keeper);
        keeper_plan(keeper);
        dispatch_all(keeper);
    }
}

static void on_gone(struct child *child)
{
    struct worker *worker = child->owner;
    if (worker->pool) {
        struct worker **at = &worker->pool->workers;
        while (*at && *at != worker)
            at = &(*at)->next;
        if (*at)
            *at = worker->next;
    }
    munmap(worker->ledger, sizeof *worker->ledger);
    free(worker->defined);
    free(worker);
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

static int open_ledger(struct worker *worker)
{
    int fd = memfd_create("belfry-ledger", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    void *page = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct ledger)) == 0)
        page = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        int failed = -errno;
        close(fd);
        return failed;
    }
    worker->ledger = page;
    worker->ledger->magic = LEDGER_MAGIC;
    worker->ledger->size = sizeof(struct ledger);
    return fd;
}

static int spawn(struct worker *worker, int ledger_fd)
{
    const struct pool *pool = worker->pool;
    char concurrency[16];
    snprintf(concurrency, sizeof concurrency, "%u", pool->concurrency);
    const char *argv[] = { "belfry-worker", "--plugin", pool->info->path, "--concurrency", concurrency, NULL };
    /* a run may hold several sockets; stacks are reserved, not used. No limit on memory under a sanitizer, which maps
     * terabytes */
    const struct spawn_limit limits[] = {
        { RLIMIT_NOFILE, 256 + 8ull * pool->concurrency },
        { RLIMIT_CORE, 0 },
#ifndef BELFRY_SANITIZERS
        { RLIMIT_AS, (2ull << 30) + pool->concurrency * (1ull << 20) },
#endif
    };
    const struct child_spec spec = { .program = spawn_member("belfry-worker"),
                                     .argv = argv,
                                     .limits = limits,
                                     .limit_count = sizeof limits / sizeof limits[0],
                                     .extra_fd = ledger_fd };
    return child_start(&worker->child, &worker->keeper->loop, &worker->keeper->dirty, &spec);
}

static void start_worker(struct pool *pool, bool quarantine)
{
    struct worker *worker = heap_alloc(sizeof *worker);
    worker->pool = pool;
    worker->quarantine = quarantine;
    worker->keeper = pool->keeper;
    worker->started_ms = clock_now_ms();
    snprintf(worker->child.name, sizeof worker->child.name, "plugin %s", pool->name);
    worker->child.owner = worker;
    worker->child.on_frame = on_frame;
    worker->child.on_exit = on_child_exit;
    worker->child.on_gone = on_gone;
    int ledger_fd = open_ledger(worker);
    int failed = ledger_fd < 0 ? ledger_fd : spawn(worker, ledger_fd);
    if (ledger_fd >= 0)
        close(ledger_fd);
    if (failed) {
        snprintf(pool->why, sizeof pool->why, "no worker can be started: %s", error_text(failed));
        throttle(pool, &worker->child);
        if (worker->ledger)
            munmap(worker->ledger, sizeof *worker->ledger);
        free(worker);
        return;
    }
    worker->next = pool->workers;
    pool->workers = worker;
}

/* ---- sending runs ---------------------------------------------------------------------------------------------- */

static void define(struct worker *worker, struct watched *watched, const struct task *task, uint64_t mark)
{
    if (watched->slot >= worker->defined_count) {
        uint32_t count = worker->keeper->watched_count;
        worker->defined = heap_grow(worker->defined, count, sizeof *worker->defined);
        memset(worker->defined + worker->defined_count, 0, (count - worker->defined_count) * sizeof *worker->defined);
        worker->defined_count = count;
    }
    struct buf *out = &worker->child.link.out;
    size_t begin = wire_begin(out, WIRE_CHECK);
    wire_put_u32(out, watched->slot);
    task_encode(out, task);
    worker->defined[watched->slot] = wire_end(out, begin) == 0 ? mark : 0;
}

/* Tells the worker what the check is, when it does not know it as it is now. */
static int tell(struct worker *worker, struct watched *watched, const struct check_config *check, struct why *why)
{
    uint64_t mark = text_hash_more(check->task_mark, check->id, strlen(check->id)) | 1;
    if (watched->slot < worker->defined_count && worker->defined[watched->slot] == mark)
        return 0;
    struct arena arena = { 0 };
    struct task task;
    int failed = config_task_resolve(worker->keeper->config, check, worker->pool->info, &arena, &task, why);
    if (!failed)
        define(worker, watched, &task, mark);
    arena_close(&arena);
    return failed;
}

static void send_run(struct worker *worker, struct watched *watched)
{
    struct keeper *keeper = worker->keeper;
    const struct check_config *check = schedule_view(keeper->schedule, watched->slot)->config;
    struct why why;
    watched_unlink(watched);
    if (tell(worker, watched, check, &why) != 0) {
        dispatch_made_up(keeper, watched, RESULT_MISUSE, why.text);
        return;
    }
    struct buf *out = &worker->child.link.out;
    size_t begin = wire_begin(out, WIRE_RUN);
    wire_put_u64(out, watched->run);
    wire_put_u32(out, watched->slot);
    wire_put_u32(out, check->timeout_ms);
    if (watched->kept.length > 0)
        buf_add(out, watched->kept.data, watched->kept.length);
    else
        kept_encode(out, &(struct kept){ 0 });
    wire_end(out, begin);
    link_changed(&worker->child.link);
    watched->worker = worker;
    watched->sent_ms = clock_now_ms();
    watched->deadline_ms = watched->sent_ms + check->timeout_ms + RUN_GRACE_MS;
    watched_push(&worker->flights, watched);
}

/* A ready worker with room, the emptiest one; in quarantine there is room for one. */
static struct worker *find_room(const struct pool *pool, bool quarantine)
{
    struct worker *best = NULL;
    uint32_t room = quarantine ? 1 : pool->concurrency;
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        bool fits = worker->state == WORKER_READY && worker->quarantine == quarantine && worker->flights.count < room;
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
        count +=
            (worker->state == WORKER_READY || worker->state == WORKER_STARTING) && worker->quarantine == quarantine;
    return count;
}

/* One of the two queues, with the workers that serve it. */
static void serve(struct pool *pool, struct watched_list *queue, bool quarantine)
{
    uint32_t most = quarantine ? 1 : pool->worker_max;
    if (!queue->first)
        return;
    if (count_workers(pool, quarantine) == 0 && clock_now_ms() < pool->restart_at_ms) {
        char text[400];
        snprintf(text, sizeof text, "plugin '%s' does not start: %s", pool->name, pool->why);
        refuse_queue(pool, queue, text);
        return;
    }
    while (count_workers(pool, quarantine) < most && clock_now_ms() >= pool->restart_at_ms)
        start_worker(pool, quarantine);
    struct worker *worker;
    while (queue->first && (worker = find_room(pool, quarantine)) != NULL)
        send_run(worker, queue->first);
}

/* Nobody is left to be kept apart: the next suspect gets a fresh process. */
static void close_quarantine(struct pool *pool)
{
    for (struct worker *worker = pool->workers; worker && !pool->quarantined.first; worker = worker->next)
        if (worker->quarantine && worker->state == WORKER_READY && worker->flights.count == 0)
            drain(worker);
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
    serve(pool, &pool->queue, false);
    serve(pool, &pool->quarantined, true);
    close_quarantine(pool);
}

/* ---- the pool -------------------------------------------------------------------------------------------------- */

struct pool *pool_of(struct keeper *keeper, const char *plugin)
{
    struct pool *pool = map_get(&keeper->pools, plugin);
    if (!pool) {
        pool = heap_alloc(sizeof *pool);
        pool->keeper = keeper;
        pool->name = heap_text(plugin);
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
        changed = changed || (pool->worker_max > 0 && settings.concurrency != pool->concurrency);
        pool->worker_max = settings.workers;
        pool->concurrency = settings.concurrency;
        if (info->blocking && pool->concurrency > LEDGER_SLOTS - 1)
            pool->concurrency = LEDGER_SLOTS - 1;
        pool->file_mark = info->file_mark;
    }
    if (changed) {
        pool->restart_at_ms = pool->backoff_ms = 0;
        pool->why[0] = '\0';
        for (struct worker *worker = pool->workers; worker; worker = worker->next)
            drain(worker);
    }
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

void pool_housekeeping(struct pool *pool, int64_t now_ms)
{
    for (struct worker *worker = pool->workers; worker; worker = worker->next) {
        if (worker->state == WORKER_STARTING && now_ms - worker->started_ms > WORKER_START_MS) {
            snprintf(pool->why, sizeof pool->why, "it was not ready within %d s", WORKER_START_MS / 1000);
            kill_worker(worker);
        }
        bool serves = worker->state == WORKER_READY || worker->state == WORKER_DRAINING;
        if (serves && is_overdue(worker, now_ms) && accuse(worker, now_ms)) {
            log_warn(worker->child.name, "a run did not come back within its timeout, worker %d is killed",
                     (int)worker->child.pid);
            worker->stuck = true;
            kill_worker(worker);
        }
    }
    pool_dispatch(pool);
}

void pool_forget(struct watched *watched)
{
    watched_unlink(watched);
    watched->worker = NULL;
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
    bool ready = false, starting = false, draining = false;
    for (const struct worker *worker = pool->workers; worker; worker = worker->next) {
        ready |= worker->state == WORKER_READY;
        starting |= worker->state == WORKER_STARTING;
        draining |= worker->state == WORKER_DRAINING;
    }
    if (!pool->info)
        return "missing";
    if (ready)
        return "running";
    if (clock_now_ms() < pool->restart_at_ms)
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
