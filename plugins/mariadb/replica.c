/* SPDX-License-Identifier: GPL-3.0-or-later */
/* replica - each connection to a primary is a part, named as the connection (MariaDB) or channel (MySQL) is, or
 * "replication". A thread that stands still is CRITICAL and its error is the text.
 *
 * The words of the columns are Slave and Master in MariaDB, whatever the statement, and Replica and Source in MySQL
 * from 8.0.22 on. Seconds_Behind is NULL, not 0, when it can't be said; a delay that was ordered (SQL_Delay) is no lag.
 */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <string.h>

#include "plugins/common/say.h"

#define SOURCES_MAX 64

struct source {
    struct mariadb_report *r;
    const struct sql_rows *rows;
    size_t row;
};

static const char *cell(const struct source *s, const char *name, const char *newer)
{
    const char *value = sql_cell(s->rows, s->row, name);
    return value ? value : sql_cell(s->rows, s->row, newer);
}

static const char *or_text(const char *value, const char *other)
{
    return value && *value ? value : other;
}

static bool says(const char *value, const char *want)
{
    return value && strcasecmp(value, want) == 0;
}

/* ": error 1062: Duplicate entry ...", or what there is to say without one. */
static const char *because(const struct source *s, const char *code_name, const char *text_name)
{
    const char *text = sql_cell(s->rows, s->row, text_name);
    double code = sql_number(sql_cell(s->rows, s->row, code_name));
    if (!(code > 0))
        return " without an error";
    return belfry_print(s->r->p, ": error %.0f: %s", code, sql_line(s->r->p, or_text(text, "no text")));
}

/* What is wrong with the threads, or NULL. */
static const char *find_trouble(const struct source *s)
{
    const char *io = cell(s, "Slave_IO_Running", "Replica_IO_Running");
    const char *sql = cell(s, "Slave_SQL_Running", "Replica_SQL_Running"), *trouble = NULL;
    if (!io || !sql)
        return "its threads are not told";
    if (!says(io, "Yes"))
        trouble =
            belfry_print(s->r->p, "%s%s", says(io, "No") ? "the IO thread is stopped" : "the IO thread cannot connect",
                         because(s, "Last_IO_Errno", "Last_IO_Error"));
    if (!says(sql, "Yes"))
        trouble = belfry_print(s->r->p, "%s%sthe SQL thread is stopped%s", trouble ? trouble : "", trouble ? "; " : "",
                               because(s, "Last_SQL_Errno", "Last_SQL_Error"));
    return trouble;
}

static void judge_source(const struct source *s)
{
    struct belfry_probe *p = s->r->p;
    const char *name = or_text(cell(s, "Connection_name", "Channel_Name"), "replication");
    const char *from = belfry_print(p, "from %s:%s", or_text(cell(s, "Master_Host", "Source_Host"), "?"),
                                    or_text(cell(s, "Master_Port", "Source_Port"), "?"));
    const char *trouble = find_trouble(s);
    double behind = sql_number(cell(s, "Seconds_Behind_Master", "Seconds_Behind_Source"));
    double delay = sql_number(sql_cell(s->rows, s->row, "SQL_Delay"));
    double space = sql_number(sql_cell(s->rows, s->row, "Relay_Log_Space"));
    double lag = delay > 0 ? fmax(0, behind - delay) : behind;
    if (isnan(behind))
        lag = NAN;                                                                  /* fmax() would make it 0 */
    double apart = sql_number(sql_cell(s->rows, s->row, "Master_Slave_time_diff")); /* MariaDB from 11.6 on */
    if (apart >= 0)
        belfry_measure_part(p, name, "replica_time_diff", apart);
    if (space >= 0)
        belfry_measure_part(p, name, "relay_log", space);
    if (trouble) {
        belfry_part(p, name, BELFRY_CRITICAL, "%s: %s", from, trouble);
        return;
    }
    belfry_measure_part(p, name, "replica_lag", lag);
    belfry_part(p, name, isnan(lag) ? BELFRY_UNKNOWN : BELFRY_OK, "%s, %s%s", from,
                isnan(lag) ? "its lag is not told" : belfry_print(p, "%s behind", say_seconds(p, lag)),
                delay > 0 ? belfry_print(p, " a delay of %s", say_seconds(p, delay)) : "");
}

const char *mariadb_ask_for_sources(const struct sql_link *link, size_t i)
{
    static const char *const mariadb[] = { "SHOW ALL SLAVES STATUS", "SHOW SLAVE STATUS" };
    static const char *const mysql[] = { "SHOW REPLICA STATUS", "SHOW SLAVE STATUS" };
    return i >= 2 ? NULL : link->is_mariadb ? mariadb[i] : mysql[i];
}

static const struct sql_rows *ask(struct mariadb_report *r)
{
    const struct sql_rows *rows = mariadb_ask(r, ASK_REPLICATION);
    const char *older = mariadb_ask_for_sources(r->link, 1);
    return rows || r->link->cause != SQL_SYNTAX ? rows : sql_ask(r->link, older);
}

bool mariadb_judge_replication(struct mariadb_report *r)
{
    const char *wanted = belfry_text(r->p, "replication");
    if (strcmp(wanted, "no") == 0)
        return true;
    const struct sql_rows *rows = ask(r);
    if (!rows)
        return mariadb_add_failure(r, "the state of replication",
                                   r->link->is_mariadb
                                       ? "GRANT SLAVE MONITOR ON *.* to it, or set 'replication = \"no\"'"
                                       : "GRANT REPLICATION CLIENT ON *.* to it, or set 'replication = \"no\"'");
    belfry_measure(r->p, "replication_sources", (double)rows->count);
    for (size_t i = 0; i < rows->count && i < SOURCES_MAX; i++)
        judge_source(&(struct source){ r, rows, i });
    if (rows->count > SOURCES_MAX)
        mariadb_add_problem(r, BELFRY_UNKNOWN, belfry_print(r->p, "has more than %d replication sources", SOURCES_MAX));
    if (rows->count == 0 && strcmp(wanted, "yes") == 0)
        mariadb_add_problem(r, BELFRY_CRITICAL, "is not set up as a replica of any server");
    return true;
}
