/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore_postgres - plain dumps by psql, the others by pg_restore. A plain dump names the roles that own its tables;
 * the scratch server gets each when the dump asks for it, and the restore begins anew. A dump of a whole cluster makes
 * databases and roles itself; that the role postgres is there already is its only excuse. */
#include <stdio.h>
#include <string.h>

#include "core/drill/restore.h"
#include "core/drill/server.h"

#define ROLES_MAX 32

enum shape {
    SHAPE_CUSTOM, /* one file for pg_restore: custom or tar */
    SHAPE_FOLDER,
    SHAPE_PLAIN,
    SHAPE_CLUSTER
};

static int find_shape(struct run *run, enum shape *out)
{
    static const char cluster[] = "PostgreSQL database cluster dump";
    struct head *head = arena_alloc(&run->arena, sizeof *head);
    struct flow probe = { .probe = true, .head = head };
    *out = SHAPE_FOLDER;
    if (run->source.folder)
        return 0;
    if (flow_run(run, &probe) != 0)
        return -1;
    bool packed = (head->length > 5 && memcmp(head->bytes, "PGDMP", 5) == 0) || restore_is_postgres_tar(head);
    *out = packed                                                           ? SHAPE_CUSTOM
           : memmem(head->bytes, head->length, cluster, sizeof cluster - 1) ? SHAPE_CLUSTER
                                                                            : SHAPE_PLAIN;
    return 0;
}

static void prepare(struct run *run, struct tool *tool, enum shape shape)
{
    bool plain = shape == SHAPE_PLAIN || shape == SHAPE_CLUSTER;
    *tool = (struct tool){ .phase = PHASE_RESTORE, .excuse = "role \"postgres\" already exists" };
    tool->error = shape == SHAPE_CLUSTER ? "ERROR:" : NULL;
    tool->argv[0] = plain ? "psql" : "pg_restore";
    tool_add(tool, "--host");
    tool_add(tool, run->data);
    tool_add(tool, "--username=postgres");
    tool_add(tool, "--no-password");
    tool_add(tool, "--dbname");
    tool_add(tool, shape == SHAPE_CLUSTER ? "postgres" : run->config->database);
    tool_add(tool, plain ? "--quiet" : "--exit-on-error");
    tool_add(tool, plain ? "--no-psqlrc" : "--no-owner");
    tool_add(tool, shape == SHAPE_PLAIN ? "--set=ON_ERROR_STOP=1" : plain ? "--output=/dev/null" : "--no-privileges");
}

static int ask(struct run *run, const char *question)
{
    char answer[256];
    return server_ask(run, question, answer, sizeof answer) == 0 ? 0 : run_fail(run, PHASE_RESTORE, "%s", answer);
}

/* `role "NAME" does not exist`: made. The restore that failed for it has not happened. */
static bool make_missing_role(struct run *run)
{
    struct outcome *outcome = run->outcome;
    const char *begin = strstr(outcome->why, "role \"");
    const char *end = begin ? strstr(begin, "\" does not exist") : NULL;
    if (!end || outcome->failed_phase != PHASE_RESTORE)
        return false;
    const char *name = arena_text_n(&run->arena, begin + 6, (size_t)(end - begin - 6));
    outcome->result = DRILL_RUNNING;
    outcome->why[0] = '\0';
    atomic_store(&outcome->bytes, 0);
    const char *database = run->config->database;
    return strchr(name, '"') == NULL && ask(run, arena_print(&run->arena, "CREATE ROLE \"%s\"", name)) == 0 &&
           ask(run, arena_print(&run->arena, "DROP DATABASE \"%s\"", database)) == 0 &&
           ask(run, arena_print(&run->arena, "CREATE DATABASE \"%s\"", database)) == 0;
}

static int restore_folder(struct run *run)
{
    char path[PATH_MAX];
    struct tool tool;
    if (restore_copy_folder(run, path) != 0)
        return -1;
    prepare(run, &tool, SHAPE_FOLDER);
    tool_add(&tool, path);
    if (tool_run(run, &tool, NULL, run->config->time_ms) != 0)
        return run_fail(run, PHASE_RESTORE, "%s", tool_complaint(run, &tool));
    return 0;
}

static int restore_file(struct run *run, enum shape shape)
{
    struct tool tool;
    struct flow flow;
    int code = -1;
    for (int roles = 0; roles <= ROLES_MAX; roles++) {
        prepare(run, &tool, shape);
        flow = (struct flow){ .sink = &tool };
        code = flow_run(run, &flow);
        if (code == 0 || shape != SHAPE_PLAIN || !make_missing_role(run))
            break;
    }
    const char *error = code == 0 && shape == SHAPE_CLUSTER ? tool_error(&tool) : NULL; /* psql went on */
    if (error)
        return run_fail(run, PHASE_RESTORE, "%s", error);
    return code == 0 && shape != SHAPE_CUSTOM ? restore_check_trailer(run, &flow) : code;
}

int restore_postgres(struct run *run)
{
    enum shape shape;
    int code = find_shape(run, &shape);
    if (code == 0 && shape != SHAPE_CLUSTER)
        code = ask(run, arena_print(&run->arena, "CREATE DATABASE \"%s\"", run->config->database));
    if (code == 0)
        code = shape == SHAPE_FOLDER ? restore_folder(run) : restore_file(run, shape);
    run->outcome->one_database = code == 0;
    return code;
}
