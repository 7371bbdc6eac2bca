/* SPDX-License-Identifier: GPL-3.0-or-later */
/* threads - open transactions, who holds up whom, and threads that all wait for the same thing.
 *
 * The age of the oldest transaction is asked for in every run. Only while InnoDB counts waiting transactions is it
 * asked who blocks them, and only from STATES_FROM running statements on what they are doing: on a server that is well
 * neither costs anything. Somebody who blocks and is idle has forgotten to commit; statements are not shown, for they
 * may hold what is nobody's business.
 */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

#define STATES_FROM 8
#define RIGHT "GRANT PROCESS ON *.* to it, or set 'transactions = false'"

/* ---- transactions -------------------------------------------------------------------------------------------- */

/* MariaDB has the waits beside the transactions, MySQL 8 in its performance_schema. */
#define BLOCKERS(waits, blocker, waiter)                                                                               \
    "SELECT b.trx_mysql_thread_id AS thread, MIN(p.USER) AS user, MIN(p.HOST) AS host, MIN(p.COMMAND) AS command, "    \
    "MIN(p.TIME) AS idle, COUNT(DISTINCT w.trx_id) AS blocked, MAX(TIMESTAMPDIFF(SECOND, w.trx_wait_started, NOW())) " \
    "AS waited, MIN(TIMESTAMPDIFF(SECOND, b.trx_started, NOW())) AS age FROM " waits " l JOIN "                        \
    "information_schema.INNODB_TRX b ON b.trx_id = l." blocker " JOIN information_schema.INNODB_TRX w ON w.trx_id = "  \
    "l." waiter " LEFT JOIN information_schema.PROCESSLIST p ON p.ID = b.trx_mysql_thread_id WHERE b.trx_state <> "    \
    "'LOCK WAIT' GROUP BY b.trx_mysql_thread_id ORDER BY waited DESC LIMIT 5"

/* How long the one has been idle while others wait for it; 0 when it is at work. */
static double tell_blocker(struct mariadb_report *r, const struct sql_rows *rows, size_t row)
{
    const char *user = sql_cell(rows, row, "user"), *host = sql_cell(rows, row, "host");
    const char *command = sql_cell(rows, row, "command"), *thread = sql_cell(rows, row, "thread");
    double idle = sql_number(sql_cell(rows, row, "idle")), blocked = sql_number(sql_cell(rows, row, "blocked"));
    bool sleeps = command && strcasecmp(command, "Sleep") == 0;
    belfry_detail(r->p, "thread %s (%s from %s) holds up %.0f for %s%s", thread ? thread : "?",
                  user ? sql_line(r->p, user) : "somebody", host && *host ? sql_line(r->p, host) : "here",
                  fmax(0, blocked), say_seconds(r->p, fmax(0, sql_number(sql_cell(rows, row, "waited")))),
                  sleeps ? belfry_print(r->p, "; it has been idle for %s in an open transaction",
                                        say_seconds(r->p, fmax(0, idle)))
                         : ", and is at work");
    return sleeps && idle > 0 ? idle : 0;
}

static bool judge_blockers(struct mariadb_report *r)
{
    double waits = mariadb_status_number(r, "Innodb_row_lock_current_waits"), idle = 0;
    if (!(waits > 0)) {
        if (waits == 0)
            belfry_measure(r->p, "idle_blocker", 0);
        return true;
    }
    const struct sql_rows *rows =
        sql_ask(r->link, r->link->is_mariadb
                             ? BLOCKERS("information_schema.INNODB_LOCK_WAITS", "blocking_trx_id", "requesting_trx_id")
                             : BLOCKERS("performance_schema.data_lock_waits", "BLOCKING_ENGINE_TRANSACTION_ID",
                                        "REQUESTING_ENGINE_TRANSACTION_ID"));
    if (!rows)
        return mariadb_add_failure(r, "who blocks other transactions",
                                   r->link->is_mariadb
                                       ? RIGHT
                                       : "GRANT SELECT ON performance_schema.data_lock_waits to it, or set "
                                         "'transactions = false'");
    for (size_t i = 0; i < rows->count; i++)
        idle = fmax(idle, tell_blocker(r, rows, i));
    belfry_measure(r->p, "idle_blocker", idle);
    return true;
}

bool mariadb_judge_transactions(struct mariadb_report *r)
{
    if (!r->statements[ASK_TRANSACTIONS])
        return true;
    const struct sql_rows *rows = mariadb_ask(r, ASK_TRANSACTIONS);
    if (!rows)
        return mariadb_add_failure(r, "the list of transactions", RIGHT);
    double age = rows->count == 1 ? sql_number(sql_cell(rows, 0, "age")) : NAN;
    double open = rows->count == 1 ? sql_number(sql_cell(rows, 0, "open")) : NAN;
    if (!isnan(open))
        belfry_measure(r->p, "transactions", open);
    belfry_measure(r->p, "transaction_age", age < 0 ? 0 : age);
    return judge_blockers(r);
}

/* ---- states -------------------------------------------------------------------------------------------------- */

bool mariadb_judge_threads(struct mariadb_report *r)
{
    if (!r->statements[ASK_TRANSACTIONS] || !(mariadb_status_number(r, "Threads_running") >= STATES_FROM))
        return true;
    const struct sql_rows *rows = sql_ask(
        r->link, "SELECT STATE AS state, COUNT(*) AS threads FROM information_schema.PROCESSLIST WHERE STATE <> '' "
                 "AND COMMAND NOT IN ('Sleep', 'Daemon', 'Binlog Dump', 'Slave_IO', 'Slave_SQL', 'Slave_worker') "
                 "GROUP BY STATE ORDER BY threads DESC LIMIT 1");
    if (!rows)
        return mariadb_add_failure(r, "the list of threads", RIGHT);
    double threads = rows->count == 1 ? sql_number(sql_cell(rows, 0, "threads")) : 0;
    if (isnan(threads))
        return true;
    belfry_measure(r->p, "identical_states", threads);
    if (threads >= STATES_FROM)
        belfry_detail(r->p, "%.0f statements are all in the state '%s'", threads,
                      sql_line(r->p, sql_cell(rows, 0, "state") ? sql_cell(rows, 0, "state") : "?"));
    return true;
}
