/* SPDX-License-Identifier: GPL-3.0-or-later */
/* orphan - processes that plugins left behind. The keeper is their subreaper: what a plugin forked and abandoned
 * becomes the keeper's child. Whoever is a child and no member of the family is ended when a worker has died and when
 * the daemon stops; not before, since a plugin may have its reasons (a shared ssh connection, say). Dead ones are
 * reaped every time. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/keeper/pool.h"

/* Ending one may bring its children to us: so long after a worker's death they are looked for, */
#define ORPHAN_SEARCH_MS 1000
/* and so often at the end. */
#define ORPHAN_ROUNDS 20
#define ORPHAN_ROUND_MS 10

void orphan_adopt(void)
{
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        log_warn("keeper", "processes that plugins leave behind can't be found");
}

static bool is_family(const struct keeper *keeper, pid_t pid)
{
    const struct pool *pool;
    for (size_t i = 0; (pool = map_next(&keeper->pools, &i)) != NULL;)
        for (const struct worker *worker = pool->workers; worker; worker = worker->next)
            if (worker->child.pid == pid)
                return true;
    return record_is_recorder(keeper, pid) || reload_is_describer(keeper, pid) || guard_is_anchor(keeper, pid) ||
           drill_is_ours(keeper, pid) || recovery_is_ours(keeper, pid);
}

/* One look at our children: those that are not of the family are reaped when they are dead, and ended when they shall
 * be (a process that can't be ended, in a stuck device, must not hold us: nothing is waited for). Returns how many live
 * ones there were. */
static unsigned sweep(struct keeper *keeper, bool end)
{
    char path[64];
    int pid;
    unsigned alive = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    while (children && fscanf(children, "%d", &pid) == 1) {
        if (is_family(keeper, pid) || waitpid(pid, NULL, WNOHANG) != 0)
            continue;
        alive++;
        if (end)
            kill(pid, SIGKILL);
    }
    if (children)
        fclose(children);
    return alive;
}

void orphan_worker_died(struct keeper *keeper)
{
    keeper->orphans_until_ms = clock_now_ms() + ORPHAN_SEARCH_MS;
}

void orphan_housekeeping(struct keeper *keeper, int64_t now_ms)
{
    unsigned alive = sweep(keeper, now_ms < keeper->orphans_until_ms);
    if (alive > 0 && now_ms < keeper->orphans_until_ms)
        log_warn("keeper", "%u process%s that a plugin had left behind %s ended", alive, alive == 1 ? "" : "es",
                 alive == 1 ? "was" : "were");
}

void orphan_end_all(struct keeper *keeper)
{
    for (int round = 0; round < ORPHAN_ROUNDS && sweep(keeper, true) > 0; round++)
        poll(NULL, 0, ORPHAN_ROUND_MS);
}
