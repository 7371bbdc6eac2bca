/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mariadb - a MariaDB or MySQL server: is it up, has it connections left, do InnoDB, replication and Galera work, and
 * what do the sysadmin's own queries say?
 *
 * One connection a run: log in; then, in one round trip, SHOW GLOBAL STATUS, SHOW GLOBAL VARIABLES, the list of
 * transactions and the state of replication; then what these make necessary, and the queries. What each failure means
 * stands in report.c; nothing that could not be read is OK.
 */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <string.h>

#include "plugins/common/net.h"
#include "plugins/common/now.h"

static const char *const roles[] = { "any", "primary", "replica", NULL };
static const char *const replications[] = { "auto", "yes", "no", NULL };

static const struct belfry_option options[] = {
    { "host", BELFRY_HOST, "Host of the server", .fallback = "127.0.0.1", .example = "db1.example.net" },
    { "port", BELFRY_PORT, "TCP port of the server", .fallback = "3306", .example = "3307" },
    { "socket", BELFRY_PATH, "Unix socket of the server, instead of host and port",
      .example = "/run/mysqld/mysqld.sock" },
    { "ip_version", BELFRY_TEXT, "Addresses to try: any, 4 or 6", .fallback = "any", .choices = net_ip_versions,
      .example = "4" },
    { "user", BELFRY_TEXT, "Account; doc/plugins/mariadb.md has the statements that create it", .fallback = "belfry",
      .example = "belfry" },
    { "password", BELFRY_TEXT, "Password of the account; none for unix_socket authentication", .secret = true,
      .example = "@mariadb" },
    { "database", BELFRY_TEXT, "Database that the queries mean by default", .example = "shop" },
    { "tls", BELFRY_FLAG, "Talk over TLS only, with a certificate that is verified against CA and host name",
      .fallback = "false", .example = "true" },
    { "tls_ca", BELFRY_PATH, "File of the authorities to trust, instead of the system's",
      .example = "/etc/ssl/mariadb-ca.pem" },
    { "tls_cert", BELFRY_PATH, "Certificate to show to the server", .example = "/etc/belfry/mariadb.crt" },
    { "tls_key", BELFRY_PATH, "Key of that certificate", .example = "/etc/belfry/mariadb.key" },
    { "tls_name", BELFRY_TEXT, "Name that the certificate must bear, instead of the host's",
      .example = "db1.example.net" },
    { "role", BELFRY_TEXT, "What the server should be: a read-only primary is CRITICAL, a writable replica WARNING",
      .fallback = "any", .choices = roles, .example = "primary" },
    { "replication", BELFRY_TEXT, "auto judges what is set up, yes requires it, no does not look", .fallback = "auto",
      .choices = replications, .example = "yes" },
    { "transactions", BELFRY_FLAG, "Watch the oldest transaction; needs the PROCESS privilege", .fallback = "true",
      .example = "false" },
    { "galera_size", BELFRY_INTEGER, "How many nodes the Galera cluster should have", .example = "3" },
    { "queries", BELFRY_TEXT, "Queries that answer with one number each, which becomes a metric of that name",
      .map = true, .example = "SELECT COUNT(*) FROM shop.orders WHERE state = 'new'" },
    BELFRY_END,
};

/* Rates are per second: 0.0167 is one a minute. */
static const struct belfry_metric metrics[] = {
    { "time_connect", "s", "Time to find the host, connect and log in", .min = "0" },
    { "latency", "s", "Time until the server has answered what is asked in every run", .min = "0" },
    { "uptime", "s", "Time since the server's start", .min = "0" },
    { "connections", "", "Open connections", .min = "0" },
    { "connections_used_percent", "%", "Open connections as a share of max_connections", .warn = "70", .crit = "90",
      .min = "0" },
    { "connections_peak", "", "Most connections that were open at once since the start", .min = "0" },
    { "connections_peak_percent", "%", "The same as a share of max_connections", .min = "0" },
    { "connections_refused", "/s", "Connections refused because of max_connections", .warn = "0", .crit = "0.0834",
      .min = "0" },
    { "connection_errors_internal", "/s", "Connections lost to errors inside the server", .warn = "0", .min = "0" },
    { "connection_errors_accept", "/s", "Connections that the server failed to accept", .warn = "0", .min = "0" },
    { "aborted_connects", "/s", "Failed log-ins and handshakes", .min = "0" },
    { "aborted_clients", "/s", "Sessions that ended without a good-bye", .min = "0" },
    { "access_denied", "/s", "Refused log-ins and statements", .min = "0" },
    { "threads_running", "", "Statements at work", .min = "0" },
    { "threads_running_percent", "%", "Statements at work as a share of max_connections", .warn = "60", .min = "0" },
    { "questions", "/s", "Statements from clients", .min = "0" },
    { "slow_queries", "/s", "Statements slower than long_query_time", .warn = "1", .crit = "2", .min = "0" },
    { "net_in", "B/s", "Bytes read from clients", .min = "0" },
    { "net_out", "B/s", "Bytes written to clients", .min = "0" },
    { "table_lock_waits_percent", "%", "Share of table locks since the last run that had to wait", .warn = "25",
      .crit = "50", .min = "0", .max = "100" },
    { "tmp_disk_percent", "%", "Share of temporary tables since the last run that went to disk", .min = "0",
      .max = "100" },
    { "tables_opened", "/s", "Tables opened because the table cache had them not", .min = "0" },
    { "open_files", "", "Open files", .min = "0" },
    { "open_files_percent", "%", "Open files as a share of open_files_limit", .warn = "80", .crit = "95", .min = "0" },
    { "prepared_statements", "", "Prepared statements", .min = "0" },
    { "prepared_statements_percent", "%", "Prepared statements as a share of max_prepared_stmt_count", .warn = "80",
      .crit = "95", .min = "0" },
    { "memory_used", "B", "Memory in use, as MariaDB counts it", .min = "0" },
    { "buffer_pool_data", "B", "Data in InnoDB's buffer pool", .min = "0" },
    { "buffer_pool_hit", "%", "Reads that found their page in the buffer pool, above 1000 a second",
      .warn = "99:", .crit = "95:", .min = "0", .max = "100" },
    { "buffer_pool_wait_free", "/s", "Waits for a free page of the buffer pool", .min = "0" },
    { "row_lock_waits", "", "Transactions that wait for a row lock", .min = "0" },
    { "row_lock_time", "s", "Mean time of a wait for a row lock since the start", .min = "0" },
    { "log_waits", "/s", "Waits for InnoDB's log buffer", .warn = "10", .min = "0" },
    { "deadlocks", "/s", "Deadlocks (MariaDB)", .warn = "0.0167", .crit = "0.167", .min = "0" },
    { "history_list", "", "Changes that wait for InnoDB's purge", .warn = "50000", .crit = "1000000", .min = "0" },
    { "checkpoint_percent", "%", "Age of InnoDB's checkpoint as a share of the greatest possible", .min = "0" },
    { "transactions", "", "Open transactions", .min = "0" },
    { "transaction_age", "s", "Age of the oldest open transaction", .warn = "60", .crit = "600", .min = "0" },
    { "idle_blocker", "s", "How long somebody who holds up other transactions has been idle in his own", .warn = "60",
      .crit = "600", .min = "0" },
    { "identical_states", "", "Running statements that are all in the same state, from 8 running ones on", .warn = "16",
      .crit = "32", .min = "0" },
    { "read_only", "", "1 when the server takes no writes", .min = "0", .max = "1" },
    { "replication_sources", "", "Servers that this one is a replica of", .min = "0" },
    { "replica_lag", "s", "How far a replica is behind, without an ordered delay; one part a source", .warn = "10",
      .crit = "30", .min = "0" },
    { "replica_time_diff", "s",
      "Between the last event of the primary and the last one applied (MariaDB 11.6), one part a source", .min = "0" },
    { "relay_log", "B", "Size of a replica's relay logs, one part a source", .min = "0" },
    { "galera_size", "", "Nodes of the Galera cluster", .min = "0" },
    { "galera_paused", "", "Share of the time since the last run in which flow control stood still", .warn = "0.1",
      .crit = "0.5", .min = "0", .max = "1" },
    { "galera_receive_queue", "", "Mean length of Galera's receive queue", .min = "0" },
    { "galera_send_queue", "", "Mean length of Galera's send queue", .min = "0" },
    BELFRY_END,
};

static const struct belfry_view views[] = {
    { "clients", "Connections and running statements", "connections connections_peak threads_running",
      .style = BELFRY_LINES },
    { "statements", "Statements a second, and the slow ones", "questions slow_queries", .style = BELFRY_LINES },
    { "locks", "Open transactions, and who waits", "transactions row_lock_waits identical_states",
      .style = BELFRY_LINES },
    { "replication", "Lag of each source", "replica_lag replica_time_diff", .style = BELFRY_LINES, .parts = true },
    { "traffic", "Bytes from and to clients", "net_in net_out", .style = BELFRY_LINES },
    BELFRY_END,
};

/* Limits what our own statements may take on the server, should we go away: it would not notice until it answers. */
static const char *ask_for_settings(const struct sql_link *link)
{
    double seconds = ceil((double)belfry_left_ms(link->p) / 1000) + 1;
    return link->is_mariadb
               ? belfry_print(link->p, "SET SESSION time_zone = 'SYSTEM', max_statement_time = %.0f", seconds)
               : belfry_print(link->p, "SET SESSION time_zone = 'SYSTEM', max_execution_time = %.0f", seconds * 1000);
}

/* All that is asked in every run, at once. What comes after the first failure is asked for again when it is its turn:
 * that is how each failure is known by its own name. False when the link is dead. */
static bool ask_ahead(struct mariadb_report *r)
{
    r->statements[ASK_SETTINGS] = ask_for_settings(r->link);
    r->statements[ASK_STATUS] = mariadb_ask_for_status(r->p);
    r->statements[ASK_VARIABLES] = mariadb_ask_for_variables(r->p);
    if (belfry_flag(r->p, "transactions"))
        r->statements[ASK_TRANSACTIONS] =
            "SELECT COUNT(*) AS open, COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) AS age FROM "
            "information_schema.INNODB_TRX";
    if (strcmp(belfry_text(r->p, "replication"), "no") != 0)
        r->statements[ASK_REPLICATION] = mariadb_ask_for_sources(r->link, 0);
    const char *statements[ASK_COUNT];
    const struct sql_rows *answers[ASK_COUNT] = { NULL };
    size_t count = 0, taken = 0;
    for (size_t i = 0; i < ASK_COUNT; i++)
        if (r->statements[i])
            statements[count++] = r->statements[i];
    double begin = now_s();
    size_t got = sql_ask_all(r->link, statements, count, answers);
    if (got == count)
        belfry_measure(r->p, "latency", now_s() - begin);
    for (size_t i = 0; i < ASK_COUNT && taken < got; i++)
        if (r->statements[i])
            r->answers[i] = answers[taken++];
    return !r->link->dead;
}

const struct sql_rows *mariadb_ask(struct mariadb_report *r, enum mariadb_question question)
{
    const struct sql_rows *come = r->answers[question];
    return come && come->width > 0 ? come : sql_ask(r->link, r->statements[question]);
}

static bool prepare(struct mariadb_report *r)
{
    if (r->answers[ASK_SETTINGS] || sql_do(r->link, r->statements[ASK_SETTINGS]))
        return true;
    if (r->link->cause == SQL_NO_VARIABLE) /* very old: without limit */
        return sql_do(r->link, "SET SESSION time_zone = 'SYSTEM'") || !r->link->dead;
    return mariadb_add_failure(r, "the session's settings", NULL);
}

static void say_verdict(struct mariadb_report *r)
{
    const char *peer = r->link->peer;
    if (r->state == BELFRY_CRITICAL)
        belfry_critical(r->p, "%s %s", peer, r->problems);
    else if (r->state == BELFRY_WARNING)
        belfry_warning(r->p, "%s %s", peer, r->problems);
    else if (r->state == BELFRY_UNKNOWN)
        belfry_unknown(r->p, "%s %s", peer, r->problems);
    else
        belfry_ok(r->p, "%s", r->summary);
}

static void look(struct sql_link *link)
{
    struct mariadb_report r = { .p = link->p, .link = link, .summary = link->peer };
    bool whole = ask_ahead(&r) && prepare(&r) && mariadb_judge_status(&r);
    if (whole)
        mariadb_judge_galera(&r);
    whole = whole && mariadb_judge_transactions(&r) && mariadb_judge_threads(&r) && mariadb_judge_replication(&r) &&
            mariadb_judge_queries(&r);
    if (whole)
        say_verdict(&r);
    else
        mariadb_say_failure(link);
}

static bool read_target(struct belfry_probe *p, struct sql_target *target)
{
    *target = (struct sql_target){
        .host = belfry_text(p, "host"),
        .port = belfry_text(p, "port"),
        .socket = belfry_text(p, "socket"),
        .family = net_family(belfry_text(p, "ip_version")),
        .user = belfry_text(p, "user"),
        .password = belfry_text(p, "password"),
        .database = belfry_text(p, "database"),
        .many = true,
        .tls = belfry_flag(p, "tls"),
        .tls_ca = belfry_text(p, "tls_ca"),
        .tls_cert = belfry_text(p, "tls_cert"),
        .tls_key = belfry_text(p, "tls_key"),
        .tls_name = belfry_text(p, "tls_name"),
    };
    const char *wrong = sql_problem(p, target, "");
    if (wrong)
        belfry_unknown(p, "%s", wrong);
    return !wrong;
}

static void run(struct belfry_probe *p)
{
    struct sql_target target;
    struct sql_link link = { .p = p };
    if (!read_target(p, &target))
        return;
    double begin = now_s();
    if (sql_open(&link, &target) < 0) {
        mariadb_say_failure(&link);
    } else {
        belfry_measure(p, "time_connect", now_s() - begin);
        look(&link);
    }
    sql_close(&link);
}

BELFRY_PLUGIN("mariadb", "1.0", "A MariaDB or MySQL server: connections, InnoDB, replication, Galera, own queries",
              options, metrics, run, .views = views, .needs = BELFRY_NEEDS_NETWORK | BELFRY_NEEDS_FILES,
              .description =
                  "Needs an account that sees what happens, and no table. On the server itself, with socket, without a "
                  "password:\n"
                  "    CREATE USER belfry@localhost IDENTIFIED VIA unix_socket WITH MAX_USER_CONNECTIONS 3;\n"
                  "    GRANT PROCESS, SLAVE MONITOR ON *.* TO belfry@localhost;\n"
                  "From elsewhere, with host, tls and password:\n"
                  "    CREATE USER belfry@'10.0.0.9' IDENTIFIED BY '...' REQUIRE SSL WITH MAX_USER_CONNECTIONS 3;\n"
                  "    GRANT PROCESS, SLAVE MONITOR ON *.* TO belfry@'10.0.0.9';\n"
                  "REPLICATION CLIENT takes the place of SLAVE MONITOR on MySQL and before MariaDB 10.5.9. Queries of "
                  "your own need SELECT on their tables. doc/plugins/mariadb.md says more.\n")
