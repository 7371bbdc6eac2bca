/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker - one process that runs a plugin's checks, as the keeper sees it: started, told of checks, given runs, asked
 * to end, dead.
 *
 * Diagnostics: `worker N ended by SIGSEGV with M runs in flight; it was running CHECK; age, jobs done, CPU`, `worker N
 * has grown to N MiB and M descriptors and is replaced`. */
#include <config.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/keeper/pool.h"
#include "core/model/task.h"
#include "core/sandbox/sandbox.h"

/* ---- the life of a worker (life.c) ------------------------------------------------------------------------------- */

void worker_kill(struct worker *worker)
{
    child_kill(&worker->child);
}

void worker_drain(struct worker *worker)
{
    if (!life_counts(worker->child.life))
        return;
    child_move(&worker->child, LIFE_LEAVE);
    worker->dismissed = true;
    worker->idle_ms = clock_now_ms();
    wire_end(&worker->child.link.out, wire_begin(&worker->child.link.out, WIRE_STOP));
    link_changed(&worker->child.link);
}

bool worker_serves(const struct worker *worker)
{
    return life_serves(worker->child.life) && !worker->child.exited && !worker->child.link.closing;
}

void worker_rest(struct worker *worker)
{
    child_move(&worker->child, LIFE_REST);
}

void worker_give_up(struct worker *worker)
{
    blame_death(worker);
    keeper_plan(worker->keeper);
}

/* Pages in memory, as /proc says; 0 when it can't be read. */
static uint64_t resident_bytes(pid_t pid)
{
    char path[64];
    unsigned long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *statm = fopen(path, "re");
    if (!statm)
        return 0;
    if (fscanf(statm, "%*u %llu", &pages) != 1)
        pages = 0;
    fclose(statm);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static unsigned count_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *fds = opendir(path);
    while (fds && readdir(fds))
        count++;
    if (fds)
        closedir(fds);
    return count;
}

static uint64_t descriptors_max(const struct pool *pool)
{
    return 256 + 8ull * pool->concurrency;
}

/* A plugin that leaks gets a fresh process now and then; what runs in the old one ends there. */
void worker_weigh(struct worker *worker, int64_t now_ms)
{
    if (!worker_serves(worker) || now_ms - worker->weighed_ms < WORKER_WEIGH_MS)
        return;
    worker->weighed_ms = now_ms;
    uint64_t bytes = resident_bytes(worker->child.pid);
    unsigned descriptors = count_descriptors(worker->child.pid);
    if (bytes <= WORKER_RSS_MAX && descriptors <= descriptors_max(worker->pool) / 4 * 3)
        return;
    log_warn(worker->child.name, "worker %d has grown to %llu MiB and %u descriptors and is replaced",
             (int)worker->child.pid, (unsigned long long)(bytes >> 20), descriptors);
    worker_drain(worker);
}

/* ---- callbacks of the child ------------------------------------------------------------------------------------ */

static bool on_ready(struct worker *worker, struct wire_reader *r)
{
    struct arena *arena = &worker->keeper->scratch;
    struct plugin_info info;
    arena_reset(arena);
    if (plugin_info_decode(r, arena, &info) != 0)
        return false;
    const char *sandbox = wire_text(r, arena, 4096);
    if (wire_done(r) != 0 || !sandbox)
        return false;
    child_move(&worker->child, LIFE_IS_READY);
    worker->was_ready = true;
    if (!worker->pool)
        return true;
    text_visible(worker->pool->sandbox, sizeof worker->pool->sandbox, sandbox, false);
    pool_dispatch(worker->pool);
    return true;
}

static bool on_frame(struct child *child, struct wire_frame *frame)
{
    struct worker *worker = child->owner;
    struct arena *arena = &worker->keeper->scratch;
    struct wire_reader *r = &frame->payload;
    switch (frame->type) {
    case WIRE_READY:
        return on_ready(worker, r);
    case WIRE_REJECTED: {
        arena_reset(arena);
        const char *path = wire_text(r, arena, 4096), *why = wire_text(r, arena, 4096);
        if (wire_done(r) != 0 || !path || !why)
            return false;
        worker->explained = true;
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
        /* a name that is no check's is the plugin's own invention */
        if (child_may_log(child, &child->messages))
            log_line((enum log_level)level,
                     schedule_find(worker->keeper->schedule, check) == SCHEDULE_NONE ? child->name : check, line);
        return true;
    }
    default:
        return false;
    }
}

bool worker_was_forbidden(const struct worker *worker)
{
    uint64_t call = atomic_load(&worker->ledger->forbidden);
    int status = worker->child.status;
    return call > 0 && call <= INT_MAX && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

const char *worker_end_text(const struct worker *worker, char *out, size_t size)
{
    char name[SANDBOX_CALL_SIZE];
    if (!worker_was_forbidden(worker))
        return child_end_text(&worker->child, out, size);
    int call = (int)(atomic_load(&worker->ledger->forbidden) - 1) & INT_MAX;
    snprintf(out, size, "forbidden system call %d (%s)", call, sandbox_call_name(call, name));
    return out;
}

/* It died before it was ready. */
static void fail_start(struct worker *worker)
{
    struct pool *pool = worker->pool;
    char end[96];
    worker_end_text(worker, end, sizeof end);
    if (!worker->explained)
        snprintf(pool->why, sizeof pool->why, "it ended before it was ready: %s", end);
    pool_throttle(pool);
}

/* It was ready and died, and nobody had wanted that. One that died before its first result, while none of its runs was
 * executing, was of no use; several of them in a row, and the plugin is left alone for a while. In quarantine every run
 * has its own, which the budget bounds. */
static void tell_death(struct worker *worker)
{
    char text[512], end[96];
    struct pool *pool = worker->pool;
    const char *check = blame_running(worker);
    const struct obituary obituary = { worker_end_text(worker, end, sizeof end), check, worker->flights.count };
    child_obituary(&worker->child, &obituary, text, sizeof text);
    log_warn(worker->child.name, "worker %d %s", (int)worker->child.pid, text);
    const struct event event = { .type = EVENT_CHILD_DIED, .name = worker->child.name, .check = check, .text = text };
    keeper_emit(worker->keeper, &event);
    if (!pool || check || worker->quarantine || worker->child.jobs > 0 || ++pool->fruitless < FRUITLESS_MAX)
        return;
    snprintf(pool->why, sizeof pool->why, "its last %u workers died before their first result: %s", pool->fruitless,
             end);
    pool_throttle(pool);
}

static void on_child_exit(struct child *child)
{
    struct worker *worker = child->owner;
    struct keeper *keeper = worker->keeper;
    bool left = worker->dismissed && WIFEXITED(child->status) && worker->flights.count == 0;
    if (!keeper->stopping && worker->was_ready && !left)
        tell_death(worker);
    if (!keeper->stopping && worker->pool) {
        if (!worker->was_ready && !worker->dismissed)
            fail_start(worker);
        blame_death(worker);
    }
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
    char concurrency[16], needs[PLUGIN_NEEDS_SIZE];
    snprintf(concurrency, sizeof concurrency, "%u", pool->concurrency);
    plugin_needs_text(pool->info->needs, "", ",", needs);
    const char *argv[] = { "belfry-worker", "--plugin",      pool->info->path, "--allow",
                           needs,           "--concurrency", concurrency,      NULL };
    /* a run may hold several sockets; stacks are reserved, not used. No limit on memory under a sanitizer, which maps
     * terabytes */
    const struct spawn_limit limits[] = {
        { RLIMIT_NOFILE, descriptors_max(pool) },
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

void worker_start(struct pool *pool, bool quarantine)
{
    struct worker *worker = heap_alloc(sizeof *worker);
    worker->pool = pool;
    worker->quarantine = quarantine;
    worker->blocking = pool->info->blocking;
    worker->keeper = pool->keeper;
    worker->weighed_ms = clock_now_ms();
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
        pool_throttle(pool);
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

void worker_send(struct worker *worker, struct watched *watched)
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
    worker->used = true;
    watched->worker = worker;
    watched->sent_ms = clock_now_ms();
    watched->deadline_ms = watched->sent_ms + check->timeout_ms + RUN_GRACE_MS;
    watched_push(&worker->flights, watched);
    child_move(&worker->child, LIFE_WORK);
}
