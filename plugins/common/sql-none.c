/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-none - stands for libsql where Belfry was built without libmariadb: every connection fails, and says why. */
#include "plugins/common/sql.h"

const char *sql_problem(struct belfry_probe *p, const struct sql_target *target, const char *prefix)
{
    (void)p;
    (void)target;
    (void)prefix;
    return NULL;
}

int sql_open(struct sql_link *link, const struct sql_target *target)
{
    (void)target;
    link->cause = SQL_NOT_BUILT;
    link->dead = true;
    link->why = "SQL is not built in: libmariadb was missing when Belfry was built";
    return -1;
}

void sql_close(struct sql_link *link)
{
    (void)link;
}

const struct sql_rows *sql_ask(struct sql_link *link, const char *statement)
{
    (void)link;
    (void)statement;
    return NULL;
}

size_t sql_ask_all(struct sql_link *link, const char *const *statements, size_t count, const struct sql_rows **answers)
{
    (void)link;
    (void)statements;
    (void)count;
    (void)answers;
    return 0;
}

bool sql_only_one(struct sql_link *link)
{
    (void)link;
    return false;
}

bool sql_do(struct sql_link *link, const char *statement)
{
    (void)link;
    (void)statement;
    return false;
}

const char *sql_failure(const struct sql_link *link, enum sql_blame *blame)
{
    *blame = SQL_NO_RIGHT;
    return link->why;
}
