/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-ask - statements and their answers. A row is read as it comes and copied, so that an answer without end costs no
 * more than ROWS_MAX rows or BYTES_MAX; one that is given up makes the connection useless. */
#include "plugins/common/sql-steps.h"

#include <errmsg.h>
#include <string.h>

#include "plugins/common/say.h"

#define ROWS_MAX 4096
#define BYTES_MAX ((size_t)1024 * 1024)

static int go_on_asking(struct sql_link *link, void *result, int got)
{
    return mysql_real_query_cont(result, link->mysql, got);
}

static int go_on_to_next(struct sql_link *link, void *result, int got)
{
    return mysql_next_result_cont(result, link->mysql, got);
}

static int go_on_setting(struct sql_link *link, void *result, int got)
{
    return mysql_set_server_option_cont(result, link->mysql, got);
}

struct fetch {
    MYSQL_RES *from;
    MYSQL_ROW row;
};

static int go_on_fetching(struct sql_link *link, void *result, int got)
{
    struct fetch *fetch = result;
    (void)link;
    return mysql_fetch_row_cont(&fetch->row, fetch->from, got);
}

/* The next row, or NULL at the end or after an error, with link->code. */
static MYSQL_ROW fetch(struct sql_link *link, MYSQL_RES *from)
{
    struct fetch fetch = { from, NULL };
    struct sql_step step = { go_on_fetching, &fetch };
    link->code = 0;
    if (sql_run_steps(link, &step, mysql_fetch_row_start(&fetch.row, from), -1) < 0)
        return NULL;
    if (!fetch.row && mysql_errno(link->mysql) != 0)
        sql_take_error(link);
    return fetch.row;
}

/* The rest of an answer is not worth reading: the connection is of no use any more. */
static void give_up(struct sql_link *link)
{
    link->dead = true;
    link->mysql->status = MYSQL_STATUS_READY; /* else freeing the result would read to its end */
}

static struct sql_rows *make_rows(struct sql_link *link, MYSQL_RES *from)
{
    struct sql_rows *rows = belfry_alloc(link->p, sizeof *rows);
    const MYSQL_FIELD *fields = mysql_fetch_fields(from);
    rows->width = mysql_num_fields(from);
    rows->names = belfry_alloc(link->p, rows->width * sizeof *rows->names);
    for (unsigned int i = 0; i < rows->width; i++)
        rows->names[i] = say_copy(link->p, fields[i].name, fields[i].name_length);
    return rows;
}

static void add_row(struct sql_link *link, struct sql_rows *rows, MYSQL_ROW row, const unsigned long *lengths)
{
    if ((rows->count & (rows->count - 1)) == 0) { /* a power of two: double */
        size_t room = rows->count == 0 ? 1 : rows->count * 2;
        const char ***cells = belfry_alloc(link->p, room * sizeof *cells);
        if (rows->count > 0)
            memcpy(cells, rows->cells, rows->count * sizeof *cells);
        rows->cells = cells;
    }
    size_t bytes = rows->width * sizeof(char *);
    for (unsigned int i = 0; i < rows->width; i++)
        bytes += lengths[i] + 1;
    const char **cells = belfry_alloc(link->p, bytes); /* the texts follow the pointers */
    char *text = (char *)(cells + rows->width);
    for (unsigned int i = 0; i < rows->width; i++) {
        if (row[i]) {
            cells[i] = memcpy(text, row[i], lengths[i]);
            text += lengths[i] + 1; /* what was allocated is zero */
        }
    }
    rows->cells[rows->count++] = cells;
}

static bool read_rows(struct sql_link *link, MYSQL_RES *from, struct sql_rows *rows)
{
    size_t bytes = 0;
    for (MYSQL_ROW row = fetch(link, from); row; row = fetch(link, from)) {
        const unsigned long *lengths = mysql_fetch_lengths(from);
        for (unsigned int i = 0; i < rows->width; i++)
            bytes += lengths[i] + sizeof(char *);
        if (rows->count >= ROWS_MAX || bytes > BYTES_MAX) {
            sql_fail(link, CR_MALFORMED_PACKET,
                     belfry_print(link->p, "the answer is longer than %d rows or 1 MiB", ROWS_MAX));
            give_up(link);
            return false;
        }
        add_row(link, rows, row, lengths);
    }
    if (link->code != 0)
        give_up(link);
    return link->code == 0;
}

static bool send_statement(struct sql_link *link, const char *sql)
{
    int result = 0;
    struct sql_step step = { go_on_asking, &result };
    link->phase = SQL_ASKING;
    link->code = 0;
    if (sql_run_steps(link, &step, mysql_real_query_start(&result, link->mysql, sql, strlen(sql)), -1) < 0)
        return false;
    if (result == 0)
        return true;
    sql_take_error(link);
    link->dead = link->cause == SQL_WIRE;
    return false;
}

/* The rows of the statement that was answered; NULL when it has none, or failed: then with link->code. */
static const struct sql_rows *take_rows(struct sql_link *link)
{
    link->code = 0;
    MYSQL_RES *from = mysql_use_result(link->mysql);
    if (!from) {
        if (mysql_errno(link->mysql) != 0)
            sql_take_error(link);
        return NULL;
    }
    struct sql_rows *rows = make_rows(link, from);
    bool whole = read_rows(link, from, rows);
    mysql_free_result(from);
    return whole ? rows : NULL;
}

const struct sql_rows *sql_ask(struct sql_link *link, const char *statement)
{
    if (!send_statement(link, statement))
        return NULL;
    const struct sql_rows *rows = take_rows(link);
    if (!rows && link->code == 0)
        sql_fail(link, CR_NO_DATA, "the statement has no result");
    return rows;
}

/* Goes on to the next statement's answer: false when it failed or there is none. */
static bool take_next(struct sql_link *link)
{
    int result = 0;
    struct sql_step step = { go_on_to_next, &result };
    if (sql_run_steps(link, &step, mysql_next_result_start(&result, link->mysql), -1) < 0)
        return false;
    if (result > 0) {
        sql_take_error(link);
        link->dead = link->cause == SQL_WIRE;
    }
    return result == 0;
}

static const char *join(struct belfry_probe *p, const char *const *statements, size_t count)
{
    size_t size = 0, length = 0;
    for (size_t i = 0; i < count; i++)
        size += strlen(statements[i]) + 1;
    char *all = belfry_alloc(p, size + 1);
    for (size_t i = 0; i < count; i++) {
        size_t more = strlen(statements[i]);
        memcpy(all + length, statements[i], more);
        all[length + more] = i + 1 < count ? ';' : '\0';
        length += more + 1;
    }
    return all;
}

size_t sql_ask_all(struct sql_link *link, const char *const *statements, size_t count, const struct sql_rows **answers)
{
    size_t got = 0;
    for (bool more = count > 0 && send_statement(link, join(link->p, statements, count)); more && got < count;
         more = got < count && take_next(link)) {
        const struct sql_rows *rows = take_rows(link);
        if (!rows && link->code != 0)
            break;
        answers[got++] = rows ? rows : belfry_alloc(link->p, sizeof *rows);
    }
    return got;
}

bool sql_only_one(struct sql_link *link)
{
    int result = 0;
    struct sql_step step = { go_on_setting, &result };
    int status = mysql_set_server_option_start(&result, link->mysql, MYSQL_OPTION_MULTI_STATEMENTS_OFF);
    if (sql_run_steps(link, &step, status, -1) < 0)
        return false;
    if (result != 0) {
        sql_take_error(link);
        link->dead = link->cause == SQL_WIRE;
    }
    return result == 0;
}

bool sql_do(struct sql_link *link, const char *sql)
{
    return send_statement(link, sql);
}
