/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql-steps - what sql's own files share: operations of libmariadb that are taken step by step, waiting in between. */
#ifndef PLUGINS_COMMON_SQL_STEPS_H
#define PLUGINS_COMMON_SQL_STEPS_H

#include <mysql.h>

#include "plugins/common/sql.h"

/* One _cont function and where its result goes. */
struct sql_step {
    int (*go_on)(struct sql_link *link, void *result, int got);
    void *result;
};

/* Runs an operation, begun with that status, to its end: 0, or -1 when it was given up. limit_ms bounds the first
 * wait. */
int sql_run_steps(struct sql_link *link, const struct sql_step *step, int status, int64_t limit_ms);
/* Sets code, cause and why; -1. */
int sql_fail(struct sql_link *link, unsigned int code, const char *why);
/* The same by what the library or the server said. */
int sql_take_error(struct sql_link *link);
enum sql_cause sql_cause_of(unsigned int code);

/* sql-greet.c. Once connecting has succeeded or failed, and before the library reads: 0 when the whole greeting is
 * there, or -1 with what failed. */
int sql_meet(struct sql_link *link);

#endif
