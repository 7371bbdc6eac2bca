/* SPDX-License-Identifier: GPL-3.0-or-later */
/* status - SHOW GLOBAL STATUS and SHOW GLOBAL VARIABLES: what is a plain copy or a plain rate is a row of a table, and
 * the tables are also what is asked for. Everything arrives as text, and what a server does not know is missing.
 *
 * Ratios are made from what was counted since the last run, never since the start. After FLUSH STATUS the counters
 * start anew without a restart (Uptime_since_flush_status falls): that run has no rates. */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

#define SQL_BYTES 2048
#define HIT_FROM 1000.0 /* requests a second from which on the buffer pool's hit ratio says something */
#define SLACK_S 2.0     /* between the server's whole seconds and ours */

static const struct {
    const char *name, *metric;
    double scale;
} gauges[] = {
    { "Uptime", "uptime", 1 },
    { "Threads_connected", "connections", 1 },
    { "Max_used_connections", "connections_peak", 1 },
    { "Threads_running", "threads_running", 1 },
    { "Prepared_stmt_count", "prepared_statements", 1 },
    { "Open_files", "open_files", 1 },
    { "Memory_used", "memory_used", 1 },
    { "Innodb_buffer_pool_bytes_data", "buffer_pool_data", 1 },
    { "Innodb_row_lock_current_waits", "row_lock_waits", 1 },
    { "Innodb_row_lock_time_avg", "row_lock_time", 0.001 },
    { "Innodb_history_list_length", "history_list", 1 },
};

static const struct {
    const char *name, *metric;
} counters[] = {
    { "Questions", "questions" },
    { "Slow_queries", "slow_queries" },
    { "Connection_errors_max_connections", "connections_refused" },
    { "Connection_errors_internal", "connection_errors_internal" },
    { "Connection_errors_accept", "connection_errors_accept" },
    { "Aborted_connects", "aborted_connects" },
    { "Aborted_clients", "aborted_clients" },
    { "Access_denied_errors", "access_denied" },
    { "Bytes_received", "net_in" },
    { "Bytes_sent", "net_out" },
    { "Opened_tables", "tables_opened" },
    { "Innodb_deadlocks", "deadlocks" },
    { "Innodb_log_waits", "log_waits" },
    { "Innodb_buffer_pool_wait_free", "buffer_pool_wait_free" },
};

/* A share of what happened since the last run: part of part + rest, or part of rest when rest is the whole. */
static const struct {
    const char *part, *rest, *metric;
    bool rest_is_whole;
} shares[] = {
    { "Table_locks_waited", "Table_locks_immediate", "table_lock_waits_percent", false },
    { "Created_tmp_disk_tables", "Created_tmp_tables", "tmp_disk_percent", true },
};

/* A status value as a share of a variable, or of another status value. */
static const struct {
    const char *name, *most, *metric;
} limits[] = {
    { "Threads_connected", "max_connections", "connections_used_percent" },
    { "Max_used_connections", "max_connections", "connections_peak_percent" },
    { "Threads_running", "max_connections", "threads_running_percent" },
    { "Open_files", "open_files_limit", "open_files_percent" },
    { "Prepared_stmt_count", "max_prepared_stmt_count", "prepared_statements_percent" },
};

static const char *const others[] = {
    "Uptime_since_flush_status", "Innodb_buffer_pool_reads",  "Innodb_buffer_pool_read_requests",
    "Innodb_checkpoint_age",     "Innodb_checkpoint_max_age",
};

static const char *const variables[] = {
    "version", "version_comment", "wsrep_on", "read_only", "super_read_only", "innodb_force_recovery",
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* ---- asking
 * ---------------------------------------------------------------------------------------------------------- */

struct sql {
    char *text;
    size_t length;
};

static void add(struct sql *sql, const char *text)
{
    size_t length = strlen(text);
    if (length < SQL_BYTES - sql->length)
        memcpy(sql->text + sql->length, text, length);
    sql->length += length < SQL_BYTES - sql->length ? length : 0;
}

static void add_name(struct sql *sql, const char *name)
{
    add(sql, ",'");
    add(sql, name);
    add(sql, "'");
}

const char *mariadb_ask_for_status(struct belfry_probe *p)
{
    struct sql sql = { belfry_alloc(p, SQL_BYTES), 0 };
    add(&sql, "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep\\_%' OR Variable_name IN (''");
    for (size_t i = 0; i < COUNT(gauges); i++)
        add_name(&sql, gauges[i].name);
    for (size_t i = 0; i < COUNT(counters); i++)
        add_name(&sql, counters[i].name);
    for (size_t i = 0; i < COUNT(shares); i++) {
        add_name(&sql, shares[i].part);
        add_name(&sql, shares[i].rest);
    }
    for (size_t i = 0; i < COUNT(others); i++)
        add_name(&sql, others[i]);
    add(&sql, ")");
    return sql.text;
}

const char *mariadb_ask_for_variables(struct belfry_probe *p)
{
    struct sql sql = { belfry_alloc(p, SQL_BYTES), 0 };
    add(&sql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN (''");
    for (size_t i = 0; i < COUNT(limits); i++)
        add_name(&sql, limits[i].most);
    for (size_t i = 0; i < COUNT(variables); i++)
        add_name(&sql, variables[i]);
    add(&sql, ")");
    return sql.text;
}

static bool ask(struct mariadb_report *r)
{
    mariadb_index(&r->status, mariadb_ask(r, ASK_STATUS));
    if (!r->status.rows && !mariadb_add_failure(r, "the global status", NULL))
        return false;
    mariadb_index(&r->variables, mariadb_ask(r, ASK_VARIABLES));
    return r->variables.rows || mariadb_add_failure(r, "the global variables", NULL);
}

/* ---- restarts and flushes ------------------------------------------------------------------------------------------
 */

/* The server began after the last run: it is younger than it was, or than the time since. A clock that jumps moves
 * only the second of the two, and rarely by more than an uptime. */
static void watch_uptime(struct mariadb_report *r)
{
    double uptime = mariadb_status_number(r, "Uptime"), flushed = mariadb_status_number(r, "Uptime_since_flush_status");
    double before = sql_number(belfry_kept(r->p, "uptime")), at = sql_number(belfry_kept(r->p, "seen"));
    double flushed_before = sql_number(belfry_kept(r->p, "flushed")), now = (double)time(NULL);
    if (isnan(uptime))
        return;
    bool restarted = uptime < before || (before >= 0 && uptime + SLACK_S < now - at);
    if (restarted)
        belfry_event(r->p, "mariadb.restarted", NULL, "the server was restarted %s ago",
                     belfry_ago(r->p, (int64_t)(now - uptime)));
    r->reset = restarted || flushed < flushed_before;
    belfry_keep(r->p, "uptime", belfry_print(r->p, "%.0f", uptime));
    belfry_keep(r->p, "seen", belfry_print(r->p, "%.0f", now));
    belfry_keep(r->p, "flushed", isnan(flushed) ? "" : belfry_print(r->p, "%.0f", flushed));
}

/* ---- measuring
 * ------------------------------------------------------------------------------------------------------- */

static void measure_if(struct mariadb_report *r, const char *metric, double value)
{
    if (!isnan(value))
        belfry_measure(r->p, metric, value);
}

static void measure_share(struct mariadb_report *r, size_t i)
{
    double part, rest;
    bool known = mariadb_rate(r, shares[i].part, &part);
    if (!mariadb_rate(r, shares[i].rest, &rest) || !known)
        return;
    double whole = shares[i].rest_is_whole ? rest : part + rest;
    if (whole > 0)
        belfry_measure(r->p, shares[i].metric, fmin(100, part * 100 / whole));
}

static void measure_tables(struct mariadb_report *r)
{
    double per_second;
    for (size_t i = 0; i < COUNT(gauges); i++)
        measure_if(r, gauges[i].metric, mariadb_status_number(r, gauges[i].name) * gauges[i].scale);
    for (size_t i = 0; i < COUNT(counters); i++)
        if (mariadb_rate(r, counters[i].name, &per_second))
            belfry_measure(r->p, counters[i].metric, per_second);
    for (size_t i = 0; i < COUNT(shares); i++)
        measure_share(r, i);
    for (size_t i = 0; i < COUNT(limits); i++) {
        double most = mariadb_variable_number(r, limits[i].most);
        if (most > 0)
            measure_if(r, limits[i].metric, mariadb_status_number(r, limits[i].name) * 100 / most);
    }
}

static void measure_innodb(struct mariadb_report *r)
{
    double reads, requests, most = mariadb_status_number(r, "Innodb_checkpoint_max_age");
    bool known = mariadb_rate(r, "Innodb_buffer_pool_reads", &reads);
    if (mariadb_rate(r, "Innodb_buffer_pool_read_requests", &requests) && known && requests > HIT_FROM)
        belfry_measure(r->p, "buffer_pool_hit", fmax(0, 100 - reads * 100 / requests));
    if (most > 0)
        measure_if(r, "checkpoint_percent", mariadb_status_number(r, "Innodb_checkpoint_age") * 100 / most);
    double recovery = mariadb_variable_number(r, "innodb_force_recovery");
    if (recovery > 0)
        mariadb_add_problem(r, BELFRY_CRITICAL, belfry_print(r->p, "runs with innodb_force_recovery = %.0f", recovery));
}

/* OFF, ON, and in newer servers other words for stricter kinds of ON. */
static bool is_on(const char *value)
{
    return value && strcasecmp(value, "OFF") != 0 && strcmp(value, "0") != 0;
}

static void judge_role(struct mariadb_report *r)
{
    const char *role = belfry_text(r->p, "role"), *value = mariadb_variable(r, "read_only");
    bool closed = is_on(value) || is_on(mariadb_variable(r, "super_read_only"));
    if (!value) {
        if (strcmp(role, "any") != 0)
            mariadb_add_problem(r, BELFRY_UNKNOWN, "does not tell whether it is read-only");
        return;
    }
    const char *now = closed ? "1" : "0", *before = belfry_kept(r->p, "read_only");
    belfry_measure(r->p, "read_only", closed);
    if (before && strcmp(before, now) != 0)
        belfry_event(r->p, "mariadb.mode_changed", NULL,
                     closed ? "the server is read-only now" : "the server takes writes now");
    belfry_keep(r->p, "read_only", now);
    if (closed && strcmp(role, "primary") == 0)
        mariadb_add_problem(r, BELFRY_CRITICAL, "is read-only, yet should be a primary");
    if (!closed && strcmp(role, "replica") == 0)
        mariadb_add_problem(r, BELFRY_WARNING, "takes writes (read_only is OFF), yet should be a replica");
}

static void summarise(struct mariadb_report *r)
{
    const char *version = mariadb_variable(r, "version");
    double uptime = mariadb_status_number(r, "Uptime");
    version = version ? version : r->link->version;
    r->summary = belfry_print(
        r->p, "%s %.*s%s, up %s, %.0f of %.0f connections", r->link->is_mariadb ? "MariaDB" : "MySQL",
        (int)strcspn(version, "-"), version, is_on(mariadb_variable(r, "read_only")) ? ", read-only" : "",
        belfry_ago(r->p, (int64_t)time(NULL) - (int64_t)(uptime > 0 ? uptime : 0)),
        fmax(0, mariadb_status_number(r, "Threads_connected")), fmax(0, mariadb_variable_number(r, "max_connections")));
}

bool mariadb_judge_status(struct mariadb_report *r)
{
    if (!ask(r))
        return false;
    if (r->status.rows && isnan(mariadb_status_number(r, "Uptime")))
        mariadb_add_problem(r, BELFRY_UNKNOWN, "does not tell its uptime: the status values are missing");
    if (r->variables.rows && isnan(mariadb_variable_number(r, "max_connections")))
        mariadb_add_problem(r, BELFRY_UNKNOWN, "does not tell max_connections");
    watch_uptime(r);
    measure_tables(r);
    measure_innodb(r);
    judge_role(r);
    summarise(r);
    return true;
}
