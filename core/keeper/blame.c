/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blame - a worker died or does not come back: which of its runs is to blame, and what becomes of the others.
 *
 * The worker's ledger says which run was executing. It is memory that foreign code can write: a number that is none of
 * the worker's runs in flight blames nobody, and a worker that broke the protocol is not believed. */
#include <stdio.h>

#include "core/base/log.h"
#include "core/keeper/pool.h"

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

const char *blame_running(const struct worker *worker)
{
    uint64_t run;
    if (read_ledger(worker, &run) != NAMED_ONE)
        return NULL;
    for (const struct watched *watched = worker->flights.first; watched; watched = watched->next)
        if (watched->run == run)
            return watched->id;
    return NULL;
}

bool blame_excuses(const struct worker *worker)
{
    uint64_t run = atomic_load(&worker->ledger->slots[0].run);
    for (const struct watched *watched = worker->flights.first; run && watched; watched = watched->next)
        if (watched->run == run)
            return true;
    return false;
}

static void blame(struct worker *worker, struct watched *culprit)
{
    struct keeper *keeper = worker->keeper;
    char end[96], text[256];
    const char *check = schedule_view(keeper->schedule, culprit->slot)->config->id;
    worker_end_text(worker, end, sizeof end);
    if (!worker->child.exited)
        snprintf(text, sizeof text, "did not come back within its timeout, its worker can't be killed");
    else if (worker->stuck)
        snprintf(text, sizeof text, "did not come back within its timeout, its worker was killed");
    else if (worker->child.silent)
        snprintf(text, sizeof text, "its worker did not answer any more and was killed");
    else if (worker_was_forbidden(worker))
        snprintf(text, sizeof text, "plugin '%s' used the %s", worker->pool->name, end);
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

/* A coroutine that held the thread for RUN_GRACE_MS kept the others from their deadlines; a thread only keeps itself.
 */
static bool is_holding(const struct worker *worker, const struct watched *watched, int64_t now_ms)
{
    return held_ms(worker, watched->run, now_ms) >= RUN_GRACE_MS &&
           (!worker->blocking || watched->deadline_ms <= now_ms);
}

/* Some run is overdue. Whose fault is it? When nobody holds anything the worker may just be slow, or many runs held it
 * for a while each: it is given time once more. Then the overdue ones may be to blame, and in quarantine they are. */
bool blame_overdue(struct worker *worker, int64_t now_ms)
{
    bool anybody = false, holder = false;
    for (struct watched *watched = worker->flights.first; watched; watched = watched->next)
        holder |= is_holding(worker, watched, now_ms);
    for (struct watched *watched = worker->flights.first; watched; watched = watched->next) {
        bool late = !holder && watched->deadline_ms + 2 * RUN_GRACE_MS <= now_ms;
        watched->guilty = holder ? is_holding(worker, watched, now_ms) : late && worker->quarantine;
        watched->late = late;
        anybody |= watched->guilty || watched->late;
    }
    return anybody;
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

void blame_death(struct worker *worker)
{
    struct keeper *keeper = worker->keeper;
    uint64_t culprit;
    enum named named = read_ledger(worker, &culprit);
    if (worker->child.violated || worker->child.silent)
        named = NAMED_NOBODY; /* who wrote the bytes may have yielded since; a silent worker executed nothing */
    bool draining = worker->dismissed && !worker->stuck;
    bool unexplained = !worker->stuck && !draining && named != NAMED_ONE;
    bool search = unexplained && (named == NAMED_SEVERAL || worker->child.violated || dies_often(worker->pool));
    while (worker->flights.first) {
        struct watched *watched = worker->flights.first;
        uint64_t run = watched->run;
        bool guilty = worker->stuck ? watched->guilty
                                    : (named == NAMED_ONE && run == culprit) || (worker->quarantine && !draining);
        bool maybe = worker->stuck ? watched->late : search && (named == NAMED_NOBODY || is_executing(worker, run));
        pool_forget(watched);
        watched->guilty = watched->late = false;
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
