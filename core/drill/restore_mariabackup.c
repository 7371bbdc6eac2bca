/* SPDX-License-Identifier: GPL-3.0-or-later */
/* restore_mariabackup - what mariadb-backup (mariabackup) writes: the server's files as they were, and the log of what
 * changed meanwhile. A folder is copied, a stream (--stream=xbstream) is unpacked by mbstream; the backup itself is
 * only read, for --prepare changes what it works on. The server then starts on the result, without its users.
 *
 * The files that a whole backup has are looked for before anything is done with it:
 *
 *     xtrabackup_checkpoints      backup_type = full-backuped | full-prepared | incremental    (11.1:
 * mariadb_backup_...) xtrabackup_info             end_time = 2026-11-21 03:04:05; binlog_pos = filename ...
 *     xtrabackup_binlog_info      where a replay of the binary log would begin, if the server had one
 *     backup-my.cnf               innodb_page_size=16384, ...: with these the server has to be started
 *     ibdata1, ib_logfile0        */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/drill/restore.h"

#define FILE_BYTES_MAX 65536

/* ---- what is in it ----------------------------------------------------------------------------------------------- */

/* The file name as versions before 11.1 have it, or as those since; NULL: neither is there. */
static const char *find_file(struct run *run, const char *name)
{
    const char *old = file_join(&run->arena, run->data, arena_print(&run->arena, "xtrabackup_%s", name));
    const char *new = file_join(&run->arena, run->data, arena_print(&run->arena, "mariadb_backup_%s", name));
    return access(old, F_OK) == 0 ? old : access(new, F_OK) == 0 ? new : NULL;
}

/* Written by a stranger: a regular file, of a bounded size. */
static const char *read_small(struct run *run, const char *path)
{
    struct stat st;
    char *text = NULL;
    size_t length = 0;
    bool good = path && lstat(path, &st) == 0 && S_ISREG(st.st_mode) &&
                file_read(&run->arena, path, FILE_BYTES_MAX, &text, &length) == 0;
    return good ? text : NULL;
}

/* "name = value" or "name=value", at the begin of a line. */
static const char *find_value(struct run *run, const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *at = line + length;
        if (strncmp(line, name, length) != 0 || (*at != ' ' && *at != '='))
            continue;
        at += strspn(at, " =");
        return arena_text_n(&run->arena, at, strcspn(at, "\r\n"));
    }
    return NULL;
}

static int miss(struct run *run, const char *name)
{
    return run_fail(run, PHASE_UNPACK, "the backup is not whole: '%s' is missing in it", name);
}

static bool has(struct run *run, const char *name)
{
    struct stat st;
    return lstat(file_join(&run->arena, run->data, name), &st) == 0 && S_ISREG(st.st_mode);
}

static int check_info(struct run *run)
{
    struct outcome *outcome = run->outcome;
    const char *text = read_small(run, find_file(run, "info"));
    if (!text)
        return miss(run, "xtrabackup_info");
    const char *end = find_value(run, text, "end_time"), *log = find_value(run, text, "binlog_pos");
    int64_t at_ms = end ? restore_read_stamp(end) : 0;
    if (at_ms > 0 && at_ms < outcome->backup_wall_ms)
        outcome->backup_wall_ms = at_ms;
    return log && log[0] && !find_file(run, "binlog_info") ? miss(run, "xtrabackup_binlog_info") : 0;
}

/* Sets *prepared. */
static int check_whole(struct run *run, bool *prepared)
{
    const char *text = read_small(run, find_file(run, "checkpoints"));
    const char *type = text ? find_value(run, text, "backup_type") : NULL;
    if (has(run, "ibdata1.qp") || has(run, "ibdata1.zst"))
        return run_fail(run, PHASE_UNPACK,
                        "it was made with --compress, which can't be undone here: pack it with "
                        "--stream=xbstream | zstd");
    if (!type)
        return miss(run, "xtrabackup_checkpoints");
    *prepared = strcmp(type, "log-applied") == 0 || strcmp(type, "full-prepared") == 0;
    if (strcmp(type, "full-backuped") != 0 && !*prepared)
        return run_fail(run, PHASE_UNPACK, "it is '%.40s' and can't be restored by itself: drill a full backup", type);
    if (!has(run, "backup-my.cnf"))
        return miss(run, "backup-my.cnf");
    if (!has(run, "ibdata1"))
        return miss(run, "ibdata1");
    if (!*prepared && !has(run, "ib_logfile0"))
        return miss(run, "ib_logfile0");
    return check_info(run);
}

/* What of backup-my.cnf the server must be told, too. */
static int read_options(struct run *run)
{
    static const char *const names[] = { "innodb_page_size", "innodb_data_file_path", "innodb_undo_tablespaces" };
    const char *text = read_small(run, file_join(&run->arena, run->data, "backup-my.cnf"));
    _Static_assert(sizeof names / sizeof names[0] < SERVER_OPTIONS_MAX, "room for each and the end");
    size_t count = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = find_value(run, text ? text : "", names[i]);
        if (!value)
            continue;
        if (value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:;._")] != '\0')
            return run_fail(run, PHASE_UNPACK, "its data lies elsewhere, too: '%s' is '%.100s'", names[i], value);
        run->server_options[count++] = arena_print(&run->arena, "--%s=%s", names[i], value);
    }
    return 0;
}

/* ---- how --------------------------------------------------------------------------------------------------------- */

static int bring_folder(struct run *run)
{
    char path[PATH_MAX];
    run_begin(run, PHASE_FETCH);
    if (restore_copy_folder(run, path) != 0)
        return -1;
    return rename(path, run->data) == 0
               ? 0
               : run_fail(run, PHASE_FETCH, "'%s' can't be made: %s", run->data, strerror(errno));
}

static int bring_stream(struct run *run)
{
    struct tool tool = { .argv = { "mbstream", "-x" }, .phase = PHASE_UNPACK, .folder = run->data };
    struct flow flow = { .sink = &tool };
    return flow_run(run, &flow);
}

static int prepare(struct run *run)
{
    struct tool tool = { .argv = { "mariadb-backup", "--no-defaults", "--prepare" }, .phase = PHASE_RESTORE };
    tool_add(&tool, arena_print(&run->arena, "--target-dir=%s", run->data));
    tool_add(&tool, arena_print(&run->arena, "--use-memory=%lld", (long long)run->config->memory_bytes / 2));
    tool_add(&tool, arena_print(&run->arena, "--tmpdir=%s/tmp", run->folder));
    if (tool_run(run, &tool, NULL, run->config->time_ms) != 0)
        return run_fail(run, PHASE_RESTORE, "%s", tool_complaint(run, &tool));
    return strstr(tool.said, "completed OK!") ? 0
                                              : run_fail(run, PHASE_RESTORE,
                                                         "mariadb-backup did not say that it is "
                                                         "complete: its last words are '%s'",
                                                         tool_complaint(run, &tool));
}

int restore_mariabackup(struct run *run)
{
    bool prepared = false;
    int code = run->source.folder ? bring_folder(run) : bring_stream(run);
    run_begin(run, PHASE_RESTORE);
    if (code == 0)
        code = check_whole(run, &prepared);
    if (code == 0)
        code = read_options(run);
    if (code == 0 && !prepared)
        code = prepare(run);
    run->open_server = true; /* the users in it have passwords */
    run->outcome->one_database = access(file_join(&run->arena, run->data, run->config->database), F_OK) == 0;
    return code;
}
