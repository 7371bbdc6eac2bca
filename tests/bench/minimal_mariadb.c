/* SPDX-License-Identifier: GPL-3.0-or-later */
/* minimal_mariadb COUNT MS PORT USER PASSWORD FILE - connect, the statements of FILE (one a line), close, by
 * libmariadb's blocking functions: what the mariadb plugin is measured by. */
#include <mysql.h>
#include <string.h>

#include "tests/bench/minimal.h"

#define STATEMENTS_MAX 32

struct work {
    unsigned int port;
    const char *user, *password;
    char *statements[STATEMENTS_MAX];
    size_t count;
};

static bool ask(MYSQL *server, const char *statement)
{
    int next = mysql_query(server, statement);
    while (next == 0) {
        MYSQL_RES *rows = mysql_store_result(server);
        while (rows && mysql_fetch_row(rows))
            ;
        mysql_free_result(rows);
        next = mysql_next_result(server);
    }
    return next < 0;
}

static bool check(void *context)
{
    const struct work *work = context;
    unsigned int seconds = 5;
    MYSQL *server = mysql_init(NULL);
    mysql_options(server, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    bool good = mysql_real_connect(server, "127.0.0.1", work->user, work->password, NULL, work->port, NULL,
                                   CLIENT_MULTI_STATEMENTS) != NULL;
    for (size_t i = 0; good && i < work->count; i++)
        good = ask(server, work->statements[i]);
    mysql_close(server);
    return good;
}

static void read_statements(struct work *work, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    while (file && work->count < STATEMENTS_MAX && getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        work->statements[work->count++] = strdup(line);
    }
    free(line);
    if (file)
        fclose(file);
}

int main(int argc, char **argv)
{
    if (argc < 7)
        return 2;
    struct work work = { .port = (unsigned int)strtoul(argv[3], NULL, 10), .user = argv[4], .password = argv[5] };
    read_statements(&work, argv[6]);
    return work.count > 0 ? minimal_run(argv, check, &work) : 1;
}
