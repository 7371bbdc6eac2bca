/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore_pgbackrest - the newest backup in a repository of pgBackRest, or the one that is named by its label:
 *
 *     REPOSITORY/backup/STANZA/backup.info       the source is the repository, when it has one stanza, or this folder
 *     REPOSITORY/archive/STANZA/...              the log that makes the backup consistent
 *
 * pgbackrest reads the repository as the daemon's own user; what it restores is then given to the drill's user. Of the
 * log just what lies between the begin and the end of the backup is brought, so that the server, which has no access to
 * the repository and no restore_command, comes up as it was at the backup's end; log after that is not replayed. It is
 * started with configuration files of ours. Segments of the log are 16 MiB, as PostgreSQL makes them unless told. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/drill/restore.h"

#define INFO_BYTES_MAX (8u << 20)
#define ASK_MS 600000
#define SEGMENTS_MAX 4096
#define NAME_SIZE 25 /* of a segment: timeline, log, segment; 8 hex digits each */

struct repository {
    const char *path, *stanza, *label;
    char first[NAME_SIZE], last[NAME_SIZE]; /* segments */
    int64_t bytes, end_ms;
    const char *segment; /* that is being brought */
};

/* ---- asking ------------------------------------------------------------------------------------------------------ */

/* Of a segment that the archive does not have, pgbackrest says nothing. */
static int fail(struct run *run, const struct repository *r, const struct tool *tool)
{
    if (tool->said_length == 0 && r->segment)
        return run_fail(run, PHASE_RESTORE, "the archive lacks '%s', without which the backup is not consistent",
                        r->segment);
    const char *said = tool_complaint(run, tool);
    bool key = strstr(said, "Crypto") || strstr(said, "cipher") || strstr(said, "Salted");
    return run_fail(run, key ? PHASE_DECRYPT : PHASE_RESTORE, "%s", said);
}

static int run_backrest(struct run *run, const struct repository *r, const char *const *more, struct buf *out)
{
    struct tool tool = { .argv = { "pgbackrest", "--config=/dev/fd/3", "--log-level-file=off",
                                   "--log-level-console=off", "--log-level-stderr=error" },
                         .phase = PHASE_RESTORE,
                         .as_self = true };
    const char *key = run->config->key;
    tool_add(&tool, arena_print(&run->arena, "--stanza=%s", r->stanza));
    tool_add(&tool, arena_print(&run->arena, "--repo1-path=%s", r->path));
    tool_add(&tool, arena_print(&run->arena, "--lock-path=%s/tmp", run->folder));
    for (; *more; more++)
        tool_add(&tool, *more);
    tool.key_fd = tool_memory(
        run, PHASE_DECRYPT,
        key ? arena_print(&run->arena, "[global]\nrepo1-cipher-type=aes-256-cbc\nrepo1-cipher-pass=%s", key) : "");
    if (tool.key_fd < 0)
        return -1;
    int code = tool_run(run, &tool, out, out ? ASK_MS : run->config->time_ms);
    close(tool.key_fd);
    return code == 0 ? 0 : fail(run, r, &tool);
}

/* ---- which backup ------------------------------------------------------------------------------------------------ */

/* The only folder of the repository's folder "backup"; NULL after run_fail(). */
static const char *only_stanza(struct run *run)
{
    const char *path = file_join(&run->arena, run->source.path, "backup"), *found = NULL;
    const struct dirent *entry;
    unsigned count = 0;
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir)) != NULL) {
        const char *info = arena_print(&run->arena, "%s/%s/backup.info", path, entry->d_name);
        if (entry->d_name[0] == '.' || access(info, F_OK) != 0)
            continue;
        found = arena_text(&run->arena, entry->d_name);
        count++;
    }
    if (dir)
        closedir(dir);
    if (count == 1)
        return found;
    run_fail(run, PHASE_FETCH,
             count ? "the repository has %u stanzas: write source = \"%s/STANZA\";"
                   : "the repository has %u stanzas with a backup in '%s'",
             count, path);
    return NULL;
}

static int find_stanza(struct run *run, struct repository *r)
{
    char *path = arena_text(&run->arena, run->source.path);
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    r->path = path;
    if (access(file_join(&run->arena, path, "backup.info"), F_OK) != 0) {
        r->stanza = only_stanza(run);
        return r->stanza ? 0 : -1;
    }
    for (int up = 0; up < 2; up++) { /* REPOSITORY/backup/STANZA */
        char *slash = strrchr(path, '/');
        if (!slash)
            return run_fail(run, PHASE_FETCH, "'%s' is no stanza of a repository", run->source.path);
        r->stanza = up == 0 ? slash + 1 : r->stanza;
        *slash = '\0';
    }
    return 0;
}

static bool is_segment(const char *text)
{
    return text && strlen(text) == NAME_SIZE - 1 && strspn(text, "0123456789ABCDEF") == NAME_SIZE - 1;
}

static int take(struct run *run, struct repository *r, const json_t *backup)
{
    const json_t *archive = json_object_get(backup, "archive"), *info = json_object_get(backup, "info");
    const char *first = json_string_value(json_object_get(archive, "start"));
    const char *last = json_string_value(json_object_get(archive, "stop"));
    r->label = arena_text(&run->arena, json_string_value(json_object_get(backup, "label")));
    r->bytes = json_integer_value(json_object_get(info, "size"));
    r->end_ms = json_integer_value(json_object_get(json_object_get(backup, "timestamp"), "stop")) * 1000;
    if (json_is_true(json_object_get(backup, "error")))
        return run_fail(run, PHASE_UNPACK, "pages of backup '%s' had wrong checksums when it was made", r->label);
    if (!is_segment(first) || !is_segment(last))
        return run_fail(run, PHASE_UNPACK,
                        "backup '%s' has no log (archive-copy, or made offline): it can't be drilled", r->label);
    text_copy(r->first, sizeof r->first, first);
    text_copy(r->last, sizeof r->last, last);
    return 0;
}

/* They are listed from the oldest to the newest. */
static int find_backup(struct run *run, struct repository *r)
{
    static const char *const more[] = { "--output=json", "info", NULL };
    struct buf out = { .max_bytes = INFO_BYTES_MAX };
    int code = run_backrest(run, r, more, &out);
    json_t *json = code == 0 ? json_loads(out.data ? out.data : "", 0, NULL) : NULL, *one;
    const json_t *list = json_object_get(json_array_get(json, 0), "backup"), *best = NULL;
    size_t i;
    if (!run->source.part)
        best = restore_pick(run, list);
    json_array_foreach(list, i, one)
    {
        const char *label = json_string_value(json_object_get(one, "label"));
        if (label && run->source.part && strcmp(run->source.part, label) == 0)
            best = one;
    }
    if (code == 0)
        code = best ? take(run, r, best)
                    : run_fail(run, PHASE_FETCH, "stanza '%s' has no %s", r->stanza,
                               run->source.part ? "backup of that label" : "backup that can be read (with this key)");
    json_decref(json);
    buf_close(&out);
    return code;
}

/* ---- bringing it ------------------------------------------------------------------------------------------------- */

static int bring_files(struct run *run, const struct repository *r, const char *to)
{
    const char *const more[] = { arena_print(&run->arena, "--pg1-path=%s", to),
                                 arena_print(&run->arena, "--set=%s", r->label),
                                 arena_print(&run->arena, "--tablespace-map-all=%s/tablespaces", run->data),
                                 "--type=none",
                                 "--process-max=2",
                                 "restore",
                                 NULL };
    if (mkdir(to, 0700) != 0)
        return run_fail(run, PHASE_RESTORE, "'%s' can't be made: %s", to, strerror(errno));
    return run_backrest(run, r, more, NULL);
}

/* The name of the next segment. */
static void step(char name[NAME_SIZE])
{
    char timeline[9], log[9];
    text_copy(timeline, sizeof timeline, name);
    text_copy(log, sizeof log, name + 8);
    unsigned long number = (strtoul(log, NULL, 16) << 8) + strtoul(name + 16, NULL, 16) + 1;
    snprintf(name, NAME_SIZE, "%s%08lX%08lX", timeline, (number >> 8) & 0xFFFFFFFF, number & 0xFF);
}

static int bring_log(struct run *run, struct repository *r, const char *to)
{
    char name[NAME_SIZE];
    text_copy(name, sizeof name, r->first);
    for (unsigned i = 0; i < SEGMENTS_MAX && strcmp(name, r->last) <= 0; i++, step(name)) {
        const char *const more[] = { arena_print(&run->arena, "--pg1-path=%s", to), "archive-get", name,
                                     arena_print(&run->arena, "%s/pg_wal/%s", to, name), NULL };
        r->segment = name;
        if (run_backrest(run, r, more, NULL) != 0)
            return -1;
        r->segment = NULL;
    }
    return 0;
}

static int write_file(struct run *run, const char *name, const char *text)
{
    const char *path = file_join(&run->arena, run->data, name);
    int code = file_replace(path, text, strlen(text), 0600);
    return code == 0 ? 0 : run_fail(run, PHASE_RESTORE, "'%s' can't be written: %s", path, error_text(code));
}

/* No production settings, no production rules of access; and nothing that would go on replaying. */
static int settle(struct run *run, const char *to)
{
    char owner[32];
    snprintf(owner, sizeof owner, "%u:%u", (unsigned)run->user, (unsigned)run->group);
    struct tool chown = { .argv = { "chown", "--recursive", "--no-dereference", owner, run->data },
                          .phase = PHASE_RESTORE,
                          .as_self = true };
    if (write_file(run, "server.conf", "") != 0 || write_file(run, "access.conf", "local all all trust\n") != 0)
        return -1;
    unlink(file_join(&run->arena, to, "recovery.signal"));
    unlink(file_join(&run->arena, to, "standby.signal"));
    run->server_options[0] = arena_print(&run->arena, "--config_file=%s/server.conf", run->data);
    run->server_options[1] = arena_print(&run->arena, "--hba_file=%s/access.conf", run->data);
    run->server_options[2] = arena_print(&run->arena, "--ident_file=%s/server.conf", run->data);
    if (run->user != 0 && tool_run(run, &chown, NULL, run->config->time_ms) != 0)
        return run_fail(run, PHASE_RESTORE, "%s", tool_complaint(run, &chown));
    return 0;
}

static int find(struct run *run, struct repository *r)
{
    struct outcome *outcome = run->outcome;
    if (find_stanza(run, r) != 0 || find_backup(run, r) != 0)
        return -1;
    run->source.part = r->label;
    run->source.bytes = outcome->backup_bytes = r->bytes;
    outcome->backup_wall_ms = r->end_ms;
    snprintf(outcome->backup, sizeof outcome->backup, "%.3800s/backup/%.100s/%.100s", r->path, r->stanza, r->label);
    text_copy(outcome->backup_id, sizeof outcome->backup_id, r->label);
    return 0;
}

int restore_look_pgbackrest(struct run *run)
{
    struct repository r = { 0 };
    return find(run, &r);
}

int restore_pgbackrest(struct run *run)
{
    struct repository r = { 0 };
    const char *to = file_join(&run->arena, run->data, "pg");
    if (find(run, &r) != 0)
        return -1;
    run->outcome->one_database = true;
    if (bring_files(run, &r, to) != 0 || bring_log(run, &r, to) != 0)
        return -1;
    return settle(run, to);
}
