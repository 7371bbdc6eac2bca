/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pool - the workers of one plugin: started when there is work, filled up to `concurrency`, drained when the file is
 * replaced, throttled when they can't start. A worker's life is a table [state][event] in pool.c. When one dies its
 * ledger says which run was executing: that one is blamed, the others run again and count nothing; when it can't be
 * said, they run again one by one. */
#ifndef KEEPER_POOL_H
#define KEEPER_POOL_H

#include "core/keeper/child.h"
#include "core/keeper/keeper.h"
#include "core/model/ledger.h"

/* Back-off after a worker that died before it was ready. */
#define POOL_BACKOFF_MS 100
#define POOL_BACKOFF_MAX_MS 30000
/* Deaths within this time that nobody can be blamed for, until every run that was in flight is tried alone. */
#define UNEXPLAINED_MAX 3
#define UNEXPLAINED_MS 60000
/* So often a run is lost with its worker before it runs alone. */
#define LOSSES_MAX 3
#define WORKER_START_MS 10000 /* to become ready */

enum worker_state {
    WORKER_STARTING, /* spawned, not yet ready */
    WORKER_READY,    /* takes runs */
    WORKER_DRAINING, /* finishes what runs, then stops */
    WORKER_KILLED,   /* SIGKILL was sent */
    WORKER_DEAD,
    WORKER_STATE_COUNT
};

struct worker {
    struct child child;
    struct pool *pool; /* NULL once the pool is gone */
    struct keeper *keeper;
    enum worker_state state;
    bool was_ready, stuck;
    bool quarantine; /* for runs that are under suspicion, one at a time */
    int64_t started_ms;
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
    uint32_t worker_max, concurrency;
    struct worker *workers; /* also those that are draining or dying */
    struct watched_list queue, quarantined;
    int64_t restart_at_ms; /* throttled until then */
    int64_t backoff_ms;
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
/* New catalog or new settings: points at the new description, drains workers of a replaced or removed file. */
void pool_refresh(struct pool *pool);
/* Every worker forgets what it was told of checks, so that they are told again (secrets may have changed). */
void pool_undefine(struct pool *pool);
/* Overdue runs, starts that take too long. */
void pool_housekeeping(struct pool *pool, int64_t now_ms);
uint32_t pool_worker_count(const struct pool *pool); /* ready or starting */
uint32_t pool_flight_count(const struct pool *pool);
/* "running", "starting", "throttled", "missing", "draining", "idle" */
const char *pool_state_name(const struct pool *pool);
/* Kills every worker; they are freed when the loop lets go of them. */
void pool_end(struct pool *pool);
void pool_free(struct pool *pool);
/* The run left its worker or the queue. */
void pool_forget(struct watched *watched);

#endif
