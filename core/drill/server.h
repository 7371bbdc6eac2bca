/* SPDX-License-Identifier: GPL-3.0-or-later */
/* server - a scratch server in the scratch folder: on a unix socket only, with everything off that could reach out. */
#ifndef DRILL_SERVER_H
#define DRILL_SERVER_H

#include "core/drill/tool.h"

struct server_type {
    const char *name;
    int (*install)(struct run *run);                    /* makes its folder ready; or NULL */
    int (*command)(struct run *run, struct tool *tool); /* how it is started */
    /* How it is asked: the tool prints one value. */
    int (*client)(struct run *run, struct tool *tool, const char *database, const char *question);
    const char *ping, *pong; /* a question, and what the answer begins with when it is up */
    const char *version;     /* a question */
    const char *tables;      /* a question: how many tables, or keys, there are that are not its own */
    const char *broken;      /* a question: which tables are there and can't be opened; NULL: it has none */
    const char *checksum;    /* format of a question: that of a table, behind its name; NULL: it has none */
    char quote;              /* around names */
    const char *epoch;       /* format that makes a time of a question into seconds since 1970; NULL: it is */
};

extern const struct server_type server_mariadb, server_postgres, server_redis;

int server_start(struct run *run);
/* The first value of the answer, without newline; 0, or -1 with the server's complaint in answer. */
int server_ask(struct run *run, const char *question, char *answer, size_t size);
/* Where its socket is: BELFRY_DRILL_SOCKET of an app. */
const char *server_socket(struct run *run);
/* Stops it and starts it again, so that it knows no users: what was restored may have replaced them. */
int server_reopen(struct run *run);
/* SIGKILL: nothing of it is kept. */
void server_stop(struct run *run);

#endif
