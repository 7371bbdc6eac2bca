/* SPDX-License-Identifier: GPL-3.0-or-later */
/* galera - the wsrep_ status values, on servers where wsrep_on is ON. The node is one part, "galera". The letter case
 * of the words differs between versions. A node that is a donor for a while is normal: WARNING. */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <string.h>

static bool says(const char *value, const char *want)
{
    return value && strcasecmp(value, want) == 0;
}

static const char *or_unknown(const char *value)
{
    return value && *value ? value : "unknown";
}

/* wsrep_local_state */
static enum belfry_state state_of(double state)
{
    static const enum belfry_state states[] = { BELFRY_CRITICAL, BELFRY_CRITICAL, BELFRY_WARNING, BELFRY_WARNING,
                                                BELFRY_OK };
    return state >= 0 && state <= 4 ? states[(int)state] : BELFRY_CRITICAL;
}

static void judge_size(struct mariadb_report *r, double size)
{
    double want = (double)belfry_integer(r->p, "galera_size");
    double before = sql_number(belfry_kept(r->p, "galera_size"));
    if (isnan(size))
        return;
    belfry_measure(r->p, "galera_size", size);
    if (before >= 0 && before < size)
        belfry_event(r->p, "galera.grew", NULL, "from %.0f to %.0f nodes", before, size);
    if (before > size)
        belfry_event(r->p, "galera.shrank", NULL, "from %.0f to %.0f nodes", before, size);
    belfry_keep(r->p, "galera_size", belfry_print(r->p, "%.0f", size));
    if (belfry_has(r->p, "galera_size") && size != want)
        mariadb_add_problem(r, size < want ? BELFRY_CRITICAL : BELFRY_WARNING,
                            belfry_print(r->p, "the cluster has %.0f nodes, not %.0f", size, want));
}

void mariadb_judge_galera(struct mariadb_report *r)
{
    if (!says(mariadb_variable(r, "wsrep_on"), "ON")) {
        if (belfry_has(r->p, "galera_size") && r->variables.rows)
            mariadb_add_problem(r, BELFRY_CRITICAL, "is not part of a Galera cluster (wsrep_on is not ON)");
        return;
    }
    const char *cluster = mariadb_status(r, "wsrep_cluster_status");
    const char *comment = or_unknown(mariadb_status(r, "wsrep_local_state_comment"));
    double size = mariadb_status_number(r, "wsrep_cluster_size"), paused, queue;
    enum belfry_state state = state_of(mariadb_status_number(r, "wsrep_local_state"));
    bool primary = says(cluster, "Primary"), ready = says(mariadb_status(r, "wsrep_ready"), "ON"),
         connected = says(mariadb_status(r, "wsrep_connected"), "ON");
    if (!primary || !connected || (!ready && state == BELFRY_OK))
        state = BELFRY_CRITICAL;
    belfry_part(r->p, "galera", state, "%s, %s component of %.0f nodes%s%s", comment, or_unknown(cluster),
                fmax(0, size), connected ? "" : ", not connected", ready ? "" : ", not ready for queries");
    judge_size(r, size);
    if (mariadb_rate(r, "wsrep_flow_control_paused_ns", &paused))
        belfry_measure(r->p, "galera_paused", fmin(1, paused / 1e9));
    queue = mariadb_status_number(r, "wsrep_local_recv_queue_avg");
    if (!isnan(queue))
        belfry_measure(r->p, "galera_receive_queue", queue);
    queue = mariadb_status_number(r, "wsrep_local_send_queue_avg");
    if (!isnan(queue))
        belfry_measure(r->p, "galera_send_queue", queue);
}
