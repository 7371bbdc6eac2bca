/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - the workers of one plugin: started when there is work, filled up to `concurrency`, drained when the file is
 * replaced, throttled when they can't start (pool.c). A worker lives by the table of life.c. When one
 * dies its ledger says which run was executing: that one is blamed, the others run again and count nothing; when it
 * can't be said, each of them runs again in a process of its own (blame.c). */
#ifndef KEEPER_POOL_H
#define KEEPER_POOL_H

#include "core/keeper/child.h"
#include "core/keeper/keeper.h"
#include "core/model/ledger.h"

/* Back-off after a worker that died before it was ready, or after several in a row that died before their first result
 * and by no run of theirs.
 */
#define POOL_BACKOFF_MS 100
#define POOL_BACKOFF_MAX_MS 30000
#define FRUITLESS_MAX 3
/* Processes for suspects: so many at once, then one each so often; more wait. */
#define QUARANTINE_BURST 50
#define QUARANTINE_EVERY_MS 200
/* So many workers that can't be killed, and the plugin is not run any more until one is gone. */
#define UNKILLABLE_MAX 3
/* A worker that has grown beyond that, or has three quarters of its descriptors open, is replaced: what it runs it
 * finishes. */
#define WORKER_RSS_MAX (512ull << 20)
#define WORKER_WEIGH_MS 5000 /* how often it is weighed */
/* Deaths within this time that nobody can be blamed for, until every run that was in flight is tried alone. */
#define UNEXPLAINED_MAX 3
#define UNEXPLAINED_MS 60000
/* So often a run is lost with its worker before it runs alone. */
#define LOSSES_MAX 3
#define SANDBOX_LOOK_MS 2000  /* whether files that sandboxes hold were replaced */
#define WORKER_START_MS 10000 /* to become ready */
#define WORKER_END_MS 5000    /* to exit, once it was told to and has nothing to run */
/* Runs under suspicion that are tried at once: each has a process of its own. */
#define QUARANTINE_WORKERS_MAX 4

struct worker {
    struct child child;
    struct pool *pool; /* NULL once the pool is gone */
    struct keeper *keeper;
    bool was_ready, stuck;
    bool explained;  /* the pool knows why it does not start */
    bool quarantine; /* for one run that is under suspicion, and no other: it may leave damage behind */
    bool used;       /* in quarantine: it had its run */
    bool dismissed;  /* it was told to end */
    bool blocking;   /* its plugin runs on threads */
    int64_t weighed_ms;
    int64_t idle_ms; /* dismissed: since when it has nothing to run */
    struct ledger *ledger;
    struct watched_list flights;
    uint64_t *defined; /* by slot: mark of the check as this worker knows it; 0: not at all */
    uint32_t defined_count;
    struct worker *next;
};

struct pool {
    struct keeper *keeper;
    char *name;
    const struct plugin_info *info; /* in the keeper's catalog; NULL: gone from the plugin folders */
    uint64_t file_mark;
    bool wanted; /* some check of the configuration uses it */
    uint32_t worker_max, concurrency;
    uint32_t allow;         /* BELFRY_NEEDS_* that the configuration grants */
    char sandbox[192];      /* of the worker that was ready last, in its own words; "" before */
    struct worker *workers; /* also those that are draining or dying */
    struct watched_list queue, quarantined;
    struct backoff backoff; /* throttled until then */
    struct budget budget;   /* of the quarantine */
    bool throttled;         /* its circuit is open: told in the journal */
    uint32_t fruitless;     /* workers in a row that died before their first result */
    uint32_t crashes, unexplained;
    int64_t unexplained_ms; /* of the last one */
    char why[256];          /* of the last failed start, or "" */
};

/* The pool of the plugin, made when there is none. */
struct pool *pool_of(struct keeper *keeper, const char *plugin);
/* Puts a decided run where its kind waits: the queue, or the quarantine. */
void pool_enqueue(struct pool *pool, struct watched *watched);
/* Sends queued runs to workers with room; starts workers. */
void pool_dispatch(struct pool *pool);
/* New catalog or new settings: points at the new description, drains workers of a replaced or removed file, or of other
 * settings, or that no check uses any more. */
void pool_refresh(struct pool *pool);
/* Every worker forgets what it was told of checks, so that they are told again (secrets may have changed). */
void pool_undefine(struct pool *pool);
/* Every pool: overdue runs, starts and ends that take too long; those that nobody uses are freed. stalled_ms: for how
 * long the keeper itself did not look; nobody is blamed for that time. */
void pools_housekeeping(struct keeper *keeper, int64_t now_ms, int64_t stalled_ms);
uint32_t pool_worker_count(const struct pool *pool); /* ready or starting */
uint32_t pool_flight_count(const struct pool *pool);
/* "running", "starting", "throttled", "missing", "draining", "idle" */
const char *pool_state_name(const struct pool *pool);
/* Kills every worker; they are freed when the loop lets go of them. */
void pool_end(struct pool *pool);
void pool_free(struct pool *pool);
/* The run left its worker or the queue. */
void pool_forget(struct watched *watched);
/* No worker can be started: why is set; the next attempt waits. The plugin's circuit is open. */
void pool_throttle(struct pool *pool);
/* One of its workers gave a result: its circuit is closed. */
void pool_useful(struct pool *pool);
/* Workers that can't be killed. */
uint32_t pool_unkillable_count(const struct pool *pool);

/* worker.c */
void worker_start(struct pool *pool, bool quarantine);
/* Gives it a queued run. */
void worker_send(struct worker *worker, struct watched *watched);
/* It takes runs: ready, alive as far as we know, its socket open. */
/* It died of a system call that its sandbox forbids: the ledger says of which. */
bool worker_was_forbidden(const struct worker *worker);
/* How a dead one died: "SIGSEGV", "exit status 1", "forbidden system call 41 (socket)". */
const char *worker_end_text(const struct worker *worker, char *out, size_t size);
bool worker_serves(const struct worker *worker);
/* Finishes what runs, then ends. */
void worker_drain(struct worker *worker);
void worker_kill(struct worker *worker);
/* Nothing is in flight any more. */
void worker_rest(struct worker *worker);
/* SIGKILL had no effect: its runs are given back, its place is free. */
void worker_give_up(struct worker *worker);
/* Replaces it when it has grown too large. */
void worker_weigh(struct worker *worker, int64_t now_ms);

/* blame.c */
/* Some run is overdue: marks the guilty ones; whether there is any. */
bool blame_overdue(struct worker *worker, int64_t now_ms);
/* The worker is dead. The runs that were in flight: the culprit's result is made up, the others are lost without
 * fault. Where the culprit can't be told, those that may be it go into quarantine; what dies there is the culprit. */
void blame_death(struct worker *worker);
/* The check that the ledger says was executing, or NULL. */
const char *blame_running(const struct worker *worker);
/* The thread that answers pings is executing one of its runs: their deadlines judge it, not its silence. */
bool blame_excuses(const struct worker *worker);

#endif
