/* SPDX-License-Identifier: GPL-3.0-or-later */
/* queries - the sysadmin's own questions: each is one statement that answers with one number, which becomes a metric of
 * the query's name. Before each one the session's transactions are made read-only again, so that the server refuses
 * whatever would change data, whichever rights the account has; only statements that ask are sent at all, and the
 * server takes only one at a time. */
#include "plugins/mariadb/mariadb.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/say.h"

static bool only_asks(const char *sql)
{
    static const char *const words[] = { "SELECT", "SHOW", "WITH", "VALUES", "TABLE" };
    sql += strspn(sql, " \t(");
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if (strncasecmp(sql, words[i], length) == 0 && !isalnum((unsigned char)sql[length]) && sql[length] != '_')
            return true;
    }
    return false;
}

/* The whole of a text as a number, or NaN. */
static double whole_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return end == text || end[strspn(end, " ")] != '\0' || !isfinite(value) ? NAN : value;
}

/* NULL when the answer is one number, which is measured; else what is wrong with it. */
static const char *take(struct mariadb_report *r, const char *name, const struct sql_rows *rows)
{
    if (rows->count == 0)
        return "has no row in its answer";
    if (rows->count > 1 || rows->width != 1)
        return belfry_print(r->p, "answers with %zu rows of %u columns, not with one value", rows->count, rows->width);
    const char *text = rows->cells[0][0];
    if (!text)
        return "answers with NULL";
    double value = whole_number(text);
    if (isnan(value))
        return belfry_print(r->p, "answers with '%s', which is no number", say_excerpt(r->p, text, strlen(text)));
    belfry_measure_sample(r->p, &(struct belfry_sample){
                                    .size = sizeof(struct belfry_sample), .name = name, .unit = "", .value = value });
    return NULL;
}

static bool ask_one(struct mariadb_report *r, const char *name, const char *sql)
{
    const char *trouble = NULL;
    if (!only_asks(sql)) {
        trouble = "must begin with SELECT, WITH, VALUES, TABLE or SHOW";
    } else {
        const struct sql_rows *rows = NULL;
        if (sql_do(r->link, "SET SESSION TRANSACTION READ ONLY"))
            rows = sql_ask(r->link, sql);
        if (!rows)
            return mariadb_add_failure(r, belfry_print(r->p, "query '%s'", name), NULL);
        trouble = take(r, name, rows);
    }
    if (trouble)
        mariadb_add_problem(r, BELFRY_UNKNOWN, belfry_print(r->p, "query '%s' %s", name, trouble));
    return true;
}

bool mariadb_judge_queries(struct mariadb_report *r)
{
    size_t count = belfry_count(r->p, "queries");
    if (count > 0 && !sql_only_one(r->link))
        return mariadb_add_failure(r, "the queries", NULL);
    for (size_t i = 0; i < count; i++)
        if (!ask_one(r, belfry_key(r->p, "queries", i), belfry_item(r->p, "queries", i)))
            return false;
    return true;
}
