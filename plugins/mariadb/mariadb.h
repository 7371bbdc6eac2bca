/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mariadb - what the files of the plugin share: what the verdict is made from, and who looks at what. */
#ifndef PLUGINS_MARIADB_H
#define PLUGINS_MARIADB_H

#include "belfry/plugin.h"
#include "plugins/common/sql.h"

/* ---- report.c: what was found -------------------------------------------------------------------------------------
 */

/* What is asked in every run, in one round trip. */
enum mariadb_question {
    ASK_SETTINGS,
    ASK_STATUS,
    ASK_VARIABLES,
    ASK_TRANSACTIONS,
    ASK_REPLICATION,
    ASK_COUNT
};

/* Rows of a name and a value, found by hash while there are not too many. */
#define MARIADB_CELLS 256
struct mariadb_values {
    const struct sql_rows *rows;        /* NULL: could not be read */
    unsigned char cells[MARIADB_CELLS]; /* a row's number + 1, open addressing; 0: none */
    bool indexed;
};

struct mariadb_report {
    struct belfry_probe *p;
    struct sql_link *link;
    bool reset; /* the server's counters began anew since the last run */
    enum belfry_state state;
    const char *problems; /* "; "-joined, or NULL */
    const char *summary;
    const char *statements[ASK_COUNT]; /* NULL: not asked */
    const struct sql_rows *answers[ASK_COUNT];
    struct mariadb_values status, variables;
};

/* The answer that has come already, or else comes now; NULL as sql_ask(). */
const struct sql_rows *mariadb_ask(struct mariadb_report *r, enum mariadb_question question);

void mariadb_add_problem(struct mariadb_report *r, enum belfry_state state, const char *text);
/* For a question that failed: UNKNOWN with the missing right, or what the server said. False when the link is dead. */
bool mariadb_add_failure(struct mariadb_report *r, const char *question, const char *right);
/* The verdict of a failure that ends the run. */
void mariadb_say_failure(struct sql_link *link);
void mariadb_index(struct mariadb_values *values, const struct sql_rows *rows);
/* A global status or variable by name, NULL or NaN when the server has none. */
const char *mariadb_status(const struct mariadb_report *r, const char *name);
const char *mariadb_variable(const struct mariadb_report *r, const char *name);
double mariadb_status_number(const struct mariadb_report *r, const char *name);
double mariadb_variable_number(const struct mariadb_report *r, const char *name);
/* The rate of a status counter since the last run, kept by that counter's name; once a run. */
bool mariadb_rate(const struct mariadb_report *r, const char *name, double *per_second);

/* ---- what is looked at; each is false when the link is dead ---------------------------------------------------------
 */

const char *mariadb_ask_for_status(struct belfry_probe *p);                 /* status.c */
const char *mariadb_ask_for_variables(struct belfry_probe *p);              /* status.c */
bool mariadb_judge_status(struct mariadb_report *r);                        /* status.c */
bool mariadb_judge_transactions(struct mariadb_report *r);                  /* threads.c */
bool mariadb_judge_threads(struct mariadb_report *r);                       /* threads.c */
void mariadb_judge_galera(struct mariadb_report *r);                        /* galera.c */
const char *mariadb_ask_for_sources(const struct sql_link *link, size_t i); /* replica.c: NULL past the last */
bool mariadb_judge_replication(struct mariadb_report *r);                   /* replica.c */
bool mariadb_judge_queries(struct mariadb_report *r);                       /* queries.c */

#endif
