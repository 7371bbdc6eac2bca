/* SPDX-License-Identifier: GPL-3.0-or-later */
/* report - how findings become a verdict: problems are collected and the worst decides; a question that could not be
 * asked is UNKNOWN and names the right that is missing.
 *
 * Of failures that end the run only what keeps everybody out is "not reached" (refused, timed out, too many
 * connections). What keeps only this account out is UNKNOWN: the server may be well. A certificate that does not
 * convince is CRITICAL and reached. */
#include "plugins/mariadb/mariadb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/names.h"

void mariadb_say_failure(struct sql_link *link)
{
    enum sql_blame blame;
    const char *text = sql_failure(link, &blame);
    if (blame == SQL_NOT_REACHED)
        belfry_unreachable(link->p, "%s", text);
    else if (blame == SQL_REACHED_BAD)
        belfry_critical(link->p, "%s", text);
    else
        belfry_unknown(link->p, "%s", text);
}

void mariadb_add_problem(struct mariadb_report *r, enum belfry_state state, const char *text)
{
    /* UNKNOWN is the largest number, yet what is known to be bad outweighs it */
    static const int weight[] = { [BELFRY_OK] = 0, [BELFRY_UNKNOWN] = 1, [BELFRY_WARNING] = 2, [BELFRY_CRITICAL] = 3 };
    r->state = weight[state] > weight[r->state] ? state : r->state;
    r->problems = r->problems ? belfry_print(r->p, "%s; %s", r->problems, text) : text;
}

bool mariadb_add_failure(struct mariadb_report *r, const char *question, const char *right)
{
    const struct sql_link *link = r->link;
    if (link->dead)
        return false;
    if (link->cause == SQL_DENIED && right)
        mariadb_add_problem(r, BELFRY_UNKNOWN,
                            belfry_print(r->p, "%s must not be read by this user: %s", question, right));
    else
        mariadb_add_problem(r, BELFRY_UNKNOWN,
                            belfry_print(r->p, "%s cannot be read: '%s' (error %u)", question, link->why, link->code));
    return true;
}

static bool is_named(const struct sql_rows *rows, size_t row, const char *name)
{
    return rows->cells[row][0] && strcasecmp(rows->cells[row][0], name) == 0;
}

/* The cell of that name, or the empty one where it belongs. */
static size_t find_cell(const struct mariadb_values *values, const char *name)
{
    size_t at = names_hash(name, strlen(name)) % MARIADB_CELLS;
    while (values->cells[at] != 0 && !is_named(values->rows, values->cells[at] - 1u, name))
        at = (at + 1) % MARIADB_CELLS;
    return at;
}

/* A run asks for some seventy values: to go through all rows for each cost more than the conversation. */
void mariadb_index(struct mariadb_values *values, const struct sql_rows *rows)
{
    values->rows = rows;
    if (!rows || rows->width != 2 || rows->count > MARIADB_CELLS / 2)
        return; /* not ours, or too long: it goes without */
    values->indexed = true;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->cells[i][0])
            values->cells[find_cell(values, rows->cells[i][0])] = (unsigned char)(i + 1);
}

static const char *find(const struct mariadb_values *values, const char *name)
{
    const struct sql_rows *rows = values->rows;
    if (values->indexed) {
        unsigned char cell = values->cells[find_cell(values, name)];
        return cell != 0 ? rows->cells[cell - 1][1] : NULL;
    }
    for (size_t i = 0; rows && rows->width == 2 && i < rows->count; i++)
        if (is_named(rows, i, name))
            return rows->cells[i][1];
    return NULL;
}

const char *mariadb_status(const struct mariadb_report *r, const char *name)
{
    return find(&r->status, name);
}

const char *mariadb_variable(const struct mariadb_report *r, const char *name)
{
    return find(&r->variables, name);
}

double mariadb_status_number(const struct mariadb_report *r, const char *name)
{
    return sql_number(mariadb_status(r, name));
}

double mariadb_variable_number(const struct mariadb_report *r, const char *name)
{
    return sql_number(mariadb_variable(r, name));
}

bool mariadb_rate(const struct mariadb_report *r, const char *name, double *per_second)
{
    double value = mariadb_status_number(r, name);
    if (!(value >= 0))
        return false;
    bool known = belfry_rate(r->p, name, strtoull(mariadb_status(r, name), NULL, 10), per_second);
    return known && !r->reset; /* the new beginning is kept all the same */
}
