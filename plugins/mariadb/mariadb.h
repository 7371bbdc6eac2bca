/* SPDX-License-Identifier: GPL-3.0-or-later */
/* mariadb - what the files of the plugin share: the link to the server, tables of text, and what the verdict is made
 * from. */
#ifndef PLUGINS_MARIADB_H
#define PLUGINS_MARIADB_H

#include <mysql.h>

#include "belfry/plugin.h"

/* ---- link.c: one connection ---------------------------------------------------------------------------------------
 */

/* Where to connect, and how. */
struct mariadb_target {
    const char *host, *port; /* not read when there is a socket */
    const char *socket;
    int family;
    const char *user, *password, *database;
    bool tls; /* enforced and verified, against tls_name */
    const char *tls_ca, *tls_cert, *tls_key, *tls_name;
};

struct mariadb_link {
    struct belfry_probe *p;
    MYSQL *mysql;
    const char *peer;     /* where the server is, as text */
    const char *phase;    /* what is being waited for, for texts */
    bool connecting, tls; /* tls: the handshake is still to come */
    char *host;           /* what the library reads as host name: see link.c */
    const char *tls_name;
    bool late, dead; /* late: the deadline passed; dead: nothing more can be asked */
    unsigned int code;
    const char *why; /* what failed last, without the peer */
};

/* 0, or -1 with link->code (the library's or the server's error number) and link->why. */
int mariadb_open(struct mariadb_link *link, const struct mariadb_target *target);
/* Accepts what mariadb_open() left behind in any case. */
void mariadb_close(struct mariadb_link *link);

/* An answer: rows of text cells; NULL stands for SQL's NULL. Lives until run() returns. */
struct mariadb_rows {
    unsigned int width;
    size_t count;
    const char **names;
    const char ***cells; /* cells[row][column] */
};
/* Asks for rows. NULL: link->code and link->why say what went wrong; link->dead tells whether more may be asked. */
const struct mariadb_rows *mariadb_ask(struct mariadb_link *link, const char *sql);
/* A statement whose rows nobody wants. */
bool mariadb_do(struct mariadb_link *link, const char *sql);
/* A cell by column name; NULL when there is no such column or it is NULL. */
const char *mariadb_cell(const struct mariadb_rows *rows, size_t row, const char *name);

/* ---- report.c: what was found -------------------------------------------------------------------------------------
 */

struct mariadb_report {
    struct belfry_probe *p;
    struct mariadb_link *link;
    bool is_mariadb; /* else MySQL */
    bool reset;      /* the server's counters began anew since the last run */
    enum belfry_state state;
    const char *problems; /* "; "-joined, or NULL */
    const char *summary;
    const struct mariadb_rows *status, *variables;
};

void mariadb_add_problem(struct mariadb_report *r, enum belfry_state state, const char *text);
/* For a question that failed: UNKNOWN with the missing right, or what the server said. False when the link is dead. */
bool mariadb_add_failure(struct mariadb_report *r, const char *question, const char *right);
/* An error of the library (the wire, the protocol, TLS) rather than of the server. */
bool mariadb_is_wire_error(unsigned int code);
/* The verdict of a failure that ends the run. */
void mariadb_say_failure(struct mariadb_link *link);
/* What a server said, as a part of a line. */
const char *mariadb_line(struct belfry_probe *p, const char *text);
/* A number at the beginning of a text; NaN when there is none. */
double mariadb_number(const char *text);
/* A global status or variable by name, NULL or NaN when the server has none. */
const char *mariadb_status(const struct mariadb_report *r, const char *name);
const char *mariadb_variable(const struct mariadb_report *r, const char *name);
double mariadb_status_number(const struct mariadb_report *r, const char *name);
double mariadb_variable_number(const struct mariadb_report *r, const char *name);
/* The rate of a status counter since the last run, kept by that counter's name; once a run. */
bool mariadb_rate(const struct mariadb_report *r, const char *name, double *per_second);

/* ---- what is looked at; each is false when the link is dead ---------------------------------------------------------
 */

bool mariadb_judge_status(struct mariadb_report *r);       /* status.c */
bool mariadb_judge_transactions(struct mariadb_report *r); /* status.c */
void mariadb_judge_galera(struct mariadb_report *r);       /* galera.c */
bool mariadb_judge_replication(struct mariadb_report *r);  /* replica.c */
bool mariadb_judge_queries(struct mariadb_report *r);      /* queries.c */

#endif
