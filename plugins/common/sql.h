/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sql - a connection to MariaDB or MySQL by libmariadb over belfry_wait(): TLS that is enforced and verified,
 * statements, rows of text, and failures in words. A library of its own (libsql.la); where libmariadb was missing when
 * Belfry was built it has the same functions, which fail with SQL_NOT_BUILT. No header of libmariadb is needed to use
 * it. */
#ifndef PLUGINS_COMMON_SQL_H
#define PLUGINS_COMMON_SQL_H

#include "belfry/plugin.h"

struct st_mysql; /* libmariadb's MYSQL */

/* Where to connect, and how. */
struct sql_target {
    const char *host, *port; /* not read when there is a socket */
    const char *socket;
    int family;
    const char *user, *password, *database;
    bool tls; /* enforced and verified, against tls_name or host */
    const char *tls_ca, *tls_cert, *tls_key, *tls_name;
    bool many;    /* sql_ask_all() will be used: the server takes several statements at once */
    double until; /* now_s() by which all must be done; 0: the run's deadline */
};

/* Why something failed, as far as somebody may act upon it. */
enum sql_cause {
    SQL_NO_CAUSE,
    SQL_WIRE,      /* the wire, the protocol, TLS: nothing more can be asked */
    SQL_SYNTAX,    /* the server does not know the statement */
    SQL_DENIED,    /* the account lacks a right */
    SQL_NO_TABLE,  /* there is no such table or database */
    SQL_NO_COLUMN, /* there is no such column */
    SQL_NO_VARIABLE,
    SQL_REFUSED, /* anything else that the server says */
    SQL_NOT_BUILT
};

/* What is being done, in order. */
enum sql_phase {
    SQL_CONNECTING,
    SQL_GREETING,
    SQL_TLS,
    SQL_LOGGING_IN,
    SQL_ASKING
};

struct sql_link {
    struct belfry_probe *p;
    struct st_mysql *mysql;
    const char *peer;    /* where the server is, as text */
    const char *version; /* as the server greets */
    enum sql_phase phase;
    bool is_mariadb;      /* else MySQL */
    bool connecting, tls; /* tls: to be spoken */
    char *host;           /* what the library reads as host name: see sql-link.c */
    const char *tls_name;
    double until;
    bool late, dead;   /* late: the time was up; dead: nothing more can be asked */
    int os_error;      /* the system's behind it, or 0 */
    unsigned int code; /* the library's or the server's error number */
    enum sql_cause cause;
    const char *why; /* what failed last, without the peer */
};

/* NULL, or what is wrong with the target: options that exclude each other. prefix: of their names, "" or "sql_". */
const char *sql_problem(struct belfry_probe *p, const struct sql_target *target, const char *prefix);
/* 0, or -1 with link->code, link->cause and link->why. link->p must be set, all else 0. */
int sql_open(struct sql_link *link, const struct sql_target *target);
/* Accepts what sql_open() left behind in any case. */
void sql_close(struct sql_link *link);

/* An answer: rows of text cells; NULL stands for SQL's NULL. Lives until run() returns. */
struct sql_rows {
    unsigned int width;
    size_t count;
    const char **names;
    const char ***cells; /* cells[row][column] */
};
/* Asks for rows. NULL: link->cause and link->why say what went wrong; link->dead tells whether more may be asked. */
const struct sql_rows *sql_ask(struct sql_link *link, const char *statement);
/* Asks several statements in one round trip: how many were answered. The first of the others failed, and none after it
 * was carried out. A statement without rows has an answer without rows. */
size_t sql_ask_all(struct sql_link *link, const char *const *statements, size_t count, const struct sql_rows **answers);
/* From now on the server takes one statement at a time; before anything is sent that is not our own. */
bool sql_only_one(struct sql_link *link);
/* A statement whose rows nobody wants. */
bool sql_do(struct sql_link *link, const char *statement);
/* A cell by column name; NULL when there is no such column or it is NULL. */
const char *sql_cell(const struct sql_rows *rows, size_t row, const char *name);
/* A number at the beginning of a text; NaN when there is none. */
double sql_number(const char *text);
/* What a server said, as a part of a line. */
const char *sql_line(struct belfry_probe *p, const char *text);

/* What a failure that ends the run means. Only what keeps everybody out is "not reached"; what keeps only this account
 * out leaves open how the server is; a certificate that does not convince was reached, and is bad. */
enum sql_blame {
    SQL_NOT_REACHED,
    SQL_REACHED_BAD,
    SQL_NO_RIGHT
};
/* The failure in words, with the peer: "127.0.0.1:3306 refuses the user or password: '...' (error 1045)". */
const char *sql_failure(const struct sql_link *link, enum sql_blame *blame);

#endif
